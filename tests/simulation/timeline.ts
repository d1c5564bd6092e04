/**
 * Simulated time: events in a queue, one after the other, each with everything that follows from it at that moment.
 *
 * An event belongs to a life, the time between a process' start and its end: what a dead process had planned does not
 * happen, what a paused one has planned happens when it goes on. Two events at one moment happen in the order in which
 * they were planned, so a run is the same whenever it begins from the same seed.
 *
 * @module
 */
import { nextTick } from "node:process";
import { Violation } from "./violation.ts";

/** More events than this at one moment are a loop without end. */
const AT_ONCE_MAX = 20_000;

/** The life of one process. */
export interface Life {
  readonly name: string;
  readonly alive: boolean;
  /** Simulated time until which it does nothing. */
  pausedUntilMs: number;
}

interface Planned {
  atMs: number;
  order: number;
  readonly life: Life | undefined;
  run: (() => void) | undefined;
}

/** The queue. */
export class Timeline {
  nowMs = 0;
  /** How many events have happened. */
  events = 0;
  #order = 0;
  /** Events since time went on. */
  #atOnce = 0;
  readonly #heap: Planned[] = [];
  /** What paused processes have not done. */
  readonly #postponed = new Map<Life, Planned[]>();
  /** Called after each event, when everything that follows from it has happened. */
  after: () => void = () => {};

  /** Plans `run`; returns what takes it back. */
  schedule(delayMs: number, run: () => void, life?: Life): () => void {
    const planned: Planned = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, life, run };
    this.#push(planned);
    return () => planned.run = undefined;
  }

  /** Resolves after a while. */
  sleep(delayMs: number, life?: Life): Promise<void> {
    return new Promise((resolve) => this.schedule(delayMs, resolve, life));
  }

  /** Lets events happen until `done`, or until `untilMs`; `false` if it was not done by then. */
  async run(done: () => boolean, untilMs: number): Promise<boolean> {
    await settled();
    while (!done()) {
      const next = this.#pop();
      if (!next || next.atMs > untilMs) {
        if (next) this.#push(next);
        this.nowMs = Math.max(this.nowMs, untilMs);
        return done();
      }
      if (next.run === undefined || next.life?.alive === false) continue;
      if (next.life && next.life.pausedUntilMs > next.atMs) {
        this.#postpone(next, next.life);
        continue;
      }
      if (next.atMs > this.nowMs) this.#atOnce = 0;
      else if (++this.#atOnce > AT_ONCE_MAX) {
        throw new Violation("Live", "time stands still: something goes round in circles");
      }
      this.nowMs = Math.max(this.nowMs, next.atMs);
      this.events++;
      next.run();
      await settled();
      this.after();
    }
    return true;
  }

  /** A process goes on: what it would have done meanwhile it does now, in the same order. */
  resume(life: Life): void {
    life.pausedUntilMs = 0;
    const postponed = this.#postponed.get(life) ?? [];
    this.#postponed.delete(life);
    for (const one of postponed) this.#push(Object.assign(one, { atMs: this.nowMs, order: this.#order++ }));
  }

  #postpone(planned: Planned, life: Life): void {
    const postponed = this.#postponed.get(life);
    if (postponed) {
      postponed.push(planned);
      return;
    }
    this.#postponed.set(life, [planned]);
    this.schedule(life.pausedUntilMs - this.nowMs, () => this.resume(life));
  }

  #push(planned: Planned): void {
    const heap = this.#heap;
    let at = heap.push(planned) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent]!, planned)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = planned;
  }

  #pop(): Planned | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (isBefore(last, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(one: Planned, other: Planned): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}

/**
 * Resolves when no promise is left that anything could still follow from. Ticks come when all promises of the moment are
 * through, as the next turn of the runtime's loop does, at a quarter of its price: one is waited for after each event.
 */
function settled(): Promise<void> {
  return new Promise((resolve) => nextTick(resolve));
}
