/**
 * The fields of what another node sent: each is looked at before anything is made of it.
 *
 * Owns: the one error of whatever is not as it must be, and the checks of single values. A message names the field, the
 * value and the rule. Names are judged by `protocol/names.ts`, so that nothing else ever becomes part of a path.
 *
 * @module
 */
import { quote } from "../protocol/errors.ts";
import { CHUNK_NUMBER_MAX, isCategory, isInstance } from "../protocol/names.ts";

/** What another node sent is not what nodes send; nothing of it was used. */
export class WireError extends Error {
  override readonly name = "WireError";
}

/** A JSON object of which nothing is known yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** Sizes and offsets of chunks: what six bytes hold, as in the index on disk. */
export const SIZE_MAX = 2 ** 48 - 1;

const ID = /^[0-9A-Za-z]{1,64}$/;
const NEVER_DAMAGED = new TextDecoder("utf-8", { fatal: true });

/** Throws the error of a field: its value, and what it must be. */
export function refuse(field: string, value: unknown, rule: string): never {
  throw new WireError(`${field}: ${show(value)} is not ${rule}`);
}

/** A value for a message. What has an inside is not shown: it may be deep, and long. */
function show(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

/** The JSON object that these bytes are. */
export function parseObject(bytes: Uint8Array): Fields {
  let value: unknown;
  try {
    value = JSON.parse(NEVER_DAMAGED.decode(bytes));
  } catch (cause) {
    const beginning = new TextDecoder().decode(bytes.subarray(0, 64));
    throw new WireError(`document: ${quote(beginning)} is not JSON in UTF-8`, { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  return refuse("document", value, "a JSON object");
}

/** A list of at most `max`. */
export function listOf(field: string, value: unknown, max: number): readonly unknown[] {
  if (Array.isArray(value) && value.length <= max) return value;
  return refuse(field, value, `a list of at most ${max}`);
}

/** A list of at least `length`: what a later version puts behind that is not looked at. */
export function tupleOf(field: string, value: unknown, length: number): readonly unknown[] {
  if (Array.isArray(value) && value.length >= length) return value;
  return refuse(field, value, `a list of at least ${length}`);
}

/** A whole number. */
export function integerOf(field: string, value: unknown, max: number = SIZE_MAX, min = 0): number {
  if (Number.isSafeInteger(value) && min <= Number(value) && Number(value) <= max) return Number(value);
  return refuse(field, value, `a whole number from ${min} to ${max}`);
}

/** A number of a chunk. */
export function chunkNumberOf(field: string, value: unknown): number {
  return integerOf(field, value, CHUNK_NUMBER_MAX);
}

/** A CRC-32. */
export function crcOf(field: string, value: unknown): number {
  return integerOf(field, value, 2 ** 32 - 1);
}

/** `true` or `false`. */
export function booleanOf(field: string, value: unknown): boolean {
  return typeof value === "boolean" ? value : refuse(field, value, "true or false");
}

/** A text of at most `charsMax`. */
export function textOf(field: string, value: unknown, charsMax: number): string {
  if (typeof value === "string" && value.length <= charsMax) return value;
  return refuse(field, value, `a text of at most ${charsMax} characters`);
}

/** An incarnation or a run. */
export function idOf(field: string, value: unknown): string {
  if (typeof value === "string" && ID.test(value)) return value;
  return refuse(field, value, "1 to 64 of 0-9 A-Z a-z");
}

/** The name of a category. */
export function categoryOf(field: string, value: unknown): string {
  return typeof value === "string" && isCategory(value) ? value : refuse(field, value, "a category");
}

/** The name of an instance. */
export function instanceOf(field: string, value: unknown): string {
  return typeof value === "string" && isInstance(value) ? value : refuse(field, value, "an instance");
}
