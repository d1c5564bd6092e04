/**
 * One category of one node: its chunks, the one being appended to, and what is acknowledged.
 *
 * Invariants: only this instance's newest chunk is ever appended to; a chunk that is complete never changes; a chunk
 * number is never used twice, also not after its chunk was acknowledged.
 *
 * What a crash leaves when a chunk is begun: the two names, or one of them, or none, and no byte in either: both names
 * are on the device before the first append. Such a chunk is never listed, and its number is not used again.
 * What a crash leaves when one is acknowledged: the chunk as it was, or the published acknowledgement, with which the
 * next start removes what is left of the files.
 *
 * @module
 */
import { ChukchaError, quote } from "../protocol/errors.ts";
import { INDEX_BYTES_MAX } from "../protocol/limits.ts";
import { categoryDirectory, CHUNK_NUMBER_MAX, parseChunkName } from "../protocol/names.ts";
import type { ChunkInfo, WriteResult } from "../protocol/types.ts";
import { Acknowledged, ACKNOWLEDGED_FILE } from "./acknowledged.ts";
import { AppendQueue, type AppendTarget } from "./append_queue.ts";
import { Chunk } from "./chunk.ts";
import { ChunkList } from "./chunk_list.ts";
import type { ChunkRange } from "./chunk_reader.ts";
import type { StorageContext } from "./context.ts";
import { noteDamage } from "./damage.ts";
import { DiskError } from "./disk.ts";
import { toChukchaError } from "./failure.ts";
import { publishFile } from "./publish_file.ts";
import { mendIndex, type RecoveredCategory } from "./recover.ts";
import { BrokenIndexError } from "./verify.ts";

/** The chunks of one category. */
export class Category implements AppendTarget {
  readonly name: string;
  readonly #context: StorageContext;
  /** Chunks with readable bytes. */
  readonly chunks = new ChunkList();
  readonly #queue: AppendQueue;
  #acknowledged: Acknowledged;
  #active: Chunk | undefined;
  #next: number;
  #directoryMade: boolean;
  /** Chunks whose index is being made anew. */
  readonly #mending = new Map<Chunk, Promise<void>>();
  /** Acknowledgements go one at a time. */
  #acknowledging: Promise<unknown> = Promise.resolve();

  /** @param found what recovery found; nothing for a category that has no directory yet */
  constructor(name: string, context: StorageContext, found?: RecoveredCategory) {
    this.name = name;
    this.#context = context;
    this.#queue = new AppendQueue(this, context.files, context.clock, context.options.chunkBytesMax);
    this.#acknowledged = found?.acknowledged ?? new Acknowledged();
    this.#directoryMade = found !== undefined;
    const { instance } = context.options;
    this.#next = 1 + Math.max(found?.largest.get(instance) ?? -1, this.#acknowledged.largest(instance));
    found?.chunks.forEach((chunk) => this.chunks.add(chunk));
  }

  /** Whether anything was ever stored in it. */
  get known(): boolean {
    return this.chunks.size > 0 || !this.#acknowledged.isEmpty;
  }

  /** Appends one batch: whole messages, at least one byte. Rejects with `ChukchaError`. */
  append(bytes: Uint8Array, sync: boolean): Promise<WriteResult> {
    return this.#queue.append(bytes, sync);
  }

  /** As `/listChunks` answers. */
  list(): ChunkInfo[] {
    return this.chunks.sorted().map((chunk) => chunk.toInfo());
  }

  /** The chunk of this name. Throws `chunk_not_found`. */
  chunk(name: string): Chunk {
    const chunk = this.chunks.get(name);
    if (chunk) return chunk;
    const id = parseChunkName(name);
    const gone = id && this.#acknowledged.has(id.instance, id.number);
    const why = gone ? "is acknowledged and deleted" : "does not exist on this node";
    throw new ChukchaError("chunk_not_found", `chunk: ${quote(name)} of category ${this.name} ${why}`);
  }

  /** Reads whole messages. Rejects with `ChukchaError`. */
  async read(name: string, offset: number, sizeMax: number): Promise<ChunkRange> {
    const chunk = this.chunk(name);
    try {
      return this.#context.reader.read(chunk, offset, sizeMax);
    } catch (error) {
      if (error instanceof BrokenIndexError) return await this.#readMended(chunk, offset, sizeMax);
      throw noteDamage(this.#context.log, chunk, toChukchaError(error, `read ${name}`));
    }
  }

  /**
   * Acknowledges a chunk: it is complete, and its reader has seen `size` bytes, which is all of it.
   *
   * Rejects with `ChukchaError`: `chunk_not_found`, `not_complete`, or what the disk said.
   */
  acknowledge(name: string, size: number): Promise<void> {
    const done = this.#acknowledging.then(() => this.#acknowledgeNext(name, size));
    this.#acknowledging = done.catch(() => {});
    return done;
  }

  /** Waits for what is queued, then completes the active chunk. */
  async close(): Promise<void> {
    await this.#queue.drained();
    await this.#acknowledging;
    if (this.#active && this.#active.size > 0) this.#finish(this.#active);
  }

  // --- what the append queue asks ---

  chunkFor(size: number): Chunk | Promise<Chunk> {
    this.#context.guard.admit(size);
    const active = this.#active;
    return active && !active.poisoned && !this.#isDue(active, size) ? active : this.#begin();
  }

  published(chunk: Chunk): void {
    this.chunks.add(chunk);
    this.#context.guard.lastWrite(undefined);
    this.#context.watchers.notify(this.name);
  }

  refused(error: ChukchaError): void {
    this.#context.guard.lastWrite(error.code === "overloaded" ? undefined : error.message);
  }

  poisoned(chunk: Chunk, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#context.guard.distrust(message);
    this.#context.log.error("a sync failed: nothing more is appended to this chunk", {
      chunk: chunk.dataPath,
      error: message,
    });
  }

  // --- the life of a chunk ---

  #isDue(chunk: Chunk, size: number): boolean {
    if (chunk.size === 0) return false;
    const { options, clock } = this.#context;
    return chunk.size + size > options.chunkBytesMax || chunk.indexSize >= INDEX_BYTES_MAX ||
      clock.monotonic() - chunk.bornMs >= options.rotateIntervalMs;
  }

  /** Begins a new chunk and completes the one before. Where there is no room for another file, that one goes on. */
  async #begin(): Promise<Chunk> {
    const before = this.#active;
    try {
      await this.#context.guard.prove();
      const chunk = await this.#create();
      if (before) this.#finish(before);
      this.#active = chunk;
      this.#context.rotation.add(() => void this.#expire(chunk));
      return chunk;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (error.kind === "failed") this.#context.guard.distrust(error.message);
      else this.#context.guard.lastWrite(error.message);
      if (before && !before.poisoned && error.kind !== "failed") return before;
      throw error;
    }
  }

  async #create(): Promise<Chunk> {
    const { disk, files, clock, options } = this.#context;
    await this.#makeDirectory();
    if (this.#next > CHUNK_NUMBER_MAX) {
      throw new ChukchaError("internal", `write: category ${this.name} has used all chunk numbers`);
    }
    const chunk = new Chunk(this.name, options.instance, this.#next, clock.monotonic());
    const made: string[] = [];
    try {
      for (const path of [chunk.indexPath, chunk.dataPath]) {
        files.give(files.create(path));
        made.push(path);
      }
      await disk.syncDirectory(categoryDirectory(this.name));
      this.#next++;
      return chunk;
    } catch (error) {
      // A file that was there already is somebody's: it stays, and has this number. Any other failure may be repeated
      // for days, at every append: it must not use numbers up.
      if (error instanceof DiskError && error.kind === "exists") this.#next++;
      this.#removeFiles(chunk, made);
      throw error;
    }
  }

  async #makeDirectory(): Promise<void> {
    if (this.#directoryMade) return;
    const { disk } = this.#context;
    try {
      disk.makeDirectory(categoryDirectory(this.name));
    } catch (error) {
      if (!(error instanceof DiskError) || error.kind !== "exists") throw error;
      const names = disk.list("").map((entry) => entry.name);
      if (!names.includes(categoryDirectory(this.name))) {
        throw new ChukchaError(
          "invalid_parameter",
          `category: ${
            quote(this.name)
          } differs only in case from an existing one, which this file system cannot tell apart`,
        );
      }
      if (disk.list(categoryDirectory(this.name)).length > 0) {
        throw new ChukchaError(
          "disk_failed",
          `category: a directory for ${
            quote(this.name)
          } was put into the data directory; restart to take it over`,
        );
      }
    }
    await this.#context.rootSync.run();
    this.#directoryMade = true;
  }

  /** Completes a chunk to which nothing is being appended. */
  #finish(chunk: Chunk): void {
    if (this.#active === chunk) this.#active = undefined;
    if (chunk.poisoned || chunk.size === 0) return;
    chunk.complete = true;
    this.#context.sealer.add(chunk);
    this.#context.watchers.notify(this.name);
  }

  /** The chunk is as old as a chunk may become. A group under way still goes into it. */
  async #expire(chunk: Chunk): Promise<void> {
    await this.#queue.drained();
    if (this.#active !== chunk) return;
    // Nothing could be appended yet: it may live once more as long.
    if (chunk.size === 0) this.#context.rotation.add(() => void this.#expire(chunk));
    else this.#finish(chunk);
  }

  // --- acknowledging ---

  async #acknowledgeNext(name: string, size: number): Promise<void> {
    const id = parseChunkName(name);
    if (id && this.#acknowledged.has(id.instance, id.number)) return;
    const chunk = this.chunk(name);
    if (!chunk.complete) {
      throw new ChukchaError(
        "not_complete",
        `chunk: ${name} is still written to; acknowledge it once it is complete`,
      );
    }
    if (size < chunk.size) {
      throw new ChukchaError(
        "not_complete",
        `size: ${size} does not cover the ${chunk.size} bytes of ${name}`,
      );
    }
    const acknowledged = this.#acknowledged.with(chunk.instance, chunk.number);
    try {
      await this.#publishAcknowledged(chunk, acknowledged);
    } catch (error) {
      throw toChukchaError(error, `ack ${name}`);
    }
    this.#acknowledged = acknowledged;
    this.chunks.delete(name);
    this.#removeFiles(chunk);
  }

  async #publishAcknowledged(chunk: Chunk, acknowledged: Acknowledged): Promise<void> {
    const publish = () =>
      publishFile(this.#context.disk, categoryDirectory(this.name), ACKNOWLEDGED_FILE, acknowledged.encode());
    try {
      await publish();
    } catch (error) {
      if (!(error instanceof DiskError) || error.kind !== "full") throw error;
      // On a full disk only the chunk itself can make room. Its reader has said that it is done with it; if the
      // second attempt fails, the chunk is merely missing, and its index keeps its number from being used again.
      this.#removeFiles(chunk, [chunk.dataPath]);
      await publish();
    }
  }

  #removeFiles(chunk: Chunk, paths: readonly string[] = [chunk.dataPath, chunk.indexPath]): void {
    chunk.removed = true;
    this.#context.indexes.forget(chunk);
    for (const path of paths) {
      this.#context.files.forget(path);
      try {
        this.#context.disk.remove(path);
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        if (error.kind === "not_found") continue;
        this.#context.log.warn("an acknowledged file could not be removed; the next start tries again", {
          path,
          error: error.message,
        });
      }
    }
  }

  // --- damage ---

  /** A record of the index is broken. That of a complete chunk is made anew from the others and the data. */
  async #readMended(chunk: Chunk, offset: number, sizeMax: number): Promise<ChunkRange> {
    const broken = () =>
      noteDamage(
        this.#context.log,
        chunk,
        new ChukchaError("damaged", `${chunk.name}: its index is damaged on this node`),
      );
    if (!chunk.complete || !chunk.sealed) throw broken();
    try {
      await this.#mend(chunk);
      return this.#context.reader.read(chunk, offset, sizeMax);
    } catch (error) {
      if (error instanceof BrokenIndexError) throw broken();
      throw noteDamage(this.#context.log, chunk, toChukchaError(error, `read ${chunk.name}`));
    }
  }

  /** Once, however many readers wait for it. */
  #mend(chunk: Chunk): Promise<void> {
    const { disk, files, indexes, log } = this.#context;
    const mend = async (): Promise<void> => {
      try {
        await mendIndex({ disk, log }, chunk);
        files.forget(chunk.indexPath);
        indexes.forget(chunk);
        log.warn("mended a damaged index", { chunk: chunk.dataPath });
      } finally {
        this.#mending.delete(chunk);
      }
    };
    const pending = this.#mending.get(chunk) ?? mend();
    this.#mending.set(chunk, pending);
    return pending;
  }
}
