/**
 * Cuts a stream of bytes into batches at line ends.
 *
 * Invariant: the batches and what is left, joined, are the bytes that went in; every batch ends with `\n`; none is
 * longer than asked for, except one that holds a single longer line.
 *
 * @module
 */
import { BATCH_BYTES_CEILING, KIB } from "../protocol/limits.ts";

const NEWLINE = 0x0a;
/** Small at first: most batches of a slow input are. */
const BUFFER_BYTES_FIRST = 64 * KIB;

/** A line that no node would take. */
export class LineTooLong extends Error {
  override readonly name = "LineTooLong";
}

/** Collects bytes, gives batches. */
export class LineBatcher {
  readonly #batchBytes: number;
  readonly #lineBytesMax: number;
  #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;
  /** End of the last complete line. */
  #lineEnd = 0;

  constructor(batchBytes: number, lineBytesMax = BATCH_BYTES_CEILING) {
    this.#batchBytes = batchBytes;
    this.#lineBytesMax = lineBytesMax;
    this.#buffer = new Uint8Array(Math.min(batchBytes, BUFFER_BYTES_FIRST));
  }

  /** Whether a complete line waits. */
  get hasLines(): boolean {
    return this.#lineEnd > 0;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#length;
  }

  /** Bytes of the last line, which has no end yet. */
  get unfinishedBytes(): number {
    return this.#length - this.#lineEnd;
  }

  /**
   * Takes bytes; gives the batches that they completed.
   *
   * @throws LineTooLong for a line that is over every node's limit
   */
  *push(bytes: Uint8Array): Generator<Uint8Array<ArrayBuffer>, void> {
    for (let at = 0; at < bytes.length;) {
      const room = this.#batchBytes - this.#length;
      if (room > 0) {
        at += this.#append(bytes.subarray(at, at + room));
        if (this.#length < this.#batchBytes) return;
        if (this.hasLines) yield this.#cut();
        continue;
      }
      // One line fills the batch: it goes alone, as soon as its end is there.
      const end = bytes.indexOf(NEWLINE, at);
      at += this.#append(bytes.subarray(at, end < 0 ? bytes.length : end + 1));
      if (this.#length > this.#lineBytesMax + 1) throw new LineTooLong();
      if (this.hasLines) yield this.#cut();
    }
  }

  /** The complete lines that wait, if there are any. */
  take(): Uint8Array<ArrayBuffer> | undefined {
    return this.hasLines ? this.#cut() : undefined;
  }

  /** Ends the last line, if it has no end: what follows is another line. */
  endLine(): void {
    if (this.unfinishedBytes > 0) this.#append(new Uint8Array([NEWLINE]));
  }

  #append(bytes: Uint8Array): number {
    const needed = this.#length + bytes.length;
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(needed, Math.min(this.#buffer.length * 2, this.#batchBytes)));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    const newline = bytes.lastIndexOf(NEWLINE);
    if (newline >= 0) this.#lineEnd = this.#length + newline + 1;
    this.#length = needed;
    return bytes.length;
  }

  #cut(): Uint8Array<ArrayBuffer> {
    const batch = this.#buffer.slice(0, this.#lineEnd);
    this.#buffer.copyWithin(0, this.#lineEnd, this.#length);
    this.#length -= this.#lineEnd;
    this.#lineEnd = 0;
    return batch;
  }
}

/** How many lines a batch has. */
export function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}

/** Both halves of a batch, cut at the line end nearest behind its middle; `undefined` if it is a single line. */
export function halve<T extends ArrayBuffer>(
  batch: Uint8Array<T>,
): [Uint8Array<T>, Uint8Array<T>] | undefined {
  const middle = batch.length >> 1;
  let end = batch.lastIndexOf(NEWLINE, Math.max(0, middle - 1));
  if (end < 0) end = batch.indexOf(NEWLINE, middle);
  if (end < 0 || end === batch.length - 1) return undefined;
  return [batch.subarray(0, end + 1), batch.subarray(end + 1)];
}
