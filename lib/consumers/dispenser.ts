/**
 * One consumer's counter: workers queue here, and each is handed the next messages as soon as there are some.
 *
 * Who comes is served in turn, one after the other. Who finds nothing waits, if it wants to, in order of coming. When
 * something is published, a lease ends, or the consumer is moved, as many of those who wait are served as there is
 * something for, and the first one who finds nothing ends it: a hundred who wait cost one look, not a hundred.
 *
 * @module
 */
import { ChukchaError, quote } from "../protocol/errors.ts";
import { CONSUME_POLLS_MAX } from "../protocol/limits.ts";
import { parseChunkName } from "../protocol/names.ts";
import type { CancelTimer } from "../storage/clock.ts";
import type { Consumers } from "../storage/consumers.ts";
import type { DispensingContext, Handed, Want } from "./source.ts";
import { Taker } from "./taker.ts";

/** Someone who asks. */
interface Poll {
  readonly want: Want;
  readonly waitMs: number;
  readonly signal: () => AbortSignal;
  readonly answer: PromiseWithResolvers<Handed | undefined>;
  /** It was answered. */
  gone: boolean;
  /** Stops its timer, and listens to its client no more. */
  leave: () => void;
}

/** Hands out the messages of one consumer. */
export class Dispenser {
  readonly taker: Taker;
  readonly #context: DispensingContext;
  readonly #activity: (isActive: boolean) => void;
  readonly #arrived: Poll[] = [];
  readonly #waiting = new Set<Poll>();
  #isServing = false;
  #news = false;
  #closed = false;
  #stopAlarm: CancelTimer = () => {};

  /** @param activity called when news begins to be of interest, and when it does so no more */
  constructor(
    category: string,
    consumer: string,
    consumers: Consumers,
    context: DispensingContext,
    activity: (isActive: boolean) => void,
  ) {
    this.#context = context;
    this.#activity = activity;
    this.taker = new Taker(category, consumer, consumers, context, () => this.notify());
  }

  /** Nothing is lost but histories if this one is let go. */
  get mayGo(): boolean {
    if (this.#isServing || this.#waiting.size > 0 || this.taker.isBusy) return false;
    this.taker.expire();
    return this.taker.pieces.leasedBytes === 0;
  }

  /**
   * The next messages for one worker; `undefined` if none came within `waitMs`.
   *
   * Rejects as `Taker.take` does, with `damaged` if nothing else is there, or with `draining`.
   *
   * @param signal asked for once it has to wait: it ends the wait when the client is gone
   */
  consume(want: Want, waitMs: number, signal: () => AbortSignal): Promise<Handed | undefined> {
    if (this.#closed) return Promise.reject(draining());
    const answer = Promise.withResolvers<Handed | undefined>();
    this.#arrived.push({ want, waitMs, signal, answer, gone: false, leave: () => {} });
    if (!this.#isServing) void this.#serve();
    return answer.promise;
  }

  /** There may be something that was not there before. */
  notify(): void {
    if (this.#waiting.size === 0 && !this.#isServing) return;
    this.#news = true;
    if (!this.#isServing) void this.#serve();
  }

  /** The place may have changed by anything but an acknowledgement here. */
  placeChanged(): void {
    this.taker.placeChanged();
    this.notify();
  }

  /**
   * Sets the end of a lease anew; 0 gives the piece back at once. Throws `not_leased`.
   *
   * @param deliveries which time of being handed out is meant; any if it is left out
   */
  lease(chunk: string, from: number, to: number, leaseMs: number, deliveries?: number): void {
    this.taker.expire();
    const { pieces } = this.taker;
    const piece = pieces.ending(chunk, to);
    const isOut = piece?.state === "out" && piece.from === from;
    // Whose time is over does not speak for who has it now.
    if (!isOut || deliveries !== undefined && piece.deliveries !== deliveries) {
      throw notLeased(chunk, from, to);
    }
    if (leaseMs === 0) {
      pieces.giveBack(piece);
      return this.notify();
    }
    pieces.renew(piece, this.#context.clock.monotonic() + leaseMs);
    this.#setAlarm();
  }

  /** Bytes of a chunk were acknowledged here. */
  acknowledged(chunk: string, from: number, to: number): void {
    const { instance, number } = parseChunkName(chunk)!;
    this.taker.acknowledged(instance, number, chunk, from, to);
  }

  /** Ends all waits, for good. Resolves when nothing is under way. */
  close(): Promise<void> {
    this.#closed = true;
    this.#stopAlarm();
    for (const poll of this.#arrived.splice(0)) this.#answer(poll, undefined, draining());
    for (const poll of [...this.#waiting]) this.#answer(poll, undefined, draining());
    return this.taker.ended();
  }

  /** Never rejects: what goes wrong is answered to the one who asked. */
  async #serve(): Promise<void> {
    this.#isServing = true;
    this.#activity(true);
    while (this.#news || this.#arrived.length > 0) {
      if (this.#news) {
        this.#news = false;
        await this.#serveWaiting();
        continue;
      }
      const poll = this.#arrived.shift()!;
      if (await this.#serveOne(poll)) continue;
      if (poll.waitMs === 0) this.#answer(poll, undefined, this.taker.blocked);
      else this.#wait(poll);
    }
    this.#isServing = false;
    if (this.#waiting.size > 0) this.#setAlarm();
    else this.#activity(false);
  }

  async #serveWaiting(): Promise<void> {
    for (const poll of this.#waiting) if (!poll.gone && !await this.#serveOne(poll)) return;
  }

  /** Whether the poll was answered. */
  async #serveOne(poll: Poll): Promise<boolean> {
    try {
      const handed = await this.taker.take(poll.want);
      if (!handed) return poll.gone;
      if (poll.gone) this.taker.untake(handed);
      else this.#answer(poll, handed);
    } catch (error) {
      this.#answer(poll, undefined, error);
    }
    return true;
  }

  #wait(poll: Poll): void {
    const { meter, clock } = this.#context;
    if (this.#closed) return this.#answer(poll, undefined, draining());
    if (meter.polls >= CONSUME_POLLS_MAX) return this.#answer(poll, undefined, tooManyPolls());
    const signal = poll.signal();
    if (signal.aborted) return this.#answer(poll, undefined);
    const end = (): void => this.#answer(poll, undefined);
    const stopTimer = clock.after(poll.waitMs, () => this.#answer(poll, undefined, this.taker.blocked));
    signal.addEventListener("abort", end);
    this.#waiting.add(poll);
    meter.polls++;
    const leave = (): void => {
      stopTimer();
      signal.removeEventListener("abort", end);
      this.#waiting.delete(poll);
      meter.polls--;
    };
    poll.leave = leave;
  }

  #answer(poll: Poll, handed: Handed | undefined, error?: unknown): void {
    if (poll.gone) return;
    poll.gone = true;
    poll.leave();
    if (error !== undefined) poll.answer.reject(error);
    else poll.answer.resolve(handed);
    if (this.#waiting.size > 0 || this.#isServing) return;
    this.#stopAlarm();
    this.#activity(false);
  }

  /** Looks again when there may be something without anybody saying so. */
  #setAlarm(): void {
    this.#stopAlarm();
    const { dueMs } = this.taker;
    if (this.#waiting.size === 0 || dueMs === Infinity || this.#closed) return;
    const { clock } = this.#context;
    this.#stopAlarm = clock.after(Math.max(0, dueMs - clock.monotonic()), () => this.notify());
  }
}

function draining(): ChukchaError {
  return new ChukchaError("draining", "consume: this node is shutting down; use another one, or retry");
}

function tooManyPolls(): ChukchaError {
  return new ChukchaError(
    "overloaded",
    `consume: ${CONSUME_POLLS_MAX} polls wait on this node, the most there may be; ask again, or another node`,
  );
}

function notLeased(chunk: string, from: number, to: number): ChukchaError {
  return new ChukchaError(
    "not_leased",
    `lease: ${from} to ${to} of ${quote(chunk)} is not on lease from this node, or to another worker by now`,
  );
}
