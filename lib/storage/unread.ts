/**
 * What a consumer has not acknowledged of one owner's chunks: intervals of places, half-open.
 *
 * A place is a chunk number and an offset; places are ordered by number, then by offset. So an interval may begin in one
 * chunk and end where a later one begins, and says the same before and after somebody knows how long the chunks between
 * are: `[4:900, 5:0)` is all that chunk 4 has, or will ever have, from byte 900 on.
 *
 * ```text
 *            chunk 3            chunk 4             chunk 5
 *  |##########|######------|#########------###|---------- …          # acknowledged   - unread
 *
 *  [3:600, 4:0) [4:900, 4:1500) [5:0, end)      on disk and on the wire: [[3,600,4,0],[4,900,4,1500],[5,0]]
 * ```
 *
 * The intervals only shrink, so merging what two nodes know is their intersection: it commutes, is idempotent, and needs
 * no clock. Mostly there is one of them. There are more while workers acknowledge out of order, while an older chunk may
 * still grow, and where chunks are missing on a node and may come later.
 *
 * Rejected: one place per owner, the larger wins (an older chunk that grows after a restart of its owner would be
 * passed over), and a place per chunk (what is acknowledged behind it by one of several workers would be handed out
 * again after each restart).
 *
 * @module
 */
import { CHUNK_NUMBER_MAX } from "../protocol/names.ts";

/** A place in one owner's chunks. */
export interface Place {
  readonly number: number;
  readonly offset: number;
}

/** From `start` up to before `end`; without `end`, all that will ever come. */
export interface Interval {
  readonly start: Place;
  readonly end: Place | undefined;
}

/** Sorted, disjoint, not touching, none of them empty. */
export type Unread = readonly Interval[];

/** Nothing is acknowledged. */
export const ALL: Unread = [{ start: { number: 0, offset: 0 }, end: undefined }];

/** Negative if `a` comes before `b`; no place is the end of all. */
export function comparePlaces(a: Place | undefined, b: Place | undefined): number {
  if (!a || !b) return a ? -1 : b ? 1 : 0;
  return a.number - b.number || a.offset - b.offset;
}

/**
 * What is left when everything from `start` up to before `end` is acknowledged; the same object if that changes nothing.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ALL, encodeUnread, without } from "./unread.ts";
 * const left = without(ALL, { number: 4, offset: 0 }, { number: 4, offset: 900 });
 * assertEquals(encodeUnread(left), [[0, 0, 4, 0], [4, 900]]);
 * ```
 */
export function without(unread: Unread, start: Place, end: Place | undefined): Unread {
  if (comparePlaces(start, end) >= 0) return unread;
  if (!unread.some((one) => comparePlaces(one.start, end) < 0 && comparePlaces(start, one.end) < 0)) {
    return unread;
  }
  const left: Interval[] = [];
  for (const one of unread) {
    const before = { start: one.start, end: first(one.end, start) };
    const behind = { start: last(one.start, end), end: one.end };
    if (comparePlaces(before.start, before.end) < 0) left.push(before);
    if (behind.start && comparePlaces(behind.start, behind.end) < 0) {
      left.push({ start: behind.start, end: behind.end });
    }
  }
  return left;
}

/**
 * What neither of two nodes knows to be acknowledged.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { decodeUnread, encodeUnread, intersect } from "./unread.ts";
 * const one = decodeUnread([[0, 7, 1, 0], [2, 0]])!;
 * const other = decodeUnread([[0, 9]])!;
 * assertEquals(encodeUnread(intersect(one, other)), [[0, 9, 1, 0], [2, 0]]);
 * ```
 */
export function intersect(one: Unread, other: Unread): Unread {
  const both: Interval[] = [];
  for (let i = 0, k = 0; i < one.length && k < other.length;) {
    const a = one[i]!;
    const b = other[k]!;
    const start = last(a.start, b.start)!;
    const end = first(a.end, b.end);
    if (comparePlaces(start, end) < 0) both.push({ start, end });
    if (comparePlaces(a.end, b.end) < 0) i++;
    else k++;
  }
  return both;
}

/** Whether two say the same. */
export function sameUnread(one: Unread, other: Unread): boolean {
  return one === other || one.length === other.length && one.every(({ start, end }, i) => {
        return comparePlaces(start, other[i]!.start) === 0 && comparePlaces(end, other[i]!.end) === 0;
      });
}

/** As JSON: `[number, offset, number, offset]` for each interval, the last two left out where it has no end. */
export function encodeUnread(unread: Unread): number[][] {
  return unread.map(({ start, end }) => {
    return [start.number, start.offset, ...end ? [end.number, end.offset] : []];
  });
}

/** The same; `undefined` for what is none: wrong numbers, empty intervals, out of order, or touching. */
export function decodeUnread(value: unknown): Unread | undefined {
  if (!Array.isArray(value)) return undefined;
  const unread: Interval[] = [];
  for (const item of value) {
    if (!Array.isArray(item) || (item.length !== 2 && item.length !== 4)) return undefined;
    const [number, offset, endNumber, endOffset] = item as unknown[];
    if (!isPlace(number, offset)) return undefined;
    if (item.length === 4 && !isPlace(endNumber, endOffset)) return undefined;
    const start = { number, offset } as Place;
    const end = item.length === 4 ? { number: endNumber, offset: endOffset } as Place : undefined;
    const before = unread.at(-1);
    if (comparePlaces(start, end) >= 0 || before && comparePlaces(before.end, start) >= 0) return undefined;
    unread.push({ start, end });
  }
  return unread;
}

function isPlace(number: unknown, offset: unknown): boolean {
  // The place behind the last chunk that there can be is one as well.
  return Number.isInteger(number) && Number(number) >= 0 && Number(number) <= CHUNK_NUMBER_MAX + 1 &&
    Number.isSafeInteger(offset) && Number(offset) >= 0;
}

function first(a: Place | undefined, b: Place | undefined): Place | undefined {
  return comparePlaces(a, b) <= 0 ? a : b;
}

function last(a: Place | undefined, b: Place | undefined): Place | undefined {
  return comparePlaces(a, b) >= 0 ? a : b;
}
