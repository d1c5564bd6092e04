/**
 * A limit for each category, by pattern, as a setting writes it: `logs.*=7d,audit=off,*=30d`.
 *
 * The first entry whose pattern matches counts; `off` is no limit, and so is no entry. A value alone stands for `*`, so
 * `7d` is a rule for every category. Refuses an entry that an earlier one leaves nothing to match: `*=30d,logs.*=7d`
 * would say one thing to a person and another to the program.
 *
 * Rejected: the most specific pattern counts, in whatever order (`a*` and `*b` are equally specific for `ab`), and an
 * object in the configuration file (a flag and a variable need a text, and two ways of writing one rule are one too many).
 *
 * @module
 */
import {
  CATEGORY_PATTERN_RULE,
  coversPattern,
  isCategoryPattern,
  matchesCategory,
} from "./category_pattern.ts";
import { ChukchaError, quote } from "./errors.ts";
import { CATEGORY_LIMITS_MAX } from "./limits.ts";

/** One entry. */
export interface CategoryLimit {
  readonly pattern: string;
  /** `undefined` for no limit. */
  readonly limit: number | undefined;
  /** The limit as it was written. */
  readonly text: string;
}

/** The entries, in the order in which they are tried. */
export type CategoryLimits = readonly CategoryLimit[];

/** What stands for no limit. */
const OFF = "off";
/** What stands for a rule without a value. */
const ON = "on";

/**
 * Takes such a text apart. Blanks around entries do no harm.
 *
 * @param parseLimit `undefined` for what is no limit
 * @param rule what `parseLimit` takes, to follow "is not"
 * @throws ChukchaError `invalid_parameter` naming the entry and the rule
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { limitFor, parseCategoryLimits } from "./category_limits.ts";
 * const limits = parseCategoryLimits("logs.*=7,audit=off,30", Number, "a number");
 * assertEquals(limitFor(limits, "logs.web"), 7);
 * assertEquals(limitFor(limits, "audit"), undefined);
 * assertEquals(limitFor(limits, "orders"), 30);
 * ```
 */
export function parseCategoryLimits(
  text: string,
  parseLimit: (text: string) => number | undefined,
  rule: string,
): CategoryLimits {
  const entries = text.split(",").map((entry) => entry.trim());
  if (entries.length > CATEGORY_LIMITS_MAX) {
    throw refused(`${entries.length} entries, the most are ${CATEGORY_LIMITS_MAX}`);
  }
  const limits = entries.map((entry) => parseEntry(entry, parseLimit, rule));
  limits.forEach(({ pattern, text }, i) => {
    const before = limits.slice(0, i).find((earlier) => coversPattern(earlier.pattern, pattern));
    if (!before) return;
    throw refused(
      `${quote(`${pattern}=${text}`)} is never reached: ${
        quote(`${before.pattern}=${before.text}`)
      } before it ` +
        "matches all that it does; the first match counts, so put what is special first",
    );
  });
  return limits;
}

function parseEntry(
  entry: string,
  parseLimit: (text: string) => number | undefined,
  rule: string,
): CategoryLimit {
  if (entry === "") throw refused(`an entry is empty: write pattern=value, as in "logs.*=…,*=…"`);
  const at = entry.indexOf("=");
  const pattern = at < 0 ? "*" : entry.slice(0, at).trim();
  const text = entry.slice(at + 1).trim();
  if (!isCategoryPattern(pattern)) {
    throw refused(`${quote(entry)}: ${quote(pattern)} is not ${CATEGORY_PATTERN_RULE}`);
  }
  if (text === OFF) return { pattern, limit: undefined, text };
  const limit = parseLimit(text);
  if (limit !== undefined) return { pattern, limit, text };
  const hint = at < 0 && isCategoryPattern(text)
    ? `; a rule for some categories is written pattern=value`
    : "";
  throw refused(
    `${quote(text)}${at < 0 ? "" : ` for ${quote(pattern)}`} is not ${rule}, or ${OFF}${hint}`,
  );
}

/**
 * The same for a rule that has no value, but is there or not: `logs.*,web` or `audit=off,*`. A pattern alone is one that
 * has it; `off` alone is none.
 *
 * @throws ChukchaError `invalid_parameter` naming the entry and the rule
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { limitFor, parseCategoryChoice } from "./category_limits.ts";
 * const choice = parseCategoryChoice("audit=off,*");
 * assertEquals(["audit", "web"].map((category) => limitFor(choice, category) !== undefined), [false, true]);
 * ```
 */
export function parseCategoryChoice(text: string): CategoryLimits {
  const entries = text.split(",").map((entry) => entry.trim());
  const full = entries.map((entry) =>
    entry === "" || entry === OFF || entry.includes("=") ? entry : `${entry}=${ON}`
  );
  return parseCategoryLimits(full.join(","), (value) => value === ON ? 1 : undefined, ON);
}

/** The reverse of {@linkcode parseCategoryLimits}; `off` if there is none. */
export function formatCategoryLimits(limits: CategoryLimits): string {
  return limits.map(({ pattern, text }) => `${pattern}=${text}`).join(",") || OFF;
}

/** The limit of a category; `undefined` if it has none. */
export function limitFor(limits: CategoryLimits, category: string): number | undefined {
  return limits.find(({ pattern }) => matchesCategory(pattern, category))?.limit;
}

/** Whether any category can have a limit. */
export function hasLimit(limits: CategoryLimits): boolean {
  return limits.some(({ limit }) => limit !== undefined);
}

function refused(message: string): ChukchaError {
  return new ChukchaError("invalid_parameter", message);
}
