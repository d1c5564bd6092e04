/**
 * Disks that are full: by what the node stores, or by what others put there.
 *
 * Writes are refused, and nothing of them is kept; everything else goes on; and when there is room again, nobody has to
 * tell the node.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { KIB, MIB } from "../../lib/protocol/limits.ts";
import { linesOf } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { FileSystem } from "../support/file_systems.ts";
import type { Member } from "../support/member.ts";
import { report } from "../support/report.ts";
import { testWith } from "../support/skip.ts";
import { Writers } from "../support/writers.ts";
import { assertRefused, diskCheck, looping, mounting, startOn } from "./ground.ts";

const DISK_BYTES = 8 * MIB;
const CLIENTS = 8;
const ACKS = 6;
/** So many lines of the log tell of a full disk within a minute: its state, and errors in growing intervals. */
const LINES_MAX = 8;

/** Whether every data file ends where the node says that the chunk does. */
async function assertNothingTorn(member: Member, category: string): Promise<void> {
  for (const { name, size } of await member.listChunks(category)) {
    assertEquals(Deno.statSync(`${member.dataDir}/${category}/${name}`).size, size, name);
  }
}

testWith(
  `${
    DISK_BYTES / MIB
  } MiB filled by ${CLIENTS} clients: chunks are acknowledged, and it goes on; nothing is lost, torn or told wrongly`,
  mounting,
  async () => {
    await using files = await FileSystem.tmpfs(DISK_BYTES);
    await using node = await startOn(files, "--max-chunk-size", "1MiB");
    const { member } = node;
    const writers = new Writers({ members: [member], count: CLIENTS, categories: ["web"], seed: 1 });
    const stop = new AbortController();
    const writing = writers.run(stop.signal);
    const gone: { name: string; lines: string[] }[] = [];
    const startMs = performance.now();
    try {
      for (let acks = 0; acks < ACKS; acks++) {
        const refused = writers.book.count("no");
        await eventually(
          "the disk is full",
          () => writers.book.count("no") - refused,
          (count) => count > 10 * CLIENTS,
        );
        const { ready, ok, message } = await diskCheck(member);
        assertEquals([ready, ok], [503, false], message);
        assertStringIncludes(message, "resume by themselves");

        const chunk = (await member.listChunks("web")).find(({ complete }) => complete)!;
        const lines = new TextDecoder().decode(await member.read("web", chunk.name)).split("\n").slice(0, -1);
        gone.push({ name: chunk.name, lines });
        const answers = writers.okMs.length;
        const { status, text } = await member.ack("web", chunk.name, chunk.size);
        assertEquals(status, 200, text);
        await eventually("it goes on", () => writers.okMs.length - answers, (count) => count > 10);
      }
    } finally {
      stop.abort();
      await writing;
    }
    const seconds = (performance.now() - startMs) / 1000;
    await assertNothingTorn(member, "web");
    const held = [...gone, ...await linesOf(member)];
    assertEquals(writers.book.complaints(held), []);
    const lines = member.output.split("\n").filter((line) => line.includes("disk")).length;
    const { book } = writers;
    report(
      `${CLIENTS} clients and ${ACKS} acknowledgements on ${
        DISK_BYTES / MIB
      } MiB: ${book.size} messages sent, ` +
        `${book.count("ok")} ok, ${book.count("no")} no, ${book.count("maybe")} maybe, ` +
        `${seconds.toFixed(1)} s; ${lines} lines of the log tell of the disk`,
    );
    assert(lines <= LINES_MAX, `${lines} lines of the log tell of the disk`);
    await member.kill();
    await member.start();
    assertEquals(writers.book.complaints([...gone, ...await linesOf(member)]), []);
    assertEquals(member.output.includes("torn"), false, member.output);
    await member.stop();
  },
);

for (
  const [name, needs, make] of [
    ["tmpfs", mounting, () => FileSystem.tmpfs(DISK_BYTES)],
    ["ext4", looping, () => FileSystem.ext4(16 * MIB)],
  ] as const
) {
  testWith(
    `no byte left, on ${name}: acknowledgements work, reads go on, and it is ready again without being asked to write`,
    needs,
    async (t) => {
      await using files = await make();
      await using node = await startOn(files, "--max-chunk-size", "64KiB");
      const { member } = node;
      const line = "x".repeat(1000) + "\n";
      for (let i = 0; i < 256; i++) await member.write("web", line);
      const chunks = await member.listChunks("web");
      files.fill();

      await t.step("writes are refused and leave nothing", async () => {
        const before = await member.readText("web");
        // As much as may be left in a page that is there already.
        for (let i = 0; i < 8; i++) {
          const answer = await member.askWrite("web", line.repeat(64));
          if (answer.status === 200) continue;
          assertRefused(answer, "disk_full");
        }
        assertRefused(await member.askWrite("web", line.repeat(64)), "disk_full");
        assertRefused(await member.askWrite("new", line), "disk_full");
        assertStringIncludes(await member.readText("web"), before);
        assertEquals((await diskCheck(member)).ready, 503);
        await assertNothingTorn(member, "web");
      });

      await t.step("an acknowledgement needs no room", async () => {
        const [first, second] = chunks as [typeof chunks[0], typeof chunks[0]];
        assertEquals((await member.ack("web", first!.name, first!.size)).status, 200);
        files.fill();
        assertEquals((await member.ack("web", second!.name, second!.size)).status, 200);
        files.fill();
        assertEquals((await member.ask(`/read?category=web&chunk=${first!.name}`)).status, 404);
        assertEquals((await member.listChunks("web"))[0]!.name, chunks[2]!.name);
        assertEquals(
          [...Deno.readDirSync(`${member.dataDir}/web`)].filter(({ name }) => name.startsWith(first!.name)),
          [],
        );
      });

      await t.step("it starts on a full disk, and reads", async () => {
        const before = await member.readText("web");
        await member.kill();
        files.fill();
        await member.launch();
        assertEquals(await member.readText("web"), before);
        assertEquals((await member.listChunks("web"))[0]!.name, chunks[2]!.name);
        assertRefused(await member.askWrite("web", line.repeat(64)), "disk_full");
      });

      await t.step("it is ready again by itself", async () => {
        const startMs = performance.now();
        files.release();
        await eventually("ready", () => diskCheck(member), ({ ready, ok }) => ready === 200 && ok);
        report(`${name}: ready ${Math.round(performance.now() - startMs)} ms after there was room again`);
        assertEquals((await member.askWrite("web", line.repeat(64))).status, 200);
        assertEquals((await member.askWrite("new", line)).status, 200);
      });
      await member.stop();
    },
  );
}

testWith(
  "--min-free-disk: writes end before the disk is full, and acknowledgements bring them back",
  mounting,
  async () => {
    await using files = await FileSystem.tmpfs(DISK_BYTES);
    const floor = 3 * MIB;
    await using node = await startOn(files, "--min-free-disk", `${floor}`, "--max-chunk-size", "1MiB");
    const { member } = node;
    const batch = ("x".repeat(1023) + "\n").repeat(256);
    let answer = await member.askWrite("web", batch);
    for (; answer.status === 200; answer = await member.askWrite("web", batch));
    assertRefused(answer, "disk_full");
    assertStringIncludes(answer.error!.message, "--min-free-disk");
    assert(files.freeBytes >= floor, `${files.freeBytes} bytes free`);
    assert(files.freeBytes < floor + 2 * batch.length + 64 * KIB, `${files.freeBytes} bytes free`);
    assertEquals((await diskCheck(member)).ready, 503);

    const [chunk] = await member.listChunks("web");
    assertEquals((await member.ack("web", chunk!.name, chunk!.size)).status, 200);
    await eventually("ready", () => diskCheck(member), ({ ready, ok }) => ready === 200 && ok);
    assertEquals((await member.askWrite("web", batch)).status, 200);
    await member.stop();
  },
);

testWith("a first start on a disk without room says what is wrong, in one line", mounting, async () => {
  await using files = await FileSystem.tmpfs(64 * KIB);
  files.fill();
  const message = await startOn(files).then(() => "it started", (error: Error) => error.message);
  report(message);
  assertStringIncludes(message, "cannot be used: write node.json.tmp: No space left on device");
  assertStringIncludes(message, "make room");
  assertEquals(message.includes("defect"), false, message);
});
