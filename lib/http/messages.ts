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
import { jsonToLines } from "./json_messages.ts";

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
