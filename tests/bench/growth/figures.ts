/**
 * How a cost grows with what there is: exponents between neighbouring sizes, and a verdict. Pure.
 *
 * An exponent is log(cost ratio) / log(size ratio): 0 where the cost does not depend on the size, 1 where it grows as the
 * size does, 2 where each of them costs as much as there are. Measured costs are noisy, and most have a fixed part beside
 * the one that grows. So one step alone proves little: two in a row have to be worse than linear, by more than the noise,
 * to be called so; where it is only the last one, that is said.
 *
 * @module
 */

/** What is expected of a figure. */
export type Expected =
  /** It has nothing to do with what is merely stored, or merely there. */
  | "constant"
  /** It may grow as the size does, not faster. */
  | "linear"
  /** It is told beside the others and not judged. */
  | "any";

/** One figure of a table. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** Digits behind the point. @default 0 */
  readonly digits?: number;
  readonly expected: Expected;
  /** Differences up to this are noise, in the figure's unit. */
  readonly noise: number;
}

/** What came out for one size; a figure that has no meaning there is left out. */
export interface Row {
  readonly size: number;
  readonly values: Readonly<Record<string, number>>;
}

/** A figure at one size. */
export interface Point {
  readonly size: number;
  readonly value: number;
  /** By the value at the smallest size. */
  readonly relative: number;
  /** What one more of them costs, from the smallest size to this one; `undefined` for that one. */
  readonly each: number | undefined;
  /** From the size before; `undefined` for the smallest. */
  readonly exponent: number | undefined;
}

/** What is to be said of it. */
export type Verdict =
  | "does not grow"
  | "no worse than linear"
  | "GROWS with what is there"
  | "worse than linear in the last step"
  | "WORSE THAN LINEAR"
  | "not judged";

/** A figure over all sizes. */
export interface Judged {
  readonly figure: Figure;
  readonly points: readonly Point[];
  readonly verdict: Verdict;
}

/** Above this, a step is worse than linear. */
export const EXPONENT_MAX = 1.1;
/** A step must exceed a linear one by this factor, however close the two sizes are. */
const STEP_MARGIN = 1.15;
/** What is expected to be constant may become this many times as much. */
export const CONSTANT_FACTOR = 1.5;

/** Judges every figure that was measured. */
export function judgeFigures(figures: readonly Figure[], rows: readonly Row[]): Judged[] {
  return figures.map((figure) => {
    const points = pointsOf(figure.name, rows);
    return { figure, points, verdict: verdictOf(figure, points) };
  }).filter(({ points }) => points.length > 0);
}

/** Whether a verdict is bad news. */
export function isBad(verdict: Verdict): boolean {
  return verdict === "WORSE THAN LINEAR" || verdict === "GROWS with what is there";
}

function pointsOf(name: string, rows: readonly Row[]): Point[] {
  const points: Point[] = [];
  for (const { size, values } of rows) {
    const value = values[name];
    if (value === undefined) continue;
    const first = points[0];
    const before = points.at(-1);
    points.push({
      size,
      value,
      relative: first ? value / first.value : 1,
      each: first && (value - first.value) / (size - first.size),
      exponent: before && Math.log(value / before.value) / Math.log(size / before.size),
    });
  }
  return points;
}

function verdictOf({ expected, noise }: Figure, points: readonly Point[]): Verdict {
  if (expected === "any" || points.length < 2) return "not judged";
  const isWorse = points.map(({ size, value, exponent }, i) => {
    const before = points[i - 1];
    if (!before || exponent === undefined) return false;
    const isMore = value > before.value * size / before.size * STEP_MARGIN && value - before.value > noise;
    return isMore && exponent > EXPONENT_MAX;
  });
  const isSustained = isWorse.some((worse, i) => worse && (isWorse[i - 1] || points.length === 2));
  if (isSustained) return "WORSE THAN LINEAR";
  if (isWorse.at(-1)) return "worse than linear in the last step";
  if (expected === "linear") return "no worse than linear";
  const [first, last] = [points[0]!.value, points.at(-1)!.value];
  return last > first * CONSTANT_FACTOR && last - first > noise
    ? "GROWS with what is there"
    : "does not grow";
}
