/**
 * Messages that were handed out to a consumer, until they are acknowledged or given back.
 *
 * @module
 */
import type { Consumed } from "./consumer_options.ts";
import { jsonOf, messagesOf, textsOf } from "./lines.ts";

/**
 * What became of what was said about a batch.
 *
 * - `"done"`: it is so.
 * - `"moved"`: the consumer was moved, or forgotten, after the batch was handed out. What is read next is for the seek to
 *   say; this batch counts for nothing, and may come again.
 * - `"lost"`: the lease is over. The batch comes again, here or to another worker; it may still be acknowledged.
 */
export type BatchOutcome = "done" | "moved" | "lost";

/** What a batch's own methods do: its consumer's part. */
export interface BatchKeeper {
  /** Acknowledges it. */
  ack(batch: Batch): Promise<BatchOutcome>;
  /** Gives it back. */
  release(batch: Batch): Promise<BatchOutcome>;
  /** Has its lease end so many milliseconds from now. */
  extend(batch: Batch, leaseMs: number): Promise<BatchOutcome>;
}

/**
 * Some messages of one chunk, in their order, as a {@linkcode Consumer} hands them out.
 *
 * Nobody else is given them while their lease lasts. They count as processed only when `ack` was called: without that
 * they come again, whatever the loop did with them.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Batch } from "./mod.ts";
 *
 * // A consumer makes it; by hand only where code that takes batches is tested.
 * const bytes = new TextEncoder().encode('{"user":1}\n{"user":2}\n');
 * const piece = { chunk: "node-chunk000000000", offset: 0, nextOffset: 22, epoch: 0, bytes };
 * const done = () => Promise.resolve("done" as const);
 * const batch = new Batch("web", piece, { ack: done, release: done, extend: done });
 *
 * assertEquals([...batch.texts()], ['{"user":1}', '{"user":2}']);
 * assertEquals([...batch.json<{ user: number }>()].map(({ user }) => user), [1, 2]);
 * assertEquals([...batch.messages()].map((message) => message.length), [10, 10]);
 * assertEquals(await batch.ack(), "done");
 * ```
 */
export class Batch {
  /** What is read. */
  readonly category: string;
  /** The chunk that all messages are from. */
  readonly chunk: string;
  /** Offset of the first message in the chunk. With `chunk` it names the batch's beginning for ever. */
  readonly offset: number;
  /** Offset behind the last message. */
  readonly nextOffset: number;
  /** The consumer's epoch: a seek raises it. */
  readonly epoch: number;
  /** How often these messages have been handed out, this time included. */
  readonly deliveries: number;
  /** The messages, each with its `\n`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #keeper: BatchKeeper;

  /**
   * Makes a batch of what was handed out.
   *
   * @param category what is read
   * @param consumed what was handed out
   * @param keeper what `ack`, `release` and `extend` call
   */
  constructor(category: string, consumed: Consumed, keeper: BatchKeeper) {
    this.category = category;
    this.chunk = consumed.chunk;
    this.offset = consumed.offset;
    this.nextOffset = consumed.nextOffset;
    this.epoch = consumed.epoch;
    this.deliveries = consumed.deliveries ?? 1;
    this.bytes = consumed.bytes;
    this.#keeper = keeper;
  }

  /** How many bytes that are, each message with its `\n`. */
  get size(): number {
    return this.bytes.length;
  }

  /**
   * Each message without its `\n`, as a view of `bytes`: nothing is copied.
   *
   * @returns to be gone through once
   */
  messages(): Generator<Uint8Array<ArrayBuffer>, void> {
    return messagesOf(this.bytes);
  }

  /**
   * Each message without its `\n`, as text. Bytes that are not UTF-8 become U+FFFD. A text may keep all of the batch in
   * memory for as long as it is kept itself.
   *
   * @returns to be gone through once
   */
  texts(): Generator<string, void> {
    return textsOf(this.bytes);
  }

  /**
   * Each message as the value that it is the JSON of; nobody checks that it is a `T`.
   *
   * @returns to be gone through once; throws a {@linkcode MessageError} at a message that is no JSON
   */
  json<T = unknown>(): Generator<T, void> {
    return jsonOf(this.bytes, this);
  }

  /**
   * Says that all these messages are processed. It names exactly these bytes, so that it may be sent to any node, and
   * again: when the node is gone it is sent to the next one, until one has taken it or the consumer's `giveUpMs` are over.
   *
   * @returns `"done"` once that is on a node's disk; `"moved"` if the consumer was moved since
   * @throws TransportError or ChukchaError if no node took it: the messages come again
   */
  ack(): Promise<BatchOutcome> {
    return this.#keeper.ack(this);
  }

  /**
   * Gives all these messages back at once: the next worker who asks is given them.
   *
   * @returns `"done"`, or `"lost"` if they were back already
   * @throws TransportError or ChukchaError if the node did not take it: they are back when the lease is over
   */
  release(): Promise<BatchOutcome> {
    return this.#keeper.release(this);
  }

  /**
   * Has the lease end so many milliseconds from now. Needed only for what takes longer than the consumer's `renewMs`: up
   * to there, leases are renewed by themselves.
   *
   * @param leaseMs from now
   * @returns `"done"`, or `"lost"` if somebody else may have been given them
   * @throws TransportError or ChukchaError if the node did not take it
   */
  extend(leaseMs: number): Promise<BatchOutcome> {
    return this.#keeper.extend(this, leaseMs);
  }
}
