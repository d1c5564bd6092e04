/**
 * Moments as text.
 *
 * @module
 */

/**
 * A moment in milliseconds since 1970 as RFC 3339, in UTC, with milliseconds.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatTime } from "./times.ts";
 * assertEquals(formatTime(1_795_000_000_000), "2026-11-18T11:06:40.000Z");
 * ```
 */
export function formatTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
