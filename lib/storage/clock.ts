/**
 * Time, as storage and replication see it.
 *
 * One of the four seams (`Clock`, `Random`, `Disk`, `Peer`): a simulated world passes its own.
 *
 * @module
 */

/** Stops a timer; stopping it again, or after it fired, does nothing. */
export type CancelTimer = () => void;

/** Where time comes from and how it is waited for. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970. May jump either way: for records and people, never for timeouts. */
  now(): number;
  /** Milliseconds that only ever grow, from an arbitrary start: for ages and timeouts. */
  monotonic(): number;
  /** Calls `fn` once after at least `delayMs`. Does not keep the process alive. */
  after(delayMs: number, fn: () => void): CancelTimer;
  /** Calls `fn` once after the events that are already waiting were handled: what groups concurrent appends. */
  soon(fn: () => void): void;
}

/** The runtime fires what is asked for later than this at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The machine's clock. */
export class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  after(delayMs: number, fn: () => void): CancelTimer {
    let id: ReturnType<typeof setTimeout>;
    const arm = (leftMs: number): void => {
      const stepMs = Math.min(leftMs, TIMER_MS_MAX);
      id = setTimeout(() => stepMs < leftMs ? arm(leftMs - stepMs) : fn(), stepMs);
      Deno.unrefTimer(id);
    };
    arm(delayMs);
    return () => clearTimeout(id);
  }

  soon(fn: () => void): void {
    setImmediate(fn);
  }
}
