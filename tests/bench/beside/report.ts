/**
 * What came out side by side, as a table for people, as CSV, and as a plot. Pure.
 *
 * @module
 */
import { spread } from "../measure.ts";
import { type CsvRow, formatCells, formatCsv } from "../table.ts";
import type { Measured } from "./measure.ts";
import { type Figure, FIGURES } from "./works.ts";

/** A figure of everybody, judged. */
export interface Row {
  readonly figure: Figure;
  /** Medians by contender; those that have none are left out. */
  readonly medians: ReadonlyMap<string, number>;
  readonly values: ReadonlyMap<string, readonly number[]>;
  /** How many times better the first is than the best of the others, or than the one that its goal names. */
  readonly ratio: number | undefined;
  readonly reached: boolean | undefined;
}

/** Judges what was measured; `first` is who is compared with the others. */
export function judgeBeside(measured: Measured, first: string): Row[] {
  return FIGURES.filter(({ name }) => measured.has(name)).map((figure) => {
    const values = measured.get(figure.name)!;
    const medians = new Map(Array.from(values, ([name, all]) => [name, spread(all).median] as const));
    const own = medians.get(first);
    const others = Array.from(medians).filter(([name]) =>
      name !== first && (figure.goal?.of ?? name) === name
    )
      .map(([, value]) => value);
    if (own === undefined || others.length === 0) {
      return { figure, medians, values, ratio: undefined, reached: undefined };
    }
    const best = figure.more ? Math.max(...others) : Math.min(...others);
    const ratio = figure.more ? own / best : best / own;
    return { figure, medians, values, ratio, reached: figure.goal && ratio >= figure.goal.factor };
  });
}

/** The table. */
export function formatBeside(rows: readonly Row[], contenders: readonly string[]): string {
  const columns = [["", 32], ...contenders.map((name) => [name, 28] as const), ["ratio", 7], [
    "goal",
    18,
  ]] as const;
  const lines = [formatCells(columns, columns.map(([title]) => title))];
  for (const { figure, values, ratio, reached } of rows) {
    const cells = contenders.map((name) => {
      const all = values.get(name);
      if (!all) return "-";
      const { median, min, max } = spread(all);
      return `${formatValue(figure, median)} (${formatValue(figure, min)}-${formatValue(figure, max)})`;
    });
    const goal = figure.goal
      ? `${figure.goal.factor}${figure.goal.of ? ` ${figure.goal.of}` : ""} ${reached ? "ok" : "missed"}`
      : "";
    lines.push(
      formatCells(columns, [`${figure.name}, ${figure.unit}`, ...cells, ratio?.toFixed(2) ?? "", goal]),
    );
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** One row for each figure and contender. */
export function besideToCsv(rows: readonly Row[]): string {
  return formatCsv(
    rows.flatMap(({ figure, values, ratio }) =>
      Array.from(values, ([contender, all]): CsvRow => {
        const { median, min, max } = spread(all);
        return {
          figure: `"${figure.name}"`,
          unit: figure.unit,
          contender,
          median: median.toFixed(3),
          min: min.toFixed(3),
          max: max.toFixed(3),
          ratio: ratio?.toFixed(3) ?? "",
        };
      })
    ),
  );
}

const COLOURS = ["#1b6ca8", "#c44536", "#7a9e3f", "#8a6fae"];
const BAR_HEIGHT = 16;
const GROUP_GAP = 26;
const LEFT = 290;
const WIDTH = 520;

/** Bars, group by group; in each group the longest is as wide as the plot. SVG. */
export function plotBeside(rows: readonly Row[], contenders: readonly string[]): string {
  const parts: string[] = [];
  let y = 40;
  for (const { figure, medians } of rows) {
    const most = Math.max(...medians.values());
    parts.push(
      text(LEFT - 10, y + BAR_HEIGHT * medians.size / 2 + 4, labelOf(figure), "end"),
    );
    for (const [i, name] of contenders.entries()) {
      const value = medians.get(name);
      if (value === undefined) continue;
      const width = Math.max(1, value / most * WIDTH);
      parts.push(
        `<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT - 2}" fill="${
          COLOURS[i]
        }"/>`,
        text(LEFT + width + 6, y + BAR_HEIGHT - 5, formatValue(figure, value), "start"),
      );
      y += BAR_HEIGHT;
    }
    y += GROUP_GAP;
  }
  const legend = contenders.map((name, i) =>
    `<rect x="${LEFT + i * 110}" y="10" width="12" height="12" fill="${COLOURS[i]}"/>` +
    text(LEFT + i * 110 + 18, 20, name, "start")
  );
  const size = `width="${LEFT + WIDTH + 110}" height="${y}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12">\n` +
    `<rect width="100%" height="100%" fill="white"/>\n${[...legend, ...parts].join("\n")}\n</svg>\n`;
}

function labelOf({ name, unit, more }: Figure): string {
  return `${name}, ${unit}${more ? "" : " (less is better)"}`;
}

function text(x: number, y: number, content: string, anchor: "start" | "end"): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${content}</text>`;
}

function formatValue({ unit }: Figure, value: number): string {
  if (unit === "messages/s") return Math.round(value).toLocaleString("en-GB");
  return value.toFixed(unit === "ms" ? 2 : 0);
}
