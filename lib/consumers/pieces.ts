/**
 * The pieces of one consumer: which are out, until when, and which came back. Decisions alone; time is passed in.
 *
 * Invariant: no two pieces overlap, so a chunk and an end name at most one of them. A piece is here from when it is
 * handed out until its bytes are acknowledged, here or elsewhere, or the consumer is moved.
 *
 * When a lease runs out is not looked for one by one: the earliest end is remembered as a lower bound, and all are
 * looked at when it has come, at most every `LEASE_CHECK_MS`. Rejected: a heap, which renewals fill with what is out of
 * date, and a timer for each piece.
 *
 * @module
 */
import { LEASE_CHECK_MS } from "../protocol/limits.ts";
import type { Delivery, Piece } from "./piece.ts";

/** What all consumers of a node have together. */
export interface PieceTotals {
  pieces: number;
  leases: number;
}

/** What was handed out of one consumer's messages. */
export class Pieces {
  readonly #byEnd = new Map<string, Piece>();
  readonly #totals: PieceTotals;
  /** In the order in which they are handed out again. */
  readonly #back: Piece[] = [];
  #leasedBytes = 0;
  /** No lease runs out before. */
  #dueMs = Infinity;

  constructor(totals: PieceTotals) {
    this.#totals = totals;
  }

  /** How many there are. */
  get size(): number {
    return this.#byEnd.size;
  }

  /** Bytes on lease. */
  get leasedBytes(): number {
    return this.#leasedBytes;
  }

  /** No lease runs out before this, by `Clock.monotonic()`. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** Those that came back, in order; not to be kept. */
  get back(): readonly Piece[] {
    return this.#back;
  }

  /** All of them. */
  all(): Iterable<Piece> {
    return this.#byEnd.values();
  }

  /** The piece of a chunk that ends there. */
  ending(chunk: string, end: number): Piece | undefined {
    return this.#byEnd.get(keyOf(chunk, end));
  }

  /** Hands a piece out, for the first time or again. */
  lend(piece: Piece, dueMs: number, delivery: Delivery): void {
    if (this.ending(piece.chunk, piece.to) === piece) this.#leaveState(piece);
    else this.#add(piece);
    this.#enterState(piece, "out");
    piece.spared = false;
    piece.delivered(delivery);
    this.renew(piece, dueMs);
  }

  /** Sets the end of a lease anew. */
  renew(piece: Piece, dueMs: number): void {
    piece.dueMs = dueMs;
    if (dueMs < this.#dueMs) this.#dueMs = dueMs;
  }

  /** Takes a piece back; it is handed out again, behind those that came back before. */
  giveBack(piece: Piece): void {
    this.#leaveState(piece);
    this.#enterState(piece, "back");
    this.#back.push(piece);
  }

  /** Marks a piece as on its way to the dead letters. */
  leave(piece: Piece): void {
    this.#leaveState(piece);
    this.#enterState(piece, "leaving");
  }

  /** Takes back those whose lease has run out, in the order in which that was; how many those are. */
  expire(nowMs: number): number {
    if (nowMs < this.#dueMs) return 0;
    const due: Piece[] = [];
    let next = Infinity;
    for (const piece of this.#byEnd.values()) {
      if (piece.state !== "out") continue;
      if (piece.dueMs <= nowMs) due.push(piece);
      else if (piece.dueMs < next) next = piece.dueMs;
    }
    this.#dueMs = next === Infinity ? next : Math.max(next, nowMs + LEASE_CHECK_MS);
    due.sort((a, b) => a.dueMs - b.dueMs).forEach((piece) => this.giveBack(piece));
    return due.length;
  }

  /** Puts parts of a piece in its place, first ones first; none of them: it is gone. */
  replace(piece: Piece, parts: readonly Piece[]): void {
    const at = piece.state === "back" ? this.#back.indexOf(piece) : -1;
    this.#byEnd.delete(keyOf(piece.chunk, piece.to));
    this.#totals.pieces--;
    if (at >= 0) this.#back.splice(at, 1, ...parts);
    if (piece.state === "out") this.#count(piece, -1);
    for (const part of parts) {
      this.#add(part);
      if (part.state === "out") this.#count(part, 1);
    }
  }

  /** Bytes of a chunk need not be handed out any more, wherever they are. */
  acknowledged(chunk: string, from: number, to: number): void {
    const exact = this.ending(chunk, to);
    if (exact?.from === from) return this.replace(exact, []);
    for (const piece of [...this.#byEnd.values()]) {
      if (piece.chunk === chunk && piece.from < to && from < piece.to) {
        this.replace(piece, outside(piece, from, to));
      }
    }
  }

  /** Forgets all of them. */
  clear(): void {
    for (const piece of [...this.#byEnd.values()]) this.replace(piece, []);
    this.#dueMs = Infinity;
  }

  #add(piece: Piece): void {
    this.#byEnd.set(keyOf(piece.chunk, piece.to), piece);
    this.#totals.pieces++;
  }

  #leaveState(piece: Piece): void {
    if (piece.state === "out") this.#count(piece, -1);
    if (piece.state === "back") this.#back.splice(this.#back.indexOf(piece), 1);
  }

  #enterState(piece: Piece, state: Piece["state"]): void {
    piece.state = state;
    if (state === "out") this.#count(piece, 1);
  }

  #count(piece: Piece, by: 1 | -1): void {
    this.#leasedBytes += by * piece.size;
    this.#totals.leases += by;
  }
}

/** What of a piece lies outside of a range. */
function outside(piece: Piece, from: number, to: number): Piece[] {
  const parts: Piece[] = [];
  if (piece.from < from) parts.push(piece.part(piece.from, from));
  if (to < piece.to) parts.push(piece.part(to, piece.to));
  return parts;
}

function keyOf(chunk: string, end: number): string {
  return `${chunk}:${end}`;
}
