/**
 * Group commit: batches that arrive while others are being handled go out in the next single write.
 *
 * `append` only queues. Once the events that were already waiting are handled, and a further round of them has brought
 * nothing more, all that has gathered is written: data, then index records, then, if anyone asked, one sync of both for
 * all of them; then the new length is published and everyone is answered. One group is under way at a time, so order of
 * arrival is order in the chunk.
 *
 * What a crash leaves: before the index record, bytes that nothing vouches for; after it, a batch that may never have
 * been answered but is whole. The next start keeps groups that are whole and cuts off the rest.
 *
 * What a failure leaves: nothing (the files are cut back to the published length, and what cannot be cut back is
 * written over), except that a sync that failed means *maybe*: the chunk is poisoned and never appended to again.
 *
 * Rejected: one write per request (78 µs of CPU against 14), and a queue drained in a microtask, which never finds two.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { APPEND_QUEUE_BYTES_MAX, GROUP_BYTES_MAX, KIB } from "../protocol/limits.ts";
import type { WriteResult } from "../protocol/types.ts";
import type { Chunk } from "./chunk.ts";
import type { Clock } from "./clock.ts";
import { toChukchaError } from "./failure.ts";
import { IndexBuilder } from "./index_builder.ts";
import type { StorageMeter } from "./meter.ts";
import { type OpenFile, type OpenFiles, syncAll } from "./open_files.ts";
import { writeAll } from "./publish_file.ts";
import { mendTorn, rollBack } from "./roll_back.ts";

/** Rounds of events that a group waits for at most, while each brings more. */
const GATHER_ROUNDS_MAX = 4;
/** Batches smaller than this are copied together into one write; larger ones are written from where they are. */
const SCRATCH_BYTES = 256 * KIB;

/** What the queue needs of its category. */
export interface AppendTarget {
  /**
   * The chunk that `size` more bytes go into, made if there is none or the last one is full or too old; a promise only
   * if it had to be made. May throw or reject with `DiskError` or `ChukchaError`: then nothing was written.
   */
  chunkFor(size: number): Chunk | Promise<Chunk>;
  /** Called when a group's bytes are published. */
  published(chunk: Chunk): void;
  /** Called once for a group of so many bytes that was refused. */
  refused(error: ChukchaError, bytes: number): void;
  /** Called when a sync of the chunk failed. */
  poisoned(chunk: Chunk, error: unknown): void;
}

interface Waiting {
  readonly bytes: Uint8Array;
  readonly sync: boolean;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: unknown) => void;
}

// Shared by all queues: a group is built and written in one go.
const scratch = new Uint8Array(SCRATCH_BYTES);
const builder = new IndexBuilder();

/** The appends of one category. */
export class AppendQueue {
  readonly #target: AppendTarget;
  readonly #files: OpenFiles;
  readonly #clock: Clock;
  readonly #chunkBytesMax: number;
  readonly #meter: StorageMeter;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #running = false;
  /** Batches that waited when the last round of events ended, and how many rounds that were. */
  #gathered = 0;
  #rounds = 0;
  #idle: (() => void)[] = [];
  /** A group is being made room for, or synced. */
  #underWay = false;
  #between: (() => void)[] = [];

  constructor(
    target: AppendTarget,
    files: OpenFiles,
    clock: Clock,
    chunkBytesMax: number,
    meter: StorageMeter,
  ) {
    this.#target = target;
    this.#files = files;
    this.#clock = clock;
    this.#chunkBytesMax = chunkBytesMax;
    this.#meter = meter;
  }

  /** Queues one batch: whole messages, at least one byte. Rejects with `ChukchaError` saying what became of it. */
  append(bytes: Uint8Array, sync: boolean): Promise<WriteResult> {
    if (this.#waitingBytes + bytes.length > APPEND_QUEUE_BYTES_MAX && this.#waiting.length > 0) {
      return Promise.reject(
        new ChukchaError(
          "overloaded",
          `${this.#waitingBytes} bytes wait to be written to this category; retry`,
        ),
      );
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ bytes, sync, resolve, reject });
      this.#waitingBytes += bytes.length;
      if (this.#running) return;
      this.#running = true;
      this.#gathered = 0;
      this.#rounds = 0;
      this.#clock.soon(this.#gather);
    });
  }

  /** Resolves when nothing is queued or under way. */
  drained(): Promise<void> {
    return this.#running ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve();
  }

  /** Calls `fn` as soon as no group is under way; what is queued waits for that, and need not be written first. */
  between(fn: () => void): void {
    if (this.#underWay) this.#between.push(fn);
    else fn();
  }

  /** Waits for another round of events as long as the last one brought more, but not for ever. */
  readonly #gather = (): void => {
    if (this.#waiting.length === this.#gathered || ++this.#rounds > GATHER_ROUNDS_MAX) return this.#run();
    this.#gathered = this.#waiting.length;
    this.#clock.soon(this.#gather);
  };

  readonly #run = (): void => {
    while (this.#waiting.length > 0) {
      const pending = this.#commit();
      if (pending) {
        this.#underWay = true;
        void pending.then(this.#goOn);
        return;
      }
    }
    this.#running = false;
    this.#idle.splice(0).forEach((resolve) => resolve());
  };

  readonly #goOn = (): void => {
    this.#underWay = false;
    if (this.#between.length > 0) this.#between.splice(0).forEach((fn) => fn());
    this.#run();
  };

  /** Takes and commits one group, never throwing; a promise if something had to be waited for. */
  #commit(): Promise<void> | undefined {
    const first = this.#waiting[0]!;
    let chunk: Chunk | Promise<Chunk>;
    try {
      chunk = this.#target.chunkFor(first.bytes.length);
    } catch (error) {
      return void this.#refuse(this.#take(GROUP_BYTES_MAX), error, "no");
    }
    if (!(chunk instanceof Promise)) return this.#write(chunk);
    return chunk.then(
      (made) => this.#write(made),
      (error) => this.#refuse(this.#take(GROUP_BYTES_MAX), error, "no"),
    );
  }

  #write(chunk: Chunk): Promise<void> | undefined {
    const group = this.#take(Math.min(GROUP_BYTES_MAX, this.#chunkBytesMax - chunk.size));
    let data: OpenFile | undefined;
    let index: OpenFile | undefined;
    const give = (): void => {
      if (data) this.#files.give(data);
      if (index) this.#files.give(index);
    };
    let written: { size: number; indexSize: number; rolling: number; timeMs: number };
    try {
      data = this.#files.take(chunk.dataPath);
      index = this.#files.take(chunk.indexPath);
      mendTorn(chunk, data, index);
      const timeMs = Math.max(chunk.timeMs, this.#clock.now());
      builder.begin(chunk.size, chunk.rolling, timeMs);
      const size = writeData(data, group, chunk.size);
      const records = builder.commit();
      writeAll(index.file, records, chunk.indexSize);
      written = { size, indexSize: chunk.indexSize + records.length, rolling: builder.rolling, timeMs };
    } catch (error) {
      rollBack(chunk, data, index);
      give();
      return void this.#refuse(group, error, "no");
    }
    if (!group.some(({ sync }) => sync)) {
      give();
      this.#publish(chunk, group, written);
      return undefined;
    }
    const startMs = this.#clock.monotonic();
    return syncAll([data, index]).then(
      () => {
        this.#meter.syncSeconds.observe((this.#clock.monotonic() - startMs) / 1000);
        chunk.synced = written.size;
        this.#publish(chunk, group, written);
      },
      (error) => {
        chunk.poisoned = true;
        this.#target.poisoned(chunk, error);
        this.#refuse(group, error, "maybe");
      },
    ).finally(give);
  }

  #publish(chunk: Chunk, group: readonly Waiting[], written: Partial<Chunk>): void {
    this.#meter.groupBatches.observe(group.length);
    let offset = chunk.size;
    Object.assign(chunk, written);
    for (const { bytes, resolve } of group) {
      resolve({ chunk: chunk.name, offset, size: bytes.length });
      offset += bytes.length;
    }
    this.#target.published(chunk);
  }

  #refuse(group: readonly Waiting[], error: unknown, written: "no" | "maybe"): void {
    let answer: unknown;
    try {
      const known = toChukchaError(error, "write", written);
      this.#target.refused(known, group.reduce((sum, { bytes }) => sum + bytes.length, 0));
      answer = known;
    } catch (defect) {
      answer = defect;
    }
    group.forEach(({ reject }) => reject(answer));
  }

  /** Takes at least one batch, and more as long as they fit into `bytesMax`. */
  #take(bytesMax: number): Waiting[] {
    let count = 0;
    let bytes = 0;
    for (const waiting of this.#waiting) {
      if (count > 0 && bytes + waiting.bytes.length > bytesMax) break;
      bytes += waiting.bytes.length;
      count++;
    }
    this.#waitingBytes -= bytes;
    if (count < this.#waiting.length) return this.#waiting.splice(0, count);
    const all = this.#waiting;
    this.#waiting = [];
    return all;
  }
}

/** Writes the group's bytes at `offset` in as few calls as their sizes allow; returns where they end. */
function writeData(data: OpenFile, group: readonly Waiting[], offset: number): number {
  let gathered = 0;
  let end = offset;
  const flush = (): void => {
    if (gathered === 0) return;
    const bytes = scratch.subarray(0, gathered);
    builder.add(bytes);
    writeAll(data.file, bytes, end);
    end += gathered;
    gathered = 0;
  };
  for (const { bytes } of group) {
    if (gathered + bytes.length > SCRATCH_BYTES) flush();
    if (bytes.length > SCRATCH_BYTES || group.length === 1) {
      builder.add(bytes);
      writeAll(data.file, bytes, end);
      end += bytes.length;
    } else {
      scratch.set(bytes, gathered);
      gathered += bytes.length;
    }
  }
  flush();
  return end;
}
