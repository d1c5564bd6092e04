/**
 * Messages that go out together, encoded one behind the other, and those who wait for them.
 *
 * Owns the bytes, and which of them are whose: so a batch can be halved, one message can be taken out of it, and each
 * sender is told where its own message lies.
 *
 * Encoded at once into one buffer that grows twofold: values are not kept, and a message costs about 100 ns. Each has a
 * promise of its own, 50 to 110 ns more than one that a batch's senders share. With a shared one, a message that is too
 * large would take with it all who were sent with it.
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

/** One message, and who waits for it. */
export class OutgoingMessage {
  readonly promise: Promise<WriteResult>;
  /** Its sender was told what became of it. */
  isSettled = false;
  #resolve!: (result: WriteResult) => void;
  #reject!: (error: ProducerError) => void;

  constructor(public batch: OutgoingBatch, public start: number, public end: number) {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  resolve(result: WriteResult): void {
    this.isSettled = true;
    this.#resolve(result);
  }

  reject(error: ProducerError): void {
    if (this.isSettled) return;
    this.isSettled = true;
    // A sender that does not look is told by `flush`; the runtime is not to end the program for it.
    this.promise.catch(() => {});
    this.#reject(error);
  }
}

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
  #messages: OutgoingMessage[] = [];
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
    return this.#messages.length;
  }

  /** Appends a message; `undefined` if there is no room for it. */
  add(content: string | Uint8Array): OutgoingMessage | undefined {
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
    const message = new OutgoingMessage(this, start, this.#end);
    this.#messages.push(message);
    this.cost += this.#end - start + CLIENT_MESSAGE_OVERHEAD_BYTES;
    return message;
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

  /** A sender does not want its message to be sent any more; the next `body` is without it. */
  take(): void {
    this.#hasGone = true;
  }

  /** The bytes to send, without those that were taken back before any of them may have been written. */
  body(): Uint8Array<ArrayBuffer> {
    if (this.#hasGone && this.written === "no") this.#compact();
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** Into a buffer of its own: a request that failed may still be looking at the old one. */
  #compact(): void {
    const old = this.#buffer;
    this.#messages = this.#messages.filter((message) => !message.isSettled);
    const size = this.#messages.reduce((sum, { start, end }) => sum + end - start, 0);
    this.#buffer = new Uint8Array(size);
    this.#start = 0;
    this.#end = 0;
    for (const message of this.#messages) {
      this.#buffer.set(old.subarray(message.start, message.end), this.#end);
      message.end = this.#end + message.end - message.start;
      message.start = this.#end;
      this.#end = message.end;
    }
    this.#hasGone = false;
  }

  /** Two batches of about half its size, between them all of its messages; `undefined` if it has only one. */
  halve(): [OutgoingBatch, OutgoingBatch] | undefined {
    const { count } = this;
    if (count < 2) return undefined;
    const middle = this.#start + this.size / 2;
    const found = this.#messages.findIndex(({ end }) => end > middle);
    const at = Math.min(Math.max(found, 1), count - 1);
    return [this.#part(0, at), this.#part(at, count)];
  }

  #part(from: number, to: number): OutgoingBatch {
    const part = new OutgoingBatch(0);
    part.#messages = this.#messages.slice(from, to);
    part.#buffer = this.#buffer;
    part.#start = part.#messages[0]!.start;
    part.#end = part.#messages.at(-1)!.end;
    part.#hasGone = this.#hasGone;
    part.bornMs = this.bornMs;
    for (const message of part.#messages) message.batch = part;
    return part;
  }

  /** Tells each sender where its message lies. */
  stored({ chunk, offset }: WriteResult): void {
    for (const message of this.#messages) {
      if (message.isSettled) continue;
      const { start, end } = message;
      message.resolve({ chunk, offset: offset + start - this.#start, size: end - start });
    }
  }

  /** Tells each sender that still waits; returns how many did. */
  failed(error: ProducerError): number {
    let told = 0;
    for (const message of this.#messages) {
      if (message.isSettled) continue;
      message.reject(error);
      told++;
    }
    return told;
  }
}
