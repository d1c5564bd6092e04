/**
 * What the calls for consumers take and answer.
 *
 * @module
 */
import type { CallOptions } from "./options.ts";

/**
 * Where reading starts: `"earliest"`, `"latest"`, a `Date`, milliseconds since 1970, or a time like
 * `"2026-11-22T10:00:00Z"` (UTC if it names no zone).
 */
export type From = string | number | Date;

/** A place within one owner's chunks. */
export interface ChunkPlace {
  /** Name of the chunk. */
  readonly chunk: string;
  /** Offset in bytes at which a message begins, or the end. */
  readonly offset: number;
}

/** How soon a node has to say something. */
export interface PromptOptions extends CallOptions {
  /**
   * Milliseconds within which the answer has to begin, what the node was told to wait not counted: who can ask another
   * node does not wait for a dead one as long as the answer itself may take.
   *
   * @default `timeoutMs` of the client
   */
  readonly answerMs?: number | undefined;
}

/** What is asked for, and by whom. */
export interface ConsumeOptions extends PromptOptions {
  /** Name of the consumer; made by its first use. */
  readonly consumer: string;
  /**
   * Bytes at most; never more than 16 MiB.
   *
   * @default 4194304
   */
  readonly maxSize?: number | undefined;
  /**
   * Milliseconds that the node waits for messages if there are none; at most 60000.
   *
   * @default 0
   */
  readonly waitMs?: number | undefined;
  /**
   * Where a consumer that is new starts.
   *
   * @default "earliest"
   */
  readonly from?: From | undefined;
  /**
   * Milliseconds that the messages are lent: nobody else is given them before. 0 lends nothing, and hands out the first
   * messages that are not acknowledged as often as it is asked.
   *
   * @default 0
   */
  readonly leaseMs?: number | undefined;
  /**
   * How often messages are handed out before they are taken for what no worker can process, see `docs/consumers.md`.
   *
   * @default without bound
   */
  readonly maxDeliveries?: number | undefined;
  /** Who asks, for people. */
  readonly worker?: string | undefined;
  /**
   * Called as soon as the node has said what it hands out, before the messages themselves arrive: if they never do, this
   * is what can be given back at once by {@linkcode ChukchaClient.lease}.
   */
  readonly onHead?: ((head: ConsumedHead) => void) | undefined;
}

/** What was handed out. */
export interface ConsumedHead {
  /** Name of the chunk. */
  readonly chunk: string;
  /** Offset of the first byte. */
  readonly offset: number;
  /** Offset behind the last byte: the `size` of an ack. */
  readonly nextOffset: number;
  /** The consumer's epoch: an ack that names it is refused after a seek. */
  readonly epoch: number;
  /** How often these messages have been handed out, this time included; of leased ones. */
  readonly deliveries?: number;
  /** Milliseconds that they are lent; of leased ones. */
  readonly leaseMs?: number;
}

/** Messages that were handed out to a consumer. */
export interface Consumed extends ConsumedHead {
  /** Whole messages, each with its `\n`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Which lease ends when. */
export interface LeaseOptions extends PromptOptions {
  /** Name of the consumer. */
  readonly consumer: string;
  /** Name of the chunk. */
  readonly chunk: string;
  /** Offset of the first byte, as it was handed out. */
  readonly offset: number;
  /** Offset behind the last byte: the `nextOffset` of what was handed out. */
  readonly size: number;
  /** Milliseconds from now until the lease ends; 0 gives the messages back at once. */
  readonly leaseMs: number;
  /**
   * How often they had been handed out when they were, as the node said: so that what somebody else holds by now, since
   * this lease was over, is not meant.
   *
   * @default whoever holds them is meant
   */
  readonly deliveries?: number | undefined;
}

/** Which consumer goes where. */
export interface SeekOptions extends CallOptions {
  /** Name of the consumer; made if it is new. */
  readonly consumer: string;
  /** Where to: as `from`, or a place for each owner. */
  readonly to: From | readonly ChunkPlace[];
}

/** Which consumer is forgotten. */
export interface ForgetOptions extends CallOptions {
  /** Name of the consumer. */
  readonly consumer: string;
}
