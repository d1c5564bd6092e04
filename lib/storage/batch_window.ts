/**
 * The last batches of one producer in one category: a window over its sequences.
 *
 * The latest so many are kept in the order in which they were stored, whatever their sequences: several batches may be
 * in flight and arrive out of order, and a producer that leaves numbers out costs nothing. The oldest gives way to a new
 * one.
 *
 * In arrays of numbers, not objects: 6 KiB for a full window against 24, and nothing for the collector to look at. A
 * sequence that is larger than all before it, which is nearly every one, is known to be new without a search.
 *
 * Rejected: only the largest sequence, as where one batch is in flight at a time (a batch that overtakes another would
 * make it look old, and to take it for known would lose it).
 *
 * @module
 */
import { PRODUCER_SEQUENCES_MAX } from "../protocol/limits.ts";
import type { BatchPlace } from "./batch_entry.ts";

const FIRST_ROWS = 4;
/** number, offset, size, crc, time. */
const FIELDS = 5;

/** What is remembered of one producer. */
export class BatchWindow {
  #sequences = new Float64Array(FIRST_ROWS);
  #fields = new Float64Array(FIRST_ROWS * FIELDS);
  #count = 0;
  /** Row of the oldest, once all rows are taken. */
  #oldest = 0;
  #largest = -1;
  /** Time of the batch that was added last. */
  lastMs = 0;

  /** How many batches are remembered. */
  get size(): number {
    return this.#count;
  }

  /** The batch of this sequence. */
  find(sequence: number): BatchPlace | undefined {
    if (sequence > this.#largest) return undefined;
    const row = this.#sequences.subarray(0, this.#count).indexOf(sequence);
    return row < 0 ? undefined : this.#placeAt(row);
  }

  /** Remembers a batch, in the place of one of the same sequence if there is one. */
  put(sequence: number, { number, offset, size, crc, timeMs }: BatchPlace): void {
    const row = this.#rowFor(sequence);
    this.#sequences[row] = sequence;
    const at = row * FIELDS;
    const fields = this.#fields;
    fields[at] = number;
    fields[at + 1] = offset;
    fields[at + 2] = size;
    fields[at + 3] = crc;
    fields[at + 4] = timeMs;
    this.#largest = Math.max(this.#largest, sequence);
    this.lastMs = timeMs;
  }

  /** All of them, the oldest first. */
  *entries(): Generator<readonly [sequence: number, place: BatchPlace]> {
    for (let i = 0; i < this.#count; i++) {
      const row = (this.#oldest + i) % this.#count;
      yield [this.#sequences[row]!, this.#placeAt(row)];
    }
  }

  #rowFor(sequence: number): number {
    const known = sequence > this.#largest ? -1 : this.#sequences.subarray(0, this.#count).indexOf(sequence);
    if (known >= 0) return known;
    if (this.#count === PRODUCER_SEQUENCES_MAX) {
      const row = this.#oldest;
      this.#oldest = (row + 1) % this.#count;
      return row;
    }
    if (this.#count === this.#sequences.length) this.#grow();
    return this.#count++;
  }

  #grow(): void {
    const rows = Math.min(PRODUCER_SEQUENCES_MAX, 2 * this.#sequences.length);
    const sequences = new Float64Array(rows);
    sequences.set(this.#sequences);
    const fields = new Float64Array(rows * FIELDS);
    fields.set(this.#fields);
    this.#sequences = sequences;
    this.#fields = fields;
  }

  #placeAt(row: number): BatchPlace {
    const at = row * FIELDS;
    const fields = this.#fields;
    return {
      number: fields[at]!,
      offset: fields[at + 1]!,
      size: fields[at + 2]!,
      crc: fields[at + 3]!,
      timeMs: fields[at + 4]!,
    };
  }
}
