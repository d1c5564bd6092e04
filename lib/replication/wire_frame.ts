/**
 * An answer: what is told, and behind it the bytes.
 *
 * ```text
 * {"node":[…],…,"pieces":[…]}   \n   <bytes of the first piece><bytes of the second>…
 * └ JSON, has no \n of its own ┘     └ as long as the JSON says, to the byte
 * ```
 *
 * Bytes are never copied here: going out they are parts of the answer, coming in they are parts of the one buffer that
 * the answer was received into.
 *
 * @module
 */
import { REPLICATION_HEAD_BYTES_MAX } from "../protocol/limits.ts";
import type { Piece } from "./peer.ts";
import { type Fields, parseObject, refuse, WireError } from "./wire_fields.ts";
import { decodePieces } from "./wire_rows.ts";

const NEWLINE = 10;
const encoder = new TextEncoder();

/** An answer in parts, to be sent one behind the other. */
export type FrameParts = readonly [head: Uint8Array, ...bytes: Uint8Array[]];

/** An answer, taken apart. */
export interface Frame {
  readonly head: Fields;
  /** What follows the JSON. */
  readonly bytes: Uint8Array;
}

/** A document and the bytes of pieces. */
export function encodeFrame(head: Fields, pieces: readonly Piece[] = []): FrameParts {
  return [encoder.encode(JSON.stringify(head) + "\n"), ...pieces.map(({ bytes }) => bytes)];
}

/** Takes an answer apart. */
export function decodeFrame(answer: Uint8Array): Frame {
  const end = answer.subarray(0, REPLICATION_HEAD_BYTES_MAX + 1).indexOf(NEWLINE);
  if (end < 0) {
    throw new WireError(
      `answer: has no line of at most ${REPLICATION_HEAD_BYTES_MAX} bytes at its beginning, is cut or foreign`,
    );
  }
  return { head: parseObject(answer.subarray(0, end)), bytes: answer.subarray(end + 1) };
}

/** The pieces that a document tells of, with their bytes. */
export function decodeFramePieces(field: string, value: unknown, bytes: Uint8Array): Piece[] {
  const heads = decodePieces(field, value);
  const sum = heads.reduce((total, { length }) => total + length, 0);
  if (sum !== bytes.length) refuse(`${field}.length`, sum, `the ${bytes.length} bytes that follow, in all`);
  let at = 0;
  return heads.map(({ length, ...head }) => {
    const part = bytes.subarray(at, at += length);
    if (!head.part && part.at(-1) !== NEWLINE) {
      throw new WireError(`${field}: ${head.chunk} from ${head.offset} on does not end with a message`);
    }
    return { ...head, bytes: part };
  });
}
