/**
 * What is told of chunks, as rows.
 *
 * ```text
 * row                                           in a group of
 * copy      number, size, synced, rolling, kind      category, owner                     kind: 0 growing, 1 complete,
 * wanted    number, offset[, length]                 category, owner                           2 finalised
 * piece     number, offset, length, rolling,         category, owner                     time: ms since 1970
 *           time[, 1 for a part]
 * held      number, size, synced                     instance, incarnation, category, owner
 * ```
 *
 * Acknowledged chunks are no rows: `[category, owner, [[first, last], …], [[number, size], …]]`, each in order.
 *
 * @module
 */
import { REPLICATION_ENTRIES_MAX, REPLICATION_HEAD_BYTES_MAX } from "../protocol/limits.ts";
import { CHUNK_NUMBER_MAX } from "../protocol/names.ts";
import type { NumberRange } from "../storage/acknowledged.ts";
import type { AcknowledgedChange, CopyState, Held, Piece, Wanted } from "./peer.ts";
import {
  categoryOf,
  crcOf,
  idOf,
  instanceOf,
  integerOf,
  listOf,
  refuse,
  SIZE_MAX,
  tupleOf,
} from "./wire_fields.ts";
import {
  type ChunkNames,
  chunkNamesOf,
  chunkOf,
  chunkRow,
  decodeGroups,
  encodeGroups,
  type Group,
} from "./wire_groups.ts";

/** A piece whose bytes are elsewhere. */
export type PieceHead = Omit<Piece, "bytes"> & { readonly length: number };
/** A copy without its name. */
type CopyDetail = Omit<CopyState, "category" | "chunk">;

const GROWING = 0;
const COMPLETE = 1;
const FINALISED = 2;
/** What bounds a list inside of a document is the document. */
const UNBOUNDED = REPLICATION_HEAD_BYTES_MAX;

/** Copies, grouped. */
export function encodeCopies(copies: readonly CopyState[]): Group[] {
  return encodeGroups(copies.map((copy) => chunkRow(copy.category, copy.chunk, ...encodeCopyDetail(copy))));
}

/** Copies, in their order. */
export function decodeCopies(field: string, value: unknown): CopyState[] {
  return decodeChunks(
    field,
    value,
    REPLICATION_ENTRIES_MAX,
    ([, ...detail]) => decodeCopyDetail(field, detail),
  );
}

/** What is told of one copy. */
export function encodeCopyDetail({ size, synced, rolling, complete, finalised }: CopyDetail): number[] {
  return [size, synced, rolling, finalised ? FINALISED : complete ? COMPLETE : GROWING];
}

/** The same. */
export function decodeCopyDetail(field: string, value: unknown): CopyDetail {
  const parts = tupleOf(field, value, 4);
  const size = integerOf(`${field}.size`, parts[0]);
  const synced = integerOf(`${field}.synced`, parts[1], size);
  const rolling = crcOf(`${field}.rolling`, parts[2]);
  const kind = integerOf(`${field}.kind`, parts[3], FINALISED);
  return { size, synced, rolling, complete: kind !== GROWING, finalised: kind === FINALISED };
}

/** Chunks and offsets, grouped. */
export function encodeWanted(wanted: readonly Wanted[]): Group[] {
  return encodeGroups(
    wanted.map(({ category, chunk, offset, length }) =>
      length === undefined ? chunkRow(category, chunk, offset) : chunkRow(category, chunk, offset, length)
    ),
  );
}

/** Chunks and offsets, in their order. */
export function decodeWanted(field: string, value: unknown, max: number): Wanted[] {
  return decodeChunks(field, value, max, ([, from, length]) => {
    const offset = integerOf(`${field}.offset`, from);
    if (length === undefined) return { offset };
    return { offset, length: integerOf(`${field}.length`, length, SIZE_MAX - offset, 1) };
  });
}

/** All of the pieces but their bytes, grouped. */
export function encodePieces(pieces: readonly Piece[]): Group[] {
  return encodeGroups(
    pieces.map(({ category, chunk, offset, bytes, rolling, timeMs, part }) =>
      chunkRow(category, chunk, offset, bytes.length, rolling, timeMs, ...part ? [1] : [])
    ),
  );
}

/** All of the pieces but their bytes, in the order of these. */
export function decodePieces(field: string, value: unknown): PieceHead[] {
  return decodeChunks(field, value, REPLICATION_ENTRIES_MAX, (row) => {
    const offset = integerOf(`${field}.offset`, row[1]);
    return {
      offset,
      length: integerOf(`${field}.length`, row[2], SIZE_MAX - offset, 1),
      rolling: crcOf(`${field}.rolling`, row[3]),
      timeMs: integerOf(`${field}.time`, row[4]),
      ...row[5] === 1 ? { part: true } as const : {},
    };
  });
}

/** What is held, grouped. */
export function encodeHeld(held: readonly Held[]): Group[] {
  return encodeGroups(held.map(({ instance, incarnation, category, chunk, size, synced }) => {
    const { names, row } = chunkRow(category, chunk, size, synced);
    return { names: [instance, incarnation, ...names], row };
  }));
}

/** What is held, in its order. */
export function decodeHeld(field: string, value: unknown, max: number): Held[] {
  return decodeGroups(field, value, {
    names: 4,
    max,
    readNames: ([instance, incarnation, category, owner]) => ({
      instance: instanceOf(`${field}.instance`, instance),
      incarnation: idOf(`${field}.incarnation`, incarnation),
      chunk: chunkNamesOf(field, category, owner),
    }),
    readRow: ({ instance, incarnation, chunk }, row) => {
      const parts = tupleOf(field, row, 3);
      const size = integerOf(`${field}.size`, parts[1]);
      const synced = integerOf(`${field}.synced`, parts[2], size);
      return { instance, incarnation, ...chunkOf(field, chunk, parts[0]), size, synced };
    },
  });
}

/** Acknowledged chunks. */
export function encodeAcknowledged(changes: readonly AcknowledgedChange[]): unknown[] {
  return changes.map(({ category, instance, ranges, sizes }) => [
    category,
    instance,
    ranges,
    [...sizes].sort(([a], [b]) => a - b),
  ]);
}

/** The same. */
export function decodeAcknowledged(field: string, value: unknown): AcknowledgedChange[] {
  return listOf(field, value, REPLICATION_ENTRIES_MAX).map((item) => {
    const parts = tupleOf(field, item, 4);
    const ranges = decodeRanges(`${field}.ranges`, parts[2]);
    return {
      category: categoryOf(`${field}.category`, parts[0]),
      instance: instanceOf(`${field}.owner`, parts[1]),
      ranges,
      sizes: decodeSizes(`${field}.sizes`, parts[3], ranges),
    };
  });
}

function decodeRanges(field: string, value: unknown): NumberRange[] {
  // Adjacent ranges would be one: between two of them at least one number is left out.
  let least = 0;
  return listOf(field, value, UNBOUNDED).map((range) => {
    const parts = tupleOf(field, range, 2);
    const first = integerOf(`${field}.first`, parts[0], CHUNK_NUMBER_MAX, least);
    const last = integerOf(`${field}.last`, parts[1], CHUNK_NUMBER_MAX, first);
    least = last + 2;
    return [first, last];
  });
}

/** Sizes of some that are in the ranges, in the order of their numbers. */
function decodeSizes(field: string, value: unknown, ranges: readonly NumberRange[]): Map<number, number> {
  const sizes = new Map<number, number>();
  let least = 0;
  let at = 0;
  for (const item of listOf(field, value, UNBOUNDED)) {
    const parts = tupleOf(field, item, 2);
    const number = integerOf(`${field}.number`, parts[0], CHUNK_NUMBER_MAX, least);
    while (at < ranges.length && ranges[at]![1] < number) at++;
    if (at === ranges.length || ranges[at]![0] > number) refuse(`${field}.number`, number, "in the ranges");
    sizes.set(number, integerOf(`${field}.size`, parts[1]));
    least = number + 1;
  }
  return sizes;
}

/** Rows of chunks: the number comes first, the rest is `read`. */
function decodeChunks<T>(
  field: string,
  value: unknown,
  max: number,
  read: (row: readonly unknown[]) => T,
): (T & { category: string; chunk: string })[] {
  return decodeGroups(field, value, {
    names: 2,
    max,
    readNames: ([category, owner]): ChunkNames => chunkNamesOf(field, category, owner),
    readRow: (names, row) => {
      const parts = tupleOf(field, row, 1);
      return { ...chunkOf(field, names, parts[0]), ...read(parts) };
    },
  });
}
