/**
 * What the client can do, as a table for people, as JSON and as CSV. Pure: from results to text.
 *
 * @module
 */
import { clientCaseName } from "./client_cases.ts";
import type { ClientResult } from "./client_measure.ts";
import { formatGoal, type Judged } from "./goals.ts";
import type { Spread } from "./measure.ts";
import { csvNumber, type CsvRow, formatCells, formatSpread, formatTitles } from "./table.ts";

const COLUMNS = [
  ["case", 30],
  ["1000 messages/s (min-max)", 25],
  ["floor", 6],
  ["ratio", 5],
  ["p50 ms (min-max)", 18],
  ["floor", 6],
  ["p99 ms (min-max)", 18],
  ["floor", 6],
  ["goal", 30],
] as const;

/** The first lines of the table. */
export function formatClientHead(seconds: number, rounds: number): string {
  return [
    "",
    "the client in this process, one node in another",
    `medians of ${rounds} rounds, of 64 MiB each, or of ${seconds} s for the latency from send to the loop; floor: plain fetch`,
    "of the same bytes, or the answer to a plain write",
    "",
    formatTitles(COLUMNS),
    "",
  ].join("\n");
}

/** One line of the table. */
export function formatClient(result: ClientResult): string {
  const { messagesPerSecond, floorPerSecond, p50Ms, p99Ms, floorP50Ms, floorP99Ms } = result;
  const cells = [
    clientCaseName(result.case),
    optional(messagesPerSecond, (rate) => formatSpread(rate, 0, 1000)),
    optional(floorPerSecond, ({ median }) => (median / 1000).toFixed(0)),
    messagesPerSecond && floorPerSecond ? (messagesPerSecond.median / floorPerSecond.median).toFixed(2) : "",
    optional(p50Ms, (ms) => formatSpread(ms, 2)),
    optional(floorP50Ms, ({ median }) => median.toFixed(2)),
    optional(p99Ms, (ms) => formatSpread(ms, 2)),
    optional(floorP99Ms, ({ median }) => median.toFixed(2)),
    judgeClient(result).map((judged) => formatGoal(judged)).join(", "),
  ];
  return `${formatCells(COLUMNS, cells)}\n`;
}

/** The result beside its goals, as many as it has. */
export function judgeClient(result: ClientResult): Judged[] {
  const { messagesGoal, p50MsGoal, p99MsGoal } = result.case;
  const name = clientCaseName(result.case);
  const judged: Judged[] = [];
  if (messagesGoal !== undefined && result.messagesPerSecond) {
    const goal = { of: "messages_s", bound: messagesGoal } as const;
    judged.push({ name, value: result.messagesPerSecond.median, goal });
  }
  if (p50MsGoal !== undefined && result.p50Ms) {
    judged.push({ name, value: result.p50Ms.median, goal: { of: "p50_ms", bound: p50MsGoal, below: true } });
  }
  if (p99MsGoal !== undefined && result.p99Ms) {
    judged.push({ name, value: result.p99Ms.median, goal: { of: "p99_ms", bound: p99MsGoal, below: true } });
  }
  return judged;
}

/** A result for another program. */
export function clientToJson({ case: measured, ...figures }: ClientResult): object {
  return { name: clientCaseName(measured), ...measured, ...figures };
}

/** A result for a spreadsheet. */
export function clientToCsv(result: ClientResult): CsvRow {
  const { case: { kind, form, bytes }, messagesPerSecond, floorPerSecond, p50Ms, p99Ms } = result;
  return {
    kind: `client ${kind}`,
    form: form ?? "",
    bytes,
    messages_s: csvNumber(messagesPerSecond?.median, 0),
    floor_messages_s: csvNumber(floorPerSecond?.median, 0),
    p50_ms: csvNumber(p50Ms?.median, 3),
    p99_ms: csvNumber(p99Ms?.median, 3),
    floor_p50_ms: csvNumber(result.floorP50Ms?.median, 3),
    floor_p99_ms: csvNumber(result.floorP99Ms?.median, 3),
  };
}

function optional(value: Spread | undefined, show: (value: Spread) => string): string {
  return value ? show(value) : "";
}
