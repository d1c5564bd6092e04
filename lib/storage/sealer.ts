/**
 * Finishes complete chunks in the background: syncs them, then writes the record that says so.
 *
 * A large one not at once: the kernel writes dirty pages out by itself, and a chunk that is acknowledged meanwhile need
 * not reach the device at all. It waits for some seconds, and fewer where more bytes wait than a start could examine in
 * about a second: that bounds what an unclean start has to read.
 *
 * A sealed chunk needs no look at the next start, and a crash after it cannot shorten it. One that could not be sealed
 * is examined at the next start, which costs time and nothing else. On a disk that is full, read-only or out of
 * descriptors it is tried again after some seconds; after a sync that failed it is not.
 *
 * What a crash leaves: before the first sync, a chunk like any other that was being written; between the syncs, a
 * COMPLETE record that may or may not be there, both of which are true.
 *
 * @module
 */
import { SEAL_AT_ONCE_BYTES_MAX, SEAL_DELAY_MS, UNSEALED_BYTES_MAX } from "../protocol/limits.ts";
import type { Log } from "../protocol/log.ts";
import type { Chunk } from "./chunk.ts";
import type { CancelTimer, Clock } from "./clock.ts";
import { DiskError, PASSING } from "./disk.ts";
import type { DiskGuard } from "./disk_guard.ts";
import { toChukchaError } from "./failure.ts";
import { Fifo } from "./fifo.ts";
import { IndexBuilder } from "./index_builder.ts";
import type { OpenFiles } from "./open_files.ts";
import { writeAll } from "./publish_file.ts";
import { mendTorn } from "./roll_back.ts";
import { syncChunk } from "./sync_chunk.ts";

/** Chunks that are being sealed at once. */
const CONCURRENCY = 8;

/** Seals chunks, a few at a time. */
export class Sealer {
  /** Called after each chunk that was sealed. */
  onSealed: () => void = () => {};
  readonly #files: OpenFiles;
  readonly #guard: DiskGuard;
  readonly #log: Log;
  readonly #clock: Clock;
  /** Those that are due since they came. A start may find a hundred thousand of them, and so may an end. */
  readonly #due = new Fifo<Chunk>();
  /** The others, in the order in which they are due. */
  readonly #later = new Fifo<{ readonly chunk: Chunk; readonly dueMs: number }>();
  #bytes = 0;
  #hurry = false;
  #running = 0;
  /** The disk took no writes: nothing is sealed before this. */
  #restUntilMs = -Infinity;
  #cancelTimer: CancelTimer | undefined;
  #idle: (() => void)[] = [];
  /** Chunks that were given up because the process ends. */
  #unsealed = 0;
  /** What is being sealed right now. */
  readonly #sealing = new Map<Chunk, Promise<void>>();

  constructor(files: OpenFiles, guard: DiskGuard, clock: Clock, log: Log) {
    this.#files = files;
    this.#guard = guard;
    this.#clock = clock;
    this.#log = log;
  }

  /** Queues a complete chunk; `atOnce` where nothing is gained by waiting. */
  add(chunk: Chunk, atOnce = chunk.size <= SEAL_AT_ONCE_BYTES_MAX): void {
    if (atOnce) this.#due.push(chunk);
    else this.#later.push({ chunk, dueMs: this.#clock.monotonic() + SEAL_DELAY_MS });
    this.#bytes += chunk.size;
    this.#start();
  }

  /** Seals all that is queued without waiting any longer; resolves when it is done. */
  flush(): Promise<void> {
    this.#hurry = true;
    const done = new Promise<void>((resolve) => this.#idle.push(resolve));
    this.#start();
    this.#rest();
    return done;
  }

  /** Takes a chunk back whose end will change; resolves when nothing is being done to it. */
  async withdraw(chunk: Chunk): Promise<void> {
    this.#drop(chunk);
    await this.#sealing.get(chunk);
    // It may have been put back meanwhile.
    this.#drop(chunk);
  }

  #drop(chunk: Chunk): void {
    const waiting = this.#due.remove((one) => one === chunk) +
      this.#later.remove((one) => one.chunk === chunk);
    this.#bytes -= waiting * chunk.size;
  }

  /** Starts what is due, and the timer for what is not. */
  #start(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    while (this.#running < CONCURRENCY && this.#nextIsDue()) void this.#work();
    if (this.#waiting === 0 || this.#running > 0) return;
    const dueMs = this.#due.size > 0 ? -Infinity : this.#later.first!.dueMs;
    const atMs = Math.max(dueMs, this.#restUntilMs);
    this.#cancelTimer = this.#clock.after(atMs - this.#clock.monotonic(), () => this.#start());
  }

  get #waiting(): number {
    return this.#due.size + this.#later.size;
  }

  #nextIsDue(): boolean {
    if (this.#waiting === 0 || this.#hurry) return this.#waiting > 0;
    const now = this.#clock.monotonic();
    if (now < this.#restUntilMs) return false;
    return this.#bytes > UNSEALED_BYTES_MAX || this.#due.size > 0 || this.#later.first!.dueMs <= now;
  }

  async #work(): Promise<void> {
    this.#running++;
    while (this.#nextIsDue()) {
      const chunk = this.#due.shift() ?? this.#later.shift()!.chunk;
      this.#bytes -= chunk.size;
      const done = this.#seal(chunk).catch((error) => this.#failed(chunk, error));
      this.#sealing.set(chunk, done);
      await done;
      this.#sealing.delete(chunk);
    }
    this.#running--;
    if (this.#running === 0) this.#rest();
  }

  /** Nothing is under way: tells whoever waits, or arms the timer. */
  #rest(): void {
    if (this.#running > 0) return;
    if (this.#waiting > 0) return this.#start();
    this.#hurry = false;
    if (this.#unsealed > 0) {
      this.#log.warn("the disk took no writes at the end: the next start has to examine complete chunks", {
        chunks: this.#unsealed,
      });
      this.#unsealed = 0;
    }
    this.#idle.splice(0).forEach((resolve) => resolve());
  }

  async #seal(chunk: Chunk): Promise<void> {
    // After a failed sync, one that succeeds proves nothing.
    if (chunk.removed || chunk.poisoned || chunk.sealed) return;
    const data = this.#files.take(chunk.dataPath);
    try {
      const index = this.#files.take(chunk.indexPath);
      try {
        mendTorn(chunk, data, index);
        // 1. every byte and record on the device
        await syncChunk(chunk, data, index);
        // 2. the record that says so
        const builder = new IndexBuilder();
        builder.begin(chunk.size, chunk.rolling, chunk.timeMs);
        const record = builder.complete(chunk.finalised);
        writeAll(index.file, record, chunk.indexSize);
        // 3. on the device too
        await index.file.sync();
        chunk.indexSize += record.length;
        chunk.sealed = true;
        chunk.synced = chunk.size;
        this.onSealed();
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
    if (PASSING.has(error.kind) && !this.#hurry) {
      this.#guard.refused(toChukchaError(error, `seal ${chunk.name}`), 0);
      this.#restUntilMs = this.#clock.monotonic() + SEAL_DELAY_MS;
      this.#later.push({ chunk, dueMs: this.#restUntilMs });
      this.#bytes += chunk.size;
      return;
    }
    if (PASSING.has(error.kind)) {
      this.#unsealed++;
      return;
    }
    if (error.kind === "failed") {
      chunk.poisoned = true;
      this.#guard.poisoned(error.message);
    }
    this.#log.error(
      "a complete chunk could not be synced; it stays readable and is examined at the next start",
      {
        chunk: chunk.dataPath,
        error: error.message,
      },
    );
  }
}
