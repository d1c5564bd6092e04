/**
 * A piece: whole messages of one chunk that were handed out to a worker under a lease, and what became of that.
 *
 * Owns the piece's history. What it was cut into keeps it: a message that was handed out three times as part of
 * something larger was handed out three times.
 *
 * @module
 */
import { DELIVERIES_TOLD_MAX } from "../protocol/limits.ts";

/** One time that a piece was handed out. */
export interface Delivery {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** Who asked, as it called itself; empty if it did not. */
  readonly worker: string;
}

/** `out`: on lease. `back`: waits to be handed out again. `leaving`: on its way to the dead letters. */
export type PieceState = "out" | "back" | "leaving";

/** Whole messages, and what became of them. */
export class Piece {
  state: PieceState = "out";
  /** `Clock.monotonic()` at which its lease runs out. */
  dueMs = 0;
  /** Before this it is not handed out again. */
  restsUntilMs = 0;
  /** It was cut because it had been handed out too often, and may go out once as it is now. */
  spared = false;
  /** It is known to be a single message: it cannot be cut. */
  single = false;
  /** How often it was handed out. */
  deliveries = 0;
  /** The first and the last ones of them, at most `DELIVERIES_TOLD_MAX`. */
  history: readonly Delivery[] = [];

  constructor(
    readonly owner: string,
    readonly number: number,
    readonly chunk: string,
    readonly from: number,
    readonly to: number,
  ) {}

  /** Bytes. */
  get size(): number {
    return this.to - this.from;
  }

  /** It is handed out once more. */
  delivered(delivery: Delivery): void {
    this.deliveries++;
    const half = DELIVERIES_TOLD_MAX / 2;
    const kept = this.history.length < DELIVERIES_TOLD_MAX
      ? this.history
      : [...this.history.slice(0, half), ...this.history.slice(half + 1)];
    this.history = [...kept, delivery];
  }

  /** Takes back the last time: nobody was given it. */
  undelivered(): void {
    this.deliveries--;
    this.history = this.history.slice(0, -1);
  }

  /** A part of it, with its history. */
  part(from: number, to: number): Piece {
    const part = new Piece(this.owner, this.number, this.chunk, from, to);
    const { state, dueMs, restsUntilMs, deliveries, history } = this;
    return Object.assign(part, { state, dueMs, restsUntilMs, deliveries, history });
  }
}
