/**
 * What dispensing asks of the rest of the node, and what it answers.
 *
 * @module
 */
import type { Log } from "../protocol/log.ts";
import type { ChunkList } from "../storage/chunk_list.ts";
import type { ChunkRange } from "../storage/chunk_reader.ts";
import type { Clock } from "../storage/clock.ts";
import type { Consumers } from "../storage/consumers.ts";
import type { Meter } from "./meter.ts";

/** Messages, and the places of those who read them. */
export interface Source {
  /** The consumers of a category, which need not exist yet. */
  consumers(category: string): Consumers;
  /** The categories that have consumers, sorted. */
  consumedCategories(): string[];
  /** The chunks of a category with readable bytes; `undefined` if there is no such category. */
  chunks(category: string): ChunkList | undefined;
  /** Whole messages of one chunk. Rejects with `ChukchaError`. */
  read(category: string, chunk: string, offset: number, sizeMax: number): Promise<ChunkRange>;
  /** Calls `notify` whenever bytes are published in a category, until the returned function is called. */
  watch(category: string, notify: () => void): () => void;
}

/** What every dispenser of a node works with. */
export interface DispensingContext {
  readonly source: Source;
  readonly clock: Clock;
  readonly log: Log;
  /** Writes one message of the node itself, with the durability that writes have by default. */
  readonly append: (category: string, bytes: Uint8Array) => Promise<void>;
  readonly meter: Meter;
}

/** What one worker asks for. */
export interface Want {
  readonly maxSize: number;
  /** 0: what is handed out is not lent. */
  readonly leaseMs: number;
  /** 0: as often as need be. */
  readonly maxDeliveries: number;
  /** As it calls itself. */
  readonly worker: string;
}

/** What it is given: whole messages of one chunk. */
export interface Handed extends ChunkRange {
  readonly chunk: string;
  readonly epoch: number;
  /** How often that has been, this time included; 0 without a lease. */
  readonly deliveries: number;
}
