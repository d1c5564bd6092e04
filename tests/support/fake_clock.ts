/**
 * A clock that stands still until a test moves it.
 *
 * `now` and `monotonic` are separate, so that the wall clock can jump. `soon` runs by itself behind the events that are
 * already waiting, as on a real clock, unless the test holds it to see what gathers meanwhile.
 *
 * @module
 */
import type { CancelTimer, Clock } from "../../lib/storage/clock.ts";

interface Timer {
  readonly atMs: number;
  readonly fn: () => void;
}

/** Rounds of the event loop after which whatever does not wait for time has come to rest. */
const SETTLE_ROUNDS = 20;

/** Time under a test's control. */
export class FakeClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;
  readonly #timers = new Set<Timer>();
  #soon: (() => void)[] = [];
  #held = false;

  /** @param nowMs the wall clock at its start */
  constructor(nowMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, fn: () => void): CancelTimer {
    const timer = { atMs: this.#monotonicMs + delayMs, fn };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  soon(fn: () => void): void {
    this.#soon.push(fn);
    if (!this.#held && this.#soon.length === 1) setImmediate(() => this.#held || this.runSoon());
  }

  /** How many timers are set. */
  get timerCount(): number {
    return this.#timers.size;
  }

  /** How many calls of `soon` wait. */
  get soonCount(): number {
    return this.#soon.length;
  }

  /** From now on, what is asked for `soon` waits for `runSoon`. */
  holdSoon(): void {
    this.#held = true;
  }

  /** Runs what waits for `soon`, in order; and whatever comes later by itself again. */
  runSoon(): void {
    this.#held = false;
    this.#soon.splice(0).forEach((fn) => fn());
  }

  /** Lets time pass; fires the timers that become due, in order of their time. */
  advance(ms: number): void {
    const end = this.#monotonicMs + ms;
    for (;;) {
      const due = [...this.#timers].filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
      if (!due) break;
      this.#timers.delete(due);
      this.#moveTo(Math.max(this.#monotonicMs, due.atMs));
      due.fn();
    }
    this.#moveTo(end);
  }

  /** Sets the wall clock, forth or back; `monotonic` does not notice. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }

  #moveTo(monotonicMs: number): void {
    this.#nowMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }
}

/** Lets everything that does not wait for time come to rest. */
export async function settle(): Promise<void> {
  for (let i = 0; i < SETTLE_ROUNDS; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
