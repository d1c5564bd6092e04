/**
 * Small helpers for what was read of a chunk.
 *
 * @module
 */
import { concatenate } from "../protocol/bytes.ts";
import type { ChunkRange } from "../storage/chunk_reader.ts";

const NEWLINE = 10;

/** All bytes of a range. */
export async function bytesOf({ body }: ChunkRange): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body;
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return concatenate(parts);
}

/** Gives up a range that nobody takes. */
export function letGo({ body }: Pick<ChunkRange, "body">): void {
  // Of what nobody reads, no error is of interest either.
  if (body instanceof ReadableStream) body.cancel().catch(() => {});
}

/** The length of the first message of a range, with its `\n`; the range is used up. */
export async function firstMessageSize(range: ChunkRange): Promise<number> {
  const { body } = range;
  if (body instanceof Uint8Array) return body.indexOf(NEWLINE) + 1;
  let size = 0;
  for await (const part of body) {
    const newline = part.indexOf(NEWLINE);
    if (newline >= 0) return size + newline + 1;
    size += part.length;
  }
  return size;
}

/** Where whole messages can be cut into two parts that are as equal as can be; 0 if there is only one message. */
export function middleOf(messages: Uint8Array): number {
  const half = messages.length >> 1;
  const before = half === 0 ? 0 : messages.lastIndexOf(NEWLINE, half - 1) + 1;
  const behind = messages.indexOf(NEWLINE, half) + 1;
  if (behind >= messages.length) return before;
  return before === 0 || behind - half < half - before ? behind : before;
}
