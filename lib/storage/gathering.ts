/**
 * How long a group waits for more batches before it is written. Decides only; the queue waits.
 *
 * A group that need not be synced waits for another round of events as long as each round brings more, and for
 * `ROUNDS_MAX` at most: a write is 5 µs of a group's and 10 of each of its requests.
 *
 * A group that is to be synced has more to gain. Clients that wait for their answers before they send again come back all
 * at once when a sync ends. To begin the next sync with the first of them is to have two crowds take turns, each of which
 * waits for the sync of the other. So where all that were there last time can be back in less than half the time of a
 * sync, they are waited for: 8 connections get a third more. Where they cannot (64 connections, a fast device), the next
 * sync begins at once, and they are taken in meanwhile.
 *
 * Rejected: a fixed time to wait (it would be too long for one client, and too short for a slow disk), and waiting
 * without a device to wait for.
 *
 * @module
 */

/** Rounds of events that a group waits for at most, while each brings more. */
const ROUNDS_MAX = 4;
/** The same for one that is to be synced; a round in which nothing happens takes some 3 µs. */
const SYNCED_ROUNDS_MAX = 256;
/** What it takes to take in one more batch, about. */
const ARRIVAL_MS = 0.015;
/** How much longer than that they may take to come back. */
const ARRIVAL_SLACK = 4;

/** The decision, for one queue. */
export class Gathering {
  /** Batches that waited when the last round of events ended, and how many rounds that were. */
  #gathered = 0;
  #rounds = 0;
  /** Batches that are known to be sent at the same time: those of the last synced group, and those that came meanwhile. */
  #expected = 0;
  #patienceMs = 0;
  #untilMs = 0;

  /** A group begins to gather. */
  begin(): void {
    this.#gathered = 0;
    this.#rounds = 0;
    this.#untilMs = 0;
  }

  /** A group of so many batches was written, and synced in `ms`, during which `waiting` more came; 0 ms without a sync. */
  ended(batches: number, waiting: number, ms: number): void {
    const expected = batches + waiting;
    const neededMs = expected * ARRIVAL_MS;
    this.#expected = neededMs < ms / 2 ? expected : 0;
    this.#patienceMs = Math.min(ms / 2, ARRIVAL_SLACK * neededMs);
  }

  /** Whether so many that wait now are fewer than will be here in a moment. */
  isEarly(waiting: number): boolean {
    return waiting < this.#expected;
  }

  /** Whether to wait for another round of events. */
  another(waiting: number, nowMs: number): boolean {
    const more = waiting > this.#gathered;
    this.#gathered = waiting;
    this.#rounds++;
    if (this.#expected === 0) return more && this.#rounds <= ROUNDS_MAX;
    if (waiting >= this.#expected || this.#rounds > SYNCED_ROUNDS_MAX) return false;
    this.#untilMs ||= nowMs + this.#patienceMs;
    return nowMs < this.#untilMs;
  }
}
