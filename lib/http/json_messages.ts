/**
 * JSON bodies as messages, one to a line.
 *
 * Owns: what a body with `Content-Type: application/json` means. A top-level array is one message per element, as
 * Vector and Fluent Bit send it by default; a top-level object is one message, however many lines it has; everything
 * else (NDJSON, text, what only looks like JSON) is lines, and stays untouched. Refuses nothing.
 *
 * Invariant: values are never serialised again, so that large integers, the order of keys and escapes survive. Only
 * what lies between tokens changes: line breaks go, with the blanks that follow them, and so do the blanks around an
 * element. `JSON.parse` decides whether a text is JSON; the scanner relies on that and only keeps count of strings and
 * brackets, byte by byte and without recursion, so that no depth of nesting troubles it. Text that stops being one
 * array or object after its first closing bracket is not even parsed.
 *
 * @module
 */

const TAB = 0x09, NEWLINE = 0x0a, RETURN = 0x0d, SPACE = 0x20;
const QUOTE = 0x22, COMMA = 0x2c, BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b, CLOSE_ARRAY = 0x5d, OPEN_OBJECT = 0x7b, CLOSE_OBJECT = 0x7d;

/** Whether a `Content-Type` is `application/json`, whatever its case and parameters. */
export function isJsonType(contentType: string | null): boolean {
  if (contentType === null) return false;
  if (contentType === "application/json") return true;
  const end = contentType.indexOf(";");
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase() === "application/json";
}

/** Whether a body begins as an array or an object does: of all others its type makes no difference. */
export function mayBeJson(body: Uint8Array): boolean {
  const first = body[skipBlanks(body, hasByteOrderMark(body) ? 3 : 0)];
  return first === OPEN_ARRAY || first === OPEN_OBJECT;
}

/**
 * The messages of a JSON body as lines.
 *
 * @returns lines in a buffer of their own, each with its `\n`; or `body` itself if it is lines already
 */
export function jsonToLines(body: Uint8Array): Uint8Array {
  if (!mayBeJson(body)) return body;
  const start = skipBlanks(body, hasByteOrderMark(body) ? 3 : 0);
  // One object on one line, the most frequent body, is a line whether it is valid JSON or not.
  if (body[start] === OPEN_OBJECT && start === 0 && isOneLine(body)) return body;
  const lines = joinLines(body, start);
  return lines !== undefined && isJson(body) ? lines : body;
}

function hasByteOrderMark(body: Uint8Array): boolean {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
}

function isOneLine(body: Uint8Array): boolean {
  const newline = body.indexOf(NEWLINE);
  return newline < 0 || newline === body.length - 1;
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === NEWLINE || byte === RETURN || byte === TAB;
}

function skipBlanks(body: Uint8Array, at: number): number {
  while (isBlank(body[at])) at++;
  return at;
}

/** The byte order mark is dropped, and bytes that are not UTF-8 count as some character: they are legal in messages. */
function isJson(body: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder().decode(body));
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/**
 * Writes the elements of the array, or the object, that begins at `start` as lines.
 *
 * The result is never longer than the body by more than one byte: an array's brackets and commas make room for the
 * line ends. `undefined` if something follows the closing bracket, or it is missing.
 */
function joinLines(body: Uint8Array, start: number): Uint8Array | undefined {
  const isArray = body[start] === OPEN_ARRAY;
  const lines = new Uint8Array(body.length - start + 1);
  let used = 0;
  let depth = isArray ? 1 : 0;
  let at = isArray ? skipBlanks(body, start + 1) : start;
  /** Where the line that is being written begins. */
  let line = 0;
  while (at < body.length) {
    const byte = body[at]!;
    if (byte === QUOTE) {
      const end = stringEnd(body, at);
      while (at < end) lines[used++] = body[at++]!;
      continue;
    }
    if (byte === NEWLINE || byte === RETURN) {
      at = skipBlanks(body, at);
      continue;
    }
    at++;
    if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) depth++;
    else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth--;
    const isLast = depth === 0 && (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT);
    const endsElement = isArray && (isLast || (depth === 1 && byte === COMMA));
    if (!endsElement) lines[used++] = byte;
    if (endsElement || isLast) {
      while (used > line && isBlank(lines[used - 1])) used--;
      if (used > line) lines[used++] = NEWLINE;
      line = used;
      at = skipBlanks(body, at);
    }
    if (isLast) return at === body.length ? lines.subarray(0, used) : undefined;
  }
  return undefined;
}

/** Offset behind the string that begins at `at`, or the end of the body. */
function stringEnd(body: Uint8Array, at: number): number {
  for (at++; at < body.length; at++) {
    const byte = body[at];
    if (byte === BACKSLASH) at++;
    else if (byte === QUOTE) return at + 1;
  }
  return body.length;
}
