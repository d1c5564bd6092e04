/**
 * Messages that go out together, encoded one behind the other, and those who wait for them.
 *
 * Owns the bytes, and which of them are whose: so a batch can be halved, one message can be taken out of it, and each
 * sender is told where its own message lies.
 *
 * Encoded at once into one buffer that grows twofold: values are not kept, and a message costs about 100 ns. Each has a
 * promise of its own, 50 to 110 ns more than one that a batch's senders share. With a shared one, a message that is too
 * large would take with it all who were sent with it. What else is kept of a message are two entries of arrays: an object
 * for each would be moved by the collector twice, which cost more than everything else.
 *
 * @module
 */
import type { Written } from "../protocol/errors.ts";
import { CLIENT_MESSAGE_OVERHEAD_BYTES, KIB } from "../protocol/limits.ts";
import type { WriteResult } from "../protocol/types.ts";
import type { ProducerError } from "./producer_error.ts";

const NEWLINE = 0x0a;
const BUFFER_BYTES_MIN = 1 * KIB;
/** No UTF-16 unit takes more bytes of UTF-8. */
const BYTES_PER_CHAR_MAX = 3;

const encoder = new TextEncoder();

type Resolve = (result: WriteResult | Promise<WriteResult>) => void;

let resolveOfNew: Resolve;
/** One function for all promises: one for each would cost as much as the rest of a message. */
const noteResolve = (resolve: Resolve): void => void (resolveOfNew = resolve);

/** Messages of one request. */
export class OutgoingBatch {
  /** What is known of it after the attempts so far. */
  written: Written = "no";
  /** A request with it is under way. */
  isUnderWay = false;
  /** It has waited for more messages as long as it should. */
  hasLingered = false;
  /** It is not to wait at all. */
  isDue = false;
  bornMs = performance.now();
  /** What it takes of the bound on all that is held, until it is done with. */
  cost = 0;
  readonly #bytesMax: number;
  /** Of each message its promise, what settles that, and where it ends in the buffer. */
  #promises: Promise<WriteResult>[] = [];
  #resolves: (Resolve | undefined)[] = [];
  #ends: number[] = [];
  /** What it was divided into. */
  #halves: readonly OutgoingBatch[] = [];
  #buffer: Uint8Array<ArrayBuffer>;
  /** Where it begins and ends in the buffer. */
  #start = 0;
  #end = 0;
  /** Some of its messages were taken back. */
  #hasGone = false;

  /**
   * @param bytesMax what it may grow to
   * @param expected how large it is going to be, probably
   */
  constructor(bytesMax: number, expected = 0) {
    this.#bytesMax = bytesMax;
    this.#buffer = new Uint8Array(Math.min(Math.max(expected, BUFFER_BYTES_MIN), bytesMax));
  }

  /** Bytes, each message with its `\n`. */
  get size(): number {
    return this.#end - this.#start;
  }

  /** Bytes that were needed of its buffer. */
  get used(): number {
    return this.#end;
  }

  /** How many messages. */
  get count(): number {
    return this.#ends.length;
  }

  /** Appends a message; `undefined` if there is no room for it. */
  add(content: string | Uint8Array): Promise<WriteResult> | undefined {
    const start = this.#end;
    let end: number;
    if (typeof content === "string") {
      this.#reserve(start + content.length * BYTES_PER_CHAR_MAX + 1);
      const { read, written } = encoder.encodeInto(content, this.#buffer.subarray(start));
      if (read < content.length) return undefined;
      end = start + written;
      if (end === this.#buffer.length) return undefined;
    } else {
      end = start + content.length;
      this.#reserve(end + 1);
      if (end >= this.#buffer.length) return undefined;
      this.#buffer.set(content, start);
    }
    this.#buffer[end] = NEWLINE;
    this.#end = end + 1;
    const promise = new Promise<WriteResult>(noteResolve);
    this.#promises.push(promise);
    this.#resolves.push(resolveOfNew);
    this.#ends.push(this.#end);
    this.cost += this.#end - start + CLIENT_MESSAGE_OVERHEAD_BYTES;
    return promise;
  }

  /** Grows, as far as it may. */
  #reserve(bytes: number): void {
    const { length } = this.#buffer;
    if (bytes <= length || length === this.#bytesMax) return;
    const grown = new Uint8Array(Math.min(Math.max(bytes, 2 * length), this.#bytesMax));
    grown.set(this.#buffer.subarray(0, this.#end));
    this.#buffer = grown;
  }

  /** Nothing is added any more: memory that was not needed goes. */
  seal(): void {
    if (2 * this.#end < this.#buffer.length) this.#buffer = this.#buffer.slice(0, this.#end);
  }

  /** Rejects messages whose senders do not want them any more; they are not sent either if none may have been written. */
  takeBack(
    isTaken: (promise: Promise<WriteResult>) => boolean,
    errorOf: (written: Written) => ProducerError,
  ): void {
    if (this.#halves.length > 0) return this.#halves.forEach((half) => half.takeBack(isTaken, errorOf));
    const error = errorOf(this.isUnderWay ? "maybe" : this.written);
    for (let i = 0; i < this.count; i++) {
      if (isTaken(this.#promises[i]!) && this.#reject(i, error)) this.#hasGone = true;
    }
  }

  /** The bytes to send, without those that were taken back before any of them may have been written. */
  body(): Uint8Array<ArrayBuffer> {
    if (this.#hasGone && this.written === "no") this.#compact();
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** Into a buffer of its own: a request that failed may still be looking at the old one. */
  #compact(): void {
    const { count } = this;
    const old = { buffer: this.#buffer, start: this.#start, ends: this.#ends };
    const isLeft = (_: unknown, i: number): boolean => this.#resolves[i] !== undefined;
    const left = old.ends.map((_, i) => i).filter(isLeft);
    this.#promises = this.#promises.filter(isLeft);
    this.#buffer = new Uint8Array(this.size);
    this.#start = 0;
    this.#end = 0;
    this.#ends = [];
    for (const i of left) {
      const message = old.buffer.subarray(i === 0 ? old.start : old.ends[i - 1], old.ends[i]);
      this.#buffer.set(message, this.#end);
      this.#end += message.length;
      this.#ends.push(this.#end);
    }
    if (left.length < count) this.#resolves = this.#resolves.filter((resolve) => resolve !== undefined);
    this.#hasGone = false;
  }

  /** Two batches of about half its size, between them all of its messages; `undefined` if it has only one. */
  halve(): [OutgoingBatch, OutgoingBatch] | undefined {
    const { count } = this;
    if (count < 2) return undefined;
    const middle = this.#start + this.size / 2;
    const found = this.#ends.findIndex((end) => end > middle);
    const at = Math.min(Math.max(found, 1), count - 1);
    const halves: [OutgoingBatch, OutgoingBatch] = [this.#part(0, at), this.#part(at, count)];
    this.#halves = halves;
    return halves;
  }

  #part(from: number, to: number): OutgoingBatch {
    const part = new OutgoingBatch(0);
    part.bornMs = this.bornMs;
    part.written = this.written;
    part.#promises = this.#promises.slice(from, to);
    part.#resolves = this.#resolves.slice(from, to);
    part.#ends = this.#ends.slice(from, to);
    part.#buffer = this.#buffer;
    part.#start = from === 0 ? this.#start : this.#ends[from - 1]!;
    part.#end = this.#ends[to - 1]!;
    part.#hasGone = this.#hasGone;
    return part;
  }

  /** Tells each sender where its message lies. */
  stored({ chunk, offset }: WriteResult): void {
    let start = this.#start;
    for (let i = 0; i < this.count; i++) {
      const end = this.#ends[i]!;
      this.#resolves[i]?.({ chunk, offset: offset + start - this.#start, size: end - start });
      start = end;
    }
    this.#resolves = [];
  }

  /** Tells each sender that still waits; returns how many did. */
  failed(errorOf: (written: Written) => ProducerError): number {
    if (this.#halves.length > 0) return this.#halves.reduce((told, half) => told + half.failed(errorOf), 0);
    const error = errorOf(this.isUnderWay ? "maybe" : this.written);
    let told = 0;
    for (let i = 0; i < this.count; i++) if (this.#reject(i, error)) told++;
    return told;
  }

  /** Whether its sender still waited. */
  #reject(i: number, error: ProducerError): boolean {
    const resolve = this.#resolves[i];
    if (!resolve) return false;
    this.#resolves[i] = undefined;
    // A sender that does not look is told by `flush`; the runtime is not to end the program for it.
    this.#promises[i]!.catch(() => {});
    // To keep the promise's reject as well would be one more object for each message, and all that it costs.
    resolve(Promise.reject(error));
    return true;
  }
}
