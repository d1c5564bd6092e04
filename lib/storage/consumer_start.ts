/**
 * Where consumers begin, and what follows of their places from what is known of chunks: all of it pure.
 *
 * "Latest" is behind all that is there of an owner's chunks: what may still come between stays unread, the rest of an
 * older chunk that is not complete, and chunks whose numbers are left out and that nobody acknowledged. A time is where
 * the records say; older chunks that may still grow stay unread from their present size on.
 *
 * Never is less unread than there should be: where a place has more intervals than it may have, some that lie side by
 * side become one, and what is between them is handed out again.
 *
 * @module
 */
import { parseChunkName } from "../protocol/names.ts";
import type { ChunkPosition } from "../protocol/position.ts";
import type { NumberRange } from "./acknowledged.ts";
import { comparePlaces, type Interval, type Place, type Unread } from "./unread.ts";

/** What has to be known of a chunk. */
export interface PlacedChunk {
  readonly number: number;
  readonly size: number;
  readonly complete: boolean;
  /** Time of its last record. */
  readonly timeMs: number;
}

/** What is known of one owner's chunks. */
export interface OwnersChunks<C extends PlacedChunk> {
  /** Those that are here, by number. */
  readonly chunks: readonly C[];
  /** Those that are acknowledged, on every node. */
  readonly acknowledged: readonly NumberRange[];
}

/** Where nothing is read yet that comes from now on. */
export function behindAll<C extends PlacedChunk>({ chunks, acknowledged }: OwnersChunks<C>): Unread {
  const read: Interval[] = [
    ...acknowledged.map(([first, last]) => ({ start: beginning(first), end: beginning(last + 1) })),
    ...chunks.map((chunk) => ({ start: beginning(chunk.number), end: endOf(chunk) })),
  ];
  return butFor(read.sort((a, b) => comparePlaces(a.start, b.start)));
}

/** Where what is not older than `timeMs` begins. */
export function since<C extends PlacedChunk>(
  { chunks }: OwnersChunks<C>,
  timeMs: number,
  offsetSince: (chunk: C) => number,
): Unread {
  const found = chunks.findIndex((chunk) => chunk.timeMs >= timeMs);
  const older = found < 0 ? chunks : chunks.slice(0, found);
  const last = older.at(-1);
  const offset = found < 0 ? 0 : offsetSince(chunks[found]!);
  // What is behind the last older chunk is wanted, also numbers that are left out before the first that is not older.
  const start = offset > 0 ? { number: chunks[found]!.number, offset } : last ? endOf(last) : beginning(0);
  const open = older.filter(({ complete }) => !complete).map((chunk) => {
    return { start: endOf(chunk), end: beginning(chunk.number + 1) };
  });
  return joined([...open, { start, end: undefined }]);
}

/** What `places` say, by owner. Of what is no chunk nothing is made. */
export function fromPlaces(places: readonly ChunkPosition[]): Map<string, Unread> {
  const byOwner = new Map<string, Map<number, number>>();
  for (const { chunk, offset } of places) {
    const id = parseChunkName(chunk);
    if (!id) continue;
    const of = byOwner.get(id.instance) ?? new Map<number, number>();
    byOwner.set(id.instance, of.set(id.number, Math.min(offset, of.get(id.number) ?? Infinity)));
  }
  return new Map(Array.from(byOwner, ([owner, of]) => {
    const sorted = [...of].sort(([a], [b]) => a - b).map(([number, offset]) => ({ number, offset }));
    const unread = sorted.map((start, i) => {
      return { start, end: i === sorted.length - 1 ? undefined : beginning(start.number + 1) };
    });
    return [owner, joined(unread)];
  }));
}

/**
 * The same without what lies before anything that can still be read: chunks that are acknowledged on every node, and the
 * rest of what was acknowledged before it was known where it ends.
 *
 * @param behind where those that are acknowledged from a number on end; the number itself if it is not
 */
export function trimmed(
  unread: Unread,
  chunkOf: (number: number) => PlacedChunk | undefined,
  behind: (number: number) => number,
): Unread {
  const left: Interval[] = [];
  for (const { start, end } of unread) {
    let at = start;
    for (;;) {
      const number = behind(at.number);
      if (number > at.number) at = beginning(number);
      const chunk = chunkOf(at.number);
      if (!chunk?.complete || at.offset < chunk.size) break;
      at = beginning(at.number + 1);
    }
    if (comparePlaces(at, end) < 0) left.push({ start: at, end });
  }
  return left.length === unread.length && left.every(({ start }, i) => start === unread[i]!.start)
    ? unread
    : left;
}

/** The same with at most `max` intervals: the first ones become one. */
export function atMost(unread: Unread, max: number): Unread {
  if (unread.length <= max) return unread;
  const count = unread.length - max + 1;
  return [{ start: unread[0]!.start, end: unread[count - 1]!.end }, ...unread.slice(count)];
}

/** Everything but these, which are sorted by their starts and may overlap. */
function butFor(read: readonly Interval[]): Unread {
  const left: Interval[] = [];
  let at: Place = beginning(0);
  for (const { start, end } of read) {
    if (comparePlaces(at, start) < 0) left.push({ start: at, end: start });
    if (comparePlaces(at, end) < 0) at = end!;
  }
  return [...left, { start: at, end: undefined }];
}

/** Those that touch, or overlap, as one. */
function joined(sorted: readonly Interval[]): Unread {
  const all: Interval[] = [];
  for (const one of sorted) {
    const before = all.at(-1);
    if (before && comparePlaces(before.end, one.start) >= 0) {
      all[all.length - 1] = {
        start: before.start,
        end: comparePlaces(before.end, one.end) < 0 ? one.end : before.end,
      };
    } else all.push(one);
  }
  return all;
}

function beginning(number: number): Place {
  return { number, offset: 0 };
}

/** Behind all that is there of a chunk, and that will ever be if it is complete. */
export function endOf({ number, size, complete }: PlacedChunk): Place {
  return complete ? beginning(number + 1) : { number, offset: size };
}
