/**
 * Messages as server-sent events.
 *
 * ```text
 * id: node_1-chunk000000042:1024        where to go on: behind this message, and where the other owners stand
 * data: the message
 * ```
 *
 * The format knows only text lines: a `\r` inside of a message arrives as a line break, and bytes that are not UTF-8
 * as U+FFFD. Readers that need exact bytes take plain lines.
 *
 * @module
 */
import type { Tail, TailPiece } from "../storage/tail.ts";

const NEWLINE = 10;
const RETURN = 13;
const encoder = new TextEncoder();
const DATA = encoder.encode("data: ");
const END = encoder.encode("\n\n");

/** One event for each message of the piece. */
export function toEvents(tail: Pick<Tail, "cursor">, piece: TailPiece): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let start = 0; start < piece.bytes.length;) {
    const end = piece.bytes.indexOf(NEWLINE, start);
    const cursor = tail.cursor({ chunk: piece.chunk, offset: piece.offset + end + 1 });
    parts.push(encoder.encode(`id: ${cursor}\n`));
    pushData(parts, piece.bytes.subarray(start, end));
    parts.push(END);
    start = end + 1;
  }
  return concatenate(parts);
}

function pushData(parts: Uint8Array[], message: Uint8Array): void {
  let start = 0;
  for (let at = message.indexOf(RETURN); at >= 0; at = message.indexOf(RETURN, start)) {
    parts.push(DATA, message.subarray(start, at), END.subarray(1));
    start = at + 1;
  }
  parts.push(DATA, message.subarray(start));
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
