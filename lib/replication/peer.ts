/**
 * Another node of the cluster, as replication sees it.
 *
 * One of the four seams (`Clock`, `Random`, `Disk`, `Peer`): a simulated world passes its own, and with the other three
 * that makes a cluster in one process. A peer is asked, never told: each node polls what the others have and takes what
 * it lacks. What comes back is checked like any stranger's input: names by `protocol/names.ts`, bytes by offset and
 * rolling CRC, and nothing is believed about other nodes' chunks that their owner did not say.
 *
 * Every call may be answered late, twice, cut short, or not at all. A call that fails rejects, has changed nothing here,
 * and may be made again.
 *
 * @module
 */
import type { ChunkInfo } from "../protocol/types.ts";

/** How far a node's copy of a chunk goes. */
export interface HeldChunk extends ChunkInfo {
  /** Bytes of it that are known to be on the device. */
  readonly synced: number;
  /** CRC-32 of its first `size` bytes: two copies with the same are the same. */
  readonly rolling: number;
}

/** What changed at a peer. */
export interface PeerChanges {
  /** To be given with the next call; means nothing to anyone but that peer's process. */
  readonly cursor: string;
  /** Which life of the peer's data directory this is: a new one means that all that was known is void. */
  readonly incarnation: string;
  /** Chunks that are new, or grew, or are complete, since the last cursor; by category. */
  readonly chunks: ReadonlyMap<string, readonly HeldChunk[]>;
}

/** Another node. */
export interface Peer {
  /** The name of its instance. */
  readonly instance: string;

  /**
   * What changed since `cursor` (`""`: everything), as soon as anything has, at the latest after `waitMs` milliseconds.
   * Tells the peer on the way what this node holds, which is what confirms its writes.
   */
  changes(
    cursor: string,
    held: ReadonlyMap<string, readonly HeldChunk[]>,
    waitMs: number,
  ): Promise<PeerChanges>;

  /** At most `sizeMax` bytes of a chunk from `offset`; fewer, or none, if it holds no more. */
  fetch(category: string, chunk: string, offset: number, sizeMax: number): Promise<Uint8Array>;
}
