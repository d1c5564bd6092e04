/**
 * How results side by side are judged and told; what is measured is for `deno task bench --beside` itself.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { besideToCsv, formatBeside, judgeBeside, plotBeside } from "./report.ts";
import { quantile, timeSingles } from "./timing.ts";
import { FIGURES, figuresOf, worksOf } from "./works.ts";

const MEASURED = new Map([
  ["ingest, batched", new Map([["Own", [900, 1_000, 1_100]], ["Redis", [100, 190, 200]], ["NATS", [50]]])],
  ["publish to consume p99", new Map([["Own", [2]], ["Redis", [0.5]], ["NATS", [1]]])],
  ["singles x8, synced", new Map([["Own", [10]]])],
]);

Deno.test("judgeBeside: the best of the others counts, or the one that the goal names; less is better for times", () => {
  const rows = judgeBeside(MEASURED, "Own");
  assertEquals(rows.map(({ figure, ratio, reached }) => [figure.name, ratio, reached]), [
    ["ingest, batched", 1_000 / 190, true],
    ["publish to consume p99", 0.5, false],
    ["singles x8, synced", undefined, undefined],
  ]);
});

Deno.test("formatBeside, besideToCsv, plotBeside: everybody's figures, and a dash for who has none", () => {
  const rows = judgeBeside(MEASURED, "Own");
  const table = formatBeside(rows, ["Own", "Redis", "NATS"]);
  assertStringIncludes(table, "1,000 (900-1,100)");
  assertStringIncludes(table, "1 NATS missed");
  assert(table.split("\n").some((line) => line.startsWith("singles x8, synced") && line.includes(" - ")));
  assertEquals(besideToCsv(rows).trimEnd().split("\n").length, 1 + 3 + 3 + 1);
  const plot = plotBeside(rows, ["Own", "Redis", "NATS"]);
  assertEquals(plot.match(/<rect /g)?.length, 1 + 3 + 7);
  assertStringIncludes(plot, "publish to consume p99, ms (less is better)");
});

Deno.test("works: each figure comes of exactly one piece of work", () => {
  const names = worksOf(100).flatMap(figuresOf);
  assertEquals(names.toSorted(), FIGURES.map(({ name }) => name).toSorted());
});

Deno.test("timing: quantiles, and how often connections were answered", async () => {
  assertEquals([quantile([3, 1, 2], 0.5), quantile([3, 1, 2], 0.99)], [2, 3]);
  const counts = [0, 0];
  const { perSecond } = await timeSingles(2, 0.01, (connection) => {
    counts[connection]!++;
    return new Promise((resolve) => setTimeout(resolve, 0));
  });
  assert(perSecond > 0 && counts.every((count) => count > 0));
});
