/**
 * Growth is judged by sums, which are tested here; and every table is measured once, at its smallest size.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { os, testWith, tool } from "../../support/skip.ts";
import { formatCsv } from "../table.ts";
import { type Expected, type Figure, isBad, judgeFigures, type Verdict } from "./figures.ts";
import { categoryName, fillCategories, fillChunks, fillConsumers, openStore } from "./fill.ts";
import { microsBetween } from "./observe.ts";
import { formatCount, formatGrowth, formatVerdicts, growthToCsv } from "./report.ts";
import { measureTable, runGrowth, TABLES } from "./run.ts";
import { powersOfTen } from "./table.ts";

const PLAN = { seconds: 1, rounds: 1, idleSeconds: 1.5 };
/** Figures that need more than there is at the smallest size. */
const LATER = new Set([
  "/consume and /ack of a consumer",
  "256 chunks expire",
  "write 100 B x8, each other node",
  "write 1 MiB x8, each other node",
  "100 B, from the answer until everywhere",
]);

function verdictOf(values: readonly number[], expected: Expected, noise = 1): Verdict {
  const figure: Figure = { name: "cost", unit: "us", expected, noise };
  const rows = values.map((cost, i) => ({ size: 10 ** i, values: { cost } }));
  return judgeFigures([figure], rows)[0]!.verdict;
}

Deno.test("judgeFigures calls worse than linear what is so in two steps, or in the only one", () => {
  assertEquals(verdictOf([10, 100, 1_000, 10_000], "linear"), "no worse than linear");
  assertEquals(verdictOf([10, 11, 20, 110, 1_010], "linear"), "no worse than linear");
  assertEquals(verdictOf([10, 1_000, 100_000], "linear"), "WORSE THAN LINEAR");
  assertEquals(verdictOf([10, 1_000], "linear"), "WORSE THAN LINEAR");
  assertEquals(verdictOf([10, 12, 14, 2_000], "linear"), "worse than linear in the last step");
  // Twice in all, but never in a row.
  assertEquals(verdictOf([10, 150, 160, 2_400, 2_500], "linear"), "no worse than linear");
  // Within the noise, and within the margin of a step.
  assertEquals(verdictOf([0.001, 0.02, 0.4], "linear"), "no worse than linear");
  assertEquals(verdictOf([10, 114, 1_300], "linear"), "no worse than linear");
});

Deno.test("judgeFigures calls grown what is to be constant and became more than half as much again", () => {
  assertEquals(verdictOf([10, 9, 14], "constant"), "does not grow");
  assertEquals(verdictOf([10, 12, 16], "constant"), "GROWS with what is there");
  assertEquals(verdictOf([10, 12, 16], "constant", 10), "does not grow");
  assertEquals(verdictOf([10, 1_000, 100_000], "constant"), "WORSE THAN LINEAR");
  assertEquals(verdictOf([10, 1_000, 100_000], "any"), "not judged");
  assertEquals(verdictOf([10], "constant"), "not judged");
  assertEquals((["does not grow", "GROWS with what is there", "WORSE THAN LINEAR"] as const).map(isBad), [
    false,
    true,
    true,
  ]);
});

Deno.test("judgeFigures tells what one more costs, and leaves out what was not measured", () => {
  const figure: Figure = { name: "cost", unit: "us", expected: "linear", noise: 1 };
  const missing: Figure = { ...figure, name: "other" };
  const rows = [
    { size: 1, values: {} },
    { size: 10, values: { cost: 100 } },
    { size: 1_000, values: { cost: 1_090 } },
  ];
  const [judged, ...others] = judgeFigures([figure, missing], rows);
  assertEquals(others, []);
  assertEquals(judged!.points.map(({ size, relative, each }) => [size, relative, each]), [
    [10, 1, undefined],
    [1_000, 10.9, 1],
  ]);
  assertAlmostEquals(judged!.points[1]!.exponent!, Math.log(10.9) / Math.log(100));
});

Deno.test("a table of growth tells figures, exponents and verdicts in every form", () => {
  const judged = judgeFigures(
    [{ name: "cost", unit: "us", expected: "constant", noise: 1 }],
    [{ size: 1, values: { cost: 10 } }, { size: 100_000, values: { cost: 1_010 } }],
  );
  const told = { name: "things", of: "things of a node", judged };
  const text = formatGrowth(told);
  assertStringIncludes(text, "things of a node");
  assertStringIncludes(text, "100,000");
  assertStringIncludes(text, "1010  GROWS with what is there; 0.01 us each");
  assertStringIncludes(
    formatVerdicts([told]),
    "0 of 1 figures grow as they should\n  things: cost: GROWS with what is there: 10 us with 1 things of a node, " +
      "1010 us with 100,000\n",
  );
  const [head, ...lines] = formatCsv(growthToCsv(told)).trimEnd().split("\n").map((line) => line.split(","));
  assertEquals(lines.map((line) => line[head!.indexOf("size")]), ["1", "100000"]);
  assertEquals(lines[1]![head!.indexOf("exponent")], "0.401");
  assertEquals([1, 999, 1_000, 1_234_567].map(formatCount), ["1", "999", "1,000", "1,234,567"]);
  assertEquals(powersOfTen(1_000), [1, 10, 100, 1_000]);
});

Deno.test("microsBetween counts threads that came and forgets those that went", () => {
  const before = new Map([["1", 5_000], ["2", 7_000]]);
  assertEquals(microsBetween(before, new Map([["1", 8_000], ["3", 2_000]])), 5);
});

Deno.test("fill makes what is missing, and no more", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await fillCategories(directory, 2);
    await fillCategories(directory, 3);
    await fillChunks(directory, "chunks", 4);
    await fillChunks(directory, "chunks", 5);
    await fillConsumers(directory, "chunks", ["one", "two"]);
    const store = await openStore(directory);
    assertEquals(store.listCategories(), [...[0, 1, 2].map(categoryName), "chunks"]);
    assertEquals(store.listChunks(categoryName(2)).length, 1);
    const chunks = store.listChunks("chunks");
    assertEquals(chunks.length, 5);
    assert(chunks.every(({ complete, size }) => complete && size === 100));
    assertEquals(store.consumers("chunks").list().length, 2);
    await store.close();
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

for (const table of TABLES) {
  testWith(
    `the table of ${table.name} measures all that it promises`,
    [tool("wrk"), os("linux")],
    async () => {
      const directory = await Deno.makeTempDir();
      try {
        const { judged } = await measureTable(table, table.sizes[0]!, { ...PLAN, directory });
        const names = table.figures.map(({ name }) => name).filter((name) => !LATER.has(name));
        assertEquals(judged.map(({ figure }) => figure.name), names);
        for (const { figure, points } of judged) {
          assert(points.length === 1 && points[0]!.value > 0, `${figure.name}: ${points[0]?.value}`);
        }
        assertEquals([...Deno.readDirSync(directory)], [], "what was prepared is removed");
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  );
}

testWith("runGrowth refuses a pattern that chooses nothing", [os("linux")], async () => {
  const machine = {
    time: "",
    processor: "",
    cores: 1,
    memoryGib: 1,
    system: "",
    deno: "",
    wrk: "",
    commit: "",
    load: 0,
  };
  const asked = { ...PLAN, directory: "/", only: /nothing/, max: 1, form: "table" } as const;
  await assertRejects(() => runGrowth(asked, machine, () => {}), Error, '"categories"');
});
