/**
 * The newest bytes of a chunk, still in memory: what tails and waiting consumers read the moment it is published.
 *
 * Kept only while somebody watches the category, and up to `RECENT_BYTES_MAX` for each chunk that is being appended to.
 * Twenty tails that each read one small message from its file make five system calls each; from here they make none. What
 * is served is what was written, so nothing needs to be verified.
 *
 * Invariant: it ends where the published bytes end, or there is none. A byte in it never changes: it is handed out to any
 * number of readers, and when the buffer is full a new one is begun.
 *
 * Rejected: keeping it always (100,000 categories would hold gigabytes for nobody), and the block cache (its blocks are
 * of a MiB, and complete).
 *
 * @module
 */
import { RECENT_BYTES_MAX } from "../protocol/limits.ts";
import { uninitialised } from "./uninitialised.ts";

const NEWLINE = 10;

/** The end of one chunk. */
export class Recent {
  /** Where in the chunk the buffer begins. */
  #start = 0;
  #used = 0;
  #buffer = new Uint8Array(0);

  /** Takes what was published at `offset`; what went before is kept if that is where it ends, and all of it fits. */
  add(offset: number, group: readonly { readonly bytes: Uint8Array }[]): void {
    const size = group.reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (offset !== this.#start + this.#used || this.#used + size > this.#buffer.length) {
      this.#start = offset;
      this.#used = 0;
      this.#buffer = size > RECENT_BYTES_MAX ? new Uint8Array(0) : uninitialised(RECENT_BYTES_MAX);
      if (size > RECENT_BYTES_MAX) return;
    }
    for (const { bytes } of group) {
      this.#buffer.set(bytes, this.#used);
      this.#used += bytes.length;
    }
  }

  /** Whole messages from `offset`, which must be where one begins, up to `end`; `undefined` if they are not all here. */
  read(offset: number, end: number): Uint8Array | undefined {
    const from = offset - this.#start;
    const to = end - this.#start;
    // What precedes the buffer is the end of a message, since that is where groups begin.
    if (from < 0 || to > this.#used || from > 0 && this.#buffer[from - 1] !== NEWLINE) return undefined;
    const size = this.#buffer.subarray(from, to).lastIndexOf(NEWLINE) + 1;
    return size > 0 ? this.#buffer.subarray(from, from + size) : undefined;
  }
}
