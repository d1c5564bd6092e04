/**
 * Rows of numbers under the names that they share.
 *
 * A listing has thousands of entries, most of them of the same few categories and owners. Entries that follow one
 * another under the same names are one group; their order stays as it was.
 *
 * ```text
 * [ <name>, …, [<row>, …] ],                ["web", "node_1", [[41, 4096, 4096, 305419896, 1], [42, …]]],
 * [ <name>, …, [<row>, …] ], …              ["web", "node_2", [[7, …]]], …
 * ```
 *
 * Rejected: objects by name (`__proto__` is a valid category, and their order is not to be relied on), and a binary
 * form (5,000 copies are some 150 KB of JSON, read and checked in a few milliseconds).
 *
 * @module
 */
import { chunkName, parseChunkName } from "../protocol/names.ts";
import { categoryOf, chunkNumberOf, instanceOf, listOf, refuse, tupleOf } from "./wire_fields.ts";

/** Names, and behind them the rows. */
export type Group = readonly (string | readonly (readonly number[])[])[];

/** The names of a group of chunks. */
export interface ChunkNames {
  readonly category: string;
  readonly owner: string;
}

/** An entry as a row: its names, and the rest of it. */
export interface Row {
  readonly names: readonly string[];
  readonly row: readonly number[];
}

/** Puts rows that follow one another under the same names into one group. */
export function encodeGroups(rows: readonly Row[]): Group[] {
  const groups: Group[] = [];
  let last: readonly string[] | undefined;
  let open: (readonly number[])[] = [];
  for (const { names, row } of rows) {
    if (!last?.every((name, i) => name === names[i])) {
      open = [];
      groups.push([...names, open]);
      last = names;
    }
    open.push(row);
  }
  return groups;
}

/** How a group is read. */
export interface GroupReader<N, T> {
  /** How many names each group has. */
  readonly names: number;
  /** Most rows of all groups. */
  readonly max: number;
  /** Judges the names, once for each group. */
  readNames(names: readonly unknown[]): N;
  /** Makes an entry of a row. */
  readRow(names: N, row: unknown): T;
}

/** The entries of all groups, in their order. */
export function decodeGroups<N, T>(field: string, value: unknown, reader: GroupReader<N, T>): T[] {
  const entries: T[] = [];
  for (const group of listOf(field, value, reader.max)) {
    const parts = tupleOf(field, group, reader.names + 1);
    const names = reader.readNames(parts);
    const rows = listOf(field, parts[reader.names], reader.max);
    if (entries.length + rows.length > reader.max) {
      refuse(`${field}.length`, entries.length + rows.length, `at most ${reader.max}`);
    }
    for (const row of rows) entries.push(reader.readRow(names, row));
  }
  return entries;
}

/** A chunk as a row: the category and the owner are its names, its number the first of the row. */
export function chunkRow(category: string, chunk: string, ...row: readonly number[]): Row {
  const id = parseChunkName(chunk);
  if (!id) throw new RangeError(`${chunk} is not the name of a chunk`);
  return { names: [category, id.instance], row: [id.number, ...row] };
}

/** The names of a group of chunks. */
export function chunkNamesOf(field: string, category: unknown, owner: unknown): ChunkNames {
  return { category: categoryOf(`${field}.category`, category), owner: instanceOf(`${field}.owner`, owner) };
}

/** Which chunk a row is about. */
export function chunkOf(
  field: string,
  { category, owner }: ChunkNames,
  number: unknown,
): { category: string; chunk: string } {
  return { category, chunk: chunkName(owner, chunkNumberOf(`${field}.number`, number)) };
}
