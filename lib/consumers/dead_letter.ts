/**
 * A dead letter: a message that no worker could process, as lines of JSON for the category `<category>.dead`.
 *
 * ```text
 * {"category":"web","consumer":"indexer","chunk":"node_1-chunk000000004","offset":900,"size":42,"deliveries":5,
 *  "first":"2026-11-22T10:00:00.000Z","last":"2026-11-22T10:04:00.000Z",
 *  "history":[{"at":"2026-11-22T10:00:00.000Z","worker":"a"},…],"text":"the message"}
 * ```
 *
 * `text` is the message without its `\n`, if it is valid UTF-8; `base64` is there instead if it is not, or would not fit
 * into a line once escaped. `size` counts the `\n`. `history` has the first and the last deliveries.
 *
 * No line is longer than `DEAD_LETTER_BYTES_MAX`, so that whoever reads without a `max_size` can take it. With the limits
 * that a node has unless they are set, every letter fits. One that does not comes as several lines, one behind the other,
 * each with `part` and `parts` and as much of the message as base64: a letter that cannot be read would be a message
 * lost, and one without its message as well, once nothing keeps the original.
 *
 * @module
 */
import { DEAD_LETTER_BYTES_MAX } from "../protocol/limits.ts";
import { isCategory } from "../protocol/names.ts";
import { formatTime } from "../protocol/times.ts";
import type { Piece } from "./piece.ts";

const SUFFIX = ".dead";
/** Room in each line for everything but the message: names, times, history. */
const HEAD_BYTES_MAX = 16 * 1024;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();

/** The category that takes a category's dead letters; `undefined` where there can be none. */
export function deadCategory(category: string): string | undefined {
  const dead = category + SUFFIX;
  return category.endsWith(SUFFIX) || !isCategory(dead) ? undefined : dead;
}

/** Whose message it was. */
export interface LetterHead {
  readonly category: string;
  readonly consumer: string;
}

/** The lines of one letter, each with its `\n`; `message` is without. */
export function* deadLetter(head: LetterHead, piece: Piece, message: Uint8Array): Generator<Uint8Array> {
  const fields = fieldsOf(head, piece);
  const room = DEAD_LETTER_BYTES_MAX - HEAD_BYTES_MAX;
  const encodedSize = 4 * Math.ceil(message.length / 3);
  const text = message.length <= room ? textOf(message) : undefined;
  if (text !== undefined) {
    const line = lineOf({ ...fields, text });
    // Control characters take six bytes each.
    if (line.length <= DEAD_LETTER_BYTES_MAX) return yield line;
  }
  if (encodedSize <= room) return yield lineOf({ ...fields, base64: message.toBase64() });
  const step = Math.floor(room / 4) * 3;
  const parts = Math.ceil(message.length / step);
  for (let part = 1; part <= parts; part++) {
    const bytes = message.subarray((part - 1) * step, part * step);
    yield lineOf({ ...fields, part, parts, base64: bytes.toBase64() });
  }
}

function fieldsOf({ category, consumer }: LetterHead, piece: Piece): Record<string, unknown> {
  const { chunk, from, size, deliveries, history } = piece;
  return {
    category,
    consumer,
    chunk,
    offset: from,
    size,
    deliveries,
    first: formatTime(history[0]!.atMs),
    last: formatTime(history.at(-1)!.atMs),
    history: history.map(({ atMs, worker }) =>
      worker === "" ? { at: formatTime(atMs) } : { at: formatTime(atMs), worker }
    ),
  };
}

function textOf(message: Uint8Array): string | undefined {
  try {
    return UTF8.decode(message);
  } catch {
    return undefined;
  }
}

function lineOf(value: Record<string, unknown>): Uint8Array {
  return ENCODER.encode(JSON.stringify(value) + "\n");
}
