/**
 * One run side by side: who is there, what is measured, and in which form it is told.
 *
 * @module
 */
import { formatMachine } from "../report.ts";
import type { Machine } from "../machine.ts";
import type { Form } from "../run.ts";
import type { Contender } from "./contender.ts";
import { CONTENDERS } from "./contenders.ts";
import { measureBeside } from "./measure.ts";
import { besideToCsv, formatBeside, judgeBeside, plotBeside } from "./report.ts";
import { FIGURES, figuresOf, worksOf } from "./works.ts";

/** What was asked for. */
export interface Asked {
  /** Figures by name. */
  readonly only: RegExp;
  readonly messages: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly directory: string;
  readonly form: Form;
  /** Where a plot is written to. */
  readonly plot?: string;
}

/** Measures and prints; resolves with whether all goals were reached. */
export async function runBeside(
  { only, messages, rounds, seconds, directory, form, plot }: Asked,
  machine: Machine,
  print: (text: string) => void,
): Promise<boolean> {
  const versions = await Promise.all(CONTENDERS.map(versionOf));
  const there = CONTENDERS.filter((_, i) => versions[i] !== undefined);
  const names = there.map(({ name }) => name);
  const show = (text: string): void => {
    if (form === "table") print(text);
  };
  show(formatMachine(machine));
  for (const [i, { name, about }] of CONTENDERS.entries()) {
    show(`${name}: ${about}; ${versions[i] ?? "not installed, left out"}\n`);
  }
  show(`${messages} messages of 100 B; medians of ${rounds} rounds (least-most), all in turns\n\n`);
  const works = worksOf(messages).filter((work) => figuresOf(work).some((name) => only.test(name)));
  if (works.length === 0) {
    throw new Error(`--only: none of ${FIGURES.map(({ name }) => `"${name}"`).join(", ")} matches ${only}`);
  }
  const plan = { works, contenders: there, rounds, seconds, directory };
  const measured = await measureBeside(plan, progress);
  const rows = judgeBeside(measured, there[0]!.name);
  if (form === "csv") print(besideToCsv(rows));
  else if (form === "json") print(`${JSON.stringify({ machine, rows: rows.map(toJson) }, null, 2)}\n`);
  else print(formatBeside(rows, names));
  if (plot !== undefined) await Deno.writeTextFile(plot, plotBeside(rows, names));
  return rows.every(({ reached }) => reached !== false);
}

async function versionOf(contender: Contender): Promise<string | undefined> {
  try {
    return await contender.version();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** On a terminal, what is going on now; a run takes a quarter of an hour. */
function progress(text: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
}

function toJson({ figure, values, ratio, reached }: ReturnType<typeof judgeBeside>[number]): object {
  return {
    figure: figure.name,
    unit: figure.unit,
    values: Object.fromEntries(values),
    ratio: ratio ?? null,
    goal: figure.goal ?? null,
    reached: reached ?? null,
  };
}
