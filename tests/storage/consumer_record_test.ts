/**
 * @module Tests of `lib/storage/consumer_record.ts` and `lib/storage/consumer_json.ts`.
 */
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodeConsumers, encodeConsumers } from "../../lib/storage/consumer_json.ts";
import {
  type ConsumerRecord,
  forgottenConsumer,
  mergeConsumers,
  NEW_CONSUMER,
  sameConsumer,
} from "../../lib/storage/consumer_record.ts";
import { ALL, comparePlaces, decodeUnread } from "../../lib/storage/unread.ts";
import { consumerRecord } from "./consumer_samples.ts";
import { bytes, text } from "./world.ts";

function merge(...records: ConsumerRecord[]): ConsumerRecord {
  return records.reduce(mergeConsumers);
}

Deno.test("mergeConsumers commutes, is idempotent and associative", () => {
  fc.assert(fc.property(consumerRecord, consumerRecord, consumerRecord, (a, b, c) => {
    assert(sameConsumer(merge(a, b), merge(b, a)));
    assert(sameConsumer(merge(a, merge(b, c)), merge(merge(a, b), c)));
    assertStrictEquals(merge(a, a), a);
  }));
});

Deno.test("mergeConsumers returns one of the two where that is all there is to know", () => {
  fc.assert(fc.property(consumerRecord, consumerRecord, (a, b) => {
    const both = merge(a, b);
    assertStrictEquals(merge(both, a), both);
    assertStrictEquals(merge(both, b), both);
  }));
});

Deno.test("mergeConsumers: what is unread afterwards is what nobody at the larger epoch knows to be acknowledged", () => {
  const places = fc.record({ number: fc.nat(5), offset: fc.nat(5) });
  fc.assert(fc.property(consumerRecord, consumerRecord, places, (a, b, place) => {
    const isUnread = ({ owners }: ConsumerRecord): boolean => {
      return (owners.get("node_1") ?? ALL).some(({ start, end }) => {
        return comparePlaces(start, place) <= 0 && comparePlaces(place, end) < 0;
      });
    };
    const both = merge(a, b);
    const at = [a, b].filter(({ epoch }) => epoch === both.epoch);
    assertEquals(isUnread(both), both.forgotten || at.every(isUnread));
  }));
});

Deno.test("mergeConsumers: forgotten counts at its epoch, and no more at a later one", () => {
  const used = { ...NEW_CONSUMER, epoch: 3 };
  assertEquals(merge(used, forgottenConsumer(3)).forgotten, true);
  assertEquals(merge({ ...used, epoch: 4 }, forgottenConsumer(3)).forgotten, false);
});

Deno.test("mergeConsumers: who begins at the earlier time, or at all, begins there", () => {
  const from = (sinceMs: number | undefined) => ({ ...NEW_CONSUMER, sinceMs });
  assertEquals(merge(from(7), from(5)).sinceMs, 5);
  assertEquals(merge(from(7), from(undefined)).sinceMs, undefined);
});

Deno.test("decodeConsumers is the reverse of encodeConsumers", () => {
  const name = fc.constantFrom("indexer", "__proto__", "0", "a.b-c", "constructor");
  fc.assert(fc.property(fc.dictionary(name, consumerRecord), (all) => {
    const records = new Map(Object.entries(all));
    const decoded = decodeConsumers(encodeConsumers(records));
    assertEquals(new Set(decoded.keys()), new Set(records.keys()));
    records.forEach((record, name) => assert(sameConsumer(decoded.get(name)!, record), name));
  }));
});

Deno.test("encodeConsumers writes what its header draws", () => {
  const owners = new Map([["node_1", decodeUnread([[3, 600, 4, 0], [5, 0]])!]]);
  const file = encodeConsumers([
    ["indexer", { ...NEW_CONSUMER, owners }],
    ["mailer", { ...NEW_CONSUMER, epoch: 2, leases: true, sinceMs: 1767261600000 }],
    ["old", forgottenConsumer(1)],
  ]);
  assertEquals(
    text(file).replace(/,"#crc32.*\n/, "}"),
    '{"indexer":{"epoch":0,"unread":{"node_1":[[3,600,4,0],[5,0]]}},' +
      '"mailer":{"epoch":2,"leases":true,"since":1767261600000,"unread":{}},"old":{"epoch":1,"forgotten":true}}',
  );
});

Deno.test("decodeConsumers refuses what is no place of a consumer, naming it", () => {
  for (
    const wrong of [
      '{"x":1}',
      '{"x":null}',
      '{"x":{"epoch":-1,"unread":{}}}',
      '{"x":{"epoch":0}}',
      '{"x":{"epoch":0,"unread":{"n":[[3,0],[2,0]]}}}',
      '{"x":{"epoch":0,"unread":{"../n":[]}}}',
      '{"x":{"epoch":0,"leases":1,"unread":{}}}',
      '{"x":{"epoch":0,"since":"now","unread":{}}}',
    ]
  ) {
    assertThrows(() => decodeConsumers(bytes(wrong)), SyntaxError, `place of a consumer: "x"`, wrong);
  }
  assertThrows(() => decodeConsumers(bytes('{"-x":{"epoch":0,"unread":{}}}')), SyntaxError, `"-x"`);
});
