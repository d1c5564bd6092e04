/**
 * Completes chunks by age, also where nobody writes any more, with one timer for all of them.
 *
 * All chunks live equally long, so they are due in the order in which they were added: the queue needs no sorting, and
 * an idle store has at most one timer.
 *
 * @module
 */
import type { CancelTimer, Clock } from "./clock.ts";

interface Due {
  readonly atMs: number;
  readonly fn: () => void;
}

/** Calls functions after one fixed interval each. */
export class RotationTimer {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  #queue: Due[] = [];
  #head = 0;
  #cancel: CancelTimer | undefined;

  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** Calls `fn` once after the interval. */
  add(fn: () => void): void {
    this.#queue.push({ atMs: this.#clock.monotonic() + this.#intervalMs, fn });
    if (!this.#cancel) this.#arm();
  }

  /** Calls nothing any more. */
  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#queue = [];
    this.#head = 0;
  }

  #arm(): void {
    const next = this.#queue[this.#head];
    this.#cancel = next && this.#clock.after(Math.max(0, next.atMs - this.#clock.monotonic()), this.#fire);
  }

  readonly #fire = (): void => {
    this.#cancel = undefined;
    const now = this.#clock.monotonic();
    const due: Due[] = [];
    while (this.#head < this.#queue.length && this.#queue[this.#head]!.atMs <= now) {
      due.push(this.#queue[this.#head++]!);
    }
    if (this.#head * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#arm();
    due.forEach(({ fn }) => fn());
  };
}
