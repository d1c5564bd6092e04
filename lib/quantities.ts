/**
 * Sizes and durations as people write them: `64MiB`, `64mb`, `1048576`; `10m`, `90s`, `500ms`, `1.5h`.
 *
 * As `k`, `kb` and `KiB` are mixed up everywhere, all three are 1024 bytes. A duration always has its unit: a bare number
 * could be seconds or milliseconds. Parsers answer `undefined` for what is none; the caller knows the name to put into
 * the error.
 *
 * @module
 */
const SIZE = /^(\d{1,15}(?:\.\d{1,6})?)\s*(?:([kmgt])?(?:i?b)?)$/i;
const SIZE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;
const DURATION = /^(\d{1,12}(?:\.\d{1,6})?)\s*(ms|s|m|h|d)$/;
const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** How a size is written, for error messages and help. */
export const SIZE_RULE = "a size like 64MiB, 512KiB or 1048576";
/** How a duration is written, for error messages and help. */
export const DURATION_RULE = "a duration like 500ms, 90s, 10m, 24h or 1d";

/**
 * Bytes of a size; `undefined` if `text` is none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseSize } from "./quantities.ts";
 * assertEquals(parseSize("64MiB"), 64 * 1024 * 1024);
 * assertEquals(parseSize("64 apples"), undefined);
 * ```
 */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text.trim());
  if (!match) return undefined;
  const exponent = match[2] === undefined ? 0 : "kmgt".indexOf(match[2].toLowerCase()) + 1;
  const bytes = Number(match[1]) * 1024 ** exponent;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/**
 * Milliseconds of a duration; `undefined` if `text` is none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseDuration } from "./quantities.ts";
 * assertEquals(parseDuration("10m"), 600_000);
 * assertEquals(parseDuration("10"), undefined);
 * ```
 */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text.trim());
  if (!match) return undefined;
  const ms = Number(match[1]) * DURATION_MS[match[2]!]!;
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/** A size for people: `1.5 MiB`. At most four digits, so that columns stay narrow. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < SIZE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = value.toFixed(value >= 100 ? 0 : 1).replace(/\.0$/, "");
  return `${digits} ${SIZE_UNITS[unit]}`;
}

/** A duration for people, in its two largest units: `1h 5m`, `12s`, `340ms`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const seconds = Math.round(ms / 1000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map(([n, unit]) => `${n}${unit}`).join(
    " ",
  );
}

/** A count for people: `1,234,567`. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** A count with its noun: `1 message`, `2 messages`. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}
