/**
 * Group commit: batches that arrive while others are being handled go out in the next single write.
 *
 * `append` and `submit` only queue. Once the events that were already waiting are handled, and `gathering.ts` sees
 * nothing more to wait for, all that has gathered is written: data, then index records, then, if anyone asked, one sync of both for
 * all of them; then the new length is published and everyone is answered. One group is under way at a time, so order of
 * arrival is order in the chunk.
 *
 * What a crash leaves: before the index record, bytes that nothing vouches for; after it, a batch that may never have
 * been answered but is whole. The next start keeps groups that are whole and cuts off the rest.
 *
 * What a failure leaves: nothing (the files are cut back to the published length, and what cannot be cut back is
 * written over), except that a sync that failed means *maybe*: the chunk is poisoned and never appended to again.
 *
 * Batches that have a producer get an entry each in the category's journal, between data and index, and synced with
 * both: see `batch_journal.ts`. Where none has one, there is no journal, and nothing is done for it.
 *
 * Rejected: one write per request (12.4 µs of CPU against 10.4, in the least server that does it), and a queue drained in a
 * microtask, which never finds two. For more, see `docs/performance.md`.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { APPEND_QUEUE_BYTES_MAX, GROUP_BYTES_MAX } from "../protocol/limits.ts";
import type { WriteResult } from "../protocol/types.ts";
import type { BatchJournal, BatchSource } from "./batch_journal.ts";
import type { Chunk } from "./chunk.ts";
import type { Clock } from "./clock.ts";
import { toChukchaError } from "./failure.ts";
import { Gathering } from "./gathering.ts";
import { writeGroup } from "./group_data.ts";
import { IndexBuilder } from "./index_builder.ts";
import type { StorageMeter } from "./meter.ts";
import { type OpenFile, type OpenFiles, syncAll } from "./open_files.ts";
import { writeAll } from "./publish_file.ts";
import { Recent } from "./recent.ts";
import { mendTorn, rollBack } from "./roll_back.ts";

/** What the queue needs of its category. */
export interface AppendTarget {
  /** What is kept of batches that have a producer; nothing as long as there was none. */
  readonly journal: BatchJournal | undefined;
  /** Whether anybody waits for what is appended. */
  readonly isWatched: boolean;
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

/** A batch to be appended, and who is told what became of it: one of the two, once. */
export interface Append {
  /** Whole messages, at least one byte; not changed until then. */
  readonly bytes: Uint8Array;
  /** Whether it must be on the device. */
  readonly sync: boolean;
  readonly source: BatchSource | undefined;
  /** It is stored, at `atMs` of the monotonic clock. Must not throw. */
  stored(result: WriteResult, atMs: number): void;
  /** It is not; a `ChukchaError` says what became of it. Must not throw. */
  refused(error: unknown): void;
}

// Shared by all queues: a group is built and written in one go.
const builder = new IndexBuilder();

/** The appends of one category. */
export class AppendQueue {
  readonly #target: AppendTarget;
  readonly #files: OpenFiles;
  readonly #clock: Clock;
  readonly #chunkBytesMax: number;
  readonly #meter: StorageMeter;
  #waiting: Append[] = [];
  #waitingBytes = 0;
  #running = false;
  readonly #gathering = new Gathering();
  #idle: (() => void)[] = [];
  /** A group is being made room for, or synced. */
  #underWay = false;
  #between: (() => void)[] = [];
  /** What is to be done before the next group. */
  readonly #steps: (() => Promise<void>)[] = [];

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
  append(bytes: Uint8Array, sync: boolean, source?: BatchSource): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      this.submit({ bytes, sync, source, stored: resolve, refused: reject });
    });
  }

  /** The same, without a promise: small writes are many. */
  submit(append: Append): void {
    const { length } = append.bytes;
    if (this.#waitingBytes + length > APPEND_QUEUE_BYTES_MAX && this.#waiting.length > 0) {
      const message = `${this.#waitingBytes} bytes wait to be written to this category; retry`;
      return append.refused(new ChukchaError("overloaded", message));
    }
    this.#waiting.push(append);
    this.#waitingBytes += length;
    if (this.#running) return;
    this.#running = true;
    this.#gathering.begin();
    this.#clock.soon(this.#gather);
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

  /** Runs `step` while no group is under way, and none begins. */
  inTurn(step: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#steps.push(() => step().then(resolve, reject));
      if (this.#running) return;
      this.#running = true;
      this.#run();
    });
  }

  /** Waits for more, see `gathering.ts`; not if there is something else to be done. */
  readonly #gather = (): void => {
    const waits = this.#steps.length === 0 &&
      this.#gathering.another(this.#waiting.length, this.#clock.monotonic());
    if (waits) this.#clock.soon(this.#gather);
    else this.#run();
  };

  readonly #run = (): void => {
    while (this.#waiting.length + this.#steps.length > 0) {
      const step = this.#steps.shift();
      const pending = step ? step() : this.#commit();
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
    const { length } = this.#waiting;
    if (length === 0 || this.#steps.length > 0 || !this.#gathering.isEarly(length)) return this.#run();
    this.#gathering.begin();
    this.#clock.soon(this.#gather);
  };

  /** Takes and commits one group, never throwing; a promise if something had to be waited for. */
  #commit(): Promise<void> | undefined {
    const { journal } = this.#target;
    if (journal?.torn) {
      return journal.settle().catch((error) => this.#refuse(this.#take(GROUP_BYTES_MAX), error, "no"));
    }
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
    let entries: OpenFile | undefined;
    const give = (): void => {
      for (const open of [data, index, entries]) if (open) this.#files.give(open);
    };
    let written: { size: number; indexSize: number; rolling: number; timeMs: number };
    try {
      data = this.#files.take(chunk.dataPath);
      index = this.#files.take(chunk.indexPath);
      mendTorn(chunk, data, index);
      const timeMs = Math.max(chunk.timeMs, this.#clock.now());
      builder.begin(chunk.size, chunk.rolling, timeMs);
      const size = writeGroup(data, group, chunk.size, builder);
      const records = builder.commit();
      entries = this.#target.journal?.write(chunk, group, timeMs);
      writeAll(index.file, records, chunk.indexSize);
      written = { size, indexSize: chunk.indexSize + records.length, rolling: builder.rolling, timeMs };
    } catch (error) {
      rollBack(chunk, data, index);
      give();
      return void this.#refuse(group, error, "no");
    }
    if (!group.some(({ sync }) => sync)) {
      give();
      this.#gathering.ended(group.length, 0, 0);
      this.#publish(chunk, group, written, false);
      return undefined;
    }
    const startMs = this.#clock.monotonic();
    return syncAll(entries ? [data, index, entries] : [data, index]).then(
      () => {
        const ms = this.#clock.monotonic() - startMs;
        this.#meter.syncSeconds.observe(ms / 1000);
        this.#gathering.ended(group.length, this.#waiting.length, ms);
        chunk.synced = written.size;
        this.#publish(chunk, group, written, true);
      },
      (error) => {
        chunk.poisoned = true;
        this.#target.poisoned(chunk, error);
        this.#refuse(group, error, "maybe");
      },
    ).finally(give);
  }

  #publish(chunk: Chunk, group: readonly Append[], written: Partial<Chunk>, synced: boolean): void {
    this.#meter.groupBatches.observe(group.length);
    let offset = chunk.size;
    if (this.#target.isWatched) (chunk.recent ??= new Recent()).add(offset, group);
    else chunk.recent = undefined;
    Object.assign(chunk, written);
    this.#target.journal?.keep(synced);
    const atMs = this.#clock.monotonic();
    for (const append of group) {
      const size = append.bytes.length;
      append.stored({ chunk: chunk.name, offset, size }, atMs);
      offset += size;
    }
    this.#target.published(chunk);
  }

  #refuse(group: readonly Append[], error: unknown, written: "no" | "maybe"): void {
    let answer: unknown;
    try {
      const known = toChukchaError(error, "write", written);
      this.#target.refused(known, group.reduce((sum, { bytes }) => sum + bytes.length, 0));
      answer = known;
    } catch (defect) {
      answer = defect;
    }
    group.forEach((append) => append.refused(answer));
  }

  /** Takes at least one batch, and more as long as they fit into `bytesMax`. */
  #take(bytesMax: number): Append[] {
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
