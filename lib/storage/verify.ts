/**
 * Holds bytes of a chunk against its index.
 *
 * A record is only believed if it is whole itself and lies where it should: a search over an index with a broken record
 * may end anywhere, and what it finds there is refused with `BrokenIndexError`.
 *
 * @module
 */
import { crc32 } from "./crc32.ts";
import type { DiskFile } from "./disk.ts";
import type { LoadedIndex } from "./index_cache.ts";
import { DAMAGED, decodeRecord, type IndexRecord, RECORD_BYTES } from "./index_record.ts";

/** Thrown where the index itself is broken: whoever owns the chunk repairs it and reads again. */
export class BrokenIndexError extends Error {
  override readonly name = "BrokenIndexError";
}

function recordNumber(index: LoadedIndex, number: number): IndexRecord {
  const record = decodeRecord(index.bytes, number * RECORD_BYTES);
  if (!record) throw new BrokenIndexError();
  return record;
}

/** The record that vouches for the byte at `offset`, which must be the one found there. */
export function recordAt(index: LoadedIndex, number: number, offset: number): IndexRecord {
  const record = recordNumber(index, number);
  if (record.end <= offset || record.end - record.length > offset) throw new BrokenIndexError();
  return record;
}

/** Where the record begins that vouches for the byte at `offset`. */
export function recordStart(index: LoadedIndex, offset: number): number {
  const record = recordAt(index, index.firstEndingAfter(offset), offset);
  return record.end - record.length;
}

/** Where the record ends that vouches for the byte at `offset`. */
export function recordEnd(index: LoadedIndex, offset: number): number {
  return recordAt(index, index.firstEndingAfter(offset), offset).end;
}

/** Good bytes end at `good`, those looked at end at `covered`, where a record ends. */
export interface Verified {
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
export function verify(
  index: LoadedIndex,
  file: DiskFile,
  bytes: Uint8Array,
  start: number,
  end: number,
): Verified {
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
