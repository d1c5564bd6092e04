/**
 * `.retention` in the data directory: what a node has seen of time, for its next process.
 *
 * ```json
 * {"format":1,"observed":10800000,"stretches":[[1767261600000,1767268800000,0],[1767279600000,1767283200000,7200000]],
 *  "heard":{"node_2":10790000},"#crc32":"d87f7e0c"}
 * ```
 *
 * Replaced as a whole, from time to time and at the end; it is there only where a retention rule is, or was. The layout
 * is that of `ObservedTime`: a stretch is what the wall clock showed first and last, and the time seen before it.
 *
 * @module
 */
import { isInstance } from "../protocol/names.ts";
import { decodeChecked, encodeChecked } from "./checked_json.ts";
import type { ObservedTime, Stretch } from "./observed_time.ts";

/** Name of the file; no category has a name that begins with a dot. */
export const OBSERVED_TIME_FILE = ".retention";
const FORMAT = 1;

/** The file's bytes. */
export function encodeObservedTime({ totalMs, stretches, heard }: ObservedTime): Uint8Array {
  return encodeChecked({
    format: FORMAT,
    observed: Math.round(totalMs),
    stretches: stretches.map(({ fromMs, toMs, startMs }) => [fromMs, toMs, startMs].map(Math.round)),
    heard: Object.fromEntries(Array.from(heard, ([instance, ms]) => [instance, Math.round(ms)])),
  });
}

/** Parses the file's bytes. Throws `SyntaxError` where they are not such a file. */
export function decodeObservedTime(bytes: Uint8Array): ObservedTime {
  const { format, observed, stretches, heard } = decodeChecked(bytes);
  if (format !== FORMAT) throw new SyntaxError(`format: ${JSON.stringify(format)} is not ${FORMAT}`);
  if (!isMs(observed)) throw new SyntaxError("observed: not milliseconds");
  if (!Array.isArray(stretches) || stretches.length === 0 || !stretches.every(isStretch)) {
    throw new SyntaxError("stretches: not a list of three times each");
  }
  if (typeof heard !== "object" || heard === null) throw new SyntaxError("heard: not an object");
  const entries = Object.entries(heard);
  if (!entries.every(([instance, ms]) => isInstance(instance) && isMs(ms))) {
    throw new SyntaxError("heard: not milliseconds by instance");
  }
  return {
    totalMs: observed,
    stretches: stretches.map(([fromMs, toMs, startMs]): Stretch => ({ fromMs, toMs, startMs })),
    heard: new Map(entries as [string, number][]),
  };
}

function isStretch(value: unknown): value is [number, number, number] {
  return Array.isArray(value) && value.length === 3 && value.every(Number.isSafeInteger) &&
    value[0] <= value[1];
}

function isMs(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
