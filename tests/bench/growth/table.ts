/**
 * What a table of growth is: sizes, figures, and how they are measured.
 *
 * @module
 */
import type { Figure, Row } from "./figures.ts";

/** How to measure. */
export interface GrowthPlan {
  /** Where data directories are made; a real disk. */
  readonly directory: string;
  /** Length of a round of load. */
  readonly seconds: number;
  /** Rounds of each, of which the median counts. */
  readonly rounds: number;
  /** How long an idle node is looked at. */
  readonly idleSeconds: number;
}

/** One table. */
export interface GrowthTable {
  /** By which `--only` chooses it. */
  readonly name: string;
  /** What grows: `categories`. */
  readonly of: string;
  /** How it was measured, in a sentence or two. */
  readonly about: string;
  /** Ascending. */
  readonly sizes: readonly number[];
  readonly figures: readonly Figure[];
  /** Measures size by size, in that order. */
  measure(sizes: readonly number[], plan: GrowthPlan): AsyncGenerator<Row>;
}

/** 1, 10, 100, … up to `max`. */
export function powersOfTen(max: number): number[] {
  const sizes: number[] = [];
  for (let size = 1; size <= max; size *= 10) sizes.push(size);
  return sizes;
}
