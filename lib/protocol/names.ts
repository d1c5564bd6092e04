/**
 * Names that leave the process: categories, consumers, producers, instances, chunks, and the directory of a category.
 *
 * ```text
 * category   web.access-log                  [A-Za-z0-9_][A-Za-z0-9._-]{0,127}
 * consumer   search.indexer                  as a category
 * producer   shop.orders-7                   as a category
 * instance   node_1                          [A-Za-z0-9_][A-Za-z0-9_-]{0,63}
 * chunk      node_1-chunk000000042           <instance>-chunk<nine digits>
 * directory  web.access-log, =lock=          the category's name; set in `=` where a file system or we need that name
 * ```
 *
 * They are built and parsed here and nowhere else. Nothing that fails these patterns ever becomes part of a path.
 *
 * @module
 */
import { ChukchaError, quote } from "./errors.ts";

const CATEGORY = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const INSTANCE = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$/;
const CHUNK = /^([A-Za-z0-9_][A-Za-z0-9_-]{0,63})-chunk([0-9]{9})$/;
/** Files of the data directory itself, and names that Windows keeps for devices or cannot store. */
const RESERVED_DIRECTORY = /^(lock|node\.json|(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?|.*\.)$/i;

/** Largest number that a chunk can have. */
export const CHUNK_NUMBER_MAX = 999_999_999;

/** Whether `name` is a category's name. */
export function isCategory(name: string): boolean {
  return CATEGORY.test(name);
}

/** Whether `name` is an instance's name. */
export function isInstance(name: string): boolean {
  return INSTANCE.test(name);
}

/** Returns `name` if it is a category's name; throws `invalid_parameter` naming `field` otherwise. */
export function checkCategory(name: string, field = "category"): string {
  if (CATEGORY.test(name)) return name;
  throw new ChukchaError(
    "invalid_parameter",
    `${field}: ${quote(name)} is not a category: 1 to 128 of A-Z a-z 0-9 . _ -, the first not . or -`,
  );
}

/** Whether `name` is a consumer's name. */
export function isConsumer(name: string): boolean {
  return CATEGORY.test(name);
}

/** Returns `name` if it is a consumer's name; throws `invalid_parameter` naming `field` otherwise. */
export function checkConsumer(name: string, field = "consumer"): string {
  if (CATEGORY.test(name)) return name;
  throw new ChukchaError(
    "invalid_parameter",
    `${field}: ${quote(name)} is not a consumer: 1 to 128 of A-Z a-z 0-9 . _ -, the first not . or -`,
  );
}

/** Returns `name` if it is a producer's name; throws `invalid_parameter` naming `field` otherwise. */
export function checkProducer(name: string, field = "producer"): string {
  if (CATEGORY.test(name)) return name;
  throw new ChukchaError(
    "invalid_parameter",
    `${field}: ${quote(name)} is not a producer: 1 to 128 of A-Z a-z 0-9 . _ -, the first not . or -`,
  );
}

/** Returns `name` if it is an instance's name; throws `invalid_parameter` naming `field` otherwise. */
export function checkInstance(name: string, field = "instance"): string {
  if (INSTANCE.test(name)) return name;
  throw new ChukchaError(
    "invalid_parameter",
    `${field}: ${quote(name)} is not an instance: 1 to 64 of A-Z a-z 0-9 _ -, the first not -`,
  );
}

/** The owner and the number of a chunk. */
export interface ChunkId {
  readonly instance: string;
  readonly number: number;
}

/**
 * Builds a chunk's name.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { chunkName } from "./names.ts";
 * assertEquals(chunkName("node_1", 42), "node_1-chunk000000042");
 * ```
 */
export function chunkName(instance: string, number: number): string {
  return `${instance}-chunk${String(number).padStart(9, "0")}`;
}

/** Takes a chunk's name apart; `undefined` if it is none. */
export function parseChunkName(name: string): ChunkId | undefined {
  const match = CHUNK.exec(name);
  return match ? { instance: match[1]!, number: Number(match[2]) } : undefined;
}

/** Returns `name` if it is a chunk's name; throws `invalid_parameter` naming `field` otherwise. */
export function checkChunk(name: string, field = "chunk"): string {
  if (CHUNK.test(name)) return name;
  throw new ChukchaError(
    "invalid_parameter",
    `${field}: ${quote(name)} is not a chunk: <instance>-chunk<nine digits>`,
  );
}

/**
 * The directory of a category below the data directory: its name, or `=name=` where the plain name is needed by the
 * data directory itself or cannot exist on every system.
 */
export function categoryDirectory(category: string): string {
  return RESERVED_DIRECTORY.test(category) ? `=${category}=` : category;
}

/** The category whose directory this is; `undefined` if it is none. */
export function parseCategoryDirectory(directory: string): string | undefined {
  const name = directory.startsWith("=") && directory.endsWith("=") ? directory.slice(1, -1) : directory;
  return isCategory(name) && categoryDirectory(name) === directory ? name : undefined;
}
