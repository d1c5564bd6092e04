/**
 * The bodies that are still on their way in: how long they may take, and who has to go when memory is short.
 *
 * Owns: their set, what memory each holds of the budget, and the moment at which there are none. That moment matters
 * because the runtime's own shutdown cuts off request bodies that are under way: a client in the middle of sending
 * would be told that its body ended early, a 400, and shippers drop what is answered so.
 *
 * Refuses, with a 503, for shippers retry that and nothing else:
 * 1. a body that stands still or is too slow on the whole, see `pace.ts`;
 * 2. when the budget has no room for what a body needs next: slow bodies, the slowest first, as many as make room and
 *    some more. Slow is what has had `BODY_FRESH_MS` and came at less than `BODY_FAST_BYTES_PER_S` on the whole. Only
 *    what is slower than the body in need has to go; if that is not enough, nobody goes and the one in need is refused.
 *    A part of the budget is out of the reach of long bodies, so that small ones get in even while a crowd is fresh.
 *
 * So slow senders, however many, live on memory that nobody else needs. Whoever wants to keep others out must send
 * faster than `BODY_FAST_BYTES_PER_S` for every 4 MiB that it occupies, or fill the whole budget anew every
 * `BODY_FRESH_MS`: that is traffic, and beyond what the machine can take, no longer slowness.
 *
 * Nobody waits for memory, so nothing can wait in a circle. Each refusal frees what the refused one held at once, and a
 * body is refused only while others hold the rest, so that of any number of bodies some always get through: the last
 * one has the budget for itself. Who was refused comes back after `Retry-After`, as a fresh body.
 *
 * Rejected: counting what is declared (64 idle clients of 4 MiB would keep everybody out); one fixed time for a body
 * (too short for a bad line, or so long that few hold all memory for minutes); waiting for memory (a queue of bodies
 * that hold some and want more is a deadlock).
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import {
  BODY_EVICTED_SHARE,
  BODY_FAST_BYTES_PER_S,
  BODY_FRESH_MS,
  PACE_SILENT_MS,
} from "../protocol/limits.ts";
import type { Clock } from "../storage/clock.ts";
import type { BodyBudget } from "./body_budget.ts";
import { allowedMs, Pace, type Runner } from "./pace.ts";

/** One body on its way. There is one for each write: a class, since closures for each would be half of what it costs. */
export abstract class Arrival implements Runner {
  /** When its first byte was waited for. */
  startMs = 0;
  /** When it is given up. */
  dueMs = 0;
  slot = -1;
  /** Bytes that came. */
  received = 0;
  /** Bytes of the budget that it holds. */
  held = 0;
  /** It was given up. */
  givenUp = false;

  constructor(protected readonly bodies: ArrivingBodies) {}

  /** Called at most once, when it is given up; what it holds is given back already. */
  abstract refuse(error: ChukchaError): void;

  expired(): void {
    this.bodies.expired(this);
  }
}

class RefusableArrival extends Arrival {
  constructor(bodies: ArrivingBodies, readonly refuse: (error: ChukchaError) => void) {
    super(bodies);
  }
}

/** All bodies that are on their way to one node. */
export class ArrivingBodies {
  readonly #pace: Pace<Arrival>;
  readonly #reservedBytes: number;
  #waiting: (() => void)[] = [];

  /** @param reservedBytes what of the budget only bodies get that have arrived whole */
  constructor(readonly budget: BodyBudget, clock: Clock, reservedBytes = 0) {
    this.#pace = new Pace(clock);
    this.#reservedBytes = reservedBytes;
  }

  /** How many are on their way. */
  get count(): number {
    return this.#pace.count;
  }

  /**
   * One more is on its way.
   *
   * @param bytes how many must come before it says anything of its progress: 0 if it tells of each
   * @param refuse called at most once, to give it up; what it holds is given back already
   */
  begin(bytes: number, refuse: (error: ChukchaError) => void): Arrival {
    const arrival = new RefusableArrival(this, refuse);
    this.add(arrival, bytes);
    return arrival;
  }

  /** The same, for one that was made by the caller. */
  add(arrival: Arrival, bytes: number): void {
    arrival.startMs = this.#pace.start();
    arrival.dueMs = arrival.startMs + allowedMs(bytes);
    this.#pace.begin(arrival);
  }

  /** So many bytes of it came. */
  received(arrival: Arrival, bytes: number): void {
    arrival.received += bytes;
    const { nowMs } = this.#pace;
    arrival.dueMs = Math.min(nowMs + PACE_SILENT_MS, arrival.startMs + allowedMs(arrival.received));
  }

  /** Takes `bytes` of the budget for it; throws `overloaded` if there is no room and none can be made. */
  hold(arrival: Arrival, bytes: number): void {
    this.take(bytes, arrival);
    arrival.held += bytes;
  }

  /** Gives `bytes` of what it holds back. */
  letGo(arrival: Arrival, bytes: number): void {
    arrival.held -= bytes;
    this.budget.give(bytes);
  }

  /** Takes `bytes` of the budget for whoever has arrived already, or for `by`. Throws as `hold` does. */
  take(bytes: number, by?: Arrival): void {
    const reservedBytes = by ? this.#reservedBytes : 0;
    const lacking = this.budget.lacking(bytes + reservedBytes);
    if (lacking > 0) this.#makeRoom(lacking, by);
    this.budget.take(bytes, reservedBytes);
  }

  /** It has arrived, or failed. What it holds is from now on its owner's; returns how much that is. */
  end(arrival: Arrival): number {
    const { held } = arrival;
    arrival.held = 0;
    this.#pace.end(arrival);
    if (this.count === 0) this.#waiting.splice(0).forEach((resolve) => resolve());
    return held;
  }

  /** Gives all of them up: the connections that they come on are about to be closed. */
  cutOff(): void {
    for (const arrival of [...this.#pace.runners]) {
      this.#giveUp(arrival, cutOff(arrival, this.#pace.nowMs));
    }
  }

  /** Its time is over. */
  expired(arrival: Arrival): void {
    this.#giveUp(arrival, tooSlow(arrival, this.#pace.nowMs));
  }

  /** Resolves at the next moment at which none is under way; others may follow at once. */
  gap(): Promise<void> {
    return this.count === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when none is under way. From now on nothing is left running behind the last one. */
  none(): Promise<void> {
    this.#pace.close();
    return this.count === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }

  #makeRoom(lacking: number, by: Arrival | undefined): void {
    const { nowMs } = this.#pace;
    const rateMax = by && isSlow(by, nowMs) ? rate(by, nowMs) : Infinity;
    const slow = [...this.#pace.runners]
      .filter((one) =>
        one !== by && !one.givenUp && one.held > 0 && isSlow(one, nowMs) && rate(one, nowMs) < rateMax
      )
      .sort((a, b) => rate(a, nowMs) - rate(b, nowMs));
    if (slow.reduce((sum, { held }) => sum + held, 0) < lacking) return;
    // Some more at once: looking at all of them for each of the next few would cost as much again.
    let wanted = Math.max(lacking, this.budget.max * BODY_EVICTED_SHARE);
    for (const one of slow) {
      if (wanted <= 0) return;
      wanted -= one.held;
      this.#giveUp(one, evicted(one, nowMs));
    }
  }

  #giveUp(arrival: Arrival, error: ChukchaError): void {
    if (arrival.givenUp) return;
    arrival.givenUp = true;
    this.letGo(arrival, arrival.held);
    arrival.refuse(error);
  }
}

/** Bytes a second, on the whole. */
function rate({ received, startMs }: Arrival, nowMs: number): number {
  return received * 1000 / Math.max(1, nowMs - startMs);
}

function isSlow(arrival: Arrival, nowMs: number): boolean {
  return nowMs - arrival.startMs >= BODY_FRESH_MS && rate(arrival, nowMs) < BODY_FAST_BYTES_PER_S;
}

function tooSlow(arrival: Arrival, nowMs: number): ChukchaError {
  return new ChukchaError("overloaded", `body: too slow, ${progress(arrival, nowMs)}; send it again`);
}

function evicted(arrival: Arrival, nowMs: number): ChukchaError {
  return new ChukchaError(
    "overloaded",
    `body: all memory for bodies is in use, and this one is slow, ${progress(arrival, nowMs)}; send it again`,
  );
}

function cutOff(arrival: Arrival, nowMs: number): ChukchaError {
  return new ChukchaError(
    "overloaded",
    `body: its connection is closed to make room for others, ${progress(arrival, nowMs)}; send it again`,
  );
}

function progress({ received, startMs }: Arrival, nowMs: number): string {
  return `${received} bytes in ${Math.round((nowMs - startMs) / 1000)} s`;
}
