/**
 * The clocks of simulated nodes: they begin anywhere, run too fast or too slow, and their wall clocks jump.
 *
 * @module
 */
import type { CancelTimer, Clock } from "../../lib/storage/clock.ts";
import type { Life, Timeline } from "./timeline.ts";

const EPOCH_MS = Date.UTC(2026, 0, 1);

/** What is wrong with a node's clock; it outlives its processes. */
export interface ClockFaults {
  /** Seconds that it counts in one. */
  rate: number;
  /** How far the wall clock is off. */
  wallOffsetMs: number;
}

/** The clock of one process. */
export class NodeClock implements Clock {
  readonly #startMs: number;

  constructor(readonly timeline: Timeline, readonly life: Life, readonly faults: ClockFaults) {
    this.#startMs = timeline.nowMs;
  }

  now(): number {
    return Math.round(EPOCH_MS + this.timeline.nowMs * this.faults.rate + this.faults.wallOffsetMs);
  }

  monotonic(): number {
    return (this.timeline.nowMs - this.#startMs) * this.faults.rate;
  }

  after(delayMs: number, fn: () => void): CancelTimer {
    // A timer is never early: what is left of a rounding error would be waited for without time going on.
    return this.timeline.schedule(Math.max(delayMs / this.faults.rate, 0) + 0.01, fn, this.life);
  }

  soon(fn: () => void): void {
    this.timeline.schedule(0, fn, this.life);
  }
}
