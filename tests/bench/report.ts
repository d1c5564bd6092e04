/**
 * What one node can do beside its floor, as a table for people, as JSON and as CSV. Pure: from results to text.
 *
 * @module
 */
import { type Case, caseName } from "./cases.ts";
import { formatGoal, type Judged } from "./goals.ts";
import type { Machine } from "./machine.ts";
import type { Figures, Result } from "./measure.ts";
import { csvNumber, type CsvRow, formatCells, formatPair, formatSpread, formatTitles } from "./table.ts";

/** Above this share of a processor, wrk itself may be what limits a figure. */
export const WRK_BUSY = 0.9;

const COLUMNS = [
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
] as const;

/** The first lines of a run: where it was measured. */
export function formatMachine(machine: Machine): string {
  const { processor, cores, memoryGib, system, deno, wrk, commit, time, load } = machine;
  return [
    `${time}  commit ${commit}  deno ${deno}  wrk ${wrk}`,
    `${processor}, ${cores} cores, ${memoryGib} GiB, ${system}, load ${load.toFixed(2)}`,
    "",
  ].join("\n");
}

/** The first lines of the table: what the columns are. */
export function formatHead(seconds: number, rounds: number): string {
  return [
    `medians of ${rounds} rounds of ${seconds} s each, node and floor in turns; a/b = node/floor; * = wrk was busy itself`,
    "",
    formatTitles(COLUMNS),
    "",
  ].join("\n");
}

/** One line of the table. */
export function formatRow(result: Result): string {
  const { case: measured, node, floor, ratio } = result;
  const busy = Math.max(node.wrkBusy, floor.wrkBusy) > WRK_BUSY ? " *" : "";
  const cells = [
    caseName(measured),
    formatSpread(node.requestsPerSecond),
    formatSpread(floor.requestsPerSecond),
    megabytesPerSecond(measured, node).toFixed(0),
    megabytesPerSecond(measured, floor).toFixed(0),
    ratio.toFixed(2),
    formatGoal(judge(result)),
    formatPair(node.processorMicros, floor.processorMicros, 1, 1),
    formatPair(node.p99Micros, floor.p99Micros, 1000, 2),
    formatPair(node.memoryBytesMax, floor.memoryBytesMax, 1024 * 1024, 0),
  ];
  return `${formatCells(COLUMNS, cells)}${busy}\n`;
}

/** The result beside its goal; `undefined` where it has none. */
export function judge({ case: measured, ratio }: Result): Judged | undefined {
  if (measured.goal === undefined) return undefined;
  return { name: caseName(measured), value: ratio, goal: { of: "ratio", bound: measured.goal } };
}

/** The whole run for another program; `results` are of {@linkcode toJson} and of its like for a cluster. */
export function formatJson(
  machine: Machine,
  seconds: number,
  rounds: number,
  results: readonly object[],
): string {
  return `${JSON.stringify({ machine, seconds, rounds, results }, undefined, 2)}\n`;
}

/** A result for another program. */
export function toJson(result: Result): object {
  const figures = (side: Figures): object => ({
    ...side,
    megabytesPerSecond: megabytesPerSecond(result.case, side),
  });
  return {
    name: caseName(result.case),
    ...result.case,
    ratio: result.ratio,
    node: figures(result.node),
    floor: figures(result.floor),
  };
}

/** A result for a spreadsheet. */
export function toCsv(result: Result): CsvRow {
  const { kind, bytes, connections, goal } = result.case;
  const sides = (["node", "floor"] as const).flatMap((side): [string, string | number][] => {
    const { requestsPerSecond: rate, processorMicros, p50Micros, p99Micros, memoryBytesMax } = result[side];
    return [
      [`${side}_req_s`, csvNumber(rate.median)],
      [`${side}_req_s_min`, csvNumber(rate.min)],
      [`${side}_req_s_max`, csvNumber(rate.max)],
      [`${side}_mb_s`, csvNumber(megabytesPerSecond(result.case, result[side]))],
      [`${side}_cpu_us`, csvNumber(processorMicros)],
      [`${side}_p50_us`, csvNumber(p50Micros)],
      [`${side}_p99_us`, csvNumber(p99Micros)],
      [`${side}_peak_bytes`, csvNumber(memoryBytesMax, 0)],
    ];
  });
  return {
    kind,
    bytes,
    connections,
    ...Object.fromEntries(sides),
    ratio: csvNumber(result.ratio, 3),
    goal: goal ?? "",
    goal_of: goal === undefined ? "" : "ratio",
  };
}

/** Millions of bytes of bodies a second. */
function megabytesPerSecond({ bytes }: Case, { requestsPerSecond }: Figures): number {
  return requestsPerSecond.median * bytes / 1e6;
}
