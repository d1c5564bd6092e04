/**
 * Builds the index records of bytes that go into a chunk, while they go.
 *
 * @module
 */
import { INDEX_SEGMENT_BYTES_MAX } from "../protocol/limits.ts";
import { crc32 } from "./crc32.ts";
import { ADOPTED, COMMIT, COMPLETE, encodeRecord, FINALISED, RECORD_BYTES } from "./index_record.ts";

/** Collects the records of one group; reused from group to group, so that a small append allocates nothing. */
export class IndexBuilder {
  #bytes = new Uint8Array(8 * RECORD_BYTES);
  #used = 0;
  #end = 0;
  #length = 0;
  #crc = 0;
  #rolling = 0;
  #timeMs = 0;

  /** Begins a group behind `end` bytes whose CRC is `rolling`. */
  begin(end: number, rolling: number, timeMs: number): void {
    this.#used = 0;
    this.#end = end;
    this.#length = 0;
    this.#crc = 0;
    this.#rolling = rolling;
    this.#timeMs = timeMs;
  }

  /** Takes the next bytes of the group. */
  add(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#length === INDEX_SEGMENT_BYTES_MAX) this.#push(0);
      const piece = at === 0 && bytes.length <= INDEX_SEGMENT_BYTES_MAX - this.#length
        ? bytes
        : bytes.subarray(at, at + INDEX_SEGMENT_BYTES_MAX - this.#length);
      this.#crc = crc32(piece, this.#crc);
      this.#rolling = crc32(piece, this.#rolling);
      this.#length += piece.length;
      this.#end += piece.length;
      at += piece.length;
    }
  }

  /** Ends the group; returns its records, valid until the next `begin`. */
  commit(adopted = false): Uint8Array {
    this.#push(COMMIT | (adopted ? ADOPTED : 0));
    return this.#bytes.subarray(0, this.#used);
  }

  /** The record that says that the chunk ends here; instead of `add` and `commit`. */
  complete(finalised = false): Uint8Array {
    this.#push(COMMIT | COMPLETE | (finalised ? FINALISED : 0));
    return this.#bytes.subarray(0, this.#used);
  }

  /** CRC of the chunk up to the end of what was added. */
  get rolling(): number {
    return this.#rolling;
  }

  #push(flags: number): void {
    if (this.#used === this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    encodeRecord(this.#bytes, this.#used, {
      end: this.#end,
      flags,
      length: this.#length,
      timeMs: this.#timeMs,
      crc: this.#crc,
      rolling: this.#rolling,
    });
    this.#used += RECORD_BYTES;
    this.#length = 0;
    this.#crc = 0;
  }
}
