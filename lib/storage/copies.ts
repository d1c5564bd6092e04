/**
 * The copies of one category that come from other nodes: of their chunks, and of this node's own of former times.
 *
 * A copy is a prefix of its chunk, appended to only where it ends and only if the checksum of the whole agrees; the
 * records of its index are its own. It never grows once it is complete, or while it goes.
 *
 * What a crash leaves: of an append what it leaves of any append, whole groups, see `append_queue.ts`. Their files are
 * made by `copy_files.ts`.
 *
 * Rejected: keeping the owner's index records (a piece that was fetched by parts, or from another copy, has none).
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { parseChunkName } from "../protocol/names.ts";
import type { Acknowledging } from "./acknowledging.ts";
import type { CategoryState } from "./category_state.ts";
import type { Chunk } from "./chunk.ts";
import { DiskError, PASSING } from "./disk.ts";
import { toChukchaError } from "./failure.ts";
import { IndexBuilder } from "./index_builder.ts";
import type { OpenFile } from "./open_files.ts";
import type { OwnChunks } from "./own_chunks.ts";
import { writeAll } from "./publish_file.ts";
import { mendTorn, rollBack } from "./roll_back.ts";
import { syncChunk } from "./sync_chunk.ts";

const NEWLINE = 10;

/** Bytes that continue a copy. */
export interface CopyPiece {
  readonly chunk: string;
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** CRC-32 of the chunk from its start to the end of `bytes`. */
  readonly rolling: number;
  readonly timeMs: number;
}

/** Bytes, a checksum or a size from another node do not fit the copy that is here; nothing was changed, both are kept. */
export class CopyMismatchError extends Error {
  override readonly name = "CopyMismatchError";
}

/** What became of a piece: it is here now, does not continue the copy as it is, or the chunk is acknowledged. */
export type Appended = "appended" | "stale" | "gone";

// Shared by all copies: a piece is appended in one go.
const builder = new IndexBuilder();

/** The copies of one category. */
export class Copies {
  readonly #state: CategoryState;
  readonly #own: OwnChunks;
  readonly #acks: Acknowledging;

  constructor(state: CategoryState, own: OwnChunks, acks: Acknowledging) {
    this.#state = state;
    this.#own = own;
    this.#acks = acks;
  }

  /**
   * Appends a piece to the copy that it continues; readable when this returns.
   *
   * Throws `CopyMismatchError`, or `ChukchaError` for what the disk said; then nothing was appended.
   */
  append(piece: CopyPiece, source: string): Appended {
    const { context, directory } = this.#state;
    const id = parseChunkName(piece.chunk);
    if (id && this.#state.acknowledged.has(id.instance, id.number)) return "gone";
    const chunk = this.#state.chunks.get(piece.chunk) ??
      context.prepared.get(`${directory.path}/${piece.chunk}`);
    if (!chunk) {
      if (id && this.#own.isChunk(id)) return "stale";
      throw new ChukchaError("chunk_not_found", `copy: there are no files for ${piece.chunk} yet`);
    }
    if (!this.#grows(chunk) || piece.offset !== chunk.size) return "stale";
    if (chunk.poisoned) {
      throw new ChukchaError("disk_failed", `copy: a sync of ${chunk.name} failed; restart to go on with it`);
    }
    if (piece.bytes.at(-1) !== NEWLINE) {
      throw new CopyMismatchError(`${chunk.name}: bytes from ${piece.offset} do not end with a message`);
    }
    try {
      context.guard.admit(piece.bytes.length);
      this.#write(chunk, piece);
    } catch (error) {
      if (error instanceof CopyMismatchError) throw error;
      const refused = toChukchaError(error, `copy ${chunk.name}`);
      context.guard.refused(refused, piece.bytes.length);
      throw refused;
    }
    context.guard.stored();
    context.prepared.delete(chunk.dataPath);
    this.#state.noteOpen(chunk);
    this.#state.changed(chunk, source);
    return "appended";
  }

  /**
   * Puts the copy on the device as it is now. Rejects with `ChukchaError`; unless that was for something that passes by
   * itself, nothing more is appended to it then.
   */
  sync(chunk: Chunk): Promise<void> {
    if (chunk.synced >= chunk.size) return Promise.resolve();
    const { syncing } = this.#state.context;
    const running = syncing.get(chunk);
    // A sync vouches only for what was there when it began.
    if (running) return running.size >= chunk.size ? running.done : running.done.then(() => this.sync(chunk));
    if (chunk.poisoned) {
      return Promise.reject(
        new ChukchaError("disk_failed", `sync: a sync of ${chunk.name} has failed before`),
      );
    }
    const { size, cuts } = chunk;
    const done = this.#sync(chunk).then(() => {
      if (chunk.cuts === cuts) chunk.synced = Math.max(chunk.synced, size);
    }).finally(() => syncing.delete(chunk));
    syncing.set(chunk, { size, done });
    return done;
  }

  /** Completes a copy that is exactly this; `false` if it is not, or is complete already. */
  complete(name: string, size: number, rolling: number, finalised: boolean, source: string): boolean {
    const chunk = this.#state.chunks.get(name);
    if (!chunk || !this.#grows(chunk) || chunk.poisoned) return false;
    // Found with a hole, its records may be those of all of it, and its bytes were never here. What rotted since is healed.
    if (chunk.damagedFrom !== undefined) return false;
    if (chunk.size === 0 || chunk.size !== size || chunk.rolling !== rolling) return false;
    this.#state.complete(chunk, finalised, source);
    return true;
  }

  /** Completes a chunk as it is, by this node's own decision; `false` if there is nothing to decide. */
  settle(name: string, finalised: boolean): boolean {
    const chunk = this.#state.chunks.get(name);
    if (!chunk || !this.#grows(chunk) || chunk.poisoned || chunk.size === 0) return false;
    this.#state.complete(chunk, finalised, undefined);
    return true;
  }

  #grows(chunk: Chunk): boolean {
    return !chunk.complete && !chunk.removed && !this.#own.isChunk(chunk) &&
      !this.#state.context.held.has(chunk) &&
      !this.#acks.covers(chunk.instance, chunk.number);
  }

  #write(chunk: Chunk, piece: CopyPiece): void {
    const { files } = this.#state.context;
    const { bytes } = piece;
    const timeMs = Math.max(chunk.timeMs, piece.timeMs);
    builder.begin(chunk.size, chunk.rolling, timeMs);
    builder.add(bytes);
    const { rolling } = builder;
    if (rolling !== piece.rolling) {
      throw new CopyMismatchError(
        `${chunk.name}: bytes from ${piece.offset} do not continue the copy that is here`,
      );
    }
    const records = builder.commit();
    let data: OpenFile | undefined;
    let index: OpenFile | undefined;
    try {
      data = files.take(chunk.dataPath);
      index = files.take(chunk.indexPath);
      mendTorn(chunk, data, index);
      writeAll(data.file, bytes, chunk.size);
      writeAll(index.file, records, chunk.indexSize);
    } catch (error) {
      rollBack(chunk, data, index);
      throw error;
    } finally {
      if (data) files.give(data);
      if (index) files.give(index);
    }
    chunk.size += bytes.length;
    chunk.indexSize += records.length;
    chunk.rolling = rolling;
    chunk.timeMs = timeMs;
  }

  async #sync(chunk: Chunk): Promise<void> {
    const { files, clock, meter } = this.#state.context;
    let data: OpenFile | undefined;
    let index: OpenFile | undefined;
    try {
      data = files.take(chunk.dataPath);
      index = files.take(chunk.indexPath);
      const startMs = clock.monotonic();
      await syncChunk(chunk, data, index).catch((error) => {
        // What a start found is written once more before its first sync: that may fail, and proves nothing.
        const isPassing = error instanceof DiskError && PASSING.has(error.kind);
        if (!chunk.removed && !isPassing) this.#state.poison(chunk, error);
        throw error;
      });
      meter.syncSeconds.observe((clock.monotonic() - startMs) / 1000);
    } catch (error) {
      throw toChukchaError(error, `sync ${chunk.name}`);
    } finally {
      if (data) files.give(data);
      if (index) files.give(index);
    }
  }
}
