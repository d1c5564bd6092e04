/**
 * The places of consumers, as nodes tell them each other.
 *
 * ```text
 * [<category>, <consumer>, epoch, flags, since, [[<owner>, U], …]]     flags: 1 used leases, 2 forgotten, 3 both
 *                                                                      since: ms since 1970, or null
 * U   what is not acknowledged, in order: [number, offset, number, offset], …, the last perhaps [number, offset]
 * ```
 *
 * A node of a version that knows no consumers tells none and leaves them alone. How many intervals there may be is left
 * to the storage, which takes as much as it has room for: a list that is too long for it is no reason to refuse what
 * else the answer says.
 *
 * @module
 */
import { REPLICATION_ENTRIES_MAX, REPLICATION_HEAD_BYTES_MAX } from "../protocol/limits.ts";
import { isConsumer } from "../protocol/names.ts";
import { type ConsumerRecord, forgottenConsumer } from "../storage/consumer_record.ts";
import { decodeUnread, encodeUnread, type Unread } from "../storage/unread.ts";
import type { ConsumerChange } from "./peer.ts";
import { categoryOf, instanceOf, integerOf, listOf, refuse, tupleOf } from "./wire_fields.ts";

const LEASES = 1;
const FORGOTTEN = 2;
/** What a later version may say besides. */
const FLAGS_MAX = 255;
/** What bounds a list inside of a document is the document. */
const UNBOUNDED = REPLICATION_HEAD_BYTES_MAX;

/** Places. */
export function encodeConsumerChanges(changes: readonly ConsumerChange[]): unknown[] {
  return changes.map(({ category, consumer, record: { epoch, leases, forgotten, sinceMs, owners } }) => [
    category,
    consumer,
    epoch,
    (leases ? LEASES : 0) | (forgotten ? FORGOTTEN : 0),
    sinceMs ?? null,
    Array.from(owners, ([owner, unread]) => [owner, encodeUnread(unread)]),
  ]);
}

/** The same. */
export function decodeConsumerChanges(field: string, value: unknown): ConsumerChange[] {
  return listOf(field, value, REPLICATION_ENTRIES_MAX).map((item) => {
    const [category, consumer, ...rest] = tupleOf(field, item, 6);
    if (typeof consumer !== "string" || !isConsumer(consumer)) {
      refuse(`${field}.consumer`, consumer, "a consumer");
    }
    return {
      category: categoryOf(`${field}.category`, category),
      consumer,
      record: decodeRecord(field, rest),
    };
  });
}

function decodeRecord(
  field: string,
  [epochValue, flagsValue, since, list]: readonly unknown[],
): ConsumerRecord {
  const epoch = integerOf(`${field}.epoch`, epochValue, Number.MAX_SAFE_INTEGER);
  const flags = integerOf(`${field}.flags`, flagsValue, FLAGS_MAX);
  const sinceMs = since === null ? undefined : integerOf(`${field}.since`, since, Number.MAX_SAFE_INTEGER);
  const owners = new Map<string, Unread>();
  for (const item of listOf(`${field}.owners`, list, UNBOUNDED)) {
    const [name, intervals] = tupleOf(`${field}.owners`, item, 2);
    const owner = instanceOf(`${field}.owner`, name);
    const unread = decodeUnread(intervals);
    if (!unread) refuse(`${field}.unread`, intervals, "intervals of places, in order and apart");
    if (owners.has(owner)) refuse(`${field}.owner`, owner, "told once");
    owners.set(owner, unread);
  }
  if ((flags & FORGOTTEN) !== 0) return forgottenConsumer(epoch);
  return { epoch, leases: (flags & LEASES) !== 0, forgotten: false, sinceMs, owners };
}
