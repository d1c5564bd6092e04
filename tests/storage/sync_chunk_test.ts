/**
 * Syncs of one chunk: one at a time, and none after one that failed.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { Chunk } from "../../lib/storage/chunk.ts";
import { DiskError } from "../../lib/storage/disk.ts";
import type { OpenFile } from "../../lib/storage/open_files.ts";
import { syncChunk } from "../../lib/storage/sync_chunk.ts";

/** A file that counts its syncs, of which those that are given end as given. */
function fileOf(...ends: Promise<void>[]): OpenFile & { syncs: number } {
  const open = {
    syncs: 0,
    file: { sync: () => ends[open.syncs++] ?? Promise.resolve() },
  };
  return open as unknown as OpenFile & { syncs: number };
}

Deno.test("syncChunk: whoever asks beside a sync that fails is told as well, without another sync", async () => {
  const end = Promise.withResolvers<void>();
  const chunk = new Chunk("c", "n1", 0, 0);
  const [data, index] = [fileOf(end.promise), fileOf()];
  const one = syncChunk(chunk, data, index);
  const other = syncChunk(chunk, data, index);
  end.reject(new DiskError("failed", "sync", "c/n1-chunk000000000"));
  await assertRejects(() => one, DiskError, "sync");
  await assertRejects(() => other, DiskError, "sync");
  assertEquals([data.syncs, chunk.poisoned], [1, true]);
});

Deno.test("syncChunk: two at once sync one after the other", async () => {
  const end = Promise.withResolvers<void>();
  const chunk = new Chunk("c", "n1", 0, 0);
  const [data, index] = [fileOf(end.promise), fileOf()];
  const both = [syncChunk(chunk, data, index), syncChunk(chunk, data, index)];
  assertEquals(data.syncs, 1);
  end.resolve();
  await Promise.all(both);
  assertEquals([data.syncs, chunk.poisoned], [2, false]);
});
