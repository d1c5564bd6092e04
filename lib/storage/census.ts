/**
 * Counts what a store holds, a slice at a time.
 *
 * There may be a million chunks, and whoever asks how many there are must not keep writers waiting: after each slice
 * others may go first. What changes meanwhile is counted as it is when its turn comes.
 *
 * Rejected: sums that are kept up to date wherever a chunk changes (a chunk is marked as damaged or poisoned in several
 * places, and a place that forgets it would be wrong for ever; 100,000 chunks are counted in some milliseconds).
 *
 * @module
 */
import { CENSUS_SLICE_CHUNKS } from "../protocol/limits.ts";
import type { Category } from "./category.ts";

/** What a store holds. */
export interface Census {
  /** Those that hold, or held, messages. */
  categories: number;
  chunks: number;
  /** Readable bytes. */
  bytes: number;
  /** Chunks of which some bytes fail their checksum. */
  damaged: number;
  /** Chunks of which a sync failed. */
  poisoned: number;
}

/** Counts step by step; the last one returns the sums. */
export function* countingChunks(categories: Iterable<Category>): Generator<void, Census, void> {
  const census: Census = { categories: 0, chunks: 0, bytes: 0, damaged: 0, poisoned: 0 };
  let looked = 0;
  for (const category of categories) {
    if (category.known) census.categories++;
    for (const { size, damaged, poisoned } of category.chunks.all()) {
      census.chunks++;
      census.bytes += size;
      if (damaged) census.damaged++;
      if (poisoned) census.poisoned++;
      if (++looked % CENSUS_SLICE_CHUNKS === 0) yield;
    }
    if (++looked % CENSUS_SLICE_CHUNKS === 0) yield;
  }
  return census;
}
