/**
 * A histogram: how often a measured value was how large, in fixed buckets.
 *
 * Only numbers in an array of fixed size: storage fills one on the way of a group commit, without an allocation, and
 * whoever shows it reads it. It knows nothing of how it is shown.
 *
 * Invariant: nothing in it ever goes down, `count` is the sum of all buckets.
 *
 * @module
 */

/** Counts values by size. */
export class Histogram {
  /** Upper bounds of the buckets, each included in its bucket; behind the last one lies everything larger. */
  readonly bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  /**
   * Makes an empty one.
   *
   * @param bounds finite and rising
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { Histogram } from "./histogram.ts";
   * const seconds = new Histogram([0.1, 1]);
   * for (const value of [0.1, 0.2, 5]) seconds.observe(value);
   * assertEquals([seconds.cumulative(0), seconds.cumulative(1), seconds.count], [1, 2, 3]);
   * ```
   */
  constructor(bounds: readonly number[]) {
    if (bounds.some((bound, i) => !Number.isFinite(bound) || bound <= (bounds[i - 1] ?? -Infinity))) {
      throw new RangeError(`bounds: ${bounds.join(", ")} must be finite and rise`);
    }
    this.bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** Counts one value. */
  observe(value: number): void {
    const { bounds } = this;
    let i = 0;
    // So few that a search would be slower.
    while (i < bounds.length && value > bounds[i]!) i++;
    this.#counts[i]!++;
    this.#sum += value;
  }

  /** How many values were at most as large as bound number `i`. */
  cumulative(i: number): number {
    let count = 0;
    for (let bucket = 0; bucket <= i; bucket++) count += this.#counts[bucket]!;
    return count;
  }

  /** How many values there were. */
  get count(): number {
    return this.cumulative(this.bounds.length);
  }

  /** Their sum. */
  get sum(): number {
    return this.#sum;
  }
}
