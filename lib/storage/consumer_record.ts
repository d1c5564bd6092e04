/**
 * What is known of one consumer of one category, and how two nodes' knowledge of it becomes one.
 *
 * Knowledge only grows: an acknowledgement takes from what is unread, anything else (a seek, forgetting, a new beginning
 * after that) is a new epoch, which counts instead of whatever was known of former ones. So merging is
 *
 * - of two epochs the larger one, as a whole;
 * - at the same epoch what neither side knows to be acknowledged, of each owner; whether either saw leases; and forgotten
 *   if either side is, since that is the later of the two.
 *
 * It commutes, is idempotent and associative, and needs no clock: nodes may tell each other in any order, again and
 * again. An owner that is not in a record was not met: nothing of it is acknowledged, and where a consumer begins with
 * it is what its start says. Two nodes that seek at the same moment make the same epoch: what is unread afterwards is
 * what both say is.
 *
 * Rejected: a time for each change (clocks), a number of its own for each node (one more list that only grows), and the
 * larger of two places (see `unread.ts`).
 *
 * @module
 */
import { intersect, sameUnread, type Unread } from "./unread.ts";

/** One consumer. Immutable: a change makes a new one. */
export interface ConsumerRecord {
  /** Grows with each seek, with forgetting, and with each new beginning after that. */
  readonly epoch: number;
  /** Whether it ever used leases. */
  readonly leases: boolean;
  /** It is no consumer any more; its name stays, so that an old copy elsewhere cannot bring it back. */
  readonly forgotten: boolean;
  /** Of owners that were not met, only what is not older than this is wanted; `undefined`: everything. */
  readonly sinceMs: number | undefined;
  /** What is not acknowledged, of each owner that was met. */
  readonly owners: ReadonlyMap<string, Unread>;
}

/** A consumer that nobody used before: nothing is acknowledged. */
export const NEW_CONSUMER: ConsumerRecord = {
  epoch: 0,
  leases: false,
  forgotten: false,
  sinceMs: undefined,
  owners: new Map(),
};

/**
 * What two nodes know together. One of the two objects where that is all.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { mergeConsumers, NEW_CONSUMER } from "./consumer_record.ts";
 * import { decodeUnread, encodeUnread } from "./unread.ts";
 * const of = (unread: number[][]) => ({ ...NEW_CONSUMER, owners: new Map([["node_1", decodeUnread(unread)!]]) });
 * const both = mergeConsumers(of([[0, 7]]), of([[0, 0, 0, 3], [0, 9]]));
 * assertEquals(encodeUnread(both.owners.get("node_1")!), [[0, 9]]);
 * assertEquals(mergeConsumers(both, { ...NEW_CONSUMER, epoch: 1 }).owners.size, 0);
 * ```
 */
export function mergeConsumers(one: ConsumerRecord, other: ConsumerRecord): ConsumerRecord {
  if (one === other) return one;
  if (one.epoch !== other.epoch) return one.epoch > other.epoch ? one : other;
  if (one.forgotten) return one;
  if (other.forgotten) return other;
  const owners = new Map(one.owners);
  for (const [owner, unread] of other.owners) {
    const known = owners.get(owner);
    owners.set(owner, known ? intersect(known, unread) : unread);
  }
  const merged: ConsumerRecord = {
    epoch: one.epoch,
    leases: one.leases || other.leases,
    forgotten: false,
    sinceMs: earlier(one.sinceMs, other.sinceMs),
    owners,
  };
  return sameConsumer(merged, one) ? one : sameConsumer(merged, other) ? other : merged;
}

/** Whether two say the same. */
export function sameConsumer(one: ConsumerRecord, other: ConsumerRecord): boolean {
  if (one === other) return true;
  if (one.epoch !== other.epoch || one.leases !== other.leases || one.forgotten !== other.forgotten) {
    return false;
  }
  if (one.sinceMs !== other.sinceMs || one.owners.size !== other.owners.size) return false;
  for (const [owner, unread] of one.owners) {
    const known = other.owners.get(owner);
    if (!known || !sameUnread(known, unread)) return false;
  }
  return true;
}

/** The record of a consumer that is forgotten: of one that is, nothing else is of interest. */
export function forgottenConsumer(epoch: number): ConsumerRecord {
  return { ...NEW_CONSUMER, epoch, forgotten: true };
}

/** How many intervals it has, over all owners: what it costs to keep, to save and to tell. */
export function countIntervals({ owners }: ConsumerRecord): number {
  let count = 0;
  for (const unread of owners.values()) count += unread.length;
  return count;
}

/** The largest chunk number of an owner of which something is acknowledged; -1 if there is none. */
export function largestRead({ owners }: ConsumerRecord, owner: string): number {
  const last = owners.get(owner)?.at(-1);
  if (!last) return -1;
  return last.start.offset > 0 ? last.start.number : last.start.number - 1;
}

/** No time is before all of them: whoever wants everything misses nothing of what the other wants. */
function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : Math.min(one, other);
}
