/**
 * The chunks of one owner in one category, by number.
 *
 * A new one is nearly always the last, and one that goes nearly always the first. So neither moves any other: the place
 * of the first one is remembered, and what lies before it is cut off once it is half of all. One that comes or goes
 * elsewhere moves those between it and the nearer end.
 *
 * Rejected: an array that gives its first element away (of 100,000 that takes 0.4 ms, of a million ten times as long, and
 * whoever acknowledges them one by one pays that for each), and a tree (listings and sums go through all of them).
 *
 * @module
 */
import type { Chunk } from "./chunk.ts";

/** A sorted list. */
export class OwnerChunks {
  #chunks: Chunk[] = [];
  /** Those before it are gone; in their places stands whatever was there. */
  #head = 0;
  /** Those before it are complete, and stay so. */
  #open = 0;

  /** How many there are. */
  get size(): number {
    return this.#chunks.length - this.#head;
  }

  /** The one with the largest number. */
  get last(): Chunk | undefined {
    return this.size > 0 ? this.#chunks.at(-1) : undefined;
  }

  /** Adds one whose number is not there; returns whether it is the last one now. */
  add(chunk: Chunk): boolean {
    const at = this.#indexFrom(chunk.number);
    if (at === this.#chunks.length) {
      this.#chunks.push(chunk);
      return true;
    }
    this.#chunks.splice(at, 0, chunk);
    this.#open = Math.min(this.#open, at);
    return false;
  }

  /** Removes one that is there. */
  delete({ number }: Chunk): void {
    const at = this.#indexFrom(number);
    if (at - this.#head > this.#chunks.length - at) {
      this.#chunks.splice(at, 1);
      if (at < this.#open) this.#open--;
      return;
    }
    for (let i = at; i > this.#head; i--) this.#chunks[i] = this.#chunks[i - 1]!;
    this.#head++;
    if (at >= this.#open) this.#open = Math.min(this.#open + 1, at + 1);
    if (this.#head * 2 >= this.#chunks.length) this.all();
  }

  /** The first one whose number is at least `number`. */
  firstFrom(number: number): Chunk | undefined {
    return this.#chunks[this.#indexFrom(number)];
  }

  /** Those with smaller numbers that are not complete. Costs what came since the oldest of them. */
  openBefore(number: number): Chunk[] {
    const chunks = this.#chunks;
    this.#open = Math.max(this.#open, this.#head);
    while (this.#open < chunks.length && chunks[this.#open]!.complete) this.#open++;
    const open: Chunk[] = [];
    for (let i = this.#open; i < chunks.length && chunks[i]!.number < number; i++) {
      if (!chunks[i]!.complete) open.push(chunks[i]!);
    }
    return open;
  }

  /** All, in order. Not to be kept: it changes as they come and go. */
  all(): readonly Chunk[] {
    if (this.#head > 0) {
      this.#chunks = this.#chunks.slice(this.#head);
      this.#open = Math.max(0, this.#open - this.#head);
      this.#head = 0;
    }
    return this.#chunks;
  }

  #indexFrom(number: number): number {
    const chunks = this.#chunks;
    let low = this.#head;
    let high = chunks.length;
    if (high > low && chunks[high - 1]!.number < number) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (chunks[middle]!.number >= number) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
