/**
 * What is known of one chunk of one category: this node's copy of it.
 *
 * Invariant: the first `size` bytes of the data file are exactly what the first `indexSize` bytes of the index vouch
 * for. Nothing beyond is visible to anyone. `size` only ever grows, with one exception, which is counted by `cuts`: a
 * copy that is longer than what is complete elsewhere is cut to that, see `cut_excess.ts`. What stays never changes.
 *
 * @module
 */
import { categoryDirectory, chunkName } from "../protocol/names.ts";
import type { ChunkInfo } from "../protocol/types.ts";
import { ChangeEntry } from "./change_log.ts";
import type { Recent } from "./recent.ts";

/** The state of a chunk; the files are behind `dataPath` and `indexPath`. */
export class Chunk {
  readonly name: string;
  #dataPath: string | undefined;
  #indexPath: string | undefined;
  /** Published bytes. */
  size = 0;
  /** Bytes of the index that belong to them. */
  indexSize = 0;
  /** CRC of the published bytes. */
  rolling = 0;
  /** Time of the last record, milliseconds since 1970. */
  timeMs = 0;
  /** How many of the published bytes are known to be on the device. */
  synced = 0;
  /** It grows no more. */
  complete = false;
  /** Complete, although not every node could be asked whether it holds more. */
  finalised = false;
  /** The last record of the index says that it is complete, and all of it is on the device. */
  sealed = false;
  /** `false` for a chunk of this node's own of which peers may hold more: it lost its last part, or all of it. */
  settled = true;
  /** A sync failed: nothing is appended, and it is not called complete before the next start has looked at it. */
  poisoned = false;
  /** What lies behind its end, as after an append that failed, could not be cut off yet: see `roll_back.ts`. */
  torn = false;
  /** Found unsealed at the start: a sync of it may have failed in an earlier process, see `sync_chunk.ts`. */
  unproven = false;
  /** It was found without an index: nothing but its bytes vouches for its bytes, and other nodes know better. */
  adopted = false;
  /** Acknowledged: its files are gone, or going. */
  removed = false;
  /** Some bytes fail their checksum, or a file is missing. */
  damaged = false;
  /** Where that begins, if it was found at the start in what was not sealed. */
  damagedFrom: number | undefined;
  /** What of it was published again as new messages in this run, see `publish_again.ts`. */
  published: { readonly from: number; readonly to: number } | undefined;
  /** Its newest bytes, while somebody waits for them. */
  recent: Recent | undefined;
  /** How often its end was cut off in this run. */
  cuts = 0;
  /** How often its index was replaced in this run: each time, blocks may be divided elsewhere. */
  reindexed = 0;
  /** `Clock.monotonic()` at its creation; for chunks of earlier runs, at start. */
  readonly bornMs: number;
  /** Its place in the order of changes. */
  readonly change: ChangeEntry;

  constructor(readonly category: string, readonly instance: string, readonly number: number, bornMs: number) {
    this.name = chunkName(instance, number);
    this.bornMs = bornMs;
    this.change = new ChangeEntry(category, this, undefined);
  }

  /** Its messages. Made when it is first asked for: there may be a million chunks, most of which nobody opens. */
  get dataPath(): string {
    return this.#dataPath ??= `${categoryDirectory(this.category)}/${this.name}`;
  }

  /** What vouches for them. */
  get indexPath(): string {
    return this.#indexPath ??= `${this.dataPath}${INDEX_SUFFIX}`;
  }

  /** As it is listed. */
  toInfo(): ChunkInfo {
    const { name, complete, size } = this;
    return this.damaged ? { name, complete, size, damaged: true } : { name, complete, size };
  }
}

/** Ending of an index file's name. */
export const INDEX_SUFFIX = ".idx";
