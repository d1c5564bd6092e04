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
  readonly #tails = new Set<Tail>();

  constructor(max: number) {
    this.#max = max;
  }

  /** How many are open. */
  get count(): number {
    return this.#tails.size;
  }

  /** Opens one more. Throws `overloaded` at the bound. */
  open(make: () => Tail): Tail {
    if (this.#tails.size >= this.#max) {
      throw new ChukchaError(
        "overloaded",
        `tail: ${this.#max} tails are open on this node, the most it holds`,
      );
    }
    const tail = make();
    this.#tails.add(tail);
    return tail;
  }

  /** Closes one. */
  close(tail: Tail): void {
    this.#tails.delete(tail);
    tail.close();
  }

  /** Closes all. */
  closeAll(): void {
    this.#tails.forEach((tail) => this.close(tail));
  }
}
