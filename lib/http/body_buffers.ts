/**
 * The memory that large bodies are taken into, used again and again.
 *
 * Owns: buffers of few sizes, and those of them that wait for their next body, up to `BODY_BUFFERS_IDLE_BYTES_MAX`.
 * Refuses: nothing; what does not fit is left to the collector.
 *
 * A fresh MiB costs 150 to 250 µs, which is what the kernel takes to find and clear 256 pages, and as much as all else
 * that is done for a body of that size. The same MiB used again costs nothing.
 *
 * Invariant: a buffer that is given back is used by nobody. What is in it is that of somebody else: only what was
 * filled is handed on.
 *
 * @module
 */
import { BODY_BUFFERS_IDLE_BYTES_MAX, BODY_FIRST_BYTES, KIB } from "../protocol/limits.ts";
import { uninitialised } from "../storage/uninitialised.ts";

/** For the last `\n` and the spare byte of a body that is as long as a power of two: most large ones are. */
const SLACK_BYTES = 64;
/** Larger ones are rare, and are not kept. */
const KEPT_BYTES_MAX = 8 * 1024 * KIB;

/** A pool of buffers. */
export class BodyBuffers {
  readonly #idle = new Map<number, Uint8Array<ArrayBuffer>[]>();
  #idleBytes = 0;

  /** Bytes of the buffers that wait. */
  get idleBytes(): number {
    return this.#idleBytes;
  }

  /** How long a buffer for so many bytes is: there are four sizes from each power of two to the next. */
  static sizeFor(bytes: number): number {
    if (bytes <= 4 * KIB) return 4 * KIB;
    const wanted = Math.max(BODY_FIRST_BYTES, bytes - SLACK_BYTES);
    const step = 2 ** Math.floor(Math.log2(wanted)) / 4;
    return Math.ceil(wanted / step) * step + SLACK_BYTES;
  }

  /** Four times as long as a buffer of `size` bytes. */
  static fourfold(size: number): number {
    return 4 * Math.max(0, size - SLACK_BYTES) + SLACK_BYTES;
  }

  /** Whether a buffer of this length waits. */
  has(size: number): boolean {
    return (this.#idle.get(size)?.length ?? 0) > 0;
  }

  /** A buffer of a length that `sizeFor` has returned, with anything in it. */
  take(size: number): Uint8Array<ArrayBuffer> {
    const known = this.#idle.get(size)?.pop();
    if (!known) return uninitialised(size);
    this.#idleBytes -= size;
    return known;
  }

  /** Takes a buffer back that nobody will look at again. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    const { length } = buffer;
    if (length <= 4 * KIB || length > KEPT_BYTES_MAX) return;
    if (this.#idleBytes + length > BODY_BUFFERS_IDLE_BYTES_MAX) return;
    const idle = this.#idle.get(length) ?? [];
    this.#idle.set(length, idle);
    idle.push(buffer);
    this.#idleBytes += length;
  }
}
