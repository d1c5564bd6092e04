/**
 * The chunks of a category that this node itself writes: their numbers, and the one being appended to.
 *
 * Invariants: only the newest chunk is ever appended to; a chunk number is never used twice, also not after its chunk
 * was acknowledged, and not one that another node has seen.
 *
 * What a crash leaves when a chunk is begun: see `category_directory.ts`. Such a chunk is never listed, and its number
 * is not used again.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { INDEX_BYTES_MAX } from "../protocol/limits.ts";
import { CHUNK_NUMBER_MAX, type ChunkId } from "../protocol/names.ts";
import type { WriteResult } from "../protocol/types.ts";
import { type Append, AppendQueue, type AppendTarget } from "./append_queue.ts";
import type { BatchJournal, BatchSource } from "./batch_journal.ts";
import type { CategoryState } from "./category_state.ts";
import { Chunk } from "./chunk.ts";
import { DiskError } from "./disk.ts";
import { toChukchaError } from "./failure.ts";

/** What this node writes to one category. */
export class OwnChunks implements AppendTarget {
  /** What is kept of batches that have a producer; set when the first one comes. */
  journal: BatchJournal | undefined;
  readonly #state: CategoryState;
  readonly #queue: AppendQueue;
  #active: Chunk | undefined;
  /** Number of the chunk whose files are being made. */
  #beginning: number | undefined;
  /** Largest number in use. */
  #largest: number;

  /** @param largest the largest number found in use, or that must not be used; -1 for none */
  constructor(state: CategoryState, largest: number) {
    const { files, clock, options, meter } = state.context;
    this.#state = state;
    this.#largest = largest;
    this.#queue = new AppendQueue(this, files, clock, options.chunkBytesMax, meter);
  }

  /** Appends one batch: whole messages, at least one byte. Rejects with `ChukchaError`. */
  append(bytes: Uint8Array, sync: boolean, source?: BatchSource): Promise<WriteResult> {
    if (this.#state.context.membership.first === undefined) return Promise.reject(notJoined());
    return this.#queue.append(bytes, sync, source);
  }

  /** The same without a promise. */
  submit(append: Append): void {
    if (this.#state.context.membership.first === undefined) append.refused(notJoined());
    else this.#queue.submit(append);
  }

  /** Runs `step` while nothing is being appended. */
  inTurn(step: () => Promise<void>): Promise<void> {
    return this.#queue.inTurn(step);
  }

  /** Resolves when the journal names nothing that was not stored: before chunks are acknowledged. Rejects with `DiskError`. */
  async settleJournal(): Promise<void> {
    const { journal } = this;
    if (journal?.torn) await this.inTurn(() => journal.settle());
  }

  /** Whether this is the chunk that is being appended to, or begun. */
  isChunk({ instance, number }: ChunkId): boolean {
    if (this.#active?.number !== number && this.#beginning !== number) return false;
    return instance === this.#state.context.options.instance;
  }

  /** Says that a number is in use, here or elsewhere: chunks that are begun from now on have larger ones. */
  noteUsed(number: number): void {
    this.#largest = Math.max(this.#largest, number);
  }

  /** Waits for what is queued, then completes the active chunk. */
  async finish(): Promise<void> {
    await this.#queue.drained();
    if (this.#active && this.#active.size > 0) this.#finish(this.#active);
  }

  /** Completes the active chunk if it is one of these, as soon as no group is under way; what is queued goes on. */
  retire(isOne: (chunk: Chunk) => boolean): Promise<void> {
    return new Promise((resolve) =>
      this.#queue.between(() => {
        if (this.#active && isOne(this.#active)) this.#finish(this.#active);
        resolve();
      })
    );
  }

  // --- what the append queue asks ---

  get isWatched(): boolean {
    return this.#state.context.watchers.has(this.#state.name);
  }

  chunkFor(size: number): Chunk | Promise<Chunk> {
    this.#state.context.guard.admit(size);
    const active = this.#active;
    return active && !active.poisoned && !this.#isDue(active, size) ? active : this.#begin();
  }

  published(chunk: Chunk): void {
    this.#state.context.guard.stored();
    this.#state.changed(chunk, undefined);
  }

  refused(error: ChukchaError, bytes: number): void {
    this.#state.context.guard.refused(error, bytes);
  }

  poisoned(chunk: Chunk, error: unknown): void {
    this.#state.poison(chunk, error);
  }

  // --- the life of a chunk ---

  #isDue(chunk: Chunk, size: number): boolean {
    if (chunk.size === 0) return false;
    const { options, clock } = this.#state.context;
    return chunk.size + size > options.chunkBytesMax || chunk.indexSize >= INDEX_BYTES_MAX ||
      clock.monotonic() - chunk.bornMs >= options.rotateIntervalMs;
  }

  /** Begins a new chunk and completes the one before. Where there is no room for another file, that one goes on. */
  async #begin(): Promise<Chunk> {
    const { guard, rotation } = this.#state.context;
    const before = this.#active;
    try {
      await guard.prove();
      const chunk = await this.#create();
      if (before) this.#finish(before);
      this.#active = chunk;
      rotation.add(() => void this.#expire(chunk));
      return chunk;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (error.kind === "failed") guard.distrust(error.message);
      else guard.refused(toChukchaError(error, "begin a chunk"), 0);
      if (before && !before.poisoned && error.kind !== "failed") return before;
      throw error;
    }
  }

  async #create(): Promise<Chunk> {
    const { name, directory, context } = this.#state;
    await directory.ensure();
    const number = this.#largest + 1;
    if (number > CHUNK_NUMBER_MAX) {
      throw new ChukchaError("internal", `write: category ${name} has used all chunk numbers`);
    }
    const chunk = new Chunk(name, context.options.instance, number, context.clock.monotonic());
    this.#beginning = number;
    try {
      directory.create(chunk);
      await directory.sync().catch((error) => {
        directory.remove(chunk);
        throw error;
      });
      this.noteUsed(number);
      return chunk;
    } catch (error) {
      // A file that was there already is somebody's: it stays, and has this number. Any other failure may be repeated
      // for days, at every append: it must not use numbers up.
      if (error instanceof DiskError && error.kind === "exists") this.noteUsed(number);
      throw error;
    } finally {
      this.#beginning = undefined;
    }
  }

  /** Completes a chunk to which nothing is being appended. */
  #finish(chunk: Chunk): void {
    if (this.#active === chunk) this.#active = undefined;
    if (chunk.poisoned || chunk.size === 0) return;
    this.#state.complete(chunk, false, undefined);
  }

  /** The chunk is as old as a chunk may become. A group under way still goes into it. */
  async #expire(chunk: Chunk): Promise<void> {
    await this.#queue.drained();
    if (this.#active !== chunk) return;
    // Nothing could be appended yet: it may live once more as long.
    if (chunk.size === 0) this.#state.context.rotation.add(() => void this.#expire(chunk));
    else this.#finish(chunk);
  }
}

/** What a write is answered before the node has joined. */
export function notJoined(): ChukchaError {
  return new ChukchaError(
    "not_joined",
    "write: this node has an empty disk and asks its peers which chunk numbers were used; use another one, or retry",
  );
}
