/**
 * What a case must reach, and the words for whether it does. Pure.
 *
 * @module
 */

/** The figure that a goal is about, and its bound. */
export interface Goal {
  readonly of: "ratio" | "p50_ms" | "p99_ms" | "mb_s" | "messages_s";
  readonly bound: number;
  /** The figure must stay below the bound; otherwise it must not. */
  readonly below?: true;
}

/** A case with a goal, and what came out. */
export interface Judged {
  readonly name: string;
  readonly value: number;
  readonly goal: Goal;
}

const UNITS: Readonly<Record<Goal["of"], readonly [unit: string, digits: number]>> = {
  ratio: ["", 2],
  p50_ms: [" ms", 2],
  p99_ms: [" ms", 2],
  mb_s: [" MB/s", 0],
  messages_s: [" messages/s", 0],
};

/** Whether the goal is reached. */
export function isReached({ value, goal: { bound, below } }: Pick<Judged, "value" | "goal">): boolean {
  return below ? value < bound : value >= bound;
}

/** The cell of a table: `0.8 ok`, `<3 ms missed`; empty where there is no goal. */
export function formatGoal(judged: Pick<Judged, "value" | "goal"> | undefined): string {
  if (!judged) return "";
  return `${formatBound(judged.goal)} ${isReached(judged) ? "ok" : "missed"}`;
}

/** The last lines of a run. */
export function formatFoot(judged: readonly Judged[]): string {
  const missed = judged.filter((one) => !isReached(one));
  const lines = missed.map(({ name, value, goal }) => {
    const [unit, digits] = UNITS[goal.of];
    return `\n  missed: ${name}: ${value.toFixed(digits)}${unit} of ${formatBound(goal)}`;
  });
  return `\n${judged.length - missed.length} of ${judged.length} goals reached${lines.join("")}\n`;
}

function formatBound({ of, bound, below }: Goal): string {
  return `${below ? "<" : ""}${bound}${UNITS[of][0]}`;
}
