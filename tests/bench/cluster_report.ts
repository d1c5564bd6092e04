/**
 * What a cluster can do, as tables for people, as JSON and as CSV. Pure: from results to text.
 *
 * @module
 */
import { clusterCaseName } from "./cluster_cases.ts";
import type { CatchUpResult } from "./cluster_catch_up.ts";
import type { ClusterWriteResult } from "./cluster_writes.ts";
import { formatGoal, type Judged } from "./goals.ts";
import { WRK_BUSY } from "./report.ts";
import { csvNumber, type CsvRow, formatCells, formatPair, formatSpread, formatTitles } from "./table.ts";

const MIB = 1024 * 1024;

const WRITE_COLUMNS = [
  ["case", 27],
  ["p50 ms (min-max)", 20],
  ["p99 ms", 7],
  ["answered/s (min-max)", 22],
  ["everywhere/s", 12],
  ["MB/s", 11],
  ["of N=0", 9],
  ["same after ms", 13],
  ["goal", 12],
  ["CPU us/req", 15],
  ["peak MiB", 9],
] as const;

const CATCH_UP_COLUMNS = [
  ["case", 27],
  ["MB/s (min-max)", 20],
  ["seconds", 7],
  ["CPU s", 11],
  ["goal", 15],
  ["peak MiB", 9],
  ["SHA-256 same", 12],
] as const;

/** The first lines of the table of writes. */
export function formatWritesHead(seconds: number, rounds: number): string {
  return [
    "",
    "writes to one of three nodes on this machine, answered once N others hold them",
    `medians of ${rounds} rounds of ${seconds} s each, N = 0, 1, 2 in turns; everywhere: counted until all nodes held the same,`,
    "which was so long after the round; MB/s and of N=0: answered/everywhere; CPU, peak: node written to/others",
    "",
    formatTitles(WRITE_COLUMNS),
    "",
  ].join("\n");
}

/** One line of the table of writes. */
export function formatWrite(result: ClusterWriteResult): string {
  const { case: measured, figures, ratio, everywhereRatio } = result;
  const { answeredPerSecond, everywherePerSecond, p50Micros, p99Micros, sameMs, wrkBusy } = figures;
  const [processor, memory] = [figures.processorMicros, figures.memoryBytesMax];
  const cells = [
    clusterCaseName(measured),
    formatSpread(p50Micros, 2, 1000),
    (p99Micros.median / 1000).toFixed(2),
    formatSpread(answeredPerSecond),
    everywherePerSecond.median.toFixed(0),
    formatPair(
      answeredPerSecond.median * measured.bytes,
      everywherePerSecond.median * measured.bytes,
      1e6,
      measured.bytes < MIB ? 2 : 0,
    ),
    measured.replicas === 0 ? "" : formatPair(ratio, everywhereRatio, 1, 2),
    sameMs.median.toFixed(0),
    formatGoal(judgeWrite(result)),
    formatPair(processor?.writer, processor?.others, 1, 1),
    formatPair(memory?.writer, memory?.others, MIB, 0),
  ];
  return `${formatCells(WRITE_COLUMNS, cells)}${wrkBusy > WRK_BUSY ? " *" : ""}\n`;
}

/** The first lines of the table of catch-ups. */
export function formatCatchUpHead(rounds: number): string {
  return [
    "",
    "an empty node takes what another one holds, from when it listens until it lists the same",
    `medians of ${rounds} rounds; a/b = the node that holds it/the one that was empty`,
    "",
    formatTitles(CATCH_UP_COLUMNS),
    "",
  ].join("\n");
}

/** One line of the table of catch-ups. */
export function formatCatchUp(result: CatchUpResult): string {
  const { case: measured, bytesPerSecond, processorMicros, memoryBytesMax, chunksCompared } = result;
  const cells = [
    clusterCaseName(measured),
    formatSpread(bytesPerSecond, 0, 1e6),
    (measured.bytes / bytesPerSecond.median).toFixed(2),
    formatPair(processorMicros?.source, processorMicros?.copy, 1e6, 2),
    formatGoal(judgeCatchUp(result)),
    formatPair(memoryBytesMax?.source, memoryBytesMax?.copy, MIB, 0),
    `${chunksCompared} chunks`,
  ];
  return `${formatCells(CATCH_UP_COLUMNS, cells)}\n`;
}

/** The result beside its goal; `undefined` where it has none. */
export function judgeWrite({ case: measured, figures, ratio }: ClusterWriteResult): Judged | undefined {
  const { goal } = measured;
  if (!goal) return undefined;
  const value = goal.of === "p50_ms" ? figures.p50Micros.median / 1000 : ratio;
  return { name: clusterCaseName(measured), value, goal };
}

/** The result beside its goal. */
export function judgeCatchUp({ case: measured, bytesPerSecond }: CatchUpResult): Judged {
  return { name: clusterCaseName(measured), value: bytesPerSecond.median / 1e6, goal: measured.goal };
}

/** A result for another program. */
export function clusterToJson(result: ClusterWriteResult | CatchUpResult): object {
  const { case: measured, ...figures } = result;
  return { name: clusterCaseName(measured), ...measured, ...figures };
}

/** A result for a spreadsheet: the columns that one node has too, then its own. */
export function writeToCsv({ case: measured, figures, ratio, everywhereRatio }: ClusterWriteResult): CsvRow {
  const { kind, bytes, connections, replicas, goal } = measured;
  const { answeredPerSecond: rate, processorMicros: processor, memoryBytesMax: memory } = figures;
  const everywhere = figures.everywherePerSecond.median;
  return {
    kind,
    bytes,
    connections,
    node_req_s: csvNumber(rate.median),
    node_req_s_min: csvNumber(rate.min),
    node_req_s_max: csvNumber(rate.max),
    node_mb_s: csvNumber(rate.median * bytes / 1e6),
    node_cpu_us: csvNumber(processor?.writer),
    node_p50_us: csvNumber(figures.p50Micros.median),
    node_p99_us: csvNumber(figures.p99Micros.median),
    node_peak_bytes: csvNumber(memory?.writer, 0),
    ratio: csvNumber(ratio, 3),
    goal: goal?.bound ?? "",
    goal_of: goal?.of ?? "",
    min_sync_replicas: replicas,
    everywhere_req_s: csvNumber(everywhere),
    everywhere_mb_s: csvNumber(everywhere * bytes / 1e6),
    everywhere_ratio: csvNumber(everywhereRatio, 3),
    same_after_ms: csvNumber(figures.sameMs.median),
    others_cpu_us: csvNumber(processor?.others),
    others_peak_bytes: csvNumber(memory?.others, 0),
  };
}

/** A result for a spreadsheet; `node` is the one that was empty, `others` the one that holds it. */
export function catchUpToCsv(result: CatchUpResult): CsvRow {
  const { case: { kind, bytes, goal }, bytesPerSecond: rate, processorMicros, memoryBytesMax } = result;
  return {
    kind,
    bytes,
    node_mb_s: csvNumber(rate.median / 1e6),
    node_mb_s_min: csvNumber(rate.min / 1e6),
    node_mb_s_max: csvNumber(rate.max / 1e6),
    node_cpu_us: csvNumber(processorMicros?.copy, 0),
    node_peak_bytes: csvNumber(memoryBytesMax?.copy, 0),
    goal: goal.bound,
    goal_of: goal.of,
    others_cpu_us: csvNumber(processorMicros?.source, 0),
    others_peak_bytes: csvNumber(memoryBytesMax?.source, 0),
  };
}
