/**
 * One buffer that a body is taken into while it arrives.
 *
 * It grows fourfold, with a spare byte behind what is used; its capacity is what the arrival holds of the budget. Where
 * memory for all of a declared body waits to be used again, it is taken at once: that is little, and saves the copies.
 * Nothing is held before the first bytes are there. From `BODY_FIRST_BYTES` on the runtime puts the bytes here itself: in 1 MiB
 * that is half of what it costs to be handed parts and to copy them. Short bodies are better handed over.
 *
 * A read is of `DIRECT_BYTES` at most: the runtime takes as much memory as it is asked to fill, and above 128 KiB that
 * memory is a new one from the kernel each time, which costs more than all else.
 *
 * @module
 */
import { BODY_FIRST_BYTES, KIB } from "../protocol/limits.ts";
import type { Arrival, ArrivingBodies } from "./arriving.ts";
import { BodyBuffers } from "./body_buffers.ts";

const DIRECT_BYTES = 96 * KIB;

type Bytes = Uint8Array<ArrayBuffer>;

/** What has come of one body. */
export class GrowingBuffer {
  /** Bytes that were taken in. */
  used = 0;
  readonly #stream: ReadableStream<Bytes>;
  readonly #arriving: ArrivingBodies;
  readonly #arrival: Arrival;
  readonly #declared: boolean;
  readonly #capacityMax: number;
  /** Hands parts over; or else */
  #reader: ReadableStreamDefaultReader<Bytes>;
  /** puts bytes where they belong. */
  #direct: ReadableStreamBYOBReader | undefined;
  #canBeDirect = true;
  #buffer: Bytes = new Uint8Array(0);
  /** What was handed over, and not yet taken in. */
  #part: Bytes | undefined;

  /**
   * @param declared length of the body; 0 if that is not known
   * @param bytesMax the longest that it may be
   */
  constructor(
    stream: ReadableStream<Bytes>,
    arriving: ArrivingBodies,
    arrival: Arrival,
    declared: number,
    bytesMax: number,
  ) {
    this.#stream = stream;
    this.#reader = stream.getReader();
    this.#arriving = arriving;
    this.#arrival = arrival;
    this.#declared = declared > 0;
    this.#capacityMax = (declared || bytesMax) + 1;
  }

  /** Whether one byte behind what is used may be written. */
  get spare(): boolean {
    return this.used < this.#buffer.length;
  }

  /** What was taken in. */
  bytes(): Bytes {
    return this.#buffer.subarray(0, this.used);
  }

  /** All of the memory, to be given back once nobody needs `bytes`. */
  whole(): Bytes {
    return this.#buffer;
  }

  /**
   * Waits for the next bytes; resolves to how many, which `take` takes in, and `undefined` at the end. Rejects with what
   * the stream failed with, and with `overloaded` if there is no memory.
   */
  async next(): Promise<number | undefined> {
    if (this.used >= BODY_FIRST_BYTES) this.#turnDirect();
    if (!this.#direct) {
      this.#part = (await this.#reader.read()).value;
      return this.#part?.length;
    }
    if (this.used + 2 > this.#buffer.length && this.used + 1 < this.#capacityMax) this.#grow(this.used + 2);
    const { buffer, byteOffset, length } = this.#buffer;
    // At the end there is nothing left but the byte that is to spare.
    const free = Math.max(1, Math.min(DIRECT_BYTES, length - this.used - 1));
    const { value } = await this.#direct.read(new Uint8Array(buffer, byteOffset + this.used, free));
    if (!value) return undefined;
    // The same memory: each read makes another object of it.
    this.#buffer = new Uint8Array(value.buffer, byteOffset, length);
    return value.length > 0 ? value.length : undefined;
  }

  /** Takes in what `next` resolved to. Throws `overloaded` if there is no memory for it. */
  take(bytes: number): void {
    const part = this.#part;
    if (part) {
      if (this.used + bytes + 1 > this.#buffer.length) this.#grow(this.used + bytes + 1);
      this.#buffer.set(part, this.used);
    }
    this.used += bytes;
  }

  /** Lets the memory go at once, and wants no more bytes: what is waited for ends. */
  drop(): Promise<void> {
    this.#buffer = new Uint8Array(0);
    this.#part = undefined;
    this.used = 0;
    return (this.#direct ?? this.#reader).cancel();
  }

  #turnDirect(): void {
    if (this.#direct || !this.#canBeDirect) return;
    this.#part = undefined;
    this.#reader.releaseLock();
    try {
      this.#direct = this.#stream.getReader({ mode: "byob" });
    } catch (error) {
      // Not a stream of bytes, as all bodies from sockets are: it goes on as it was.
      if (!(error instanceof TypeError)) throw error;
      this.#canBeDirect = false;
      this.#reader = this.#stream.getReader();
    }
  }

  #grow(needed: number): void {
    const { buffers } = this.#arriving.budget;
    const before = this.#buffer;
    // A body that comes in small pieces of unknown number begins small.
    const first = needed < 4 * KIB ? 4 * KIB : BODY_FIRST_BYTES;
    const wanted = Math.max(needed, BodyBuffers.fourfold(before.length), first);
    const last = BodyBuffers.sizeFor(Math.max(needed, this.#capacityMax));
    const size = this.#declared && buffers.has(last) ? last : Math.min(BodyBuffers.sizeFor(wanted), last);
    this.#arriving.hold(this.#arrival, size);
    const grown = buffers.take(size);
    grown.set(this.bytes());
    this.#buffer = grown;
    this.#arriving.letGo(this.#arrival, before.length);
    buffers.give(before);
  }
}
