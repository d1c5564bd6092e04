/**
 * Copies of another node's chunks: byte for byte what the owner has, appended only where they end, whatever fails.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { CopyMismatchError } from "../../lib/storage/copies.ts";
import { crc32 } from "../../lib/storage/crc32.ts";
import { COMPLETE, decodeRecord, FINALISED, RECORD_BYTES } from "../../lib/storage/index_record.ts";
import { settle } from "../support/fake_clock.ts";
import { checkServed, serve } from "../support/invariants.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { carry, carryEnd, chunkOf, messages, openNode } from "./two_nodes.ts";
import { bytes, readText } from "./world.ts";

const CHUNK = chunkOf(0);
const DATA = `c/${CHUNK}`;

/** A piece of the tests' chunk, right unless a test says otherwise. */
function piece(text: string, offset = 0, before = "") {
  const rolling = crc32(bytes(before + text));
  return { category: "c", chunk: CHUNK, offset, bytes: bytes(text), rolling, timeMs: 5 };
}

Deno.test("copies: carried over in pieces of any size, they are the same files to every reader", async () => {
  const batch = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 40_000 }));
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 12 }), fc.nat(), async (batches, seed) => {
      const random = new SeededRandom(seed);
      const n = await openNode("n", new MemoryDisk(), { chunkBytesMax: 1 << 23 });
      const written: Uint8Array[] = [];
      const owned = new Set([0]);
      let size = 0;
      for (const [count, length] of batches) {
        const one = bytes(`${String(written.length).padEnd(length, "x")}\n`.repeat(count));
        written.push(one);
        await n.store.append("c", one, false);
        owned.add(size += one.length);
      }
      const [m, o] = [await openNode("m"), await openNode("o")];
      // One copy in pieces of its own, the next one partly from the owner and the rest from that copy.
      const sizes = () => 1 + random.below(200_000);
      const ends = await carry(n.store, m.store, "c", CHUNK, sizes);
      assert(ends.every((end) => owned.has(end)), "a piece ends inside of a group");
      await carry(n.store, o.store, "c", CHUNK, sizes, random.below(size));
      await carry(m.store, o.store, "c", CHUNK, sizes);
      await n.store.finish();
      for (const { store, disk } of [m, o]) {
        assertEquals(disk.peek(DATA), n.disk.peek(DATA));
        assertEquals(store.chunk("c", CHUNK)!.rolling, n.store.chunk("c", CHUNK)!.rolling);
        assert(carryEnd(n.store, store, "c", CHUNK));
        const [served] = await serve(store, "c", 50_000);
        checkServed(served!, written);
        for (const offset of owned) {
          const { size: left } = await store.read("c", CHUNK, offset, 1 << 24);
          assertEquals(offset + left, size);
        }
        await store.close();
      }
      await n.store.close();
      const again = await openNode("o", o.disk.kill());
      assertEquals(again.log.of("warn", "error"), []);
      const [served] = await serve(again.store, "c", 9000);
      checkServed(served!, written);
      await again.store.close();
    }),
    { numRuns: 40 },
  );
});

Deno.test("readPiece: whole groups, at most so many bytes but at least one group, nothing behind the end", async () => {
  const { store } = await openNode("n");
  for (const text of ["a\nb\n", "cc\n", "d\n"]) await store.append("c", bytes(text), false);
  const read = (offset: number, max: number) => {
    const got = store.readPiece("c", CHUNK, offset, max);
    return got &&
      [got.offset, new TextDecoder().decode(got.bytes), got.rolling === crc32(bytes("a\nb\ncc\nd\n"))];
  };
  assertEquals(read(0, 1), [0, "a\nb\n", false]);
  assertEquals(read(0, 6), [0, "a\nb\n", false]);
  assertEquals(read(0, 7), [0, "a\nb\ncc\n", false]);
  assertEquals(read(0, 99), [0, "a\nb\ncc\nd\n", true]);
  assertEquals(read(2, 99), [2, "b\ncc\nd\n", true]);
  assertEquals(read(9, 99), undefined);
  for (const call of [() => read(10, 9), () => store.readPiece("x", CHUNK, 0, 1)]) {
    assertThrows(call, ChukchaError);
  }
  await store.close();
});

Deno.test("readPiece: ends before damage, and says so where it begins; a broken index is mended", async () => {
  const { store, disk } = await openNode("n");
  for (const text of ["one\n", "two\n", "three\n"]) await store.append("c", bytes(text), false);
  await store.finish();
  await settle();
  const good = disk.peek(DATA);
  disk.plant(DATA, disk.peek(DATA).fill(1, 9, 10));
  assertEquals(new TextDecoder().decode(store.readPiece("c", CHUNK, 0, 99)!.bytes), "one\ntwo\n");
  assertEquals(assertThrows(() => store.readPiece("c", CHUNK, 8, 99), ChukchaError).code, "damaged");
  assertEquals(store.listChunks("c")[0]!.damaged, true);
  disk.plant(DATA, good);
  await store.close();

  const again = await openNode("n", disk.kill());
  const index = `${DATA}.idx`;
  again.disk.plant(index, again.disk.peek(index).fill(0, 40, 60));
  assertThrows(() => again.store.readPiece("c", CHUNK, 4, 4), ChukchaError, "index");
  await settle();
  assertEquals(new TextDecoder().decode(again.store.readPiece("c", CHUNK, 4, 4)!.bytes), "two\n");
  await again.store.close();
});

Deno.test("appendCopy: only what continues the copy, and whole messages", async () => {
  const { store } = await openNode("m");
  assertThrows(() => store.appendCopy(piece("a\n"), "n"), ChukchaError);
  await store.prepareCopies("c", [CHUNK]);
  assertEquals([store.listChunks("c"), store.listCategories()], [[], []]);
  for (const bad of [piece("a"), piece(""), { ...piece("a\n"), rolling: 7 }]) {
    assertThrows(() => store.appendCopy(bad, "n"), CopyMismatchError);
  }
  assertEquals(store.appendCopy(piece("a\n", 2), "n"), "stale");
  assertEquals(store.appendCopy(piece("a\n"), "n"), "appended");
  assertEquals(store.appendCopy(piece("a\n"), "n"), "stale");
  assertThrows(() => store.appendCopy(piece("b\n", 2, "x\n"), "n"), CopyMismatchError);
  assertEquals(store.appendCopy(piece("b\n", 2, "a\n"), "n"), "appended");
  assertEquals(await readText(store, "c", CHUNK), "a\nb\n");
  assertEquals(store.listChunks("c"), [{ name: CHUNK, complete: false, size: 4 }]);
  assertEquals([...store.incompleteCopies()].map(({ category, chunk }) => [category, chunk.name]), [[
    "c",
    CHUNK,
  ]]);
  await store.close();
});

Deno.test("appendCopy: what fails leaves nothing, and goes on when there is room again", async () => {
  const { store, disk } = await openNode("m");
  await store.prepareCopies("c", [CHUNK]);
  store.appendCopy(piece("a\n"), "n");
  for (const [path, kind] of [[DATA, "full"], [`${DATA}.idx`, "full"], [`${DATA}.idx`, "failed"]] as const) {
    disk.faults.before = (operation, where) => operation === "write" && where === path ? kind : undefined;
    const error = assertThrows(() => store.appendCopy(piece("b\n", 2, "a\n"), "n"), ChukchaError);
    assertEquals(error.code, kind === "full" ? "disk_full" : "disk_failed");
    assertEquals([disk.peek(DATA).length, disk.peek(`${DATA}.idx`).length], [2, RECORD_BYTES]);
  }
  disk.faults.before = () => undefined;
  assertEquals(store.appendCopy(piece("b\n", 2, "a\n"), "n"), "appended");
  await store.close();
});

Deno.test("appendCopy: below the floor of free space nothing is appended", async () => {
  const disk = new MemoryDisk();
  disk.faults.bytesMax = 1000;
  const { store } = await openNode("m", disk, { minFreeDiskBytes: 10_000 });
  await store.prepareCopies("c", [CHUNK]);
  assertEquals(assertThrows(() => store.appendCopy(piece("a\n"), "n"), ChukchaError).code, "disk_full");
  await store.close();
});

Deno.test("appendCopy: never to the chunk that this node appends to itself", async () => {
  const { store } = await openNode("n");
  await store.append("c", bytes("a\n"), false);
  assertEquals(store.appendCopy(piece("b\n", 2, "a\n"), "m"), "stale");
  await store.finish();
  assertEquals(store.appendCopy(piece("b\n", 2, "a\n"), "m"), "stale");
  await store.acknowledge("c", CHUNK, 2);
  assertEquals(store.appendCopy(piece("b\n", 2, "a\n"), "m"), "gone");
  await store.close();
});

Deno.test("syncCopy: what it vouches for survives a power cut; who asks together shares one", async () => {
  const { store, disk } = await openNode("m");
  await store.prepareCopies("c", [CHUNK]);
  store.appendCopy(piece("a\n"), "n");
  assertEquals(store.chunk("c", CHUNK)!.synced, 0);
  const gate = Promise.withResolvers<void>();
  disk.syncGate = gate.promise;
  const syncs = disk.counts.get("sync") ?? 0;
  const first = [store.syncCopy("c", CHUNK), store.syncCopy("c", CHUNK)];
  store.appendCopy(piece("b\n", 2, "a\n"), "n");
  const second = [store.syncCopy("c", CHUNK), store.syncCopy("c", CHUNK)];
  gate.resolve();
  await Promise.all(first);
  assertEquals(store.chunk("c", CHUNK)!.synced, 2);
  await Promise.all(second);
  assertEquals([store.chunk("c", CHUNK)!.synced, disk.counts.get("sync")! - syncs], [4, 4]);
  await store.syncCopy("c", CHUNK);
  assertEquals(disk.counts.get("sync")! - syncs, 4);
  store.appendCopy(piece("c\n", 4, "a\nb\n"), "n");
  const again = await openNode("m", disk.crash());
  assertEquals([await readText(again.store, "c", CHUNK), again.store.chunk("c", CHUNK)!.synced], [
    "a\nb\n",
    0,
  ]);
  await again.store.close();
});

Deno.test("syncCopy: a sync that failed is believed by nobody afterwards", async () => {
  const { store, disk } = await openNode("m");
  await store.prepareCopies("c", [CHUNK]);
  store.appendCopy(piece("a\n"), "n");
  disk.faults.before = (operation) => operation === "sync" ? "failed" : undefined;
  await assertRejects(() => store.syncCopy("c", CHUNK), ChukchaError);
  disk.faults.before = () => undefined;
  await assertRejects(() => store.syncCopy("c", CHUNK), ChukchaError);
  assertThrows(() => store.appendCopy(piece("b\n", 2, "a\n"), "n"), ChukchaError);
  assert(!store.completeCopy("c", CHUNK, 2, crc32(bytes("a\n")), false, "n"));
  assertEquals([store.chunk("c", CHUNK)!.synced, store.checkDisk().ok], [0, false]);
  await store.close();
});

Deno.test("syncCopy: what a start found and cannot be written once more is not taken for a failed sync", async () => {
  const first = await openNode("m");
  await first.store.prepareCopies("c", [CHUNK]);
  first.store.appendCopy(piece("a\n"), "n");
  const { store, disk } = await openNode("m", first.disk.kill());
  disk.faults.readOnly = true;
  await readText(store, "c", CHUNK);
  assertEquals((await assertRejects(() => store.syncCopy("c", CHUNK), ChukchaError)).code, "disk_failed");
  disk.faults.readOnly = false;
  await store.syncCopy("c", CHUNK);
  assertEquals(store.chunk("c", CHUNK)!.synced, 2);
  assertEquals(store.appendCopy(piece("b\n", 2, "a\n"), "n"), "appended");
  assertEquals(store.checkDisk().ok, true);
  await store.close();
});

Deno.test("completeCopy: only what is exactly that, once; a finalised one is known as such after a restart", async () => {
  const { store, disk } = await openNode("m");
  await store.prepareCopies("c", [CHUNK]);
  const rolling = crc32(bytes("a\n"));
  assert(!store.completeCopy("c", CHUNK, 0, 0, false, "n"));
  assert(!store.completeCopy("x", CHUNK, 0, 0, false, "n"));
  store.appendCopy(piece("a\n"), "n");
  assert(!store.completeCopy("c", CHUNK, 3, rolling, false, "n"));
  assert(!store.completeCopy("c", CHUNK, 2, 1, false, "n"));
  assert(store.completeCopy("c", CHUNK, 2, rolling, true, "n"));
  assert(!store.completeCopy("c", CHUNK, 2, rolling, true, "n"));
  assertEquals([...store.incompleteCopies()], []);
  const { seq } = store.changes.since(0, 9).changes.at(-1)!;
  await store.close();
  assertEquals(store.changes.latest, seq, "sealing is no news");
  const chunk = store.chunk("c", CHUNK)!;
  assertEquals([chunk.sealed, chunk.synced], [true, 2]);
  const record = decodeRecord(disk.peek(`${DATA}.idx`), RECORD_BYTES)!;
  assertEquals(record.flags & (COMPLETE | FINALISED), COMPLETE | FINALISED);
  const again = await openNode("m", disk.kill().crash());
  const { complete, finalised, sealed, synced } = again.store.chunk("c", CHUNK)!;
  assertEquals({ complete, finalised, sealed, synced }, {
    complete: true,
    finalised: true,
    sealed: true,
    synced: 2,
  });
  await again.store.close();
});

Deno.test("recovery: a copy that is not sealed is open, until it is completed or finalised", async () => {
  const first = await openNode("m");
  await first.store.prepareCopies("c", [CHUNK, chunkOf(1)]);
  first.store.appendCopy(piece("a\n"), "n");
  const { store } = await openNode("m", first.disk.kill());
  assertEquals(store.listChunks("c"), [{ name: CHUNK, complete: false, size: 2 }]);
  assertEquals([...store.incompleteCopies()].length, 1);
  await assertRejects(() => store.acknowledge("c", CHUNK, 2), ChukchaError, "complete");
  assertEquals(store.appendCopy(piece("b\n", 2, "a\n"), "n"), "appended");
  assert(store.finaliseCopy("c", CHUNK));
  assert(!store.finaliseCopy("c", CHUNK));
  const { finalised, complete } = store.chunk("c", CHUNK)!;
  assertEquals([finalised, complete, [...store.incompleteCopies()].length], [true, true, 0]);
  assertEquals(store.changes.since(0, 9).changes.at(-1)!.source, undefined);
  await store.close();
});

Deno.test("recovery: what was put there by hand is complete at once, unless a node of the cluster owns it", async () => {
  const disk = new MemoryDisk();
  disk.plant("c/n-chunk000000000", bytes("n\n"));
  disk.plant("c/stranger-chunk000000000", bytes("s\n"));
  disk.plant("c/m-chunk000000000", bytes("m\n"));
  for (const found of [disk.clone(), disk.clone()]) {
    const { store } = await openNode("m", found);
    const states = store.listChunks("c").map(({ name, complete }) => [name, complete]);
    assertEquals(states, [[chunkOf(0, "m"), false], [CHUNK, false], [chunkOf(0, "stranger"), true]]);
    assertEquals(store.chunk("c", chunkOf(0, "stranger"))!.finalised, true);
    assertEquals([...store.unsettled()].map(({ chunk }) => chunk.name), [chunkOf(0, "m")]);
    await store.acknowledge("c", chunkOf(0, "stranger"), 2);
    await store.close();
  }
});

Deno.test("prepareCopies: one sync of the directory for all, and the files that a crash left are taken over", async () => {
  const { store, disk } = await openNode("m");
  const names = Array.from({ length: 20 }, (_, i) => chunkOf(i));
  const before = disk.counts.get("sync directory")!;
  await Promise.all([store.prepareCopies("c", names), store.prepareCopies("c", names)]);
  // One more for the category's own name.
  assertEquals(disk.counts.get("sync directory")! - before, 2);
  const again = await openNode("m", disk.kill());
  again.disk.remove(`c/${chunkOf(1)}`);
  again.disk.remove(`c/${chunkOf(2)}.idx`);
  again.disk.plant(`c/${chunkOf(3)}.idx`, bytes("left of a chunk whose data was lost"));
  again.disk.remove(`c/${chunkOf(3)}`);
  again.disk.plant(`c/${chunkOf(4)}`, bytes("put here by hand\n"));
  await again.store.prepareCopies("c", names);
  for (const number of [0, 1, 2, 3]) {
    assertEquals(again.store.appendCopy({ ...piece("a\n"), chunk: chunkOf(number) }, "n"), "appended");
  }
  assertThrows(() => again.store.appendCopy({ ...piece("a\n"), chunk: chunkOf(4) }, "n"), ChukchaError);
  assertEquals(again.disk.peek(`c/${chunkOf(4)}`), bytes("put here by hand\n"));
  await again.store.close();
});

Deno.test("prepareCopies: what fails leaves no files, and may be tried again", async () => {
  const { store, disk } = await openNode("m");
  await store.append("c", bytes("own\n"), false);
  for (const failing of ["sync directory", "open"] as const) {
    disk.faults.before = (operation, path) =>
      operation === failing && (failing !== "open" || path.includes(chunkOf(1))) ? "full" : undefined;
    await assertRejects(() => store.prepareCopies("c", [CHUNK, chunkOf(1)]), ChukchaError);
    assertEquals(disk.list("c").filter(({ name }) => name.startsWith("n-")), []);
  }
  disk.faults.before = () => undefined;
  await store.prepareCopies("c", [CHUNK, chunkOf(1)]);
  assertEquals(store.appendCopy(piece("a\n"), "n"), "appended");
  await store.close();
});

Deno.test("copies: the process may die, and the power go, at every operation", async () => {
  const n = await openNode("n", new MemoryDisk(), { chunkBytesMax: 16 });
  for (const text of ["one\n", "two\n", "three and four\n", "five\n"]) {
    await n.store.append("c", bytes(text), false);
  }
  await n.store.finish();
  const names = n.store.listChunks("c").map(({ name }) => name);
  const expected = await messages(n.store, "c");
  const copyAll = async (disk: MemoryDisk): Promise<MemoryDisk> => {
    const { store } = await openNode("m", disk);
    await store.prepareCopies("c", names);
    for (const name of names) {
      await carry(n.store, store, "c", name, () => 5);
      await store.syncCopy("c", name);
      carryEnd(n.store, store, "c", name);
    }
    await store.close();
    return disk.kill();
  };
  for (let at = 1;; at++) {
    const disk = new MemoryDisk();
    disk.dieAt(at, new SeededRandom(at));
    const done = await copyAll(disk).then(() => true, (error) => {
      if (!disk.dead) throw error;
      return false;
    });
    const power = at % 3;
    const left = power === 0
      ? disk.kill()
      : power === 1
      ? disk.crash()
      : disk.crash({ random: new SeededRandom(at) });
    const { store } = await openNode("m", await copyAll(left));
    assertEquals(await messages(store, "c"), expected, `died at operation ${at}`);
    assert(store.listChunks("c").every(({ complete }) => complete));
    await store.close();
    if (done) break;
  }
  await n.store.close();
});

Deno.test("syncCopy, sealing: what a start found unsealed is written again before it is believed to be on the device", async () => {
  for (const finish of [false, true]) {
    const first = await openNode("m");
    await first.store.prepareCopies("c", [CHUNK]);
    first.store.appendCopy(piece("a\n"), "n");
    first.store.appendCopy(piece("b\n", 2, "a\n"), "n");
    const { store, disk } = await openNode("m", first.disk.kill());
    const written: string[] = [];
    disk.faults.before = (operation, path) => {
      if (operation === "write" || operation === "sync") written.push(`${operation} ${path}`);
      return undefined;
    };
    if (finish) store.finaliseCopy("c", CHUNK);
    else await store.syncCopy("c", CHUNK);
    await settle();
    assertEquals(written.slice(0, 4), [
      `write ${DATA}`,
      `write ${DATA}.idx`,
      `sync ${DATA}`,
      `sync ${DATA}.idx`,
    ]);
    store.appendCopy(piece("c\n", 4, "a\nb\n"), "n");
    written.length = 0;
    if (!finish) await store.syncCopy("c", CHUNK);
    assertEquals(written.filter((one) => one.startsWith("write")), []);
    await store.close();
    assertEquals(
      await messages((await openNode("m", disk.crash())).store, "c"),
      finish ? ["a", "b"] : ["a", "b", "c"],
    );
  }
});
