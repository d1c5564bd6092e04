/**
 * Reads pieces of chunks for other nodes: verified bytes that end where a group ends, with what is needed to append
 * them to another copy and to see that both are the same.
 *
 * A piece is read into a buffer of its own and verified there in one pass: 4 MiB in about a millisecond. It ends before
 * damage, if there is a group before it.
 *
 * Rejected: blocks of the cache, as reads use them. Followers read each byte once and in order; several of them at the
 * same place would share blocks, but then a piece would end with its block, and what readers share would be driven out.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import type { Chunk } from "./chunk.ts";
import { crc32 } from "./crc32.ts";
import type { IndexCache, LoadedIndex } from "./index_cache.ts";
import { COMMIT, DAMAGED, decodeRecord, type IndexRecord, RECORD_BYTES } from "./index_record.ts";
import type { OpenFiles } from "./open_files.ts";
import { uninitialised } from "./uninitialised.ts";
import { BrokenIndexError, recordEnd, recordStart, verify } from "./verify.ts";

/** Bytes of a chunk from `offset` to where one of its groups ends. */
export interface ReadPiece {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** CRC-32 of the chunk from its start to the end of `bytes`. */
  readonly rolling: number;
  /** Time of the last append in it. */
  readonly timeMs: number;
}

/**
 * Reads from `offset` at most `bytesMax` bytes, or one group if that is longer; `undefined` if nothing is there yet.
 *
 * Throws `ChukchaError` `invalid_offset` or `damaged`, `BrokenIndexError`, `DiskError`.
 */
export function readPiece(
  files: OpenFiles,
  indexes: IndexCache,
  chunk: Chunk,
  offset: number,
  bytesMax: number,
): ReadPiece | undefined {
  if (offset === chunk.size) return undefined;
  if (offset > chunk.size) {
    throw new ChukchaError(
      "invalid_offset",
      `off: ${offset} is behind the end of ${chunk.name}, ${chunk.size}`,
    );
  }
  const index = indexes.get(chunk);
  const last = groupEnd(index, chunk, offset, offset + bytesMax);
  const start = recordStart(index, offset);
  const bytes = uninitialised(last.end - start);
  const open = files.take(chunk.dataPath);
  try {
    const { good } = verify(index, open.file, bytes, start, last.end);
    const end = good === last.end ? last : lastGroupEnd(index, offset, good);
    if (!end) {
      throw new ChukchaError("damaged", `${chunk.name}: bytes from ${good} fail their checksum on this node`);
    }
    return {
      offset,
      bytes: bytes.subarray(offset - start, end.end - start),
      rolling: end.rolling,
      timeMs: end.timeMs,
    };
  } finally {
    files.give(open);
  }
}

/**
 * Reads exactly the `length` bytes from `offset`, or as many of them as are good: what another node lacks of a chunk that
 * rotted there. Groups do not matter, so that copies which rotted in the same group can still heal one another.
 *
 * Throws `ChukchaError` `invalid_offset` or `damaged` (the first of them is), `BrokenIndexError`, `DiskError`.
 */
export function readRange(
  files: OpenFiles,
  indexes: IndexCache,
  chunk: Chunk,
  offset: number,
  length: number,
): ReadPiece {
  const to = Math.min(chunk.size, offset + length);
  if (offset >= to) {
    throw new ChukchaError("invalid_offset", `off: nothing of ${chunk.name} is here from ${offset} on`);
  }
  const index = indexes.get(chunk);
  const start = recordStart(index, offset);
  const end = recordEnd(index, to - 1);
  const bytes = uninitialised(end - start);
  const open = files.take(chunk.dataPath);
  try {
    const good = Math.min(to, verify(index, open.file, bytes, start, end).good);
    if (good <= offset) {
      throw new ChukchaError(
        "damaged",
        `${chunk.name}: bytes from ${start} fail their checksum on this node`,
      );
    }
    const number = index.firstEndingAfter(start);
    const before = number === 0 ? 0 : recordOf(index, number - 1).rolling;
    const { timeMs } = recordOf(index, number);
    const rolling = crc32(bytes.subarray(0, good - start), before);
    return { offset, bytes: bytes.subarray(offset - start, good - start), rolling, timeMs };
  } finally {
    files.give(open);
  }
}

/** The record that ends the last group within `to`, or else the one that the byte at `offset` lies in. */
function groupEnd(index: LoadedIndex, chunk: Chunk, offset: number, to: number): IndexRecord {
  if (to >= chunk.size) return recordOf(index, index.count - 1);
  const within = lastGroupEnd(index, offset, to);
  if (within) return within;
  for (let n = index.firstEndingAfter(offset);; n++) {
    const record = recordOf(index, n);
    if ((record.flags & COMMIT) !== 0) return record;
  }
}

/** The record that ends the last group behind `offset` and not behind `to`. */
export function lastGroupEnd(index: LoadedIndex, offset: number, to: number): IndexRecord | undefined {
  for (let n = index.firstEndingAfter(to) - 1; n >= 0; n--) {
    const record = recordOf(index, n);
    if (record.end <= offset) return undefined;
    if ((record.flags & (COMMIT | DAMAGED)) === COMMIT) return record;
  }
  return undefined;
}

function recordOf(index: LoadedIndex, number: number): IndexRecord {
  const record = number < 0 ? undefined : decodeRecord(index.bytes, number * RECORD_BYTES);
  if (!record) throw new BrokenIndexError();
  return record;
}
