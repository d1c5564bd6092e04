/**
 * The tails that are open on this node: bounded in number, in what they hold together, and in how long one may take
 * nothing; and closed together at shutdown, since an open stream would hold it up for ever.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import {
  TAIL_STEP_BYTES,
  TAIL_STEP_BYTES_MIN,
  TAIL_STEPS_HELD,
  TAILS_BYTES_MAX,
} from "../protocol/limits.ts";
import type { Clock } from "../storage/clock.ts";
import type { Tail } from "../storage/tail.ts";
import { allowedMs, Pace, type Runner } from "./pace.ts";

/** A bounded set of tails. */
export class OpenTails {
  readonly #max: number;
  readonly #pace: Pace;
  /** Each with whether it may still go on. */
  readonly #tails = new Map<Tail, () => boolean>();

  constructor(max: number, clock: Clock) {
    this.#max = max;
    this.#pace = new Pace(clock);
  }

  /** How much one takes at a time, so that what all hold together stays near `TAILS_BYTES_MAX` while that is possible. */
  get stepBytes(): number {
    const share = Math.floor(TAILS_BYTES_MAX / TAIL_STEPS_HELD / Math.max(1, this.#tails.size));
    return Math.min(TAIL_STEP_BYTES, Math.max(TAIL_STEP_BYTES_MIN, share));
  }

  /** The pace of one; `expired` is called when it has taken nothing for too long. */
  begin(expired: () => void): Runner {
    const runner = { dueMs: Infinity, slot: -1, expired };
    this.#pace.begin(runner);
    return runner;
  }

  /** It was given so many bytes, and must take them. */
  mustTake(runner: Runner, bytes: number): void {
    runner.dueMs = this.#pace.nowMs + allowedMs(bytes);
  }

  /** It has ended; again does nothing. */
  end(runner: Runner): void {
    this.#pace.end(runner);
  }

  /** How many are open. */
  get count(): number {
    return this.#tails.size;
  }

  /**
   * Opens one more. Throws `overloaded` at the bound.
   *
   * @param allowed whether it may still go on; asked by {@linkcode closeRevoked}
   */
  open(make: () => Tail, allowed: () => boolean = () => true): Tail {
    if (this.#tails.size >= this.#max) {
      throw new ChukchaError(
        "overloaded",
        `tail: ${this.#max} tails are open on this node, the most it holds`,
      );
    }
    const tail = make();
    this.#tails.set(tail, allowed);
    return tail;
  }

  /** Closes one. */
  close(tail: Tail): void {
    this.#tails.delete(tail);
    tail.close();
  }

  /** Closes those that may not go on any more. */
  closeRevoked(): void {
    for (const [tail, allowed] of this.#tails) if (!allowed()) this.close(tail);
  }

  /** Closes all, for good. */
  closeAll(): void {
    this.#pace.close();
    for (const tail of this.#tails.keys()) this.close(tail);
  }
}
