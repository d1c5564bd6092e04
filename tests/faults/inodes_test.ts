/**
 * File systems on which no more files can be made, although there is room.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MIB } from "../../lib/protocol/limits.ts";
import { eventually } from "../support/eventually.ts";
import { FileSystem } from "../support/file_systems.ts";
import { report } from "../support/report.ts";
import { testWith } from "../support/skip.ts";
import { assertRefused, diskCheck, mounting, startOn } from "./ground.ts";

const INODES = 40;
const LINE = "x".repeat(999) + "\n";

testWith(
  "no inodes left: chunks go on beyond their size, a new category is a 503, acknowledgements work, and it resumes by itself",
  mounting,
  async (t) => {
    await using files = await FileSystem.tmpfs(64 * MIB, INODES);
    await using node = await startOn(files, "--max-chunk-size", "64KiB");
    const { member } = node;
    for (let i = 0; i < 130; i++) await member.write("web", LINE);
    const before = await member.listChunks("web");
    const made = files.fillInodes();

    await t.step("writes go into the chunk that is there", async () => {
      for (let i = 0; i < 130; i++) await member.write("web", LINE);
      const chunks = await member.listChunks("web");
      assertEquals(chunks.map(({ name }) => name), before.map(({ name }) => name));
      assert(chunks.at(-1)!.size > 130 * LINE.length);
      report(
        `${INODES} inodes, ${made} taken by others: the last chunk has ${
          chunks.at(-1)!.size
        } bytes of 64 KiB`,
      );
    });

    await t.step("a new category is refused, told, and not listed", async () => {
      assertRefused(await member.askWrite("new", LINE), "disk_full");
      const { ready, ok, message } = await diskCheck(member);
      assertEquals([ready, ok], [503, false], message);
      assertStringIncludes(message, "inodes");
      assertEquals(await member.listCategories(), ["web"]);
    });

    await t.step("an acknowledgement works, and gives back what it takes", async () => {
      const [first] = before;
      const { status, text } = await member.ack("web", first!.name, first!.size);
      assertEquals(status, 200, text);
      assertEquals((await member.ask(`/read?category=web&chunk=${first!.name}`)).status, 404);
    });

    await t.step("it starts without inodes, with everything there", async () => {
      files.fillInodes();
      const content = await member.readText("web");
      await member.kill();
      await member.launch();
      assertEquals(await member.readText("web"), content);
      // The chunks of the process before are complete, and there can be no other.
      assertRefused(await member.askWrite("web", LINE), "disk_full");
    });

    await t.step("it is ready again by itself", async () => {
      files.release();
      await eventually("ready", () => diskCheck(member), ({ ready, ok }) => ready === 200 && ok);
      assertEquals((await member.askWrite("web", LINE)).status, 200);
      assertEquals((await member.askWrite("new", LINE)).status, 200);
    });
    await member.stop();
  },
);
