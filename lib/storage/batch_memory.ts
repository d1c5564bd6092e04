/**
 * What is remembered of the producers of one category, and the bound on all producers of a node.
 *
 * A window for each producer. When there are too many producers in all, the one that wrote least recently is forgotten,
 * in whatever category it is: its next retry would be stored again. What is older than a bound is not found any more.
 *
 * Owns: memory alone. What is on disk is `batch_journal.ts`, which is written from this.
 *
 * @module
 */
import { PRODUCER_AGE_MS_MAX, PRODUCERS_MAX } from "../protocol/limits.ts";
import { type BatchEntry, type BatchPlace, entryBytes, EntryWriter } from "./batch_entry.ts";
import { BatchWindow } from "./batch_window.ts";
import type { Clock } from "./clock.ts";

interface Remembered {
  readonly producer: string;
  readonly window: BatchWindow;
  /** Where to remove it from. */
  readonly of: Map<string, Remembered>;
}

/** The producers of all categories, in order of last use. */
export class ProducerBound {
  readonly #inUse = new Set<Remembered>();

  /** How many there are. */
  get size(): number {
    return this.#inUse.size;
  }

  /** This one has written now; the one that has not for longest may have to go. */
  use(one: Remembered): void {
    this.#inUse.delete(one);
    this.#inUse.add(one);
    if (this.#inUse.size > PRODUCERS_MAX) this.#forgetFirst();
  }

  /** This one was found at the start, in whatever order. */
  found(one: Remembered): void {
    this.#inUse.add(one);
    if (this.#inUse.size >= 2 * PRODUCERS_MAX) this.sort();
  }

  /** Puts what was found in order of last use, and forgets what is too much. */
  sort(): void {
    const sorted = [...this.#inUse].sort((a, b) => a.window.lastMs - b.window.lastMs);
    this.#inUse.clear();
    sorted.forEach((one) => this.#inUse.add(one));
    while (this.#inUse.size > PRODUCERS_MAX) this.#forgetFirst();
  }

  #forgetFirst(): void {
    for (const first of this.#inUse) {
      this.#inUse.delete(first);
      first.of.delete(first.producer);
      return;
    }
  }
}

/** The producers of one category. */
export class BatchMemory {
  readonly #bound: ProducerBound;
  readonly #clock: Clock;
  readonly #producers = new Map<string, Remembered>();

  constructor(bound: ProducerBound, clock: Clock, found: ReadonlyMap<string, BatchWindow> = new Map()) {
    this.#bound = bound;
    this.#clock = clock;
    for (const [producer, window] of found) {
      const one = { producer, window, of: this.#producers };
      this.#producers.set(producer, one);
      bound.found(one);
    }
  }

  /** Where the batch of this producer and sequence lies, if it is remembered. */
  find(producer: string, sequence: number): BatchPlace | undefined {
    const place = this.#producers.get(producer)?.window.find(sequence);
    return place && !this.#isOld(place, this.#clock.now()) ? place : undefined;
  }

  /** Remembers a batch. */
  put(entry: BatchEntry): void {
    let one = this.#producers.get(entry.producer);
    if (!one) {
      one = { producer: entry.producer, window: new BatchWindow(), of: this.#producers };
      this.#producers.set(entry.producer, one);
    }
    one.window.put(entry.sequence, entry);
    this.#bound.use(one);
  }

  /** All that is remembered, as entries of the journal. */
  encode(): Uint8Array {
    const now = this.#clock.now();
    let size = 0;
    for (const [producer, { window }] of this.#producers) size += window.size * entryBytes(producer);
    const entries = new EntryWriter(size);
    for (const [producer, { window }] of this.#producers) {
      for (const [sequence, place] of window.entries()) {
        if (!this.#isOld(place, now)) entries.add(producer, sequence, place);
      }
    }
    return entries.written;
  }

  #isOld({ timeMs }: BatchPlace, now: number): boolean {
    return now - timeMs > PRODUCER_AGE_MS_MAX;
  }
}
