/**
 * Where in a chunk a time is, by the records of its index.
 *
 * @module
 */
import type { Chunk } from "./chunk.ts";
import type { IndexCache } from "./index_cache.ts";
import { COMMIT, decodeRecord, RECORD_BYTES } from "./index_record.ts";

/** Offset of the first group of the chunk that is not older than `timeMs`. Throws `DiskError`. */
export function offsetSince(indexes: IndexCache, chunk: Chunk, timeMs: number): number {
  const index = indexes.get(chunk);
  // Records of one group are not cut at messages: go back to where the group begins.
  for (let n = index.firstSince(timeMs); n > 0; n--) {
    const before = decodeRecord(index.bytes, (n - 1) * RECORD_BYTES);
    if (before && (before.flags & COMMIT) !== 0) return before.end;
  }
  return 0;
}
