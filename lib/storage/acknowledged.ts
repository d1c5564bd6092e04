/**
 * Which chunks of a category are acknowledged, as ranges of chunk numbers per owner.
 *
 * A set only grows, so merging two nodes' sets is their union: it commutes, needs no clock, and nothing that is in it
 * can ever come back. Adjacent ranges are one, so the set stays small however many chunks are acknowledged in order.
 *
 * In memory and on disk (`acknowledged.json`): `{"node_1":[[0,41],[43,43]]}`, both ends inclusive, sorted.
 *
 * @module
 */
import { CHUNK_NUMBER_MAX, isInstance } from "../protocol/names.ts";

/** First and last chunk number of a range. */
export type NumberRange = readonly [first: number, last: number];

/** What is acknowledged of one owner's chunks. */
export interface AcknowledgedOf {
  /** Sorted, disjoint, not adjacent. */
  readonly ranges: readonly NumberRange[];
  /** Sizes of those that were finalised, by number: whoever holds more of one publishes the rest again. */
  readonly sizes: ReadonlyMap<number, number>;
}

/** Name of the file in a category's directory. */
export const ACKNOWLEDGED_FILE = "acknowledged.json";

/** The acknowledged chunks of one category. */
export class Acknowledged {
  readonly #ranges = new Map<string, NumberRange[]>();

  /** Whether no chunk is. */
  get isEmpty(): boolean {
    return this.#ranges.size === 0;
  }

  /** Whether this chunk is acknowledged. */
  has(instance: string, number: number): boolean {
    return this.#ranges.get(instance)?.some(([first, last]) => first <= number && number <= last) ?? false;
  }

  /** Adds a chunk. */
  add(instance: string, number: number): void {
    this.#ranges.set(instance, addNumber(this.#ranges.get(instance) ?? [], number));
  }

  /** A set with one more chunk; this one stays as it is. */
  with(instance: string, number: number): Acknowledged {
    const copy = new Acknowledged();
    this.#ranges.forEach((ranges, owner) => copy.#ranges.set(owner, ranges));
    copy.add(instance, number);
    return copy;
  }

  /** The largest acknowledged number of an owner; -1 if there is none. */
  largest(instance: string): number {
    return this.#ranges.get(instance)?.at(-1)?.[1] ?? -1;
  }

  /** The file's bytes. */
  encode(): Uint8Array {
    return new TextEncoder().encode(JSON.stringify(Object.fromEntries(this.#ranges)) + "\n");
  }

  /** Parses the file's bytes. Throws `SyntaxError` where they are not such a file. */
  static decode(bytes: Uint8Array): Acknowledged {
    const parsed: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof parsed !== "object" || parsed === null) throw new SyntaxError("not an object");
    const result = new Acknowledged();
    for (const [instance, ranges] of Object.entries(parsed)) {
      if (!isInstance(instance) || !Array.isArray(ranges) || !ranges.every(isRange) || !isSorted(ranges)) {
        throw new SyntaxError(`not sorted ranges of chunk numbers: ${JSON.stringify(instance)}`);
      }
      result.#ranges.set(instance, ranges);
    }
    return result;
  }
}

function isSorted(ranges: readonly NumberRange[]): boolean {
  return ranges.every(([first], i) => i === 0 || ranges[i - 1]![1] < first);
}

function isRange(value: unknown): value is NumberRange {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [first, last] = value as unknown[];
  return Number.isInteger(first) && Number.isInteger(last) && 0 <= Number(first) &&
    Number(first) <= Number(last) && Number(last) <= CHUNK_NUMBER_MAX;
}

/**
 * Adds one number to sorted, disjoint ranges that are not adjacent; returns such ranges.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(addNumber([[0, 3], [5, 5]], 4), [[0, 5]]);
 * assertEquals(addNumber([], 7), [[7, 7]]);
 * ```
 */
export function addNumber(ranges: readonly NumberRange[], number: number): NumberRange[] {
  const before = ranges.filter(([, last]) => last < number - 1);
  const after = ranges.filter(([first]) => first > number + 1);
  const touching = ranges.slice(before.length, ranges.length - after.length);
  const first = Math.min(number, touching[0]?.[0] ?? number);
  const last = Math.max(number, touching.at(-1)?.[1] ?? number);
  return [...before, [first, last], ...after];
}
