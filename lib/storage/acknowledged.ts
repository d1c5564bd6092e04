/**
 * Which chunks of a category are acknowledged, as ranges of chunk numbers per owner.
 *
 * A set only grows, so merging two nodes' sets is their union: it commutes, needs no clock, and nothing that is in it
 * can ever come back. Adjacent ranges are one, so the set stays small however many chunks are acknowledged in order.
 *
 * Of a chunk that was finalised the size is kept too: another node may hold more of it, and must publish the rest again
 * before it deletes its copy. Of two sizes the larger one wins. The largest 1,024 numbers of an owner keep theirs.
 *
 * On disk (`acknowledged.json`), ranges with both ends inclusive, sorted; the long form only where there are sizes:
 *
 * ```json
 * {"node_1":[[0,41],[43,43]],"node_2":{"ranges":[[0,7]],"sizes":{"7":80}},"#crc32":"431ead34"}
 * ```
 *
 * @module
 */
import { ACKNOWLEDGED_SIZES_MAX } from "../protocol/limits.ts";
import { CHUNK_NUMBER_MAX, isInstance } from "../protocol/names.ts";
import { decodeChecked, encodeChecked } from "./checked_json.ts";

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
/**
 * What to do about a file that cannot be read. In a cluster, a node that has forgotten which of its numbers were
 * acknowledged would use them again, and the others would delete what it writes there.
 */
export const ACKNOWLEDGED_ADVICE =
  "restore it, or take the file of this name from another node of the cluster; " +
  "for a node that is alone, {} in its place has the remaining chunks delivered again";

const NONE: AcknowledgedOf = { ranges: [], sizes: new Map() };

/** The acknowledged chunks of one category. */
export class Acknowledged {
  readonly #owners = new Map<string, AcknowledgedOf>();

  /** Whether no chunk is. */
  get isEmpty(): boolean {
    return this.#owners.size === 0;
  }

  /** Owners of which there are any. */
  owners(): string[] {
    return [...this.#owners.keys()];
  }

  /** Those of one owner; `undefined` if there are none. */
  of(instance: string): AcknowledgedOf | undefined {
    return this.#owners.get(instance);
  }

  /** Whether this chunk is acknowledged. */
  has(instance: string, number: number): boolean {
    return this.behind(instance, number) > number;
  }

  /** The first number that is not acknowledged, from `number` on. */
  behind(instance: string, number: number): number {
    const ranges = this.#owners.get(instance)?.ranges ?? [];
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ranges[middle]![1] >= number) high = middle;
      else low = middle + 1;
    }
    return low < ranges.length && ranges[low]![0] <= number ? ranges[low]![1] + 1 : number;
  }

  /** Adds a chunk. */
  add(instance: string, number: number): void {
    const { ranges, sizes } = this.#owners.get(instance) ?? NONE;
    this.#owners.set(instance, { ranges: addNumber(ranges, number), sizes });
  }

  /** A set with more chunks; this one stays as it is. `undefined` if there is nothing new in them. */
  with(instance: string, more: AcknowledgedOf): Acknowledged | undefined {
    const known = this.#owners.get(instance) ?? NONE;
    const sizes = mergeSizes(known.sizes, more.sizes);
    if (missingRanges(known.ranges, more.ranges).length === 0 && sameSizes(known.sizes, sizes)) {
      return undefined;
    }
    const copy = new Acknowledged();
    this.#owners.forEach((of, owner) => copy.#owners.set(owner, of));
    copy.#owners.set(instance, { ranges: mergeRanges(known.ranges, more.ranges), sizes });
    return copy;
  }

  /** The largest acknowledged number of an owner; -1 if there is none. */
  largest(instance: string): number {
    return this.#owners.get(instance)?.ranges.at(-1)?.[1] ?? -1;
  }

  /** The file's bytes. */
  encode(): Uint8Array {
    const owners = Array.from(this.#owners, ([owner, { ranges, sizes }]) => {
      return [owner, sizes.size === 0 ? ranges : { ranges, sizes: Object.fromEntries(sizes) }];
    });
    return encodeChecked(Object.fromEntries(owners));
  }

  /** Parses the file's bytes. Throws `SyntaxError` where they are not such a file. */
  static decode(bytes: Uint8Array): Acknowledged {
    const result = new Acknowledged();
    for (const [instance, value] of Object.entries(decodeChecked(bytes))) {
      const of = isInstance(instance) ? parseOwner(value) : undefined;
      if (!of) throw new SyntaxError(`not sorted ranges of chunk numbers: ${JSON.stringify(instance)}`);
      result.#owners.set(instance, of);
    }
    return result;
  }
}

function parseOwner(value: unknown): AcknowledgedOf | undefined {
  const { ranges, sizes = {} } = Array.isArray(value) ? { ranges: value } : Object(value);
  if (!Array.isArray(ranges) || !ranges.every(isRange) || !isSorted(ranges)) return undefined;
  if (typeof sizes !== "object" || sizes === null) return undefined;
  const entries = Object.entries(sizes).map(([number, size]) => [Number(number), size] as const);
  if (
    !entries.every(([number, size]) =>
      isChunkNumber(number) && Number.isSafeInteger(size) && Number(size) >= 0
    )
  ) {
    return undefined;
  }
  return { ranges, sizes: new Map(entries as [number, number][]) };
}

function isSorted(ranges: readonly NumberRange[]): boolean {
  return ranges.every(([first], i) => i === 0 || ranges[i - 1]![1] < first);
}

function isRange(value: unknown): value is NumberRange {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [first, last] = value as unknown[];
  return isChunkNumber(first) && isChunkNumber(last) && first <= last;
}

function isChunkNumber(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= CHUNK_NUMBER_MAX;
}

/** The union of two lists of ranges, each as `AcknowledgedOf` has them. */
function mergeRanges(one: readonly NumberRange[], other: readonly NumberRange[]): NumberRange[] {
  const merged: [number, number][] = [];
  for (const [first, last] of [...one, ...other].sort(([a], [b]) => a - b)) {
    const before = merged.at(-1);
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

/**
 * What of `wanted` is not in `known`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(missingRanges([[2, 3], [7, 9]], [[0, 8]]), [[0, 1], [4, 6]]);
 * ```
 */
export function missingRanges(known: readonly NumberRange[], wanted: readonly NumberRange[]): NumberRange[] {
  const missing: NumberRange[] = [];
  let i = 0;
  for (const [first, last] of wanted) {
    let from = first;
    while (i < known.length && known[i]![1] < from) i++;
    for (let k = i; k < known.length && known[k]![0] <= last; k++) {
      if (known[k]![0] > from) missing.push([from, known[k]![0] - 1]);
      from = known[k]![1] + 1;
    }
    if (from <= last) missing.push([from, last]);
  }
  return missing;
}

function mergeSizes(
  one: ReadonlyMap<number, number>,
  other: ReadonlyMap<number, number>,
): ReadonlyMap<number, number> {
  if (other.size === 0) return one;
  const merged = new Map(one);
  for (const [number, size] of other) merged.set(number, Math.max(size, merged.get(number) ?? 0));
  return new Map([...merged].sort(([a], [b]) => a - b).slice(-ACKNOWLEDGED_SIZES_MAX));
}

export function sameSizes(one: ReadonlyMap<number, number>, other: ReadonlyMap<number, number>): boolean {
  if (one === other) return true;
  if (one.size !== other.size) return false;
  for (const [number, size] of other) if (one.get(number) !== size) return false;
  return true;
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
