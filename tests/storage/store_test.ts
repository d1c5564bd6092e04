/**
 * Opening and closing a data directory: the lock, whose it is, what is taken over, and what refuses a start.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { SEAL_DELAY_MS } from "../../lib/protocol/limits.ts";
import { decodeChecked } from "../../lib/storage/checked_json.ts";
import { DenoDisk } from "../../lib/storage/deno_disk.ts";
import type { Disk } from "../../lib/storage/disk.ts";
import { FORMAT_VERSION, WrongDirectoryError } from "../../lib/storage/node_file.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { bytes, openNew, openOn, readText, text } from "./world.ts";

const CHUNK = "n-chunk000000000";

async function refused(disk: MemoryDisk, instance = "n"): Promise<string> {
  const { message } = await assertRejects(() => openOn(disk, { instance }), WrongDirectoryError);
  const lock = disk.lock("lock");
  assert(lock, "a refused start keeps the lock");
  lock.release();
  return message;
}

Deno.test("Store: a second one on the same directory is refused until the first is closed", async () => {
  const { store, disk } = await openNew();
  const { message } = await assertRejects(() => openOn(disk), WrongDirectoryError);
  assertStringIncludes(message, "in use by another chukcha process");
  await store.close();
  await (await openOn(disk)).store.close();
});

Deno.test("Store on DenoDisk: a second one on the same directory is refused until the first is closed", async () => {
  const root = Deno.makeTempDirSync();
  try {
    const { store } = await openOn<Disk>(new DenoDisk(root));
    await store.append("c", bytes("x\n"), true);
    await assertRejects(() => openOn<Disk>(new DenoDisk(root)), WrongDirectoryError, "in use");
    await store.close();
    const again = await openOn<Disk>(new DenoDisk(root));
    assertEquals(again.store.listChunks("c"), [{ name: CHUNK, complete: true, size: 2 }]);
    await again.store.close();
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
});

Deno.test("Store: the identity is made once, and stays", async () => {
  const { store, disk } = await openNew();
  const { incarnation } = store.identity;
  assertEquals(store.identity.instance, "n");
  assertEquals(decodeChecked(disk.peek("node.json")), {
    format: FORMAT_VERSION,
    instance: "n",
    incarnation,
  });
  const again = await openOn(disk.crash({ random: new SeededRandom(1) }));
  assertEquals(again.store.identity, store.identity);
  await again.store.close();
});

Deno.test("Store: a directory of another instance, another format, or garbage is refused, and left as it is", async () => {
  const identity = { format: FORMAT_VERSION, instance: "n", incarnation: "abc" };
  const cases: [content: string, says: string][] = [
    [JSON.stringify({ ...identity, instance: "other" }), 'belongs to instance "other", not "n"'],
    [JSON.stringify({ ...identity, format: 99 }), "has format 99"],
    [JSON.stringify({ ...identity, instance: "../x" }), "lacks a valid instance"],
    [JSON.stringify({ ...identity, incarnation: 7 }), "lacks a valid instance or incarnation"],
    ["", "node.json in the data directory cannot be read"],
    ["\0\0\0", "node.json in the data directory cannot be read"],
    ["null", "not an object"],
    ["[]", "not an object"],
    ["{}", "has format undefined"],
  ];
  for (const [content, says] of cases) {
    const disk = new MemoryDisk();
    disk.plant("node.json", bytes(content));
    disk.plant(`c/${CHUNK}`, bytes("x\n"));
    assertStringIncludes(await refused(disk), says);
    assertEquals([...disk.snapshot()], [[`c/${CHUNK}`, "x\n"], ["lock", ""], ["node.json", content]]);
  }
});

Deno.test("Store: a list of acknowledged chunks that cannot be read refuses the start and names the file", async () => {
  for (
    const content of ["", "[", "null", '{"n":[[3,1]]}', '{"../x":[[0,1]]}', '{"n":[[0,1e99]]}', '{"n":7}']
  ) {
    const disk = new MemoryDisk();
    disk.plant(`c/${CHUNK}`, bytes("x\n"));
    disk.plant("c/acknowledged.json", bytes(content));
    assertStringIncludes(await refused(disk), "c/acknowledged.json cannot be read");
    assertEquals(text(disk.peek(`c/${CHUNK}`)), "x\n");
  }
});

Deno.test("Store: a start that is refused has left nothing running and nothing open", async () => {
  const first = await openNew();
  await first.store.append("a", bytes("x\n"), false);
  await first.store.append("b", bytes("x\n"), false);
  const disk = first.disk.kill();
  disk.plant("b/acknowledged.json", bytes("garbage"));
  const clock = new FakeClock();
  await assertRejects(() => openOn(disk, {}, clock), WrongDirectoryError);
  const before = disk.snapshot();
  clock.advance(SEAL_DELAY_MS);
  await settle();
  assertEquals(disk.snapshot(), before);
  assertEquals(disk.openFiles, 0);
});

Deno.test("Store: a chunk without an index is taken over, of whatever owner, and stays as it was", async () => {
  const contents: [put: string, becomes: string][] = [
    ["one\ntwo\n", "one\ntwo\n"],
    ["no newline at its end", "no newline at its end\n"],
    ["\0\0nul\0\n\0", "\0\0nul\0\n\0\n"],
    ["\n", "\n"],
    ["x".repeat(70_000), "x".repeat(70_000) + "\n"],
    [`${"y".repeat(999)}\n`.repeat(300), `${"y".repeat(999)}\n`.repeat(300)],
  ];
  for (const [put, becomes] of contents) {
    for (const name of [CHUNK, "someone-else-chunk000000007"]) {
      const disk = new MemoryDisk();
      disk.plant(`c/${name}`, bytes(put));
      const { store } = await openOn(disk);
      assertEquals(store.listChunks("c"), [{ name, complete: true, size: becomes.length }]);
      assertEquals(await readText(store, "c", name), becomes);
      const { chunk } = await store.append("c", bytes("next\n"), false);
      assertEquals(chunk, name === CHUNK ? "n-chunk000000001" : CHUNK);
      const again = await openOn(disk.crash());
      assertEquals(await readText(again.store, "c", name), becomes);
      assertEquals(again.log.of("warn", "error"), []);
      await again.store.close();
    }
  }
});

Deno.test("Store: taking over a chunk may be cut off at every operation", async () => {
  for (let n = 1, done = false; !done; n++) {
    const disk = new MemoryDisk();
    disk.plant(`c/${CHUNK}`, bytes("one\ntwo"));
    disk.dieAt(n);
    done = await openOn(disk).then(() => true, () => false);
    const { store } = await openOn(disk.crash({ random: new SeededRandom(n) }));
    assertEquals(await readText(store, "c", CHUNK), "one\ntwo\n");
    await store.close();
  }
});

Deno.test("Store: what is not ours is left alone; temporary files are cleared away", async () => {
  const disk = new MemoryDisk();
  const foreign = ["lost+found/x", "c/notes", "c/n-chunk1", "c/.hidden", "README", "c/sub/file", "=plain=/x"];
  for (const path of foreign) disk.plant(path, bytes(path));
  disk.plant("c/acknowledged.json.tmp", bytes("half"));
  disk.plant(`c/${CHUNK}.idx.tmp`, bytes("half"));
  disk.plant(`c/${CHUNK}`, new Uint8Array());
  const { store } = await openOn(disk);
  assertEquals([store.listCategories(), store.listChunks("c")], [[], []]);
  for (const path of foreign) assertEquals(text(disk.peek(path)), path);
  assert(![...disk.snapshot().keys()].some((path) => path.endsWith(".tmp")));
  assertEquals((await store.append("c", bytes("x\n"), false)).chunk, "n-chunk000000001");
  await store.close();
});

Deno.test("Store: numbers that are used up are an error, not a number of ten digits", async () => {
  const disk = new MemoryDisk();
  disk.plant("c/n-chunk999999999", bytes("last\n"));
  const { store } = await openOn(disk);
  await assertRejects(() => store.append("c", bytes("x\n"), false), Error, "used all chunk numbers");
  assertEquals(store.listChunks("c").length, 1);
  await store.close();
});

Deno.test("Store.close: waits for what is under way, seals it, and gives everything back", async () => {
  const { store, disk } = await openNew();
  const pending = Array.from(
    { length: 10 },
    (_, i) => store.append(`c${i % 3}`, bytes(`${i}\n`), i % 2 === 0),
  );
  await settle();
  const closed = store.close();
  await Promise.all([...pending, closed]);
  assertEquals(disk.openFiles, 0);
  const again = await openOn(disk.crash());
  assertEquals(again.log.of("warn", "error"), []);
  assertEquals(await readText(again.store, "c1", CHUNK), "1\n4\n7\n");
  // A sealed chunk is believed: nothing of it is read or written at the start.
  disk.counts.clear();
  assertEquals(again.disk.counts.get("write") ?? 0, 0);
  await again.store.close();
});

Deno.test("Sealer: what cannot be sealed stays readable and is sealed by the next start", async () => {
  const { store, disk, log, clock } = await openNew({ chunkBytesMax: 4 });
  await store.append("c", bytes("one\n"), false);
  disk.faults.before = (operation, path) =>
    operation === "sync" && path.endsWith(CHUNK) ? "failed" : undefined;
  await store.append("c", bytes("two\n"), false);
  clock.advance(SEAL_DELAY_MS);
  await settle();
  assertEquals(log.of("error").length, 1);
  assertEquals(store.listChunks("c")[0], { name: CHUNK, complete: true, size: 4 });
  assertEquals(await readText(store, "c", CHUNK), "one\n");
  assertEquals(store.checkDisk().ok, false);
  const next = await openOn(disk.kill());
  next.clock.advance(SEAL_DELAY_MS);
  await settle();
  const sealed = await openOn(next.disk.crash());
  assertEquals(await readText(sealed.store, "c", CHUNK), "one\n");
  await sealed.store.close();
});

Deno.test("Sealer: a disk that takes no writes is tried again after a while, told once, and loses nothing", async () => {
  const { store, disk, log, clock } = await openNew({ chunkBytesMax: 4 });
  for (const name of ["a", "b", "c"]) await store.append(name, bytes("one\n"), false);
  disk.faults.readOnly = true;
  for (const category of ["a", "b", "c"]) {
    await assertRejects(() => store.append(category, bytes("two\n"), false), ChukchaError);
  }
  await store.finish();
  for (let i = 0; i < 3; i++) {
    clock.advance(SEAL_DELAY_MS);
    await settle();
  }
  assertEquals(log.of("error").length, 1, log.lines.join("\n"));
  disk.faults.readOnly = false;
  clock.advance(SEAL_DELAY_MS);
  await settle();
  assertEquals(log.of("error").length, 1);
  const again = await openOn(disk.crash());
  for (const name of ["a", "b", "c"]) assertEquals(await readText(again.store, name, CHUNK), "one\n");
  await again.store.close();
});

Deno.test("Store.close: on a disk that takes no writes it ends, and says once what the next start has to do", async () => {
  const { store, disk, log } = await openNew();
  const names = Array.from({ length: 20 }, (_, i) => `c${i}`);
  for (const name of names) await store.append(name, bytes("one\n"), false);
  disk.faults.readOnly = true;
  await store.close();
  assertEquals(log.of("error"), []);
  assertEquals(log.of("warn").length, 1);
  assertStringIncludes(log.of("warn")[0]!, `"chunks":20`);
  disk.faults.readOnly = false;
  const again = await openOn(disk.kill());
  for (const name of names) assertEquals(await readText(again.store, name, CHUNK), "one\n");
  await again.store.close();
});

Deno.test("Sealer: a chunk that is complete survives a power cut as a whole, once it is sealed", async () => {
  const { store, disk, clock } = await openNew({ chunkBytesMax: 8 });
  for (const batch of ["one\n", "two\n", "next\n"]) await store.append("c", bytes(batch), false);
  clock.advance(SEAL_DELAY_MS);
  await settle();
  const again = await openOn(disk.crash());
  assertEquals(await readText(again.store, "c", CHUNK), "one\ntwo\n");
  await again.store.close();
});

Deno.test("Store: status counts and checks", async () => {
  const { store } = await openNew();
  await store.append("a", bytes("one\n"), false);
  await store.append("b", bytes("two\n"), false);
  assertEquals(store.totals(), { categories: 2, chunks: 2, bytes: 8, damaged: 0, poisoned: 0, openFiles: 4 });
  assertEquals(store.checkChunks(), { name: "chunks", ok: true, message: "no damage known" });
  assertEquals(store.checkDisk().ok, true);
  await store.close();
});
