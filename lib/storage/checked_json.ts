/**
 * Small files of JSON that notice when a bit of theirs flips: a wrong digit in a list of acknowledged chunks would delete
 * chunks that nobody has acknowledged.
 *
 * The last field is the CRC-32 of the text before it, so that the file stays JSON for people and their tools:
 *
 * ```json
 * {"node_1":[[0,41]],"#crc32":"1ea5af0f"}
 * ```
 *
 * No other name begins with `#`. A file without the field is taken as it is: a person wrote it. Rejected: a second file
 * for the checksum, since two files cannot be replaced as one; a line behind the JSON, which no parser takes.
 *
 * @module
 */
import { crc32 } from "./crc32.ts";

const FIELD = "#crc32";

/** The file's bytes. Names of `value` must not begin with `#`. */
export function encodeChecked(value: object): Uint8Array {
  return sealChecked(JSON.stringify(value).slice(0, -1));
}

/** The same for whoever has made the text already: that of an object, without its last brace. */
export function sealChecked(open: string): Uint8Array {
  const comma = open === "{" ? "" : ",";
  return new TextEncoder().encode(`${open}${comma}"${FIELD}":"${checksumOf(open)}"}\n`);
}

/**
 * The object that the bytes stand for, without its checksum. Throws `SyntaxError` where they are none, or are damaged.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { decodeChecked, encodeChecked } from "./checked_json.ts";
 * const bytes = encodeChecked({ node_1: [[0, 41]] });
 * assertEquals(decodeChecked(bytes), { node_1: [[0, 41]] });
 * bytes[12]! ^= 1;
 * assertThrows(() => decodeChecked(bytes), SyntaxError);
 * ```
 */
export function decodeChecked(bytes: Uint8Array): Record<string, unknown> {
  // A byte that is no character becomes one that is not in any name, and fails the checksum.
  const text = new TextDecoder().decode(bytes);
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new SyntaxError("not an object");
  }
  const { [FIELD]: checksum, ...value } = parsed as Record<string, unknown>;
  const strange = Object.keys(value).find((name) => name.startsWith("#"));
  if (strange !== undefined) throw new SyntaxError(`damaged: it has a field ${JSON.stringify(strange)}`);
  if (checksum === undefined) return value;
  const found = checksumOf(text.slice(0, text.lastIndexOf(`"${FIELD}"`)).replace(/,$/, ""));
  if (checksum === found) return value;
  throw new SyntaxError(
    `damaged: its checksum is ${found}, and not ${JSON.stringify(checksum)} as it says; ` +
      `if it was changed by hand, take the field ${FIELD} out`,
  );
}

function checksumOf(text: string): string {
  return crc32(new TextEncoder().encode(text)).toString(16).padStart(8, "0");
}
