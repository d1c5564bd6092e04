/**
 * The records of an index file, `<chunk>.idx`: what proves that the bytes of a chunk are the bytes that were written.
 *
 * A group commit appends one or more records of 32 bytes, little-endian, each vouching for at most 64 KiB:
 *
 * ```text
 *  0        6      8         12         18     20        24        28       32
 * ┌────────┬──────┬─────────┬──────────┬──────┬─────────┬─────────┬────────┐
 * │ end    │flags │ length  │ time     │ 'CK' │ crc     │ rolling │ self   │
 * │ u48    │ u16  │ u32     │ u48      │ u16  │ u32     │ u32     │ u32    │
 * └────────┴──────┴─────────┴──────────┴──────┴─────────┴─────────┴────────┘
 * end      offset in the chunk behind the bytes that the record vouches for
 * flags    1 COMMIT: the group ends here · 2 COMPLETE: the owner appends no more · 4 DAMAGED: nothing vouches for these
 *          8 FINALISED, with COMPLETE: not every node could be asked whether it holds more
 *          16 ADOPTED: made by a start that found no index, of whatever was there
 * length   how many bytes that is; 0 for COMPLETE
 * time     of the append, milliseconds since 1970; never less than in the record before
 * crc      CRC-32 of these bytes
 * rolling  CRC-32 of the chunk from its start to `end`
 * self     CRC-32 of the first 28 bytes of the record
 * ```
 *
 * Only a prefix that ends in COMMIT counts, so a group is there whole or not at all. `rolling` lets two nodes compare
 * prefixes without reading them, and lets a later record vouch for the bytes of one that was lost.
 *
 * Rejected: one record per group however large (a read of 64 KiB would verify 4 MiB), and leaving out `length` (a
 * single broken record would take the next one's meaning with it).
 *
 * @module
 */
import { crc32 } from "./crc32.ts";

/** Size of a record. */
export const RECORD_BYTES = 32;
/** The group ends with this record. */
export const COMMIT = 1;
/** The owner appends no more; `length` is 0. */
export const COMPLETE = 2;
/** No record that vouches for these bytes is left, and the bytes do not match those that follow. */
export const DAMAGED = 4;
/** With COMPLETE: not every node could be asked whether it holds more. */
export const FINALISED = 8;
/** The chunk had no index, and this was made of the bytes as they were found: nothing else vouches for them. */
export const ADOPTED = 16;

const MAGIC = 0x4b43;
const HIGH = 2 ** 32;

/** One record, decoded. Offsets and lengths in bytes. */
export interface IndexRecord {
  readonly end: number;
  readonly flags: number;
  readonly length: number;
  readonly timeMs: number;
  readonly crc: number;
  readonly rolling: number;
}

/** Writes `record` into `bytes` at `at`. */
export function encodeRecord(bytes: Uint8Array, at: number, record: IndexRecord): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, RECORD_BYTES);
  view.setUint32(0, record.end % HIGH, true);
  view.setUint16(4, Math.floor(record.end / HIGH), true);
  view.setUint16(6, record.flags, true);
  view.setUint32(8, record.length, true);
  view.setUint32(12, record.timeMs % HIGH, true);
  view.setUint16(16, Math.floor(record.timeMs / HIGH), true);
  view.setUint16(18, MAGIC, true);
  view.setUint32(20, record.crc, true);
  view.setUint32(24, record.rolling, true);
  view.setUint32(28, crc32(bytes.subarray(at, at + 28)), true);
}

/** Reads the record at `at`; `undefined` if these 32 bytes are not there or are not a record that was written whole. */
export function decodeRecord(bytes: Uint8Array, at: number): IndexRecord | undefined {
  if (at + RECORD_BYTES > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, RECORD_BYTES);
  if (view.getUint16(18, true) !== MAGIC) return undefined;
  if (view.getUint32(28, true) !== crc32(bytes.subarray(at, at + 28))) return undefined;
  const record = {
    end: view.getUint32(0, true) + view.getUint16(4, true) * HIGH,
    flags: view.getUint16(6, true),
    length: view.getUint32(8, true),
    timeMs: view.getUint32(12, true) + view.getUint16(16, true) * HIGH,
    crc: view.getUint32(20, true),
    rolling: view.getUint32(24, true),
  };
  return record.length <= record.end ? record : undefined;
}

/** The `end` of the record at `at`, unchecked: for searching. */
export function peekEnd(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint16(at + 4, true) * HIGH;
}

/** The `time` of the record at `at`, unchecked: for searching. */
export function peekTime(view: DataView, at: number): number {
  return view.getUint32(at + 12, true) + view.getUint16(at + 16, true) * HIGH;
}
