/**
 * Chunks whose next messages cannot be read now: damaged bytes, or a place that lies inside of a message.
 *
 * What lies behind in such a chunk waits, since messages of one chunk are handed out in order; all other chunks go on.
 * It is looked at again after `STUCK_MS`. Nothing is passed over by itself: a person who wants to go on acknowledges the
 * bytes.
 *
 * @module
 */
import type { ChukchaError } from "../protocol/errors.ts";
import { STUCK_CHUNKS_MAX, STUCK_MS } from "../protocol/limits.ts";

/** What is in the way of one consumer. */
export class Stuck {
  readonly #byChunk = new Map<string, { readonly untilMs: number; readonly error: ChukchaError }>();

  /** Why a chunk is passed over; `undefined` if it is not. */
  at(chunk: string, nowMs: number): ChukchaError | undefined {
    if (this.#byChunk.size === 0) return undefined;
    const entry = this.#byChunk.get(chunk);
    return entry && nowMs < entry.untilMs ? entry.error : undefined;
  }

  /** From now on a chunk is passed over. */
  add(chunk: string, nowMs: number, error: ChukchaError): void {
    if (this.#byChunk.size >= STUCK_CHUNKS_MAX) {
      for (const first of this.#byChunk.keys()) {
        this.#byChunk.delete(first);
        break;
      }
    }
    this.#byChunk.set(chunk, { untilMs: nowMs + STUCK_MS, error });
  }

  /** The chunk can be read. */
  delete(chunk: string): void {
    if (this.#byChunk.size > 0) this.#byChunk.delete(chunk);
  }

  /** When the first of them is to be looked at again; those of the past are left out. */
  nextMs(nowMs: number): number {
    let next = Infinity;
    for (const { untilMs } of this.#byChunk.values()) {
      if (untilMs > nowMs && untilMs < next) next = untilMs;
    }
    return next;
  }
}
