/**
 * What to do about a peer's copy of a chunk, given one's own. Pure.
 *
 * The whole of replication's judgement is this table (`docs/replication.md`, "The life of a copy"); all else carries it
 * out. It looks at one chunk and one peer, so it needs no state between calls and may be asked again at any time.
 *
 * @module
 */
import type { CopyState } from "./peer.ts";

/** This node's copy, as far as the table needs it. */
export interface LocalCopy {
  readonly size: number;
  readonly synced: number;
  readonly rolling: number;
  readonly complete: boolean;
  /** This node itself appends to it now. */
  readonly active: boolean;
}

/** What a peer holds, as far as the table needs it. */
export type RemoteCopy = Pick<CopyState, "size" | "synced" | "rolling" | "complete">;

/** What to do. */
export type Step =
  /** Nothing, now. */
  | "nothing"
  /** Fetch what lies behind the local size. */
  | "download"
  /** The local copy is all there is: mark it complete. */
  | "complete"
  /** The peer asks for these bytes to be on the device. */
  | "sync"
  /** The local copy is longer than what is complete: publish the excess again, and cut. */
  | "cut"
  /** Two copies that are not prefixes of one another: report, touch nothing. */
  | "conflict";

/** No copy. */
export const NOTHING: LocalCopy = { size: 0, synced: 0, rolling: 0, complete: false, active: false };

/**
 * The step for one chunk that is not acknowledged.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { NOTHING, plan } from "./plan.ts";
 * const remote = { size: 10, synced: 0, rolling: 7, complete: true };
 * assertEquals(plan(NOTHING, remote), "download");
 * assertEquals(plan({ ...NOTHING, size: 10, rolling: 7 }, remote), "complete");
 * assertEquals(plan({ ...NOTHING, size: 10, rolling: 8 }, remote), "conflict");
 * assertEquals(plan({ ...NOTHING, size: 12, rolling: 9 }, remote), "cut");
 * ```
 */
export function plan(local: LocalCopy, remote: RemoteCopy): Step {
  if (remote.size === 0) return "nothing";
  if (remote.size > local.size) {
    // A complete copy does not grow: the peer holds an excess, and will find out from this node's listing.
    if (local.complete) return "nothing";
    return local.active ? "conflict" : "download";
  }
  if (remote.size < local.size) return remote.complete ? "cut" : "nothing";
  if (remote.rolling !== local.rolling) return "conflict";
  if (remote.complete && !local.complete) return "complete";
  return remote.synced > local.synced ? "sync" : "nothing";
}
