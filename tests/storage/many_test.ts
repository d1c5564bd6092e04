/**
 * Many chunks at once: what a node does with each of them costs the same however many there are.
 *
 * What is counted is what arrays move and what the disk is asked to do, not time.
 *
 * @module
 */
import { assertEquals, assertLess } from "@std/assert";
import { MemoryDisk } from "../support/memory_disk.ts";
import { countMoves } from "../support/array_moves.ts";
import { bytes, openNew, openOn } from "./world.ts";

const MANY = 3_000;
/** Elements that arrays may move for each of them. */
const MOVES_EACH = 40;

/** A disk that a node left without an end, with so many categories of one chunk that was being written. */
async function died(count: number): Promise<MemoryDisk> {
  const { store, disk } = await openNew();
  await Promise.all(
    Array.from({ length: count }, (_, i) => store.append(`c${i}`, bytes("message\n"), false)),
  );
  return disk.kill();
}

Deno.test("Store: a start after a crash, and the end, seal each of many chunks at the same cost", async () => {
  const disk = await died(MANY);
  let operations = 0;
  const moves = await countMoves(async () => {
    const { store } = await openOn(disk);
    await store.close();
    operations = disk.operations;
  });
  assertLess(moves, MOVES_EACH * MANY);
  const { store } = await openOn(disk.kill());
  assertEquals(store.totals().chunks, MANY);
  assertEquals(store.listChunks("c0"), [{ name: "n-chunk000000000", complete: true, size: 8 }]);
  await store.close();
  const few = await died(MANY / 10);
  const { store: smaller } = await openOn(few);
  await smaller.close();
  assertLess(operations, 11 * few.operations);
});

Deno.test("Store: chunks that are acknowledged from the oldest on cost the same, however many there are", async () => {
  const { store, disk } = await openNew({ chunkBytesMax: 1 });
  await Promise.all(Array.from({ length: MANY }, () => store.append("web", bytes("message\n"), false)));
  await store.append("web", bytes("last\n"), false);
  const chunks = store.listChunks("web").filter(({ complete }) => complete);
  assertEquals(chunks.length, MANY);
  const before = disk.operations;
  const moves = await countMoves(async () => {
    for (const { name, size } of chunks) await store.acknowledge("web", name, size);
  });
  assertLess(moves, MOVES_EACH * MANY);
  assertLess(disk.operations - before, 10 * MANY);
  assertEquals(store.listChunks("web").length, 1);
  await store.close();
});

Deno.test("Store: categories are listed by name, and not sorted anew where none has come", async () => {
  const { store } = await openNew();
  const names = Array.from({ length: MANY }, (_, i) => `c${(i * 7919) % MANY}`);
  await Promise.all(names.map((name) => store.append(name, bytes("message\n"), false)));
  assertEquals(store.listCategories(), [...names].sort());
  const more = [...names, "between"].sort();
  let comparisons = 0;
  const { sort } = Array.prototype;
  Array.prototype.sort = function (compare = (a, b) => String(a) < String(b) ? -1 : 1): unknown[] {
    return sort.call(this, (a, b) => (comparisons++, compare(a, b)));
  };
  try {
    store.listCategories();
    assertEquals(comparisons, 0);
    await store.append("between", bytes("message\n"), false);
    assertEquals(store.listCategories(), more);
    assertLess(comparisons, 2 * MANY);
  } finally {
    Array.prototype.sort = sort;
  }
  await store.close();
});

Deno.test("Store: a start takes categories and their chunks in the order of names, whatever the disk's order is", async () => {
  const { store, disk } = await openNew({ chunkBytesMax: 1 });
  for (const name of ["c", "a", "b"]) {
    for (let i = 0; i < 12; i++) await store.append(name, bytes("message\n"), false);
  }
  await store.close();
  const found = new MemoryDisk();
  for (const path of [...disk.snapshot().keys()].reverse()) found.plant(path, disk.peek(path));
  const opened: string[] = [];
  found.faults.before = (operation, path) => {
    if (operation === "open" && path.endsWith(".idx")) opened.push(path);
    return undefined;
  };
  const { store: again } = await openOn(found);
  assertEquals(opened.length, 36);
  assertEquals(opened, [...opened].sort());
  await again.close();
});
