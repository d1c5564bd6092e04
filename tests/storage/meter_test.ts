/**
 * What a store counts of its own work, and of what it holds.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { CENSUS_SLICE_CHUNKS } from "../../lib/protocol/limits.ts";
import { settle } from "../support/fake_clock.ts";
import { bytes, openNew } from "./world.ts";

Deno.test("StorageMeter: batches that were written together are one group", async () => {
  const { store } = await openNew();
  await Promise.all(["a\n", "b\n", "c\n"].map((line) => store.append("x", bytes(line), false)));
  await store.append("x", bytes("d\n"), false);
  const { groupBatches, syncSeconds } = store.meter;
  assertEquals([groupBatches.count, groupBatches.sum, syncSeconds.count], [2, 4, 0]);
  await store.close();
});

Deno.test("StorageMeter: a sync is measured from its begin to its end, one that fails is counted apart", async () => {
  const { store, disk, clock } = await openNew();
  disk.faults.before = (operation) => void (operation === "sync" && clock.advance(20));
  await store.append("x", bytes("a\n"), true);
  const { meter } = store;
  assertEquals(meter.syncSeconds.count, 1);
  // Two files.
  assertEquals(meter.syncSeconds.sum, 0.04);
  disk.faults.before = (operation, path) => operation === "sync" && path.endsWith("0") ? "failed" : undefined;
  await assertRejects(() => store.append("x", bytes("b\n"), true), ChukchaError);
  disk.faults.before = () => undefined;
  assertEquals([meter.syncSeconds.count, meter.syncFailures], [1, 1]);
  assertEquals((await store.census()).poisoned, 1);
  await store.close();
});

Deno.test("StorageMeter: chunks that are acknowledged are counted once", async () => {
  const { store } = await openNew({ chunkBytesMax: 4 });
  const { chunk } = await store.append("x", bytes("one\n"), false);
  await store.append("x", bytes("two\n"), false);
  await store.acknowledge("x", chunk, 4);
  await store.acknowledge("x", chunk, 4);
  assertEquals(store.meter.acknowledgedChunks, 1);
  const { chunks, bytes: held, categories } = await store.census();
  assertEquals([chunks, held, categories], [1, 4, 1]);
  await store.close();
});

Deno.test("Store.census counts what totals does, and lets others go first", async () => {
  const { store, clock } = await openNew({ openFilesMax: 16 });
  // More categories than are counted at once, most of which hold nothing.
  for (let i = 0; i < CENSUS_SLICE_CHUNKS + 1; i++) store.noteUsed(`c${i}`, 0);
  await store.append("c5", bytes("one\n"), false);
  clock.holdSoon();
  let counted = false;
  const census = store.census().then((totals) => {
    counted = true;
    return totals;
  });
  await settle();
  assert(!counted && clock.soonCount === 1);
  clock.runSoon();
  assertEquals(await census, store.totals());
  assertEquals(store.totals(), { categories: 1, chunks: 1, bytes: 4, damaged: 0, poisoned: 0, openFiles: 2 });
  await store.close();
});
