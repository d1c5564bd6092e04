/**
 * Puts a record of an index right in which one bit or two have flipped.
 *
 * Only for the record that says that a chunk is complete. What any other one says can be had from its neighbours and from
 * the data; that a chunk was sealed is said once, and a start that does not know it takes what fails its checksum at the
 * chunk's end for a torn tail, although all of it had been on the device.
 *
 * How: a CRC is linear. What the checksum of a record differs by from the one that it carries depends on the flipped bits
 * alone, and two records that are whole differ in 6 bits at least (CRC-32 on 256 bits). So at most one record is two bits
 * away, and three flipped bits are never taken for two. Whatever a torn write left fits by chance once in 100,000 times,
 * and then has to say COMPLETE too, which is written only when all before it is on the device.
 *
 * Rejected: writing the record twice (they would rot together, in one block of the device).
 *
 * @module
 */
import { crc32 } from "./crc32.ts";
import { RECORD_BYTES } from "./index_record.ts";

const BITS = RECORD_BYTES * 8;
/** Bytes before the checksum. */
const BODY_BYTES = RECORD_BYTES - 4;

/** What the two checksums differ by, for each flipped bit; made when it is needed first. */
let bitsByDifference: Map<number, number> | undefined;

/** The record at `at` as it was before one bit or two of it flipped; `undefined` if there is no such record. */
export function correctRecord(bytes: Uint8Array, at: number): Uint8Array | undefined {
  if (at + RECORD_BYTES > bytes.length) return undefined;
  const record = bytes.slice(at, at + RECORD_BYTES);
  const difference = differenceOf(record);
  const bits = (bitsByDifference ??= allDifferences());
  const one = bits.get(difference);
  if (one !== undefined) return flip(record, one);
  for (const [its, first] of bits) {
    const second = bits.get((difference ^ its) >>> 0);
    if (second !== undefined) return flip(flip(record, first), second);
  }
  return undefined;
}

/** What the checksum of a record differs by from the one that it carries. */
function differenceOf(record: Uint8Array): number {
  const view = new DataView(record.buffer, record.byteOffset, RECORD_BYTES);
  return (view.getUint32(BODY_BYTES, true) ^ crc32(record.subarray(0, BODY_BYTES))) >>> 0;
}

function allDifferences(): Map<number, number> {
  const zeros = differenceOf(new Uint8Array(RECORD_BYTES));
  return new Map(
    Array.from({ length: BITS }, (_, bit) => {
      return [(differenceOf(flip(new Uint8Array(RECORD_BYTES), bit)) ^ zeros) >>> 0, bit];
    }),
  );
}

function flip(record: Uint8Array, bit: number): Uint8Array {
  record[bit >> 3]! ^= 1 << (bit & 7);
  return record;
}
