/**
 * @module Tests of `lib/protocol/category_pattern.ts`.
 */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { coversPattern, isCategoryPattern, matchesCategory } from "../../lib/protocol/category_pattern.ts";

Deno.test("matchesCategory takes a star for any run of characters, and everything else for itself", () => {
  const cases: [pattern: string, matching: string[], others: string[]][] = [
    ["*", ["a", "a.b-c_1"], []],
    ["orders", ["orders"], ["order", "orders1", "Orders", "xorders"]],
    ["logs.*", ["logs.", "logs.web", "logs.web.eu"], ["logs", "logsXweb", "xlogs.web"]],
    ["*-audit", ["db-audit", "a-audit-audit"], ["audit", "db-audits"]],
    ["a*b*c", ["abc", "aXbYc", "abcbc"], ["ab", "acb", "abcd"]],
    ["**", ["a"], []],
    ["a.b", ["a.b"], ["axb"]],
  ];
  for (const [pattern, matching, others] of cases) {
    for (const name of matching) assertEquals(matchesCategory(pattern, name), true, `${pattern} ${name}`);
    for (const name of others) assertEquals(matchesCategory(pattern, name), false, `${pattern} ${name}`);
  }
});

Deno.test("matchesCategory agrees with the regular expression that the pattern stands for", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", ".", "*"), maxLength: 6 });
  fc.assert(
    fc.property(pattern, text, (glob, name) => {
      const expression = new RegExp(`^${glob.replaceAll(".", "\\.").replaceAll("*", ".*")}$`);
      assertEquals(matchesCategory(glob, name), expression.test(name));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("matchesCategory takes no long time for any pattern", () => {
  const name = "a".repeat(128);
  for (let i = 0; i < 1000; i++) assertEquals(matchesCategory("*a".repeat(63) + "b", name), false);
});

Deno.test("coversPattern says whether a pattern leaves another one nothing", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 6 });
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 5 });
  fc.assert(
    fc.property(pattern, pattern, text, (one, other, name) => {
      if (coversPattern(one, other) && matchesCategory(other, name)) {
        assertEquals(matchesCategory(one, name), true);
      }
      // A character that is in neither pattern can only be what a star stands for.
      if (!coversPattern(one, other)) {
        assertEquals(matchesCategory(one, other.replaceAll("*", "c")), false);
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("isCategoryPattern refuses what could match no category", () => {
  for (const good of ["*", "a", "logs.*", "*.x", "A-_.9"]) assertEquals(isCategoryPattern(good), true, good);
  for (const bad of ["", ".a", "-a", "a/b", "a b", "a?", "[ab]", "é", "a".repeat(129)]) {
    assertEquals(isCategoryPattern(bad), false, bad);
  }
});
