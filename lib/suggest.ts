/**
 * "Did you mean": the known name that a mistyped one is nearest to.
 *
 * @module
 */

/** Edit distance in which swapping two neighbours counts as one edit. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
        ? before[j - 2]! + 1
        : Infinity;
      row.push(
        Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1), swap),
      );
    }
    before = above;
    above = row;
  }
  return above[b.length]!;
}

/**
 * The name of `known` that `word` is nearest to, if it is near enough to be what was meant: a third of its
 * letters may be wrong, or one of the two is the beginning of the other.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { nearest } from "./suggest.ts";
 * assertEquals(nearest("tial", ["tail", "read"]), "tail");
 * assertEquals(nearest("xyzzy", ["tail", "read"]), undefined);
 * ```
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestEdits = Infinity;
  const typed = word.toLowerCase();
  if (typed.length < 2 || typed.length > 64) return undefined;
  for (const name of known) {
    const candidate = name.toLowerCase();
    const begins = candidate.startsWith(typed) || typed.startsWith(candidate);
    const edits = begins ? 0.5 : distance(typed, candidate);
    if (edits < bestEdits && edits <= Math.max(1, Math.floor(candidate.length / 3))) {
      best = name;
      bestEdits = edits;
    }
  }
  return best;
}

/** ` (did you mean …?)`, or nothing: to be put behind a message about an unknown name. */
export function didYouMean(word: string, known: Iterable<string>, prefix = ""): string {
  const name = nearest(word, known);
  return name === undefined ? "" : ` (did you mean ${prefix}${name}?)`;
}
