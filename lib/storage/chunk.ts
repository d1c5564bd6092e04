/**
 * What is known of one chunk of one category.
 *
 * Invariant: the first `size` bytes of the data file are exactly what the first `indexSize` bytes of the index vouch
 * for, and `size` only ever grows. Nothing beyond is visible to anyone.
 *
 * @module
 */
import { categoryDirectory, chunkName } from "../protocol/names.ts";
import type { ChunkInfo } from "../protocol/types.ts";

/** The state of a chunk; the files are behind `dataPath` and `indexPath`. */
export class Chunk {
  readonly name: string;
  readonly dataPath: string;
  readonly indexPath: string;
  /** Published bytes. */
  size = 0;
  /** Bytes of the index that belong to them. */
  indexSize = 0;
  /** CRC of the published bytes. */
  rolling = 0;
  /** Time of the last record, milliseconds since 1970. */
  timeMs = 0;
  /** The owner appends no more. */
  complete = false;
  /** The last record of the index says so, and all of it is on the device. */
  sealed = false;
  /** A sync failed: nothing is appended, and it is not called complete before the next start has looked at it. */
  poisoned = false;
  /** Acknowledged: its files are gone, or going. */
  removed = false;
  /** Some bytes fail their checksum. */
  damaged = false;
  /** `Clock.monotonic()` at its creation; for chunks of earlier runs, at start. */
  readonly bornMs: number;

  constructor(category: string, readonly instance: string, readonly number: number, bornMs: number) {
    this.name = chunkName(instance, number);
    this.dataPath = `${categoryDirectory(category)}/${this.name}`;
    this.indexPath = `${this.dataPath}${INDEX_SUFFIX}`;
    this.bornMs = bornMs;
  }

  /** As it is listed. */
  toInfo(): ChunkInfo {
    const { name, complete, size } = this;
    return this.damaged ? { name, complete, size, damaged: true } : { name, complete, size };
  }
}

/** Ending of an index file's name. */
export const INDEX_SUFFIX = ".idx";
