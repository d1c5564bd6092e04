/**
 * A batch out of a body: whole messages, each with its `\n`, within the limits.
 *
 * Owns: the missing last `\n`, and the limits of a message and of a batch. Refuses: what is over a limit, as a whole.
 * Changes nothing else: an empty message is a message, and NUL, `\r` and all other bytes are as good as any.
 *
 * Invariant: a batch is empty or ends in `\n`.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { KIB, MESSAGES_COUNTED_BYTES_MAX } from "../protocol/limits.ts";
import { jsonToLines } from "./json_messages.ts";
import { countNewlines } from "./newlines.ts";

const NEWLINE = 0x0a;

/** Limits of what is written, from the settings. */
export interface MessageLimits {
  /** Longest message, without its `\n`. */
  readonly messageBytesMax: number;
  /** Largest batch, with the `\n` of each message. */
  readonly batchBytesMax: number;
}

/** A body's bytes, as `Body` holds them. */
export interface BodyBytes {
  readonly bytes: Uint8Array;
  /** Whether one byte behind `bytes`, in the same buffer, may be written too. */
  readonly spare: boolean;
}

/** The batch that `body` holds; throws `too_large`. It may share the body's memory. */
export function toBatch(body: BodyBytes, isJson: boolean, limits: MessageLimits): Uint8Array {
  const lines = isJson ? jsonToLines(body.bytes) : body.bytes;
  const batch = endWithNewline(lines, body.spare && lines === body.bytes);
  if (batch.length > limits.batchBytesMax) {
    throw new ChukchaError(
      "too_large",
      `body: a batch of ${batch.length} bytes is over the limit of ${limits.batchBytesMax}`,
    );
  }
  checkMessages(batch, limits.messageBytesMax);
  return batch;
}

function endWithNewline(lines: Uint8Array, spare: boolean): Uint8Array {
  const { length } = lines;
  if (length === 0 || lines[length - 1] === NEWLINE) return lines;
  let batch: Uint8Array;
  if (spare) {
    batch = new Uint8Array(lines.buffer, lines.byteOffset, length + 1);
  } else {
    batch = new Uint8Array(length + 1);
    batch.set(lines);
  }
  batch[length] = NEWLINE;
  return batch;
}

/**
 * Throws if a message is longer than `messageBytesMax`, looking at few of the bytes: where the last `\n` of the next
 * `messageBytesMax + 1` bytes is, no message before it can be too long.
 */
function checkMessages(batch: Uint8Array, messageBytesMax: number): void {
  let start = 0;
  while (batch.length - start > messageBytesMax + 1) {
    const newline = batch.lastIndexOf(NEWLINE, start + messageBytesMax);
    if (newline < start) {
      const bytes = batch.indexOf(NEWLINE, start) - start;
      throw new ChukchaError(
        "too_large",
        `body: the message of ${bytes} bytes at byte ${start} is over the limit of ${messageBytesMax}`,
      );
    }
    start = newline + 1;
  }
}

/** Messages are counted in pieces of this size where not all of them are looked at. */
const SAMPLE_BYTES = KIB;
/** Where between two pieces the first one begins: elsewhere for each batch, so that no pattern of sizes fits it. */
let phase = 0;

/**
 * How many messages a batch has: exactly up to {@linkcode MESSAGES_COUNTED_BYTES_MAX}, which takes 2 µs. Of larger ones
 * so many bytes are looked at, spread over the batch, and the rest is taken to be like them: all bytes of 1 MiB would
 * take 230 µs, a fifth of the whole write. Over many batches, what is too much and what is too little cancel out.
 */
export function countMessages(batch: Uint8Array): number {
  const { length } = batch;
  if (length <= MESSAGES_COUNTED_BYTES_MAX) return countNewlines(batch, 0, length);
  // The last byte ends a message for certain. All before it are a ring, in which each is as likely to be looked at.
  const ring = length - 1;
  const samples = MESSAGES_COUNTED_BYTES_MAX / SAMPLE_BYTES;
  phase = (phase + 0.618034) % 1;
  let newlines = 0;
  for (let i = 0; i < samples; i++) {
    const start = Math.floor((i + phase) * ring / samples);
    const end = start + SAMPLE_BYTES;
    newlines += countNewlines(batch, start, Math.min(end, ring));
    if (end > ring) newlines += countNewlines(batch, 0, end - ring);
  }
  return 1 + Math.round(newlines * ring / MESSAGES_COUNTED_BYTES_MAX);
}
