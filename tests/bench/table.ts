/**
 * Cells of the bench's tables and of its CSV. Pure.
 *
 * @module
 */
import type { Spread } from "./measure.ts";

/** Title and width of each column. */
export type Columns = readonly (readonly [title: string, width: number])[];

/** One line of a CSV, by column. */
export type CsvRow = Readonly<Record<string, string | number>>;

/** Cells side by side: the first to the left, the others to the right. */
export function formatCells(columns: Columns, cells: readonly string[]): string {
  return cells.map((cell, i) => i === 0 ? cell.padEnd(columns[i]![1]) : cell.padStart(columns[i]![1]))
    .join("  ")
    .trimEnd();
}

/** The titles of a table. */
export function formatTitles(columns: Columns): string {
  return formatCells(columns, columns.map(([title]) => title));
}

/** `75 (74-76)`, in units of `unit`. */
export function formatSpread({ median, min, max }: Spread, digits = 0, unit = 1): string {
  const [middle, least, most] = [median, min, max].map((value) => (value / unit).toFixed(digits));
  return `${middle} (${least}-${most})`;
}

/** `12.5/8.0`, in units of `unit`; what is not known is a dash. */
export function formatPair(
  a: number | undefined,
  b: number | undefined,
  unit: number,
  digits: number,
): string {
  const one = (value: number | undefined): string =>
    value === undefined ? "-" : (value / unit).toFixed(digits);
  return `${one(a)}/${one(b)}`;
}

/** A number for a spreadsheet; what is not known is empty. */
export function csvNumber(value: number | undefined, digits = 1): string {
  return value?.toFixed(digits) ?? "";
}

/** Rows of different columns under one head: what a row does not have is empty. */
export function formatCsv(rows: readonly CsvRow[]): string {
  const head = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = rows.map((row) => head.map((column) => row[column] ?? ""));
  return [head, ...lines].map((line) => `${line.join(",")}\n`).join("");
}
