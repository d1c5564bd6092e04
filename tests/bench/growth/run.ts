/**
 * One run: measures the tables that were chosen, and tells each in one of three forms. In the text, each table is told as
 * soon as it is measured; the forms for programs come at the end.
 *
 * @module
 */
import type { Machine } from "../machine.ts";
import { formatMachine } from "../report.ts";
import type { Form } from "../run.ts";
import { formatCsv } from "../table.ts";
import { CATEGORIES } from "./categories.ts";
import { CHUNKS } from "./chunks.ts";
import { BUSY_CONNECTIONS, IDLE_CONNECTIONS } from "./connections.ts";
import { CONSUMERS } from "./consumers.ts";
import { isBad, judgeFigures, type Row } from "./figures.ts";
import { NODES } from "./nodes.ts";
import { formatCount, formatGrowth, formatVerdicts, growthToCsv, type Told } from "./report.ts";
import { SIZES } from "./sizes.ts";
import type { GrowthPlan, GrowthTable } from "./table.ts";
import { TAILS } from "./tails.ts";

/** All tables, in this order. */
export const TABLES: readonly GrowthTable[] = [
  CATEGORIES,
  CHUNKS,
  IDLE_CONNECTIONS,
  BUSY_CONNECTIONS,
  TAILS,
  CONSUMERS,
  SIZES,
  NODES,
];

/** What was asked for. */
export interface GrowthAsked extends GrowthPlan {
  /** Tables by name. */
  readonly only: RegExp;
  /** The largest size. */
  readonly max: number;
  readonly form: Form;
}

/** Measures and prints; resolves with whether everything grows as it should. */
export async function runGrowth(
  { only, max, form, ...plan }: GrowthAsked,
  machine: Machine,
  print: (text: string) => void,
): Promise<boolean> {
  if (Deno.build.os !== "linux") {
    throw new Error("--growth: what a process costs is looked up in Linux's /proc");
  }
  const tables = TABLES.filter(({ name }) => only.test(name));
  if (tables.length === 0) {
    throw new Error(`--only: none of ${TABLES.map(({ name }) => `"${name}"`).join(", ")} matches ${only}`);
  }
  const show = (text: string): void => {
    if (form === "table") print(text);
  };
  show(formatMachine(machine));
  const told: Told[] = [];
  for (const table of tables) {
    const result = await measureTable(table, max, plan);
    told.push(result);
    show(`\n${table.name}: ${table.about}\n\n${formatGrowth(result)}`);
  }
  show(formatVerdicts(told));
  if (form === "csv") print(formatCsv(told.flatMap(growthToCsv)));
  if (form === "json") {
    print(`${JSON.stringify({ machine, plan, rows: told.flatMap(growthToCsv) }, null, 2)}\n`);
  }
  return told.every(({ judged }) => judged.every(({ verdict }) => !isBad(verdict)));
}

/** Measures one table up to a size. */
export async function measureTable(table: GrowthTable, max: number, plan: GrowthPlan): Promise<Told> {
  const sizes = table.sizes.filter((size) => size <= max);
  if (sizes.length === 0) throw new Error(`--max: ${table.name} begins with ${table.sizes[0]}`);
  const rows: Row[] = [];
  progress(`${table.name}: ${formatCount(sizes[0]!)}`);
  for await (const row of table.measure(sizes, plan)) {
    rows.push(row);
    const next = sizes[rows.length];
    progress(next === undefined ? "" : `${table.name}: ${formatCount(next)}`);
  }
  return { name: table.name, of: table.of, judged: judgeFigures(table.figures, rows) };
}

/** On a terminal, what is going on now; the largest sizes take minutes. */
function progress(text: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
}
