/**
 * @module Tests of `lib/protocol/category_limits.ts`.
 */
import { assertEquals, assertThrows } from "@std/assert";
import {
  formatCategoryLimits,
  hasLimit,
  limitFor,
  parseCategoryChoice,
  parseCategoryLimits,
} from "../../lib/protocol/category_limits.ts";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { parseDuration } from "../../lib/quantities.ts";

const parse = (text: string) => parseCategoryLimits(text, parseDuration, "a duration");
const HOUR_MS = 3_600_000;

Deno.test("parseCategoryChoice takes patterns, on and off, and refuses what is neither", () => {
  const choice = parseCategoryChoice("logs.*, audit=off,web=on");
  assertEquals(
    ["logs.a", "audit", "web", "other"].map((category) => limitFor(choice, category) !== undefined),
    [true, false, true, false],
  );
  assertEquals(parseCategoryChoice(formatCategoryLimits(choice)), choice);
  assertEquals(hasLimit(parseCategoryChoice("off")), false);
  for (const wrong of ["", "web,", "-x", "web=7d", "*,web"]) {
    assertThrows(() => parseCategoryChoice(wrong), ChukchaError);
  }
});

Deno.test("parseCategoryLimits: the first entry that matches counts, and off is no limit", () => {
  const limits = parse("logs.web=1h, logs.*=2h,audit=off,3h");
  const found = ["logs.web", "logs.db", "audit", "orders"].map((category) => limitFor(limits, category));
  assertEquals(found, [HOUR_MS, 2 * HOUR_MS, undefined, 3 * HOUR_MS]);
  assertEquals(formatCategoryLimits(limits), "logs.web=1h,logs.*=2h,audit=off,*=3h");
  assertEquals(parse(formatCategoryLimits(limits)), limits);
});

Deno.test("parseCategoryLimits: a value alone is for every category, and what no entry matches has no limit", () => {
  assertEquals(limitFor(parse("7d"), "anything"), 7 * 24 * HOUR_MS);
  assertEquals(limitFor(parse("logs.*=7d"), "orders"), undefined);
  assertEquals(hasLimit(parse("off")), false);
  assertEquals(hasLimit(parse("audit=off,7d")), true);
  assertEquals(formatCategoryLimits([]), "off");
});

Deno.test("parseCategoryLimits names the entry that is wrong, and why", () => {
  const cases: [text: string, message: RegExp][] = [
    ["logs.*=7d,orders=7", /^"7" for "orders" is not a duration, or off$/],
    ["7x", /^"7x" is not a duration, or off; a rule for some categories is written pattern=value$/],
    ["logs.*", /^"logs\.\*" is not a duration, or off; a rule for some/],
    ["lo gs=7d", /^"lo gs=7d": "lo gs" is not a pattern of categories/],
    ["=7d", /^"=7d": "" is not a pattern/],
    ["a=7d,", /^an entry is empty/],
    ["", /^an entry is empty/],
    ["*=30d,logs.*=7d", /^"logs\.\*=7d" is never reached: "\*=30d" before it/],
    ["7d,logs=1d", /^"logs=1d" is never reached: "\*=7d" before it/],
    ["a=1h,b=1h,a=2h", /^"a=2h" is never reached: "a=1h" before it/],
    [Array.from({ length: 257 }, (_, i) => `a${i}=1h`).join(","), /^257 entries, the most are 256$/],
  ];
  for (const [text, message] of cases) {
    const error = assertThrows(() => parse(text), ChukchaError);
    assertEquals(message.test(error.message), true, `${text}: ${error.message}`);
  }
});
