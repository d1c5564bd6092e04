/**
 * The pace below which neither who sends a body nor who takes an answer may fall.
 *
 * Owns: what is under way, when each is due, and the one timer that looks at all of them. Refuses: nothing itself; what
 * is due is told so, once.
 *
 * The rule: whatever stands still for `PACE_SILENT_MS`, or falls behind `PACE_BYTES_PER_S_MIN` on the whole, is given
 * up. It is a rate and not one fixed time because both ends of the scale are real: 4 MiB over a bad mobile line take ten
 * minutes and are welcome, a sender of one byte a minute would be there for eight years.
 *
 * Time goes by the steps of that timer, `PACE_CHECK_MS`: a timer for each request costs 3 µs of the 15 that a small write
 * takes. While nothing is under way there is no timer.
 *
 * @module
 */
import { PACE_BYTES_PER_S_MIN, PACE_CHECK_MS, PACE_SILENT_MS } from "../protocol/limits.ts";
import type { CancelTimer, Clock } from "../storage/clock.ts";

/** Longest time that so many bytes may take on the whole. */
export function allowedMs(bytes: number): number {
  return PACE_SILENT_MS + bytes / PACE_BYTES_PER_S_MIN * 1000;
}

/** Something under way. */
export interface Runner {
  /** When it is given up, on the clock of {@linkcode Pace.nowMs}. `Infinity`: not at all. */
  dueMs: number;
  /** Its place among all that are under way, kept by {@linkcode Pace}; -1 while it is not. */
  slot: number;
  /** Called once when that time has come. */
  expired(): void;
}

/** All that is under way. */
export class Pace<R extends Runner = Runner> {
  readonly #clock: Clock;
  /** In no order: a set would make garbage with each that comes and goes. */
  readonly #runners: R[] = [];
  #nowMs = 0;
  #cancelTimer: CancelTimer | undefined;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many are under way. */
  get count(): number {
    return this.#runners.length;
  }

  /** Those that are under way. */
  get runners(): readonly R[] {
    return this.#runners;
  }

  /** The time as of the last step, at most `PACE_CHECK_MS` old while anything is under way. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Lets time go by, if it does not; returns the time as of now. */
  start(): number {
    if (!this.#cancelTimer) this.#step();
    return this.#nowMs;
  }

  /** One more is under way, from now on. */
  begin(runner: R): void {
    if (!this.#cancelTimer) this.#step();
    runner.slot = this.#runners.length;
    this.#runners.push(runner);
  }

  /** It has ended, well or not; again does nothing. */
  end(runner: R): void {
    const { slot } = runner;
    if (slot < 0) return;
    runner.slot = -1;
    const last = this.#runners.pop()!;
    if (last !== runner) {
      this.#runners[slot] = last;
      last.slot = slot;
    }
    if (this.#closed && this.#runners.length === 0) this.#stopTimer();
  }

  /** From now on the timer stops as soon as nothing is under way, and not a step later. */
  close(): void {
    this.#closed = true;
    if (this.#runners.length === 0) this.#stopTimer();
  }

  #step(): void {
    this.#nowMs = this.#clock.monotonic();
    this.#cancelTimer = this.#clock.after(PACE_CHECK_MS, () => this.#look());
  }

  #look(): void {
    this.#cancelTimer = undefined;
    if (this.#runners.length === 0) return;
    this.#step();
    for (const runner of [...this.#runners]) {
      if (runner.dueMs > this.#nowMs) continue;
      runner.dueMs = Infinity;
      runner.expired();
    }
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
