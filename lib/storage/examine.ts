/**
 * Finds out what of a chunk can be trusted after a crash, from its data and its index alone.
 *
 * How: the index is walked once; each record that is whole itself is held against the bytes it vouches for. Then
 *
 * * behind the last good record that ends a group there is only a torn tail: it is cut off, data and index. Nothing in
 *   it was ever answered with a promise that a crash of this kind could break;
 * * anything wrong *before* that is damage, not a torn tail, since later bytes are proof that these had been written.
 *   It is never cut. Bytes that fail their own record stay as they are, and every read fails on them. Bytes whose
 *   record was lost are good if the next record's `rolling` says so, and get new records; otherwise they get a record
 *   marked DAMAGED.
 *
 * A chunk whose last record is COMPLETE was synced before that record was written, so there all damage is damage, and
 * its size stays what it was even if the file has become shorter.
 *
 * Nothing is written here: the result says what to do, and doing it twice does no harm. While a node serves, the work is
 * done in steps (`examining`), so that whoever asked can let others go first in between.
 *
 * Rejected: believing the last good record without looking at those before (after a power cut, blocks in the middle of
 * what was never synced may be missing while later ones are there); believing bytes that no record vouches for (a
 * zero-filled tail is made of legal messages).
 *
 * @module
 */
import { INDEX_SEGMENT_BYTES_MAX, KIB, MIB } from "../protocol/limits.ts";
import { crc32 } from "./crc32.ts";
import { IndexBuilder } from "./index_builder.ts";
import {
  ADOPTED,
  COMMIT,
  COMPLETE,
  DAMAGED,
  decodeRecord,
  encodeRecord,
  FINALISED,
  RECORD_BYTES,
} from "./index_record.ts";
import type { IndexRecord } from "./index_record.ts";

const NEWLINE = 10;

/** A part of a chunk, in bytes. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/** What can be trusted of a chunk. */
export interface Examined {
  /** Bytes of the chunk that count; what lies behind is to be cut off, unless `complete`. */
  readonly size: number;
  /** The index as it should be; the same bytes, or a prefix of them, unless `rewritten`. */
  readonly index: Uint8Array;
  /** Records had to be made anew: `index` must replace the file as a whole. */
  readonly rewritten: boolean;
  /** CRC of the first `size` bytes, as recorded. */
  readonly rolling: number;
  /** Time of the last record; 0 if there is none. */
  readonly timeMs: number;
  /** The owner had finished it. */
  readonly complete: boolean;
  /** Complete, although not every node could be asked. */
  readonly finalised: boolean;
  /** It had no index once, and what vouches for its bytes was made of them. */
  readonly adopted: boolean;
  /** Parts that fail their checksum, or that nothing vouches for. */
  readonly damaged: readonly ByteRange[];
}

/** What is read from; `undefined` where the data ends before. `length` is at most `INDEX_SEGMENT_BYTES_MAX`. */
export type ReadPiece = (offset: number, length: number) => Uint8Array | undefined;

interface Verdict {
  readonly record: IndexRecord;
  /** Where its bytes begin. */
  readonly start: number;
  readonly dataGood: boolean;
  /** Records were lost between the one before and this one. */
  readonly gap: ByteRange | undefined;
  /** `rolling` says that the bytes in the gap, if there is one, are good. */
  readonly gapGood: boolean;
}

/** About this much is read, or these many records are looked at, in one step. */
const STEP_BYTES = 256 * KIB;
const STEP_RECORDS = 4096;

/** Work in steps: each yields the bytes that it read, the last one returns what came out. */
export type Steps<T> = Generator<number, T, void>;

/** Does all steps at once. */
export function drain<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/**
 * Examines one chunk.
 *
 * @param index the index file, as found
 * @param read reads the data
 */
export function examine(index: Uint8Array, read: ReadPiece): Examined {
  return drain(examining(index, read));
}

/** The same in steps; the files must not change meanwhile. */
export function* examining(index: Uint8Array, read: ReadPiece): Steps<Examined> {
  const verdicts = yield* judge(index, read);
  const last = lastCommitted(verdicts);
  const complete = last >= 0 && (verdicts[last]!.record.flags & COMPLETE) !== 0;

  const out = new RecordList();
  const damaged: ByteRange[] = [];
  let end = 0;
  let rolling = 0;
  for (const { record, start, dataGood, gap, gapGood } of verdicts.slice(0, last + 1)) {
    if (gap) {
      yield* fillGap(out, read, gap, rolling, record.timeMs, gapGood);
      if (!gapGood) damaged.push(gap);
    }
    if (!dataGood) damaged.push({ from: start, to: record.end });
    out.push(record);
    end = record.end;
    rolling = record.rolling;
  }
  const wanted = out.bytes();
  return {
    size: end,
    index: wanted,
    rewritten: !startsWith(index, wanted),
    rolling,
    timeMs: last >= 0 ? verdicts[last]!.record.timeMs : 0,
    complete,
    finalised: complete && (verdicts[last]!.record.flags & FINALISED) !== 0,
    adopted: verdicts.some(({ record }) => (record.flags & ADOPTED) !== 0),
    damaged,
  };
}

/** Every record that is whole and in its place, with what became of its bytes. */
function* judge(index: Uint8Array, read: ReadPiece): Steps<Verdict[]> {
  const verdicts: Verdict[] = [];
  let end = 0;
  let rolling = 0;
  let bytes = 0;
  let records = 0;
  for (let at = 0; at + RECORD_BYTES <= index.length; at += RECORD_BYTES) {
    const record = decodeRecord(index, at);
    if (!record) continue;
    const start = record.end - record.length;
    if (start < end || record.length > INDEX_SEGMENT_BYTES_MAX) continue;
    const piece = record.length === 0 ? new Uint8Array() : read(start, record.length);
    const dataGood = piece !== undefined && (record.flags & DAMAGED) === 0 && crc32(piece) === record.crc;
    const gap = start > end ? { from: end, to: start } : undefined;
    const gapGood = gap === undefined || (yield* vouchesFor(record, read, gap, rolling));
    verdicts.push({ record, start, dataGood, gap, gapGood });
    end = record.end;
    rolling = record.rolling;
    bytes += record.length;
    if (bytes < STEP_BYTES && ++records < STEP_RECORDS) continue;
    yield bytes;
    bytes = records = 0;
  }
  yield bytes;
  return verdicts;
}

/**
 * The last record that may be believed to end a group: all bytes of the group are good, or it says that the chunk was
 * finished. -1 if there is none.
 */
function lastCommitted(verdicts: readonly Verdict[]): number {
  let last = -1;
  let groupGood = true;
  verdicts.forEach(({ record, dataGood, gapGood }, i) => {
    groupGood &&= dataGood && gapGood;
    if ((record.flags & COMMIT) === 0) return;
    if (groupGood || (record.flags & COMPLETE) !== 0) last = i;
    groupGood = true;
  });
  return last;
}

/** Whether the bytes in the gap before a record, and its own, are those that its `rolling` was taken from. */
function* vouchesFor(
  record: IndexRecord,
  read: ReadPiece,
  gap: ByteRange,
  rollingBefore: number,
): Steps<boolean> {
  let rolling = rollingBefore;
  for (const { offset, length } of pieces({ from: gap.from, to: record.end })) {
    const piece = read(offset, length);
    if (!piece) return false;
    rolling = crc32(piece, rolling);
    yield length;
  }
  return rolling === record.rolling;
}

/** Makes records for bytes whose own were lost. */
function* fillGap(
  out: RecordList,
  read: ReadPiece,
  gap: ByteRange,
  rollingBefore: number,
  timeMs: number,
  good: boolean,
): Steps<void> {
  const builder = new IndexBuilder();
  builder.begin(gap.from, rollingBefore, timeMs);
  for (const { offset, length } of pieces(gap)) {
    if (good) {
      builder.add(read(offset, length)!);
      yield length;
    } else {
      out.push({
        end: offset + length,
        flags: COMMIT | DAMAGED,
        length,
        timeMs,
        crc: 0,
        rolling: rollingBefore,
      });
    }
  }
  if (!good) return;
  // It may end inside of a group; where it ends with a message, that is as good as the end of one.
  const endsGroup = read(gap.to - 1, 1)?.[0] === NEWLINE;
  const made = builder.commit();
  for (let at = 0; at < made.length; at += RECORD_BYTES) {
    const record = decodeRecord(made, at)!;
    out.push(endsGroup ? record : { ...record, flags: 0 });
  }
}

/** A range in parts, each as long as a record may be. */
export function* pieces({ from, to }: ByteRange): Generator<{ offset: number; length: number }> {
  for (let offset = from; offset < to; offset += INDEX_SEGMENT_BYTES_MAX) {
    yield { offset, length: Math.min(INDEX_SEGMENT_BYTES_MAX, to - offset) };
  }
}

/** An index under construction. */
class RecordList {
  readonly #records: IndexRecord[] = [];

  push(record: IndexRecord): void {
    this.#records.push(record);
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.#records.length * RECORD_BYTES);
    this.#records.forEach((record, i) => encodeRecord(bytes, i * RECORD_BYTES, record));
    return bytes;
  }
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  if (prefix.length > bytes.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix[i]) return false;
  return true;
}

/** Reads a file of `size` bytes in steps of `stepBytes`, for a reader that asks for pieces in order. */
export function pieceReader(
  file: { read(into: Uint8Array, offset: number): number },
  size: number,
  stepBytes = MIB,
): ReadPiece {
  let window: Uint8Array | undefined;
  let from = 0;
  let filled = 0;
  return (offset, length) => {
    if (!window || offset < from || offset + length > from + filled) {
      window ??= new Uint8Array(Math.min(stepBytes, size));
      from = offset;
      // Should this fail, nothing of it is there.
      filled = 0;
      filled = file.read(window, offset);
    }
    return offset + length <= from + filled
      ? window.subarray(offset - from, offset - from + length)
      : undefined;
  };
}
