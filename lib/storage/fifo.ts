/**
 * A queue of any length: each step costs the same, however many wait.
 *
 * An array that gives its first element away moves all others. Up to some ten thousand the runtime does that by a trick;
 * beyond, 100,000 steps take seconds. Here the place of the first one is remembered instead, and what lies before it is
 * cut off once it is half of all.
 *
 * @module
 */

/**
 * First in, first out.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const queue = new Fifo<string>();
 * queue.push("a");
 * queue.push("b");
 * assertEquals([queue.first, queue.size], ["a", 2]);
 * assertEquals([queue.shift(), queue.shift(), queue.shift()], ["a", "b", undefined]);
 * ```
 */
export class Fifo<T> {
  #all: (T | undefined)[] = [];
  #head = 0;

  /** How many wait. */
  get size(): number {
    return this.#all.length - this.#head;
  }

  /** The one that waits for longest; `undefined` if there is none. */
  get first(): T | undefined {
    return this.#all[this.#head];
  }

  /** Puts one behind all others. */
  push(one: T): void {
    this.#all.push(one);
  }

  /** Takes the first one; `undefined` if there is none. */
  shift(): T | undefined {
    if (this.#head === this.#all.length) return undefined;
    const one = this.#all[this.#head];
    this.#all[this.#head++] = undefined;
    if (this.#head * 2 >= this.#all.length) {
      this.#all = this.#all.slice(this.#head);
      this.#head = 0;
    }
    return one;
  }

  /** Takes all out that are so; returns how many that were. Costs a look at each. */
  remove(isOne: (one: T) => boolean): number {
    const before = this.size;
    this.#all = (this.#all.slice(this.#head) as T[]).filter((one) => !isOne(one));
    this.#head = 0;
    return before - this.size;
  }
}
