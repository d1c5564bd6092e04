/**
 * Reads the chunks of one category, and makes a broken index anew on the way.
 *
 * A record of an index that is broken is made anew from its neighbours and the data, once, however many readers wait for
 * it; then they read again. The same way waits who meets an index that is being replaced for another reason.
 *
 * @module
 */
import { ChukchaError, quote } from "../protocol/errors.ts";
import { READ_BYTES_MAX } from "../protocol/limits.ts";
import { parseChunkName } from "../protocol/names.ts";
import type { CategoryState } from "./category_state.ts";
import type { Chunk } from "./chunk.ts";
import type { ChunkRange } from "./chunk_reader.ts";
import { asDamage } from "./damage.ts";
import { DAMAGED_SUFFIX, setAside } from "./damaged_copy.ts";
import { DiskError } from "./disk.ts";
import { toChukchaError } from "./failure.ts";
import { type ReadPiece, readPiece, readRange } from "./piece_reader.ts";
import { mendIndex } from "./recover.ts";
import { BrokenIndexError } from "./verify.ts";

/** The way to the bytes of one category's chunks. */
export class ChunkAccess {
  readonly #state: CategoryState;

  constructor(state: CategoryState) {
    this.#state = state;
  }

  /** The chunk of this name. Throws `chunk_not_found`. */
  chunk(name: string): Chunk {
    const chunk = this.#state.chunks.get(name);
    if (chunk) return chunk;
    const id = parseChunkName(name);
    const gone = id && this.#state.acknowledged.has(id.instance, id.number);
    const why = gone
      ? "was acknowledged by a reader, or has expired, and is deleted"
      : "does not exist on this node";
    throw new ChukchaError(
      "chunk_not_found",
      `chunk: ${quote(name)} of category ${this.#state.name} ${why}`,
    );
  }

  /** Reads whole messages. Rejects with `ChukchaError`. */
  async read(name: string, offset: number, sizeMax: number): Promise<ChunkRange> {
    const chunk = this.chunk(name);
    const { reader } = this.#state.context;
    try {
      return reader.read(chunk, offset, sizeMax);
    } catch (error) {
      if (this.#isBrokenIndex(chunk, error)) return await this.#readMended(chunk, offset, sizeMax);
      throw this.#told(chunk, error);
    }
  }

  /** Reads about `sizeMax` bytes into one buffer, or one message that is longer. Rejects with `ChukchaError`. */
  async readWhole(name: string, offset: number, sizeMax: number): Promise<Uint8Array> {
    const { body } = await this.read(name, offset, sizeMax).catch((error) => {
      if (!(error instanceof ChukchaError) || error.code !== "invalid_offset") throw error;
      return this.read(name, offset, READ_BYTES_MAX);
    });
    return body instanceof Uint8Array ? body : new Uint8Array(await new Response(body).arrayBuffer());
  }

  /** Reads a piece for another node, see `readPiece`. Throws `ChukchaError`. */
  piece(name: string, offset: number, bytesMax: number): ReadPiece | undefined {
    const chunk = this.chunk(name);
    const { files, indexes } = this.#state.context;
    return this.#forPeer(chunk, () => readPiece(files, indexes, chunk, offset, bytesMax));
  }

  /** Reads verified bytes for another node that heals its copy, see `readRange`. Throws `ChukchaError`. */
  range(name: string, offset: number, length: number): ReadPiece {
    const chunk = this.chunk(name);
    const { files, indexes } = this.#state.context;
    return this.#forPeer(chunk, () => readRange(files, indexes, chunk, offset, length));
  }

  #forPeer<T>(chunk: Chunk, read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!this.#isBrokenIndex(chunk, error)) throw this.#told(chunk, error);
      // Whoever asked asks again: by then it is mended, or known to be beyond that.
      if (chunk.sealed) this.#mend(chunk).catch((failed) => void this.#told(chunk, failed));
      throw this.#brokenIndex(chunk);
    }
  }

  /** Whether this says that the index is broken, or gone while the data is there. */
  #isBrokenIndex(chunk: Chunk, error: unknown): boolean {
    if (error instanceof BrokenIndexError) return true;
    if (!(error instanceof DiskError) || error.kind !== "not_found" || !chunk.sealed) return false;
    return this.#state.context.disk.sizeOf(chunk.indexPath) === undefined;
  }

  /** The error to be answered, having taken note of the damage that it may mean. */
  #told(chunk: Chunk, error: unknown): ChukchaError {
    return this.#state.context.damage.note(
      chunk,
      toChukchaError(asDamage(chunk, error), `read ${chunk.name}`),
    );
  }

  /** Keeps what the chunk holds from `offset` on in a file beside it, damaged as it is. Rejects with `DiskError`. */
  async setAside(chunk: Chunk, offset: number): Promise<void> {
    const { disk, log } = this.#state.context;
    await setAside(disk, chunk.dataPath, offset, chunk.size);
    log.error("damaged messages could not be published again; they were set aside", {
      chunk: chunk.dataPath,
      from: offset,
      file: chunk.dataPath + DAMAGED_SUFFIX,
    });
  }

  /** Resolves when the chunk's index is not being replaced. */
  async settled(chunk: Chunk): Promise<void> {
    await this.#state.context.replacing.get(chunk)?.catch(() => {});
  }

  /** Replaces the chunk's index by `replace`; readers that meet it meanwhile wait for that. */
  replace(chunk: Chunk, replace: () => Promise<void>): Promise<void> {
    const { replacing } = this.#state.context;
    const done = replace().finally(() => replacing.delete(chunk));
    replacing.set(chunk, done);
    return done;
  }

  /** A record of the index is broken. That of a sealed chunk is made anew from the others and the data. */
  async #readMended(chunk: Chunk, offset: number, sizeMax: number): Promise<ChunkRange> {
    const { reader, damage, replacing } = this.#state.context;
    const broken = () => damage.note(chunk, this.#brokenIndex(chunk));
    if (!chunk.sealed && !replacing.has(chunk)) throw broken();
    try {
      await this.#mend(chunk);
      return reader.read(chunk, offset, sizeMax);
    } catch (error) {
      if (error instanceof BrokenIndexError) throw broken();
      throw this.#told(chunk, error);
    }
  }

  /** Once, however many readers wait for it. */
  #mend(chunk: Chunk): Promise<void> {
    const { disk, files, indexes, log, replacing, damage } = this.#state.context;
    return replacing.get(chunk) ?? this.replace(chunk, async () => {
      const known = chunk.damaged;
      await mendIndex({ disk, log }, chunk);
      files.forget(chunk.indexPath);
      indexes.forget(chunk);
      chunk.reindexed++;
      log.warn("mended a damaged index", { chunk: chunk.dataPath });
      if (chunk.damaged && !known) damage.found(chunk);
    });
  }

  #brokenIndex(chunk: Chunk): ChukchaError {
    return new ChukchaError("damaged", `${chunk.name}: its index is damaged on this node`);
  }
}
