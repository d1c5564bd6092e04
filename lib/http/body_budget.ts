/**
 * The total of request-body bytes that are in memory and not yet stored.
 *
 * Owns: one sum and its bound. Refuses: bytes that would lift the sum above the bound, with a 503. A single body that
 * is larger than the bound never fits, so the bound belongs well above the largest batch. Memory is counted as it is
 * taken, never as it is announced: 2,000 clients that announce 4 MiB and send nothing hold nothing.
 *
 * Invariant: `0 <= used <= max`, and what is taken is given back once.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { BodyBuffers } from "./body_buffers.ts";

/** Counts body bytes in and out. */
export class BodyBudget {
  /** Where memory for large bodies comes from; what waits there is not counted. */
  readonly buffers = new BodyBuffers();
  #used = 0;

  /** @param max most bytes that may be taken at any one time */
  constructor(readonly max: number) {}

  /** Bytes that are taken now. */
  get used(): number {
    return this.#used;
  }

  /** Bytes by which `bytes` more would be over the bound; 0 if they fit. */
  lacking(bytes: number): number {
    return Math.max(0, this.#used + bytes - this.max);
  }

  /** Takes `bytes`; throws `overloaded`, having taken nothing, if they do not fit and leave as many as are reserved. */
  take(bytes: number, reservedBytes = 0): void {
    const max = this.max - reservedBytes;
    if (this.#used + bytes > max) {
      throw new ChukchaError(
        "overloaded",
        `body: ${bytes} bytes more than the ${this.#used} in memory are over the limit of ${max} for all bodies; ` +
          "send it again",
      );
    }
    this.#used += bytes;
  }

  /** Gives `bytes` back that were taken before. */
  give(bytes: number): void {
    if (bytes > this.#used) throw new RangeError(`give ${bytes}: only ${this.#used} bytes are taken`);
    this.#used -= bytes;
  }
}
