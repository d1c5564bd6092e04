/**
 * What the methods of the client take.
 *
 * @module
 */
import type { PromptOptions } from "./consumer_options.ts";
import type { FetchLike } from "./transport.ts";

/** How to reach a node. */
export interface ClientOptions {
  /**
   * Address of the node, `http` or `https`; a path is kept as a prefix.
   *
   * @default "http://127.0.0.1:8080"
   */
  readonly server?: string | URL;
  /**
   * What the node asks for, if it asks for tokens: sent as `Authorization: Bearer …`, never as part of an address. A
   * function is asked before each request, so that a token can be replaced while the client goes on.
   *
   * @default none
   */
  readonly token?: string | (() => string | Promise<string>) | undefined;
  /**
   * What sends the requests: for tests, and for a `fetch` with settings of its own.
   *
   * @default globalThis.fetch
   */
  readonly fetch?: FetchLike;
  /** Aborts whatever this client is doing, and is going to do. */
  readonly signal?: AbortSignal;
  /**
   * Milliseconds that an answer may take. It does not bound streams, only their beginning; for a write, the time that
   * the node may wait for others comes on top.
   *
   * @default 60000
   */
  readonly timeoutMs?: number;
}

/** What every method takes. */
export interface CallOptions {
  /** Aborts this one call; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** Messages to write: text, bytes, or a stream of bytes. */
export type WriteBody = string | Uint8Array | ArrayBuffer | Blob | ReadableStream<Uint8Array>;

/** What the answer of a write has to wait for; left out, the node's own settings count. And what to know its retry by. */
export interface WriteOptions extends PromptOptions {
  /** Survive a power loss of the node's machine. */
  readonly syncEachWrite?: boolean | undefined;
  /** Survive the loss of this many machines for good. */
  readonly minSyncReplicas?: number | undefined;
  /**
   * Milliseconds that the node may wait for all that.
   *
   * @default 60000
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Who writes, a name as a category's: the same node then stores a batch that is sent again with the same `sequence`
   * only once, and answers again with its place. Goes with `sequence`.
   */
  readonly producer?: string | undefined;
  /** Number of this batch among those of the producer to this category: 0 to 2^53 - 1, counting up. */
  readonly sequence?: number | undefined;
}

/** What to read. */
export interface ReadOptions extends CallOptions {
  /** Name of the chunk. */
  readonly chunk: string;
  /**
   * Offset in bytes at which a message begins.
   *
   * @default 0
   */
  readonly off?: number | undefined;
  /**
   * Bytes at most; never more than 16 MiB.
   *
   * @default 4194304
   */
  readonly maxSize?: number | undefined;
}

/** What was processed. */
export interface AckOptions extends PromptOptions {
  /** Name of the chunk. */
  readonly chunk: string;
  /** Up to where it was processed: the size of the complete chunk, as it is listed; for a consumer any `nextOffset`. */
  readonly size: number;
  /** Whose place moves. Without it, the chunk is deleted for every reader. */
  readonly consumer?: string | undefined;
  /** From where on it was processed. Goes with `consumer`, and says exactly which messages are meant, at any node. */
  readonly offset?: number | undefined;
  /** The consumer's epoch when the messages were handed out: refuses the ack if it was moved since. */
  readonly epoch?: number | undefined;
}

/** Where a tail starts. */
export interface TailOptions extends PromptOptions {
  /**
   * `earliest`, `latest`, milliseconds since 1970, or a time like `2026-11-22T10:00:00Z`.
   *
   * @default "earliest"
   */
  readonly from?: string | undefined;
  /** Goes on behind this place, and overrides `from`: the cursor of a piece of `follow`, or the `id` of an event. */
  readonly cursor?: string | undefined;
  /** Called when the node begins to answer. For plain lines that is when there is a first message. */
  readonly onOpen?: (() => void) | undefined;
}
