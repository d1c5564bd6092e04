/**
 * What is measured of the client, and its goals.
 *
 * @module
 */

/** One row of the report. */
export interface ClientCase {
  readonly kind: "produce" | "consume" | "latency";
  /** In which form messages are taken. */
  readonly form?: "bytes" | "texts" | "json";
  /** Size of a message with its `\n`. */
  readonly bytes: number;
  /** Least acceptable messages a second. */
  readonly messagesGoal?: number;
  /** Longest acceptable times from `send` to the loop's body. */
  readonly p50MsGoal?: number;
  readonly p99MsGoal?: number;
}

/** Every case, in the order of the report. */
export const CLIENT_CASES: readonly ClientCase[] = [
  { kind: "produce", bytes: 100, messagesGoal: 1_000_000 },
  { kind: "consume", form: "bytes", bytes: 100 },
  { kind: "consume", form: "texts", bytes: 100 },
  { kind: "consume", form: "json", bytes: 100 },
  { kind: "latency", bytes: 100, p50MsGoal: 2, p99MsGoal: 10 },
];

/** The name by which `--only` chooses: `client consume 100 B as json`. */
export function clientCaseName({ kind, form, bytes }: ClientCase): string {
  return `client ${kind} ${bytes} B${form === undefined ? "" : ` as ${form}`}`;
}
