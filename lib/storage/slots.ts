/**
 * Lets a bounded number of things go on at once; the others wait, in order.
 *
 * @module
 */
import { Fifo } from "./fifo.ts";

/** So many at once. */
export class Slots {
  #free: number;
  readonly #waiting = new Fifo<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** Runs `task` when there is room for it; settles as it does. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
