/**
 * Messages out of the bytes that they came in, as bytes, as text, and as JSON.
 *
 * Bytes are decoded once for all messages, since a call for each costs more than the decoding. Then each message is
 * parsed by itself: to put commas between them and parse them as one array would be faster, and would take two broken
 * messages for one good one.
 *
 * @module
 */
import { quote } from "../protocol/errors.ts";

const NEWLINE = 0x0a;
// A byte order mark is part of the first message, not something to leave out.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

type Bytes = Uint8Array<ArrayBuffer>;

/** Where messages are from. */
export interface Source {
  /** Name of the chunk, where all are from one. */
  readonly chunk?: string;
  /** Offset of the first byte in it. */
  readonly offset?: number;
  /** The cursor behind the last of them, where they are from a tail. */
  readonly cursor?: string;
}

/**
 * A message that is not JSON, where JSON was asked for.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { Batch, MessageError } from "./mod.ts";
 *
 * const bytes = new TextEncoder().encode('{"user":1}\nuser=2\n');
 * const piece = { chunk: "node-chunk000000000", offset: 100, nextOffset: 118, epoch: 0, bytes };
 * const done = () => Promise.resolve("done" as const);
 * const batch = new Batch("web", piece, { ack: done, release: done, extend: done });
 * const error = assertThrows(() => [...batch.json()], MessageError);
 * assertEquals([error.chunk, error.offset, error.beginning], ["node-chunk000000000", 111, "user=2"]);
 * ```
 */
export class MessageError extends Error {
  /** Always `"MessageError"`. */
  override readonly name = "MessageError";
  /** Name of the chunk; `undefined` in a tail, whose pieces may be of several. */
  readonly chunk: string | undefined;
  /** Offset of the message: in the chunk, or in the piece of a tail. */
  readonly offset: number;
  /** The beginning of the message, as text. */
  readonly beginning: string;

  /**
   * Puts the message together.
   *
   * @param text the message
   * @param source where it is from
   * @param offset of the message in the bytes that it came with
   * @param cause the parser's own error
   */
  constructor(text: string, source: Source, offset: number, cause: unknown) {
    const at = (source.offset ?? 0) + offset;
    const where = source.chunk === undefined
      ? `at byte ${at} of the piece before cursor ${quote(source.cursor ?? "")}`
      : `at offset ${at} of chunk ${source.chunk}`;
    super(`the message ${where} is not JSON: ${quote(text)}`, { cause });
    this.chunk = source.chunk;
    this.offset = at;
    this.beginning = text.slice(0, BEGINNING_CHARS);
  }
}

const BEGINNING_CHARS = 200;

/** Each message without its `\n`, in place. */
export function* messagesOf(bytes: Bytes): Generator<Bytes, void> {
  for (let start = 0; start < bytes.length;) {
    const end = endOf(bytes.indexOf(NEWLINE, start), bytes);
    yield bytes.subarray(start, end);
    start = end + 1;
  }
}

/** Each message as text. */
export function* textsOf(bytes: Bytes): Generator<string, void> {
  const text = decoder.decode(bytes);
  for (let start = 0; start < text.length;) {
    const end = endOf(text.indexOf("\n", start), text);
    yield text.slice(start, end);
    start = end + 1;
  }
}

/** Each message as the value that it is the JSON of. */
export function* jsonOf<T>(bytes: Bytes, source: Source): Generator<T, void> {
  let index = 0;
  for (const text of textsOf(bytes)) {
    let value: T;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw new MessageError(text, source, offsetOf(bytes, index), cause);
    }
    yield value;
    index++;
  }
}

function endOf(found: number, { length }: { length: number }): number {
  return found < 0 ? length : found;
}

/** Where the message with this index begins. */
function offsetOf(bytes: Bytes, index: number): number {
  let start = 0;
  for (let i = 0; i < index; i++) start = bytes.indexOf(NEWLINE, start) + 1;
  return start;
}
