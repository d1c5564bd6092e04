/**
 * `.checkpoint` in the data directory: the ends of sealed chunks, so that a start need not open each of them.
 *
 * It says nothing that the directories do not say: without it a start is slower, and comes to the same. A sealed chunk
 * never changes, so an entry that was true stays true for as long as its files are the same ones. That they are is
 * known in one of two ways: no name came into the directory since, nor left it (`Disk.stampOf`; whatever replaces a
 * chunk's file renames another one into its place); or else both files have the sizes that the entry says.
 *
 * ```text
 * header     "chukcha\0", version u32, length of all u64
 * category   length of what follows u32 · directory · stamp, "" if it is not to be relied upon · names u32, each of them ·
 *            owners u32, each: instance · chunks u32 · 32 bytes for each chunk
 * chunk      number u32 · flags u32 (1: finalised) · size f64 · index size u32 · rolling CRC u32 · time f64
 * trailer    CRC-32 of all before
 * ```
 *
 * Texts are their length in bytes, u16, and UTF-8; numbers are little-endian. The names are those of the directory that
 * are not files of these chunks: with a stamp, they are what a listing would give.
 *
 * It is replaced as a whole, see `checkpointer.ts`. What a crash leaves: the one before, of which some chunks are gone by
 * now and others are missing; or none. One that is cut short or has rotted is not used.
 *
 * Rejected: a list in each category's directory (100,000 more files to be opened by a start); a journal of what was
 * sealed (it grows with what is acknowledged, too); an entry for what is not sealed (what is known of its end is only
 * what is on the device).
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Chunk } from "./chunk.ts";
import { crc32 } from "./crc32.ts";
import type { Steps } from "./examine.ts";

/** Name of the file; no category has a name that begins with a dot. */
export const CHECKPOINT_FILE = ".checkpoint";

const MAGIC = Buffer.from("chukcha\0", "latin1");
const VERSION = 1;
const HEADER_BYTES = MAGIC.length + 4 + 8;
const TRAILER_BYTES = 4;
const CHUNK_BYTES = 32;
const FINALISED = 1;
/** So many chunks, or categories, make a step. */
const STEP_CHUNKS = 4096;
const STEP_CATEGORIES = 256;

/** What is written of a category. */
export interface MarkedCategory {
  /** Below the data directory. */
  readonly directory: string;
  /** `undefined`: not to be relied upon. */
  readonly stamp: string | undefined;
  /** Names in the directory that are not files of these chunks; of no use without a stamp. */
  readonly names: readonly string[];
  /** Sealed chunks, by owner. */
  readonly owners: readonly (readonly [instance: string, chunks: readonly Chunk[]])[];
}

/** A checkpoint's bytes. Categories are asked for one by one, and not kept. */
export function* encodingCheckpoint(categories: Iterable<MarkedCategory>): Steps<Uint8Array> {
  const out = new Writer();
  out.bytes(MAGIC);
  out.u32(VERSION);
  const total = out.at;
  out.skip(8);
  let steps = 0;
  for (const { directory, stamp, names, owners } of categories) {
    const begin = out.at;
    out.skip(4);
    out.text(directory);
    out.text(stamp ?? "");
    const kept = stamp === undefined ? [] : names;
    out.u32(kept.length);
    for (const name of kept) out.text(name);
    out.u32(owners.length);
    for (const [instance, chunks] of owners) {
      out.text(instance);
      out.u32(chunks.length);
      for (let from = 0; from < chunks.length; from += STEP_CHUNKS) {
        if (from > 0) yield from;
        for (let i = from; i < Math.min(from + STEP_CHUNKS, chunks.length); i++) out.chunk(chunks[i]!);
      }
    }
    out.setU32(begin, out.at - begin - 4);
    if (++steps % STEP_CATEGORIES === 0) yield steps;
  }
  out.setF64(total, out.at + TRAILER_BYTES);
  return out.end();
}

/** What was known of the sealed chunks, when it was written. */
export class Checkpoint {
  readonly #bytes: Buffer;
  /** Where each category begins, by directory. */
  readonly #at = new Map<string, number>();

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
    const reader = new Reader(bytes, HEADER_BYTES);
    while (reader.at < bytes.length - TRAILER_BYTES) {
      const length = reader.u32();
      const begin = reader.at;
      this.#at.set(reader.text(), begin);
      reader.at = begin + length;
    }
  }

  /** Parses the file's bytes. Throws `SyntaxError` where they are not such a file, or not all of one. */
  static decode(bytes: Uint8Array): Checkpoint {
    const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    if (file.length < HEADER_BYTES + TRAILER_BYTES || !file.subarray(0, MAGIC.length).equals(MAGIC)) {
      throw new SyntaxError("it is no checkpoint");
    }
    const version = file.readUInt32LE(MAGIC.length);
    if (version !== VERSION) throw new SyntaxError(`version ${version} is not ${VERSION}`);
    const length = file.readDoubleLE(MAGIC.length + 4);
    if (length !== file.length) throw new SyntaxError(`${file.length} bytes are not ${length}`);
    const end = file.length - TRAILER_BYTES;
    if (crc32(file.subarray(0, end)) !== file.readUInt32LE(end)) {
      throw new SyntaxError("its checksum is wrong");
    }
    return new Checkpoint(file);
  }

  /** What it says of the category in this directory. */
  of(directory: string): CategoryMark | undefined {
    const at = this.#at.get(directory);
    return at === undefined ? undefined : new CategoryMark(new Reader(this.#bytes, at));
  }
}

/** What a checkpoint says of one category. */
export class CategoryMark {
  readonly stamp: string | undefined;
  readonly names: readonly string[];
  readonly #reader: Reader;

  /** @param reader stands at its beginning */
  constructor(reader: Reader) {
    this.#reader = reader;
    reader.text();
    const stamp = reader.text();
    this.stamp = stamp === "" ? undefined : stamp;
    this.names = Array.from({ length: reader.u32() }, () => reader.text());
  }

  /** Its sealed chunks, once: complete, and as a start would have found them. */
  *chunks(category: string, bornMs: number): Generator<Chunk> {
    const reader = this.#reader;
    for (let owners = reader.u32(); owners > 0; owners--) {
      const instance = reader.text();
      for (let left = reader.u32(); left > 0; left--) yield reader.chunk(category, instance, bornMs);
    }
  }
}

class Writer {
  #bytes = Buffer.allocUnsafe(64 * 1024);
  at = 0;

  skip(length: number): void {
    this.#room(length);
    this.at += length;
  }

  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  u32(value: number): void {
    this.#room(4);
    this.at = this.#bytes.writeUInt32LE(value, this.at);
  }

  text(text: string): void {
    // Three bytes for each unit of UTF-16 at most.
    this.#room(2 + 3 * text.length);
    const length = this.#bytes.write(text, this.at + 2);
    this.#bytes.writeUInt16LE(length, this.at);
    this.at += 2 + length;
  }

  chunk({ number, size, indexSize, rolling, timeMs, finalised }: Chunk): void {
    this.#room(CHUNK_BYTES);
    const { at } = this;
    const bytes = this.#bytes;
    bytes.writeUInt32LE(number, at);
    bytes.writeUInt32LE(finalised ? FINALISED : 0, at + 4);
    bytes.writeDoubleLE(size, at + 8);
    bytes.writeUInt32LE(indexSize, at + 16);
    bytes.writeUInt32LE(rolling, at + 20);
    bytes.writeDoubleLE(timeMs, at + 24);
    this.at += CHUNK_BYTES;
  }

  setU32(at: number, value: number): void {
    this.#bytes.writeUInt32LE(value, at);
  }

  setF64(at: number, value: number): void {
    this.#bytes.writeDoubleLE(value, at);
  }

  /** All of it, with its checksum. */
  end(): Uint8Array {
    this.u32(crc32(this.#bytes.subarray(0, this.at)));
    return this.#bytes.subarray(0, this.at);
  }

  #room(length: number): void {
    if (this.at + length <= this.#bytes.length) return;
    const bytes = Buffer.allocUnsafe(Math.max(this.at + length, 2 * this.#bytes.length));
    bytes.set(this.#bytes.subarray(0, this.at));
    this.#bytes = bytes;
  }
}

class Reader {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, public at: number) {
    this.#bytes = bytes;
  }

  u32(): number {
    const value = this.#bytes.readUInt32LE(this.at);
    this.at += 4;
    return value;
  }

  text(): string {
    const begin = this.at + 2;
    this.at = begin + this.#bytes.readUInt16LE(this.at);
    return this.#bytes.toString("utf8", begin, this.at);
  }

  chunk(category: string, instance: string, bornMs: number): Chunk {
    const { at } = this;
    const bytes = this.#bytes;
    const chunk = new Chunk(category, instance, bytes.readUInt32LE(at), bornMs);
    chunk.finalised = (bytes.readUInt32LE(at + 4) & FINALISED) !== 0;
    chunk.size = chunk.synced = bytes.readDoubleLE(at + 8);
    chunk.indexSize = bytes.readUInt32LE(at + 16);
    chunk.rolling = bytes.readUInt32LE(at + 20);
    chunk.timeMs = bytes.readDoubleLE(at + 24);
    chunk.sealed = chunk.complete = true;
    this.at += CHUNK_BYTES;
    return chunk;
  }
}
