/**
 * The consumers of a category, as whoever dispenses messages to them sees them: see `docs/consumers.md`.
 *
 * Owns nothing but the words. A category need not exist yet for its consumers to be asked for: the first change makes
 * it. What is behind this is `category_consumers.ts`.
 *
 * @module
 */
import type { ChunkPosition, From } from "../protocol/position.ts";
import type { Unread } from "./unread.ts";

/** One consumer's place, as it is now. Immutable: a change makes a new one. */
export interface ConsumerPlace {
  readonly name: string;
  /** Of two, the larger one is later: a seek, or forgetting, raises it. */
  readonly epoch: number;
  /** Whether it ever used leases. */
  readonly leases: boolean;
  /**
   * What it has not acknowledged of one owner's chunks. Of an owner that it has not met, what its start says: all for
   * the earliest and the latest (whatever a node brings that was unknown then is news), for a time what the records of
   * the chunks say that are here.
   */
  unread(owner: string): Unread;
}

/** The consumers of one category. What is rejected is a `ChukchaError`; then nothing has changed. */
export interface Consumers {
  /** Sorted by name, without those that are forgotten. */
  list(): ConsumerPlace[];
  /** `undefined` if it was never used, or is forgotten. */
  get(name: string): ConsumerPlace | undefined;
  /** The existing one, or a new one that begins at `from`, on the device when this resolves. */
  begin(name: string, from: From): Promise<ConsumerPlace>;
  /** Says that it uses leases, for good. Rejects with `consumer_not_found`. */
  useLeases(name: string): Promise<void>;
  /**
   * Bytes `from` up to before `to` of a chunk are processed. A consumer that was never used begins at the earliest with
   * it. Of a complete chunk, its end is the end of all that is in it; of one that is deleted there is nothing to do.
   *
   * Rejects with `position_moved` where `epoch` is given and has passed, `behind` where this node has not heard of it or of
   * the chunk yet, `consumer_not_found` for one that is forgotten, `chunk_not_found` for one that nobody can have written,
   * `not_complete` for bytes that this node has not written yet, `overloaded`, or what the disk said.
   */
  acknowledge(name: string, chunk: string, from: number, to: number, epoch?: number): Promise<void>;
  /**
   * Moves it; one that was never used, or is forgotten, begins there. Of places the last one of each owner stands for all
   * from there on, those before it each for the rest of their chunk; an owner of which none is given stays as it is.
   */
  seek(name: string, to: From | readonly ChunkPosition[]): Promise<ConsumerPlace>;
  /** Rejects with `consumer_not_found`. */
  forget(name: string): Promise<void>;
  /**
   * Calls `fn` when the place of a consumer has changed by anything but an `acknowledge` here: it was told by another
   * node, moved, or forgotten. Until the returned function is called. `fn` only takes note: it must not throw.
   */
  watch(fn: (name: string) => void): () => void;
}
