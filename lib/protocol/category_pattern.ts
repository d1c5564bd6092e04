/**
 * Patterns of category names, as settings and access rules use them: `*` stands for any run of characters, also none;
 * everything else stands for itself.
 *
 * ```text
 * *           every category
 * logs.*      logs.web, logs.; not logs
 * *-audit     db-audit, -audit
 * orders      orders alone
 * ```
 *
 * Refuses what could never match a category. Rejected: regular expressions (a dot in a name would match anything, and
 * a careless one takes for ever), and `?` or `[a-z]` (nobody needs them for names, and each is one more thing to get
 * wrong where a mistake deletes data or opens a door).
 *
 * @module
 */
const PATTERN = /^[A-Za-z0-9_*][A-Za-z0-9._*-]{0,127}$/;

/** How a pattern is written, to follow "is not". */
export const CATEGORY_PATTERN_RULE =
  "a pattern of categories: 1 to 128 of A-Z a-z 0-9 . _ - and * for any characters, the first not . or -";

/** Whether `text` is a pattern. */
export function isCategoryPattern(text: string): boolean {
  return PATTERN.test(text);
}

/**
 * Whether a category is one of those that the pattern stands for. Takes at most pattern times name steps.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { matchesCategory } from "./category_pattern.ts";
 * assertEquals(matchesCategory("logs.*", "logs.web"), true);
 * assertEquals(matchesCategory("logs.*", "logs"), false);
 * ```
 */
export function matchesCategory(pattern: string, category: string): boolean {
  let at = 0;
  let read = 0;
  // Behind the last `*`, and up to where it stands for the name as far as was tried.
  let star = -1;
  let swallowed = 0;
  while (read < category.length) {
    if (pattern[at] === "*") {
      star = ++at;
      swallowed = read;
    } else if (pattern[at] === category[read]) {
      at++;
      read++;
    } else if (star >= 0) {
      at = star;
      read = ++swallowed;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

/**
 * Whether one pattern stands for all that the other does: then nothing is left for the other to match behind it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { coversPattern } from "./category_pattern.ts";
 * assertEquals(coversPattern("logs.*", "logs.web.*"), true);
 * assertEquals(coversPattern("logs.*", "*.web"), false);
 * ```
 */
export function coversPattern(pattern: string, other: string): boolean {
  // A `*` of the other is a character like any other here, which only a `*` can stand for.
  return matchesCategory(pattern, other);
}
