/**
 * The consumers of one category as JSON: the content of `consumers.json`.
 *
 * ```json
 * {"indexer":{"epoch":0,"unread":{"node_1":[[3,600,4,0],[5,0]]}},
 *  "mailer":{"epoch":2,"leases":true,"since":1767261600000,"unread":{}},
 *  "old":{"epoch":1,"forgotten":true},"#crc32":"…"}
 * ```
 *
 * `unread` is what `unread.ts` draws. What is not told of a consumer is not so: no leases, no time, not forgotten. The
 * text of one consumer is made once for each of its states: an ack of one costs nothing for the thousand others but
 * their bytes.
 *
 * @module
 */
import { isConsumer, isInstance } from "../protocol/names.ts";
import { decodeChecked, sealChecked } from "./checked_json.ts";
import { type ConsumerRecord, forgottenConsumer } from "./consumer_record.ts";
import { decodeUnread, encodeUnread, type Unread } from "./unread.ts";

const texts = new WeakMap<ConsumerRecord, string>();

/** The file's bytes. */
export function encodeConsumers(
  consumers: Iterable<readonly [name: string, record: ConsumerRecord]>,
): Uint8Array {
  const fields = Array.from(consumers, ([name, record]) => `${JSON.stringify(name)}:${textOf(record)}`);
  return sealChecked(`{${fields.join(",")}`);
}

/** Parses the file's bytes. Throws `SyntaxError` where they are not such a file. */
export function decodeConsumers(bytes: Uint8Array): Map<string, ConsumerRecord> {
  const consumers = new Map<string, ConsumerRecord>();
  for (const [name, value] of Object.entries(decodeChecked(bytes))) {
    const record = isConsumer(name) ? parseRecord(value) : undefined;
    if (!record) throw new SyntaxError(`not the place of a consumer: ${JSON.stringify(name)}`);
    consumers.set(name, record);
  }
  return consumers;
}

function textOf(record: ConsumerRecord): string {
  let text = texts.get(record);
  if (text === undefined) texts.set(record, text = JSON.stringify(toJson(record)));
  return text;
}

function toJson({ epoch, leases, forgotten, sinceMs, owners }: ConsumerRecord): object {
  if (forgotten) return { epoch, forgotten };
  return {
    epoch,
    ...leases ? { leases } : {},
    ...sinceMs === undefined ? {} : { since: sinceMs },
    unread: Object.fromEntries(Array.from(owners, ([owner, unread]) => [owner, encodeUnread(unread)])),
  };
}

function parseRecord(value: unknown): ConsumerRecord | undefined {
  const { epoch, leases = false, forgotten = false, since, unread } = Object(value) as Record<
    string,
    unknown
  >;
  if (!isCount(epoch) || typeof leases !== "boolean" || typeof forgotten !== "boolean") return undefined;
  if (forgotten) return forgottenConsumer(epoch);
  if (since !== undefined && !isCount(since)) return undefined;
  if (typeof unread !== "object" || unread === null) return undefined;
  const owners = new Map<string, Unread>();
  for (const [owner, intervals] of Object.entries(unread)) {
    const decoded = isInstance(owner) ? decodeUnread(intervals) : undefined;
    if (!decoded) return undefined;
    owners.set(owner, decoded);
  }
  return { epoch, leases, forgotten, sinceMs: since, owners };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
