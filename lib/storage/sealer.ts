/**
 * Finishes complete chunks in the background: syncs them, then writes the record that says so.
 *
 * A sealed chunk needs no look at the next start, and a crash after it cannot shorten it. One that could not be sealed
 * (power cut, full disk) is examined at the next start, which costs time and nothing else.
 *
 * What a crash leaves: before the first sync, a chunk like any other that was being written; between the syncs, a
 * COMPLETE record that may or may not be there, both of which are true.
 *
 * @module
 */
import type { Log } from "../protocol/log.ts";
import type { Chunk } from "./chunk.ts";
import { DiskError } from "./disk.ts";
import type { DiskGuard } from "./disk_guard.ts";
import { IndexBuilder } from "./index_builder.ts";
import type { OpenFiles } from "./open_files.ts";
import { writeAll } from "./publish_file.ts";

/** Chunks that are being sealed at once. */
const CONCURRENCY = 8;

/** Seals chunks, a few at a time. */
export class Sealer {
  readonly #files: OpenFiles;
  readonly #guard: DiskGuard;
  readonly #log: Log;
  readonly #queue: Chunk[] = [];
  #running = 0;
  #idle: (() => void)[] = [];

  constructor(files: OpenFiles, guard: DiskGuard, log: Log) {
    this.#files = files;
    this.#guard = guard;
    this.#log = log;
  }

  /** Queues a complete chunk. */
  add(chunk: Chunk): void {
    this.#queue.push(chunk);
    if (this.#running < CONCURRENCY) void this.#work();
  }

  /** Resolves when nothing is queued or under way. */
  drained(): Promise<void> {
    return this.#running === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  async #work(): Promise<void> {
    this.#running++;
    for (let chunk = this.#queue.shift(); chunk; chunk = this.#queue.shift()) {
      try {
        await this.#seal(chunk);
      } catch (error) {
        this.#failed(chunk, error);
      }
    }
    this.#running--;
    if (this.#running === 0) this.#idle.splice(0).forEach((resolve) => resolve());
  }

  async #seal(chunk: Chunk): Promise<void> {
    if (chunk.removed) return;
    const data = this.#files.take(chunk.dataPath);
    try {
      const index = this.#files.take(chunk.indexPath);
      try {
        // 1. every byte and record on the device
        await Promise.all([data.file.sync(), index.file.sync()]);
        // 2. the record that says so
        const builder = new IndexBuilder();
        builder.begin(chunk.size, chunk.rolling, chunk.timeMs);
        const record = builder.complete();
        writeAll(index.file, record, chunk.indexSize);
        // 3. on the device too
        await index.file.sync();
        chunk.indexSize += record.length;
        chunk.sealed = true;
      } finally {
        this.#files.give(index);
      }
    } finally {
      this.#files.give(data);
    }
  }

  #failed(chunk: Chunk, error: unknown): void {
    if (chunk.removed) return;
    if (!(error instanceof DiskError)) throw error;
    if (error.kind === "failed") this.#guard.distrust(error.message);
    this.#log.error(
      "a complete chunk could not be synced; it stays readable and is examined at the next start",
      {
        chunk: chunk.dataPath,
        error: error.message,
      },
    );
  }
}
