/**
 * Randomness that a seed repeats: the `Random` of simulated stores, and the dice of simulated disks.
 *
 * @module
 */
import type { Random } from "../../lib/storage/random.ts";

/** The generator mulberry32: small, fast, and the same on every machine. */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  number(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  id(): string {
    const digits = (): string => this.below(2 ** 32).toString(16).padStart(8, "0");
    return digits() + digits() + digits() + digits();
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.number() * limit);
  }

  /** One of these. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}
