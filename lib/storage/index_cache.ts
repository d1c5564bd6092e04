/**
 * Indexes of the chunks that are being read, in memory, bounded in all; the one unused for longest goes first.
 *
 * An index grows while its chunk is written; what is new is read when it is asked for.
 *
 * @module
 */
import type { Chunk } from "./chunk.ts";
import { peekEnd, peekTime, RECORD_BYTES } from "./index_record.ts";
import type { OpenFiles } from "./open_files.ts";

/** The published records of one chunk. Positions are record numbers. */
export class LoadedIndex {
  #bytes = new Uint8Array();
  #view = new DataView(this.#bytes.buffer);
  #used = 0;

  /** Records loaded. */
  get count(): number {
    return this.#used / RECORD_BYTES;
  }

  /** The records' bytes, for `decodeRecord`. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#used);
  }

  /** Memory held. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** Loads up to `size` bytes by `read`. */
  extend(size: number, read: (into: Uint8Array, offset: number) => number): void {
    if (size <= this.#used) return;
    if (size > this.#bytes.length) {
      const larger = new Uint8Array(this.#used === 0 ? size : Math.max(size, this.#bytes.length * 2));
      larger.set(this.bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    const got = read(this.#bytes.subarray(this.#used, size), this.#used);
    this.#used += got - got % RECORD_BYTES;
  }

  /** The first record that ends behind `offset`; `count` if none does. */
  firstEndingAfter(offset: number): number {
    return this.#search((at) => peekEnd(this.#view, at) > offset);
  }

  /** The first record not older than `timeMs`; `count` if all are. */
  firstSince(timeMs: number): number {
    return this.#search((at) => peekTime(this.#view, at) >= timeMs);
  }

  #search(matches: (at: number) => boolean): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (matches(middle * RECORD_BYTES)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** The bounded set of loaded indexes. */
export class IndexCache {
  readonly #files: OpenFiles;
  readonly #bytesMax: number;
  /** In order of last use, the oldest first. */
  readonly #loaded = new Map<string, LoadedIndex>();
  #bytes = 0;

  constructor(files: OpenFiles, bytesMax: number) {
    this.#files = files;
    this.#bytesMax = bytesMax;
  }

  /** The index of `chunk`, at least as far as it is published now. Throws `DiskError`. */
  get(chunk: Chunk): LoadedIndex {
    const index = this.#loaded.get(chunk.indexPath) ?? new LoadedIndex();
    const before = index.capacity;
    if (index.bytes.length < chunk.indexSize) {
      const open = this.#files.take(chunk.indexPath);
      try {
        index.extend(chunk.indexSize, (into, offset) => open.file.read(into, offset));
      } finally {
        this.#files.give(open);
      }
    }
    this.#loaded.delete(chunk.indexPath);
    this.#loaded.set(chunk.indexPath, index);
    this.#bytes += index.capacity - before;
    this.#evict(chunk.indexPath);
    return index;
  }

  /** Says that the chunk's index was replaced or removed. */
  forget(chunk: Chunk): void {
    const index = this.#loaded.get(chunk.indexPath);
    if (!index) return;
    this.#loaded.delete(chunk.indexPath);
    this.#bytes -= index.capacity;
  }

  #evict(keep: string): void {
    for (const [path, index] of this.#loaded) {
      if (this.#bytes <= this.#bytesMax) return;
      if (path === keep) continue;
      this.#loaded.delete(path);
      this.#bytes -= index.capacity;
    }
  }
}
