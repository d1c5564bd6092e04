/**
 * The entries of a category's `producers.journal`: which batch of which producer lies where.
 *
 * Each is 40 bytes, little-endian, and the producer's name:
 *
 * ```text
 *  0      4     6        8           16       20       26     30     34     40
 * ┌──────┬─────┬────────┬───────────┬────────┬────────┬──────┬──────┬──────┬──────────┐
 * │ self │'CB' │ length │ sequence  │ number │ offset │ size │ crc  │ time │ producer │
 * │ u32  │ u16 │ u16    │ u64       │ u32    │ u48    │ u32  │ u32  │ u48  │ ASCII    │
 * └──────┴─────┴────────┴───────────┴────────┴────────┴──────┴──────┴──────┴──────────┘
 * self     CRC-32 of the entry behind it
 * length   of the whole entry
 * sequence chosen by the producer
 * number   of the chunk of this node that the batch is in
 * offset   of its first byte there
 * size     bytes of it
 * crc      CRC-32 of these bytes
 * time     of the append, milliseconds since 1970
 * ```
 *
 * A reader goes over what is no whole entry, byte by byte, until the next one: what rots, or is torn, costs what it was
 * part of and nothing behind it. A forgotten batch is stored again when it is retried, which is the worst that can come
 * of it.
 *
 * Rejected: names written once and numbered (an entry would then depend on another one), and lines of JSON (three times
 * the size, and slower to make than the batch is to store).
 *
 * @module
 */
import { crc32 } from "./crc32.ts";
import { uninitialised } from "./uninitialised.ts";

/** Where a batch lies. */
export interface BatchPlace {
  /** Of the chunk. */
  readonly number: number;
  /** Of its first byte in the chunk. */
  readonly offset: number;
  /** Bytes of it. */
  readonly size: number;
  /** CRC-32 of these bytes. */
  readonly crc: number;
  /** When it was appended, milliseconds since 1970. */
  readonly timeMs: number;
}

/** One batch of one producer. */
export interface BatchEntry extends BatchPlace {
  readonly producer: string;
  readonly sequence: number;
}

const HEAD_BYTES = 40;
const NAME_BYTES_MAX = 128;
const MAGIC = 0x4243;
const HIGH = 2 ** 32;

/** Size of the entry of a producer of this name. */
export function entryBytes(producer: string): number {
  return HEAD_BYTES + producer.length;
}

/** Writes entries one behind the other into a buffer of their size. */
export class EntryWriter {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  /** @param size bytes of all of them, as `entryBytes` has it */
  constructor(size: number) {
    this.bytes = uninitialised(size);
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset, size);
  }

  /** What was added. */
  get written(): Uint8Array {
    return this.bytes.subarray(0, this.#at);
  }

  /** Adds one. */
  add(producer: string, sequence: number, { number, offset, size, crc, timeMs }: BatchPlace): void {
    const at = this.#at;
    const view = this.#view;
    const end = at + entryBytes(producer);
    view.setUint16(at + 4, MAGIC, true);
    view.setUint16(at + 6, end - at, true);
    view.setUint32(at + 8, sequence % HIGH, true);
    view.setUint32(at + 12, Math.floor(sequence / HIGH), true);
    view.setUint32(at + 16, number, true);
    view.setUint32(at + 20, offset % HIGH, true);
    view.setUint16(at + 24, Math.floor(offset / HIGH), true);
    view.setUint32(at + 26, size, true);
    view.setUint32(at + 30, crc, true);
    view.setUint32(at + 34, timeMs % HIGH, true);
    view.setUint16(at + 38, Math.floor(timeMs / HIGH), true);
    for (let i = 0; i < producer.length; i++) this.bytes[at + HEAD_BYTES + i] = producer.charCodeAt(i);
    view.setUint32(at, crc32(this.bytes.subarray(at + 4, end)), true);
    this.#at = end;
  }
}

/** Bytes that belong to no whole entry. */
export interface StrangeBytes {
  /** Before the last whole entry: no crash of a process leaves that. */
  readonly damaged: number;
  /** Behind it. */
  readonly torn: number;
}

/** Calls `fn` for each whole entry, in order; returns what there is besides. */
export function eachEntry(bytes: Uint8Array, fn: (entry: BatchEntry) => void): StrangeBytes {
  let damaged = 0;
  let torn = 0;
  for (let at = 0; at < bytes.length;) {
    const length = wholeEntryAt(bytes, at);
    if (length === 0) {
      torn++;
      at++;
      continue;
    }
    damaged += torn;
    torn = 0;
    fn(decode(new DataView(bytes.buffer, bytes.byteOffset + at, length), bytes, at, length));
    at += length;
  }
  return { damaged, torn };
}

/** Length of the entry at `at`; 0 if there is none that was written whole. */
function wholeEntryAt(bytes: Uint8Array, at: number): number {
  if (at + HEAD_BYTES > bytes.length) return 0;
  if ((bytes[at + 4]! | bytes[at + 5]! << 8) !== MAGIC) return 0;
  const length = bytes[at + 6]! | bytes[at + 7]! << 8;
  if (length <= HEAD_BYTES || length > HEAD_BYTES + NAME_BYTES_MAX || at + length > bytes.length) return 0;
  const self = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true);
  return crc32(bytes.subarray(at + 4, at + length)) === self ? length : 0;
}

function decode(view: DataView, bytes: Uint8Array, at: number, length: number): BatchEntry {
  return {
    producer: String.fromCharCode(...bytes.subarray(at + HEAD_BYTES, at + length)),
    sequence: view.getUint32(8, true) + view.getUint32(12, true) * HIGH,
    number: view.getUint32(16, true),
    offset: view.getUint32(20, true) + view.getUint16(24, true) * HIGH,
    size: view.getUint32(26, true),
    crc: view.getUint32(30, true),
    timeMs: view.getUint32(34, true) + view.getUint16(38, true) * HIGH,
  };
}
