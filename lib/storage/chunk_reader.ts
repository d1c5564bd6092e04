/**
 * Reads ranges of chunks: whole messages, verified against the index before the first byte leaves.
 *
 * Every read, of however old a chunk, is verified: the checksum costs 25 µs a MiB, reading costs 75. A range that meets
 * damage ends before it; a read that starts in damage is answered with the error `damaged`, which names where intact
 * messages begin again. So one bad block costs the messages in it and no others, and nothing bad is ever served.
 *
 * Up to 1 MiB is one buffer. A larger range is verified first and then read again, step by step, as its reader takes
 * it: the second read comes from the page cache, and a stalled reader holds one step instead of 16 MiB.
 *
 * Rejected: remembering what was verified before (bytes rot after they were read, too, and the gain is a tenth).
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { INDEX_SEGMENT_BYTES_MAX, READ_STEP_BYTES, READ_WHOLE_BYTES_MAX } from "../protocol/limits.ts";
import type { Chunk } from "./chunk.ts";
import { crc32 } from "./crc32.ts";
import type { DiskFile } from "./disk.ts";
import type { ByteRange } from "./examine.ts";
import type { IndexCache, LoadedIndex } from "./index_cache.ts";
import { COMMIT, DAMAGED, decodeRecord, type IndexRecord, RECORD_BYTES } from "./index_record.ts";
import type { OpenFiles } from "./open_files.ts";

const NEWLINE = 10;
const EMPTY = new Uint8Array();

/** Whole messages of one chunk, from `offset`, `size` bytes. */
export interface ChunkRange {
  readonly offset: number;
  readonly size: number;
  readonly body: Uint8Array | ReadableStream<Uint8Array>;
}

/** Thrown where the index itself is broken: whoever owns the chunk repairs it and reads again. */
export class BrokenIndexError extends Error {
  override readonly name = "BrokenIndexError";
}

/** Reads verified ranges. */
export class ChunkReader {
  readonly #files: OpenFiles;
  readonly #indexes: IndexCache;
  readonly #scratch = new Uint8Array(READ_WHOLE_BYTES_MAX);

  constructor(files: OpenFiles, indexes: IndexCache) {
    this.#files = files;
    this.#indexes = indexes;
  }

  /**
   * Reads whole messages from `offset`, at most `sizeMax` bytes; none if nothing is published there yet.
   *
   * Throws `ChukchaError` `invalid_offset` (inside of a message, or the message is longer than `sizeMax`) or `damaged`,
   * `BrokenIndexError`, `DiskError`.
   */
  read(chunk: Chunk, offset: number, sizeMax: number): ChunkRange {
    if (offset >= chunk.size || sizeMax === 0) return { offset, size: 0, body: EMPTY };
    const end = Math.min(chunk.size, offset + sizeMax);
    const index = this.#indexes.get(chunk);
    const open = this.#files.take(chunk.dataPath);
    let streaming = false;
    try {
      this.#checkStart(chunk, index, open.file, offset);
      if (end - offset <= READ_WHOLE_BYTES_MAX) return this.#readWhole(chunk, index, open.file, offset, end);
      const to = this.#verifiedEnd(chunk, index, open.file, offset, end);
      streaming = true;
      const body = stream(open.file, { from: offset, to }, () => this.#files.give(open));
      return { offset, size: to - offset, body };
    } finally {
      if (!streaming) this.#files.give(open);
    }
  }

  #readWhole(chunk: Chunk, index: LoadedIndex, file: DiskFile, offset: number, end: number): ChunkRange {
    const start = recordStart(index, offset);
    // Room for the rest of the segment that `end` lies in.
    const bytes = new Uint8Array(Math.min(end + INDEX_SEGMENT_BYTES_MAX, chunk.size) - start);
    const { good } = verify(index, file, bytes, start, end);
    const last = start + bytes.subarray(0, Math.max(0, Math.min(good, end) - start)).lastIndexOf(NEWLINE) + 1;
    if (last <= offset) throw this.#noMessage(chunk, index, file, offset, good, end);
    return { offset, size: last - offset, body: bytes.subarray(offset - start, last - start) };
  }

  /** Where the last whole message before `end` ends, all bytes up to there being good. */
  #verifiedEnd(chunk: Chunk, index: LoadedIndex, file: DiskFile, offset: number, end: number): number {
    let at = recordStart(index, offset);
    let last = offset;
    for (;;) {
      const { good, covered } = verify(index, file, this.#scratch, at, end);
      const usable = Math.max(0, Math.min(good, end) - at);
      last = Math.max(last, at + this.#scratch.subarray(0, usable).lastIndexOf(NEWLINE) + 1);
      if (good < covered || covered >= end) {
        if (last <= offset) throw this.#noMessage(chunk, index, file, offset, good, end);
        return last;
      }
      at = covered;
    }
  }

  #checkStart(chunk: Chunk, index: LoadedIndex, file: DiskFile, offset: number): void {
    if (offset === 0) return;
    const before = this.#scratch.subarray(0, 1);
    if (file.read(before, offset - 1) === 1 && before[0] === NEWLINE) return;
    // If that byte cannot be trusted, nothing can be said against the offset.
    if (verify(index, file, this.#scratch, recordStart(index, offset - 1), offset).good < offset) return;
    throw new ChukchaError(
      "invalid_offset",
      `off: ${offset} lies inside of a message of ${chunk.name}; go on from where a write or read ended`,
    );
  }

  /** Why no message could be read from `offset`, `good` bytes being good and `end` being asked for. */
  #noMessage(
    chunk: Chunk,
    index: LoadedIndex,
    file: DiskFile,
    offset: number,
    good: number,
    end: number,
  ): Error {
    if (good >= end) {
      return new ChukchaError(
        "invalid_offset",
        `max_size: the message at ${offset} of ${chunk.name} is longer than ${
          end - offset
        } bytes; ask for more`,
      );
    }
    const damage = this.#damageAt(chunk, index, file, good);
    const next = damage.next < chunk.size
      ? `intact messages go on at off=${damage.next}`
      : "nothing intact follows yet";
    return new ChukchaError(
      "damaged",
      `${chunk.name}: bytes ${damage.from} to ${damage.to} fail their checksum on this node; ${next}`,
    );
  }

  /** The damage that begins with the record at `offset`, and where the next message begins that is intact. */
  #damageAt(chunk: Chunk, index: LoadedIndex, file: DiskFile, offset: number): ByteRange & { next: number } {
    let to = offset;
    let groupBegins = false;
    for (let at = offset; at < chunk.size;) {
      const { end, length, flags } = recordAt(index, index.firstEndingAfter(at), at);
      const good = verify(index, file, this.#scratch, at, end).good === end;
      if (!good) to = end;
      else if (groupBegins) return { from: offset, to, next: at };
      const newline = good ? this.#scratch.subarray(0, length).indexOf(NEWLINE) : -1;
      if (newline >= 0) return { from: offset, to, next: at + newline + 1 };
      // A group ends with a message; where a record was lost, nothing says that a group ended.
      groupBegins = (flags & (COMMIT | DAMAGED)) === COMMIT;
      at = end;
    }
    return { from: offset, to, next: chunk.size };
  }
}

function recordNumber(index: LoadedIndex, number: number): IndexRecord {
  const record = decodeRecord(index.bytes, number * RECORD_BYTES);
  if (!record) throw new BrokenIndexError();
  return record;
}

/** The record that vouches for the byte at `offset`, which must be the one found there. */
function recordAt(index: LoadedIndex, number: number, offset: number): IndexRecord {
  const record = recordNumber(index, number);
  if (record.end <= offset || record.end - record.length > offset) throw new BrokenIndexError();
  return record;
}

/** Where the record begins that vouches for the byte at `offset`. */
function recordStart(index: LoadedIndex, offset: number): number {
  const record = recordAt(index, index.firstEndingAfter(offset), offset);
  return record.end - record.length;
}

/** Good bytes end at `good`, those looked at end at `covered`, where a record ends. */
interface Verified {
  readonly good: number;
  readonly covered: number;
}

/**
 * Reads into `bytes` from `start`, where a record begins, and verifies all records up to the one that `end` lies in,
 * or as many as `bytes` has room for.
 *
 * The difference between two rolling checksums vouches for all between them at once, however many records that are
 * (10,000 a MiB where messages came one by one); only if it fails are they looked at singly.
 */
function verify(index: LoadedIndex, file: DiskFile, bytes: Uint8Array, start: number, end: number): Verified {
  const first = index.firstEndingAfter(start);
  const fitting = index.firstEndingAfter(start + bytes.length) - 1;
  const last = Math.min(index.firstEndingAfter(end - 1), fitting);
  const before = first === 0 ? undefined : recordAt(index, first - 1, start - 1);
  const { end: covered, rolling } = recordNumber(index, last);
  if (covered <= start || covered - start > bytes.length) throw new BrokenIndexError();
  const filled = file.read(bytes.subarray(0, covered - start), start);
  if (start + filled === covered && crc32(bytes.subarray(0, filled), before?.rolling ?? 0) === rolling) {
    return { good: covered, covered };
  }
  let good = start;
  for (let n = first; n <= last; n++) {
    const record = recordAt(index, n, good);
    if (record.end > start + filled || (record.flags & DAMAGED) !== 0) break;
    if (crc32(bytes.subarray(good - start, record.end - start)) !== record.crc) break;
    good = record.end;
  }
  return { good, covered };
}

/** The range as a stream that reads a step when one is taken. */
function stream(file: DiskFile, range: ByteRange, done: () => void): ReadableStream<Uint8Array> {
  let at = range.from;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const bytes = new Uint8Array(Math.min(READ_STEP_BYTES, range.to - at));
      try {
        if (file.read(bytes, at) < bytes.length) throw new Error(`the file ends before ${range.to}`);
      } catch (error) {
        done();
        controller.error(error);
        return;
      }
      at += bytes.length;
      controller.enqueue(bytes);
      if (at < range.to) return;
      done();
      controller.close();
    },
    cancel: () => at < range.to ? done() : undefined,
  }, { highWaterMark: 0 });
}
