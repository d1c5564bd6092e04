/**
 * The tails that are open on this node: bounded, and closed together at shutdown, since an open stream would hold it
 * up for ever.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import type { Tail } from "../storage/tail.ts";

/** A bounded set of tails. */
export class OpenTails {
  readonly #max: number;
  /** Each with whether it may still go on. */
  readonly #tails = new Map<Tail, () => boolean>();

  constructor(max: number) {
    this.#max = max;
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

  /** Closes all. */
  closeAll(): void {
    for (const tail of this.#tails.keys()) this.close(tail);
  }
}
