/**
 * What all categories of one store share: the seams, the bounds, the open files, and what the store knows of its disk.
 *
 * @module
 */
import type { Log } from "../protocol/log.ts";
import type { ProducerBound } from "./batch_memory.ts";
import type { ChangeLog } from "./change_log.ts";
import type { Chunk } from "./chunk.ts";
import type { Clock } from "./clock.ts";
import type { ConsumerWatchers } from "./consumer_watchers.ts";
import type { Disk } from "./disk.ts";
import type { ChunkReader } from "./chunk_reader.ts";
import type { Damage } from "./damage.ts";
import type { DiskGuard } from "./disk_guard.ts";
import type { IndexCache } from "./index_cache.ts";
import type { StorageMeter } from "./meter.ts";
import type { OpenFiles } from "./open_files.ts";
import type { RotationTimer } from "./rotation_timer.ts";
import type { Sealer } from "./sealer.ts";
import type { SharedSync } from "./shared_sync.ts";
import type { Slots } from "./slots.ts";
import type { Watchers } from "./watchers.ts";

/** How a store behaves. Sizes in bytes. */
export interface StoreOptions {
  /** Name of this node; owner of the chunks it writes. */
  readonly instance: string;
  /** A chunk that would grow beyond this is completed instead. */
  readonly chunkBytesMax: number;
  /** A chunk this old is completed. */
  readonly rotateIntervalMs: number;
  /** Writes are refused while the file system has less room than this. */
  readonly minFreeDiskBytes: number;
  /** How long a round over all complete chunks takes that looks for rot; 0: none is made. @default 0 */
  readonly scrubIntervalMs?: number;
  /** With fewer chunks and categories than this there is no checkpoint. @default CHECKPOINT_CHUNKS_MIN */
  readonly checkpointChunksMin?: number;
  /** Bound on open files. */
  readonly openFilesMax: number;
  /** Instances of the other nodes of the cluster. @default none: it is alone */
  readonly peers?: readonly string[];
  /** A new data directory takes writes at once, without asking the peers which chunk numbers were used. @default false */
  readonly bootstrap?: boolean;
  /** Acknowledgements of consumers are on the device before they are answered. @default false */
  readonly syncEachWrite?: boolean;
}

/** Where this node stands in its cluster. */
export interface Membership {
  /** Number that its own chunks begin with at least; `undefined` as long as it has not joined and takes no writes. */
  first: number | undefined;
}

/**
 * Shared by all categories of a store. What only few chunks need at a time is kept here and not in each category: there
 * may be a million of those, and an empty map costs 200 bytes.
 */
export interface StorageContext {
  readonly options: StoreOptions;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly files: OpenFiles;
  readonly indexes: IndexCache;
  readonly reader: ChunkReader;
  readonly damage: Damage;
  readonly guard: DiskGuard;
  readonly sealer: Sealer;
  readonly rotation: RotationTimer;
  readonly watchers: Watchers;
  readonly consumerWatchers: ConsumerWatchers;
  /** Puts the places of consumers on the device, of a bounded number of categories at once. */
  readonly consumerSyncs: Slots;
  /** Puts the names of new categories on the device. */
  readonly rootSync: SharedSync;
  readonly changes: ChangeLog;
  readonly membership: Membership;
  /** How often a chunk's data was given up that other nodes may still hold. */
  readonly losses: { count: number };
  readonly meter: StorageMeter;
  /** Producers whose batches are known when they come again. */
  readonly producers: ProducerBound;
  /** Other nodes' chunks that are not complete here. */
  readonly incomplete: Set<Chunk>;
  /** This node's own chunks of which others may hold more. */
  readonly unsettled: Set<Chunk>;
  /** Chunks whose end is being cut: nothing is appended to them. */
  readonly held: Set<Chunk>;
  /** Copies whose files are made and that hold nothing yet, by path: not listed. */
  readonly prepared: Map<string, Chunk>;
  /** Chunks whose index is being replaced. */
  readonly replacing: Map<Chunk, Promise<void>>;
  /** Syncs of copies that are under way, and how much of the chunk they vouch for. */
  readonly syncing: Map<Chunk, { readonly size: number; readonly done: Promise<void> }>;
}
