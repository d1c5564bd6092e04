/**
 * The life of chunks: begun, completed by size, age and restart, acknowledged, and never confused with one another.
 *
 * @module
 */
import { SEAL_DELAY_MS } from "../../lib/protocol/limits.ts";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { parseCategoryDirectory } from "../../lib/protocol/names.ts";
import { settle } from "../support/fake_clock.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { bytes, openNew, openOn, readText } from "./world.ts";

const CHUNK = (number: number): string => `n-chunk${String(number).padStart(9, "0")}`;

async function code(pending: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => pending, ChukchaError)).code;
}

Deno.test("Category: a chunk that would grow too large is completed, and the next one begun", async () => {
  const { store } = await openNew({ chunkBytesMax: 10 });
  assertEquals(await store.append("c", bytes("12345\n"), false), { chunk: CHUNK(0), offset: 0, size: 6 });
  assertEquals(await store.append("c", bytes("789\n"), false), { chunk: CHUNK(0), offset: 6, size: 4 });
  assertEquals(await store.append("c", bytes("\n"), false), { chunk: CHUNK(1), offset: 0, size: 1 });
  assertEquals((await store.append("c", bytes("larger than a chunk\n"), false)).chunk, CHUNK(2));
  assertEquals((await store.append("c", bytes("x\n"), false)).chunk, CHUNK(3));
  assertEquals(store.listChunks("c").map(({ complete, size }) => [complete, size]), [
    [true, 10],
    [true, 1],
    [true, 20],
    [false, 2],
  ]);
  await store.close();
});

Deno.test("Category: a chunk that is old enough is completed by the next append, and when nobody appends", async () => {
  const { store, clock } = await openNew({ rotateIntervalMs: 1000 });
  await store.append("c", bytes("a\n"), false);
  clock.advance(999);
  assertEquals((await store.append("c", bytes("b\n"), false)).chunk, CHUNK(0));
  const late = store.append("c", bytes("c\n"), false);
  clock.advance(1);
  assertEquals((await late).chunk, CHUNK(1));
  assertEquals(store.listChunks("c").map(({ complete }) => complete), [true, false]);
  clock.advance(1000);
  await settle();
  assertEquals(store.listChunks("c").map(({ complete }) => complete), [true, true]);
  clock.advance(SEAL_DELAY_MS);
  await settle();
  assertEquals(clock.timerCount, 0);
  await store.close();
});

Deno.test("Category: a chunk whose first append failed is still completed by age", async () => {
  const { store, clock, disk } = await openNew({ rotateIntervalMs: 1000 });
  disk.faults.before = (operation) => operation === "write" ? "full" : undefined;
  assertEquals(await code(store.append("c", bytes("a\n"), false)), "disk_full");
  clock.advance(1000);
  await settle();
  disk.faults.before = () => undefined;
  await store.append("c", bytes("a\n"), false);
  clock.advance(1000);
  await settle();
  assertEquals(store.listChunks("c").map(({ complete }) => complete), [true]);
  await store.close();
});

Deno.test("Category: a restart completes the last chunk and begins another, also after a kill", async () => {
  const first = await openNew();
  await first.store.append("c", bytes("a\n"), false);
  await first.store.close();
  const second = await openOn(first.disk.kill());
  await second.store.append("c", bytes("b\n"), false);
  const third = await openOn(second.disk.kill());
  assertEquals((await third.store.append("c", bytes("c\n"), false)).chunk, CHUNK(2));
  assertEquals(third.store.listChunks("c").map(({ name, complete }) => [name, complete]), [
    [CHUNK(0), true],
    [CHUNK(1), true],
    [CHUNK(2), false],
  ]);
  assertEquals(await readText(third.store, "c", CHUNK(1)), "b\n");
  await third.store.close();
});

Deno.test("Category: without inodes it stays in its chunk and uses no numbers up", async () => {
  const { store, disk } = await openNew({ chunkBytesMax: 10 });
  await store.append("c", bytes("123456789\n"), false);
  disk.faults.inodesMax = 0;
  for (let i = 0; i < 5; i++) {
    assertEquals((await store.append("c", bytes("more\n"), false)).chunk, CHUNK(0));
  }
  const refused = await assertRejects(() => store.append("new", bytes("x\n"), false), ChukchaError);
  assertEquals([refused.code, refused.written, store.listCategories()], ["disk_full", "no", ["c"]]);
  disk.faults.inodesMax = Infinity;
  assertEquals((await store.append("c", bytes("more\n"), false)).chunk, CHUNK(1));
  assertEquals((await store.append("new", bytes("x\n"), false)).chunk, CHUNK(0));
  await store.close();
});

Deno.test("Category: a file that is in the way of a new chunk is left alone, and its number skipped", async () => {
  const { store, disk } = await openNew({ chunkBytesMax: 4 });
  await store.append("c", bytes("one\n"), false);
  disk.plant(`c/${CHUNK(1)}`, bytes("put here by hand\n"));
  disk.plant(`c/${CHUNK(2)}.idx`, bytes("and this"));
  const appended: string[] = [];
  for (let i = 0; i < 3; i++) {
    appended.push((await store.append("c", bytes("two\n"), false)).chunk);
  }
  assertEquals(appended, [CHUNK(0), CHUNK(0), CHUNK(3)]);
  assertEquals(disk.peek(`c/${CHUNK(1)}`), bytes("put here by hand\n"));
  assertEquals(disk.peek(`c/${CHUNK(2)}.idx`), bytes("and this"));
  assert(!disk.snapshot().has(`c/${CHUNK(1)}.idx`));
  await store.close();
  const again = await openOn(disk.kill());
  assertEquals(await readText(again.store, "c", CHUNK(1)), "put here by hand\n");
  await again.store.close();
});

Deno.test("Category: names that the data directory or a system keeps for itself get a directory of their own", async () => {
  const names = ["lock", "node.json", "con", "CON.txt", "a.", "LPT1", "plain", "nul.tar.gz", "probe"];
  const { store, disk } = await openNew();
  for (const name of names) await store.append(name, bytes(`${name}\n`), false);
  const directories = disk.list("").filter((entry) => entry.isDirectory).map((entry) => entry.name).sort();
  assertEquals(
    directories,
    ["=CON.txt=", "=LPT1=", "=a.=", "=con=", "=lock=", "=node.json=", "=nul.tar.gz=", "plain", "probe"],
  );
  assertEquals(directories.map(parseCategoryDirectory).sort(), names.toSorted());
  await store.close();
  const again = await openOn(disk.kill());
  assertEquals(again.store.listCategories(), names.toSorted());
  for (const name of names) assertEquals(await readText(again.store, name, CHUNK(0)), `${name}\n`);
  await again.store.close();
});

// --- acknowledging ---

Deno.test("acknowledge: refused while the chunk is written to, or not seen whole; repeated it is the same", async () => {
  const { store, disk } = await openNew({ chunkBytesMax: 4 });
  await store.append("c", bytes("one\n"), false);
  assertEquals(await code(store.acknowledge("c", CHUNK(0), 4)), "not_complete");
  await store.append("c", bytes("two\n"), false);
  // Sealed by then.
  await settle();
  const before = disk.snapshot();
  assertEquals(await code(store.acknowledge("c", CHUNK(0), 3)), "not_complete");
  assertEquals(await code(store.acknowledge("c", CHUNK(7), 3)), "chunk_not_found");
  assertEquals(await code(store.acknowledge("unknown", CHUNK(0), 3)), "chunk_not_found");
  assertEquals(disk.snapshot(), before);
  await store.acknowledge("c", CHUNK(0), 4);
  await store.acknowledge("c", CHUNK(0), 0);
  assertEquals(store.listChunks("c").map(({ name }) => name), [CHUNK(1)]);
  assertEquals(await code(store.read("c", CHUNK(0), 0, 100)), "chunk_not_found");
  assertEquals([...disk.snapshot().keys()].filter((path) => path.startsWith(`c/${CHUNK(0)}`)), []);
  await store.close();
});

Deno.test("acknowledge: a number is never used again, also if all chunks are gone and after a power cut", async () => {
  const { store, disk } = await openNew();
  await store.append("c", bytes("one\n"), true);
  await store.close();
  const second = await openOn(disk.kill());
  await second.store.acknowledge("c", CHUNK(0), 4);
  assertEquals([second.store.listCategories(), second.store.listChunks("c")], [["c"], []]);
  const third = await openOn(second.disk.crash());
  assertEquals([third.store.listCategories(), third.store.listChunks("c")], [["c"], []]);
  assertEquals((await third.store.append("c", bytes("two\n"), false)).chunk, CHUNK(1));
  await third.store.close();
});

Deno.test("acknowledge: several at once are all kept", async () => {
  const { store, disk, clock } = await openNew({ chunkBytesMax: 4 });
  for (let i = 0; i < 6; i++) await store.append("c", bytes("one\n"), false);
  await Promise.all([0, 2, 4, 1].map((number) => store.acknowledge("c", CHUNK(number), 4)));
  clock.advance(SEAL_DELAY_MS);
  await settle();
  assertEquals(store.listChunks("c").map(({ name }) => name), [CHUNK(3), CHUNK(5)]);
  const again = await openOn(disk.crash());
  assertEquals(again.store.listChunks("c").map(({ name }) => name), [CHUNK(3)]);
  await again.store.close();
});

for (const room of ["enough room", "a full disk"]) {
  Deno.test(`acknowledge: cut off at every operation, with ${room}, it leaves all or nothing of the chunk`, async () => {
    const first = await openNew();
    await first.store.append("c", bytes("one\n"), true);
    await first.store.append("c", bytes("two\n"), true);
    await first.store.close();
    const base = first.disk.kill().clone();
    let finished = false;
    for (let n = 1; !finished; n++) {
      for (const power of ["no", "exact", 1, 2, 3, 4, 5, 6] as const) {
        const { store, disk } = await openOn(base.clone());
        if (room === "a full disk") disk.faults.bytesMax = disk.space().totalBytes - disk.space().freeBytes;
        disk.dieAt(n);
        let answered = true;
        await store.acknowledge("c", CHUNK(0), 8).catch(() => answered = false);
        finished = !disk.dead;
        const left = power === "no"
          ? disk.kill()
          : disk.crash(power === "exact" ? undefined : { random: new SeededRandom(n * 100 + power) });
        const again = await openOn(left);
        const [chunk] = again.store.listChunks("c");
        if (answered) assertEquals(chunk, undefined, "acknowledged, and back");
        if (chunk) assertEquals(await readText(again.store, "c", CHUNK(0)), "one\ntwo\n");
        assertEquals((await again.store.append("c", bytes("next\n"), false)).chunk, CHUNK(1));
        await again.store.close();
      }
    }
  });
}

Deno.test("acknowledge: files are removed at a start only once their acknowledgement is there to stay", async () => {
  const first = await openNew();
  await first.store.append("c", bytes("one\n"), true);
  await first.store.close();
  const base = first.disk.kill();
  const second = await openOn(base.clone());
  second.disk.faults.before = (operation) => operation === "sync directory" ? "failed" : undefined;
  await assertRejects(() => second.store.acknowledge("c", CHUNK(0), 4), ChukchaError);
  const third = await openOn(second.disk.kill());
  assertEquals(third.store.listChunks("c"), []);
  assertEquals(third.log.of("error"), []);
  for (let seed = 0; seed < 20; seed++) {
    const world = await openOn(third.disk.kill().crash({ random: new SeededRandom(seed) }));
    assertEquals((await world.store.append("c", bytes("two\n"), false)).chunk, CHUNK(1));
    await world.store.close();
  }
});

Deno.test("Category: a directory made by a process that died is synced by the next one", async () => {
  const first = await openNew();
  first.disk.faults.before = (operation) => operation === "sync directory" ? "failed" : undefined;
  await assertRejects(() => first.store.append("c", bytes("one\n"), true), ChukchaError);
  const second = await openOn(first.disk.kill());
  await second.store.append("c", bytes("two\n"), true);
  const third = await openOn(second.disk.crash());
  assertEquals(third.store.listChunks("c").length, 1);
  await third.store.close();
});

Deno.test("Store: unknown categories are empty, and empty batches are stored nowhere", async () => {
  const { store, disk } = await openNew();
  const before = disk.snapshot();
  assertEquals(await store.append("c", new Uint8Array(), true), { chunk: "", offset: 0, size: 0 });
  assertEquals([store.listChunks("c"), store.listCategories()], [[], []]);
  assertEquals(await code(store.read("c", CHUNK(0), 0, 10)), "chunk_not_found");
  assertEquals(disk.snapshot(), before);
  await store.close();
  assertEquals(await code(store.append("c", bytes("x\n"), false)), "draining");
  assert(disk instanceof MemoryDisk && disk.openFiles === 0);
});

Deno.test("Category: the process may die, and the power go, at every operation of a rotation; no number is used twice", async () => {
  for (const how of ["kill", "power loss"] as const) {
    for (let at = 1, done = false; !done; at++) {
      const { store, disk } = await openNew({ chunkBytesMax: 6 });
      const first = await store.append("c", bytes("first\n"), true);
      disk.dieAt(at);
      // The first chunk is full: this begins the second one.
      const second = await store.append("c", bytes("second\n"), true).catch(() => undefined);
      done = second !== undefined;
      const left = how === "kill" ? disk.kill() : disk.crash({ random: new SeededRandom(at) });
      const again = await openOn(left, { chunkBytesMax: 6 });
      const listed = again.store.listChunks("c");
      assert(listed.every(({ size }) => size > 0), "an empty chunk is listed");
      assertEquals(await readText(again.store, "c", first.chunk), "first\n");
      const third = await again.store.append("c", bytes("third\n"), true);
      const used = [first.chunk, ...second ? [second.chunk] : [], ...listed.map(({ name }) => name)];
      assert(used.every((name) => name < third.chunk), `${third.chunk} is not above ${used}, died at ${at}`);
      assertEquals(await readText(again.store, "c", third.chunk), "third\n");
      await again.store.close();
    }
  }
});
