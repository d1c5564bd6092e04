/**
 * What is counted of dispensing, over all consumers of a node.
 *
 * @module
 */
import type { PieceTotals } from "./pieces.ts";

/** Plain numbers; all but the first three only grow. */
export class Meter implements PieceTotals {
  /** What is remembered: on lease, come back, or on its way to the dead letters. */
  pieces = 0;
  /** On lease. */
  leases = 0;
  /** Polls that wait for messages. */
  polls = 0;
  /** Leases that ran out without an acknowledgement. */
  expired = 0;
  /** Pieces that were handed out again. */
  redelivered = 0;
  /** Messages that went to the dead letters. */
  deadLetters = 0;
  /** Attempts at that which failed. */
  deadLetterFailures = 0;
}
