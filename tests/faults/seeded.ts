/**
 * Random numbers that a printed seed brings back.
 *
 * @module
 */

/** Numbers from one seed. */
export class Seeded {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to `below - 1`. */
  below(below: number): number {
    // mulberry32: 32 bits of state, good enough to choose sizes and moments.
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * below);
  }

  /** One of `values`. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}

/** The seed that `CHUKCHA_TEST_SEED` names, or another one each time. */
export function seedFromEnvironment(): number {
  return Number(Deno.env.get("CHUKCHA_TEST_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
}
