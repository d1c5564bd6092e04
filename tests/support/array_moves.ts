/**
 * Counts what arrays move when elements are taken from, or put into, anywhere but their end: what makes a queue of 100,000
 * slow, and what no clock has to be asked about.
 *
 * @module
 */

/** Methods that move the elements behind the place where they change something. */
const MOVING = ["shift", "unshift", "splice"] as const;

/** Runs `work`; returns how many elements arrays have moved meanwhile, at most. */
export async function countMoves(work: () => void | Promise<void>): Promise<number> {
  let moves = 0;
  const methods = Array.prototype as unknown as Record<string, (...args: unknown[]) => unknown>;
  const originals = MOVING.map((name) => [name, methods[name]!] as const);
  for (const [name, original] of originals) {
    methods[name] = function (this: unknown[], ...args: unknown[]): unknown {
      // All but what lies before the place; of `splice` that is its first argument.
      const from = name === "splice" ? Number(args[0]) : 0;
      moves += from < 0 ? Math.min(this.length, -from) : Math.max(0, this.length - from);
      return original.apply(this, args);
    };
  }
  try {
    await work();
  } finally {
    for (const [name, original] of originals) methods[name] = original;
  }
  return moves;
}
