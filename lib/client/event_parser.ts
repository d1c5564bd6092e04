/**
 * Server-sent events of `/tail`, taken apart byte for byte.
 *
 * ```text
 * id: node_1-chunk000000042:1024        behind this message, for each owner
 * data: a message
 * data: whose second line begins here   where the message has a `\r`: the format cannot carry one
 *
 * ```
 *
 * One event is one message. As no message contains a `\n`, several data lines can only be one that contains `\r`, and
 * they are joined by it: what comes out are the bytes that went in. That is why this is no parser of text, and why
 * only `\n` ends a line here, which is the only line end that a node sends.
 *
 * @module
 */
import { concatenate } from "../protocol/bytes.ts";
import { BATCH_BYTES_CEILING, KIB } from "../protocol/limits.ts";

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const decoder = new TextDecoder();
const encoder = new TextEncoder();
const DATA = encoder.encode("data:");
const ID = encoder.encode("id:");
/** A message of nothing but `\r` grows to `data: \n` for each. */
const EVENT_BYTES_MAX = 7 * BATCH_BYTES_CEILING + 64 * KIB;

type Bytes = Uint8Array<ArrayBuffer>;

/** Messages that arrived together. */
export interface TailPiece {
  /** Whole messages, each with its `\n`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How many. */
  readonly messages: number;
  /** The place behind the last of them: the `cursor` of a tail that is to go on there. */
  readonly cursor: string;
}

/** Collects bytes of events, gives messages. */
export class EventParser {
  /** Bytes of an event that is not complete, in pieces: a long message must not be copied for each of them. */
  #rest: Bytes[] = [];
  #restBytes = 0;

  /**
   * Takes bytes as they arrive.
   *
   * @param bytes of the stream
   * @returns the messages of the events that they completed, if any
   * @throws RangeError for an event that no node would send
   */
  push(bytes: Bytes): TailPiece | undefined {
    this.#rest.push(bytes);
    this.#restBytes += bytes.length;
    if (this.#restBytes > EVENT_BYTES_MAX) throw new RangeError("an event is longer than any message can be");
    if (bytes.indexOf(NEWLINE) < 0) return undefined;
    const input = this.#rest.length === 1 ? bytes : concatenate(this.#rest);
    const { consumed, piece } = parse(input);
    const rest = input.slice(consumed);
    this.#rest = rest.length === 0 ? [] : [rest];
    this.#restBytes = rest.length;
    return piece;
  }
}

/** The messages of all complete events of `input`, and where the last of these ends. */
function parse(input: Bytes): { consumed: number; piece: TailPiece | undefined } {
  // Never longer than its input: each line loses its field's name.
  const output = new Uint8Array(input.length);
  let length = 0;
  let consumed = 0;
  let messages = 0;
  let dataLines = 0;
  let id: Bytes | undefined;
  let cursor: Bytes | undefined;
  let bytes: Bytes = output.subarray(0, 0);
  for (let start = 0, end = input.indexOf(NEWLINE); end >= 0; end = input.indexOf(NEWLINE, start)) {
    if (begins(input, start, DATA)) {
      if (dataLines++ > 0) output[length++] = RETURN;
      const value = valueOf(input, start + DATA.length, end);
      output.set(value, length);
      length += value.length;
    } else if (begins(input, start, ID)) {
      id = valueOf(input, start + ID.length, end);
    } else if (end === start) {
      if (dataLines > 0) {
        output[length++] = NEWLINE;
        messages++;
        cursor = id;
      }
      dataLines = 0;
      bytes = output.subarray(0, length);
      consumed = end + 1;
    }
    start = end + 1;
  }
  const piece = messages > 0 ? { bytes, messages, cursor: decoder.decode(cursor) } : undefined;
  return { consumed, piece };
}

function begins(input: Bytes, at: number, field: Bytes): boolean {
  return field.every((byte, i) => input[at + i] === byte);
}

/** A value without the one space that may stand before it. */
function valueOf(input: Bytes, start: number, end: number): Bytes {
  return input.subarray(input[start] === SPACE && start < end ? start + 1 : start, end);
}
