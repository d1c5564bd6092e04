/**
 * A run as a table for people, as JSON and as CSV. Pure: from results to text.
 *
 * @module
 */
import { type Case, caseName } from "./cases.ts";
import type { Machine } from "./machine.ts";
import type { Figures, Result, Spread } from "./measure.ts";

/** Above this share of a processor, wrk itself may be what limits a figure. */
const WRK_BUSY = 0.9;

const COLUMNS: readonly [title: string, width: number][] = [
  ["case", 17],
  ["node req/s (min-max)", 25],
  ["floor req/s (min-max)", 25],
  ["node MB/s", 9],
  ["floor MB/s", 10],
  ["ratio", 5],
  ["goal", 9],
  ["CPU us/req", 13],
  ["p99 ms", 13],
  ["peak MiB", 9],
];

/** The first lines of a table: where it was measured, what the columns are. */
export function formatHead(machine: Machine, seconds: number, rounds: number): string {
  const { processor, cores, memoryGib, system, deno, wrk, commit, time, load } = machine;
  return [
    `${time}  commit ${commit}  deno ${deno}  wrk ${wrk}`,
    `${processor}, ${cores} cores, ${memoryGib} GiB, ${system}, load ${load.toFixed(2)}`,
    `medians of ${rounds} rounds of ${seconds} s each, node and floor in turns; a/b = node/floor; * = wrk was busy itself`,
    "",
    row(COLUMNS.map(([title]) => title)),
    "",
  ].join("\n");
}

/** One line of the table. */
export function formatRow({ case: measured, node, floor, ratio }: Result): string {
  const busy = Math.max(node.wrkBusy, floor.wrkBusy) > WRK_BUSY ? " *" : "";
  return `${
    row([
      caseName(measured),
      formatSpread(node.requestsPerSecond),
      formatSpread(floor.requestsPerSecond),
      megabytesPerSecond(measured, node).toFixed(0),
      megabytesPerSecond(measured, floor).toFixed(0),
      ratio.toFixed(2),
      formatGoal(measured.goal, ratio),
      pair(node.processorMicros, floor.processorMicros, 1, 1),
      pair(node.p99Micros, floor.p99Micros, 1000, 2),
      pair(node.memoryBytesMax, floor.memoryBytesMax, 1024 * 1024, 0),
    ])
  }${busy}\n`;
}

/** The last line of the table. */
export function formatFoot(results: readonly Result[]): string {
  const withGoal = results.filter((result) => result.case.goal !== undefined);
  const missed = withGoal.filter(missesGoal);
  return `\n${withGoal.length - missed.length} of ${withGoal.length} goals reached${
    missed.map((result) =>
      `\n  missed: ${caseName(result.case)}: ${result.ratio.toFixed(2)} of ${result.case.goal}`
    )
      .join("")
  }\n`;
}

/** Whether a result is below its goal. */
export function missesGoal({ case: { goal }, ratio }: Result): boolean {
  return goal !== undefined && ratio < goal;
}

/** The whole run for another program. */
export function formatJson(
  machine: Machine,
  seconds: number,
  rounds: number,
  results: readonly Result[],
): string {
  const figures = (measured: Case, side: Figures): unknown => ({
    ...side,
    megabytesPerSecond: megabytesPerSecond(measured, side),
  });
  const rows = results.map((result) => ({
    name: caseName(result.case),
    ...result.case,
    ratio: result.ratio,
    node: figures(result.case, result.node),
    floor: figures(result.case, result.floor),
  }));
  return `${JSON.stringify({ machine, seconds, rounds, results: rows }, undefined, 2)}\n`;
}

/** The whole run for a spreadsheet: one line per case. */
export function formatCsv(results: readonly Result[]): string {
  const sides = ["node", "floor"] as const;
  const columns = ["req_s", "req_s_min", "req_s_max", "mb_s", "cpu_us", "p50_us", "p99_us", "peak_bytes"];
  const head = ["kind", "bytes", "connections", ...sides.flatMap((s) => columns.map((c) => `${s}_${c}`))];
  const lines = results.map((result) => [
    ...[result.case.kind, result.case.bytes, result.case.connections],
    ...sides.flatMap((side) => {
      const { requestsPerSecond: rate, processorMicros, p50Micros, p99Micros, memoryBytesMax } = result[side];
      const throughput = megabytesPerSecond(result.case, result[side]);
      return [
        ...[rate.median, rate.min, rate.max, throughput].map((value) => value.toFixed(1)),
        ...[processorMicros, p50Micros, p99Micros].map((value) => value?.toFixed(1) ?? ""),
        memoryBytesMax ?? "",
      ];
    }),
    result.ratio.toFixed(3),
    result.case.goal ?? "",
  ]);
  return [[...head, "ratio", "goal"], ...lines].map((line) => `${line.join(",")}\n`).join("");
}

/** Millions of bytes of bodies a second. */
function megabytesPerSecond({ bytes }: Case, { requestsPerSecond }: Figures): number {
  return requestsPerSecond.median * bytes / 1e6;
}

function formatSpread({ median, min, max }: Spread): string {
  return `${median.toFixed(0)} (${min.toFixed(0)}-${max.toFixed(0)})`;
}

function formatGoal(goal: number | undefined, ratio: number): string {
  return goal === undefined ? "" : `${goal} ${ratio >= goal ? "ok" : "missed"}`;
}

function pair(a: number | undefined, b: number | undefined, unit: number, digits: number): string {
  const one = (value: number | undefined): string =>
    value === undefined ? "-" : (value / unit).toFixed(digits);
  return `${one(a)}/${one(b)}`;
}

/** Cells side by side: the first to the left, the others to the right. */
function row(cells: readonly string[]): string {
  return cells.map((cell, i) => i === 0 ? cell.padEnd(COLUMNS[i]![1]) : cell.padStart(COLUMNS[i]![1])).join(
    "  ",
  )
    .trimEnd();
}
