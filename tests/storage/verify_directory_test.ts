/**
 * Verifying a directory that no node runs on: it finds what a scrub finds, calls nothing else damage, and changes nothing.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { drain } from "../../lib/storage/examine.ts";
import {
  candidates,
  storedCategories,
  type VerifiedChunk,
  verifyConsumers,
  verifying,
} from "../../lib/storage/verify_directory.ts";
import type { MemoryDisk, Operation } from "../support/memory_disk.ts";
import { CHUNK, COPIED, DATA, flipped, GOOD, INDEX, OWNED, ROT, SIZE } from "./rotten.ts";
import { openNode } from "./two_nodes.ts";
import { bytes, openNew } from "./world.ts";

/** All that is found, having changed nothing. */
function verified(disk: MemoryDisk, owner: string): VerifiedChunk[] {
  const before = disk.snapshot();
  const operations = new Map(disk.counts);
  const found = storedCategories(disk).flatMap((category) =>
    candidates(disk, category).map((candidate) => drain(verifying(disk, candidate, owner)))
  );
  assertEquals(disk.snapshot(), before);
  for (const [operation, count] of disk.counts) {
    if (operation !== "open") assertEquals(count, operations.get(operation as Operation) ?? 0, operation);
  }
  assertEquals(disk.openFiles, 0);
  return found;
}

for (const [who, base] of [["n", OWNED], ["m", COPIED]] as const) {
  Deno.test(`verifying: finds whatever rots in ${who === "n" ? "an own chunk" : "a copy"}`, async (t) => {
    const clean = verified(base.clone(), who);
    assertEquals(clean, [{ category: "c", chunk: CHUNK, size: SIZE, complete: true, remarks: [] }]);
    for (const [what, change] of ROT) {
      await t.step(what, () => {
        const disk = base.clone();
        change(disk);
        const [found] = verified(disk, who);
        // An index that ends early is what a power cut leaves, too.
        assertEquals(found!.remarks.some(({ damage }) => damage), what !== "the index, cut short");
        assert(found!.remarks.length > 0);
        const isSealed = !/index, cut|index file|whole index/.test(what);
        assertEquals([found!.complete, found!.size <= SIZE], [isSealed, true]);
        for (const { range } of found!.remarks) if (range) assert(range.from < range.to && range.to <= SIZE);
      });
    }
  });
}

Deno.test("verifying: says which bytes are damaged, and joins what touches", () => {
  const disk = OWNED.clone();
  disk.plant(DATA, disk.peek(DATA).fill(0, 0, 80_000));
  const [found] = verified(disk, "n");
  assertEquals(found!.remarks.map(({ range }) => range), [{ from: 0, to: 131_078 }]);
  disk.plant(DATA, Uint8Array.from([...GOOD, 7]));
  const [longer] = verified(disk, "n");
  assertEquals(longer!.remarks.map(({ damage, range }) => [damage, range]), [[false, {
    from: SIZE,
    to: SIZE + 1,
  }]]);
});

Deno.test("verifying: what a crash leaves is no damage; a hole in it is", async () => {
  const { store, disk } = await openNode("n");
  for (const line of ["one\n", "two\n", "three\n"]) await store.append("c", bytes(line), true);
  const killed = disk.kill();
  assertEquals(verified(killed.clone(), "n"), [{
    category: "c",
    chunk: CHUNK,
    size: 14,
    complete: false,
    remarks: [],
  }]);
  const torn = killed.clone();
  torn.plant(DATA, Uint8Array.from([...torn.peek(DATA), 65, 66]));
  torn.plant(INDEX, Uint8Array.from([...torn.peek(INDEX), 1, 2, 3]));
  assertEquals(verified(torn, "n")[0]!.remarks.map(({ damage, range }) => [damage, range]), [
    [false, { from: 14, to: 16 }],
  ]);
  const hole = killed.clone();
  hole.plant(DATA, flipped(5)(hole.peek(DATA)));
  for (const owner of ["n", "m"]) {
    const [found] = verified(hole.clone(), owner);
    assertEquals(found!.remarks.map(({ damage, range }) => [damage, range]), [[true, { from: 4, to: 8 }]]);
    assertEquals(found!.remarks[0]!.next.includes("in a cluster"), owner === "n");
  }
  const rotten = killed.clone();
  rotten.plant(INDEX, flipped(-4)(rotten.peek(INDEX)));
  assertEquals(verified(rotten, "n")[0]!.remarks.map(({ damage, range }) => [damage, range]), [
    [true, undefined],
    [true, { from: 8, to: 14 }],
  ]);
});

Deno.test("verifying: acknowledged chunks and files of others are not looked at", async () => {
  const { store, disk } = await openNew({ chunkBytesMax: 10 });
  for (const line of ["12345678\n", "23456789\n"]) await store.append("c", bytes(line), true);
  await store.finish();
  await store.acknowledge("c", CHUNK, 9);
  await store.close();
  const left = disk.kill();
  left.plant(DATA, bytes("what is to go at the next start\n"));
  left.plant("c/notes.txt", bytes("mine"));
  left.plant("other", bytes("mine"));
  assertEquals(verified(left, "n").map(({ chunk, remarks }) => [chunk, remarks.length]), [[
    "n-chunk000000001",
    0,
  ]]);
});

Deno.test("verifyConsumers: a torn recent file is told and no damage, a damaged consumers.json is refused", async () => {
  const { store, disk } = await openNew();
  await store.append("web", bytes("message\n"), false);
  assertEquals(verifyConsumers(disk, "web"), []);
  await store.consumers("web").begin("x", "earliest");
  await store.consumers("web").acknowledge("x", "n-chunk000000000", 0, 8);
  assertEquals(verifyConsumers(disk, "web"), []);
  disk.plant("web/consumers.recent-1.json", bytes("{"));
  const [found] = verifyConsumers(disk, "web");
  assertEquals([found?.chunk, found?.size, found?.remarks.length], ["consumers.recent-1.json", 1, 1]);
  assertEquals(found?.remarks[0]?.damage, false);
  disk.plant("web/consumers.json", bytes("{"));
  assertThrows(() => verifyConsumers(disk, "web"), SyntaxError);
  await store.close();
});
