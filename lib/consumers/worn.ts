/**
 * What becomes of a piece that was handed out as often as it may be, and came back each time.
 *
 * It is cut in two, each of which may go out once more; a single message is sent to the dead letters. What of it cannot
 * be read rests, or is stuck, and nothing is decided.
 *
 * @module
 */
import { STUCK_MS } from "../protocol/limits.ts";
import type { Clock } from "../storage/clock.ts";
import type { DeadLetters } from "./dead_letters.ts";
import type { Stretch } from "./fresh.ts";
import type { Piece } from "./piece.ts";
import type { Pieces } from "./pieces.ts";
import { middleOf } from "./range.ts";
import type { Reading } from "./reading.ts";
import type { Want } from "./source.ts";

/** Whether a piece was handed out as often as this worker says, and came back each time. */
export function isWorn(piece: Piece, { leaseMs, maxDeliveries }: Want): boolean {
  return leaseMs > 0 && maxDeliveries > 0 && piece.deliveries >= maxDeliveries && !piece.spared;
}

/** Where the piece is, and what can be done with it. */
export interface Counter {
  readonly pieces: Pieces;
  readonly reading: Reading;
  readonly letters: DeadLetters;
  readonly clock: Clock;
  readonly epoch: number;
}

/** Cuts such a piece in two, or sends it away; `stretch` is what it covers. */
export async function wear(piece: Piece, stretch: Stretch, counter: Counter): Promise<void> {
  const { pieces, reading, letters, clock, epoch } = counter;
  const bytes = piece.single ? undefined : await reading.whole(stretch);
  if (piece.state !== "back" || pieces.ending(piece.chunk, piece.to) !== piece) return;
  if (!piece.single && !bytes) {
    const now = clock.monotonic();
    if (!reading.stuck.at(piece.chunk, now)) piece.restsUntilMs = now + STUCK_MS;
    return;
  }
  // What lies behind damage is seen to on its own.
  const middle = bytes && bytes.length < piece.size ? bytes.length : bytes ? middleOf(bytes) : 0;
  if (middle > 0) {
    const halves = [piece.part(piece.from, piece.from + middle), piece.part(piece.from + middle, piece.to)];
    halves.forEach((half) => half.spared = true);
    return pieces.replace(piece, halves);
  }
  piece.single = true;
  if (!letters.isFull) letters.send(piece, epoch);
}
