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
import { concatenate } from "../protocol/bytes.ts";
import { KIB } from "../protocol/limits.ts";
import type { Tail, TailPiece } from "../storage/tail.ts";

/** Made and sent at once; a longer message is a part of its own. */
const PART_BYTES = 64 * KIB;

const NEWLINE = 10;
const RETURN = 13;
const encoder = new TextEncoder();
const DATA = encoder.encode("data: ");
const END = encoder.encode("\n\n");

/**
 * One event for each message of the piece, in parts of about `PART_BYTES`.
 *
 * A MiB of empty messages is 41 MiB of events: made at once, that held up the whole node for 2 s and took 700 MB.
 */
export function* toEvents(tail: Pick<Tail, "cursor">, piece: TailPiece): Generator<Uint8Array, void> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for (let start = 0; start < piece.bytes.length;) {
    const end = piece.bytes.indexOf(NEWLINE, start);
    const cursor = tail.cursor({ chunk: piece.chunk, offset: piece.offset + end + 1 });
    const id = encoder.encode(`id: ${cursor}\n`);
    parts.push(id);
    pushData(parts, piece.bytes.subarray(start, end));
    parts.push(END);
    bytes += id.length + end - start;
    start = end + 1;
    if (bytes < PART_BYTES && start < piece.bytes.length) continue;
    yield concatenate(parts);
    parts = [];
    bytes = 0;
  }
}

function pushData(parts: Uint8Array[], message: Uint8Array): void {
  let start = 0;
  for (let at = message.indexOf(RETURN); at >= 0; at = message.indexOf(RETURN, start)) {
    parts.push(DATA, message.subarray(start, at), END.subarray(1));
    start = at + 1;
  }
  parts.push(DATA, message.subarray(start));
}
