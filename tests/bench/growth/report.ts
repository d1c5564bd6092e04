/**
 * What came of a table, as text for people, as CSV, and as JSON. Pure.
 *
 * In the text, sizes stand side by side: below the figure itself what it is by the one at the smallest size, and the
 * exponent from the size before.
 *
 * @module
 */
import { type CsvRow, formatCells } from "../table.ts";
import { isBad, type Judged, type Point } from "./figures.ts";

/** What is told of a table. */
export interface Told {
  readonly name: string;
  /** What grows: `categories`. */
  readonly of: string;
  readonly judged: readonly Judged[];
}

const NAME_WIDTH = 46;
const CELL_WIDTH = 9;

/** The table. */
export function formatGrowth({ of, judged }: Told): string {
  const sizes = [...new Set(judged.flatMap(({ points }) => points.map(({ size }) => size)))];
  const columns = [["", NAME_WIDTH], ...sizes.map(() => ["", CELL_WIDTH] as const), ["", 0]] as const;
  const line = (name: string, cell: (size: number) => string, end = ""): string =>
    `${formatCells(columns, [name, ...sizes.map(cell), end])}\n`;
  const head = line(of, (size) => formatCount(size));
  return head + judged.map(({ figure, points, verdict }) => {
    const at = (size: number, tell: (point: Point) => string): string => {
      const point = points.find((one) => one.size === size);
      return point ? tell(point) : "-";
    };
    return line(
      `${figure.name}, ${figure.unit}`,
      (size) => at(size, ({ value }) => value.toFixed(figure.digits ?? 0)),
      `${verdict}${formatEach(figure.unit, points, verdict === "not judged")}`,
    ) +
      line("  times the first", (size) => at(size, ({ relative }) => finite(relative, 2))) +
      line(
        "  exponent",
        (size) => at(size, ({ exponent }) => exponent === undefined ? "" : finite(exponent, 2)),
      );
  }).join("");
}

/** The bad news of all tables in a few lines, and that there is none. */
export function formatVerdicts(tables: readonly Told[]): string {
  const bad = tables.flatMap(({ name, of, judged }) =>
    judged.filter(({ verdict }) => isBad(verdict)).map(({ figure, points, verdict }) => {
      const [first, last] = [points[0]!, points.at(-1)!];
      const unit = figure.unit;
      return `  ${name}: ${figure.name}: ${verdict}: ${short(first.value)} ${unit} with ${
        formatCount(first.size)
      } ${of}, ` +
        `${short(last.value)} ${unit} with ${formatCount(last.size)}\n`;
    })
  );
  const judged = tables.flatMap((table) => table.judged).filter(({ verdict }) => verdict !== "not judged");
  return `\n${judged.length - bad.length} of ${judged.length} figures grow as they should\n${bad.join("")}`;
}

/** One row for each table, figure and size. */
export function growthToCsv({ name, of, judged }: Told): CsvRow[] {
  return judged.flatMap(({ figure, points, verdict }) =>
    points.map(({ size, value, relative, each, exponent }) => ({
      table: name,
      of,
      figure: figure.name,
      unit: figure.unit,
      size,
      value: short(value),
      relative: finite(relative, 3),
      each: each === undefined ? "" : each.toPrecision(4),
      exponent: exponent === undefined ? "" : finite(exponent, 3),
      verdict,
    }))
  );
}

/** `100,000`; sizes of messages are powers of two. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

function formatEach(unit: string, points: readonly Point[], isLeftOut: boolean): string {
  const each = points.at(-1)?.each;
  if (isLeftOut || each === undefined || points.at(-1)!.relative < 1.5) return "";
  return `; ${short(each)} ${unit} each`;
}

function short(value: number): string {
  return Number(value.toPrecision(4)).toString();
}

/** What nothing was divided by has no ratio. */
function finite(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "-";
}
