/**
 * Places of consumers: any that there can be.
 *
 * @module
 */
import fc from "fast-check";
import { type ConsumerRecord, forgottenConsumer } from "../../lib/storage/consumer_record.ts";
import { ALL, type Unread, without } from "../../lib/storage/unread.ts";

/** Few of them, so that what is acknowledged touches and overlaps. */
const place = fc.record({ number: fc.nat(4), offset: fc.nat(4) });
const ack = fc.tuple(place, fc.option(place, { nil: undefined, freq: 12 }));

/** What is left of all after some acknowledgements. */
export const unread: fc.Arbitrary<Unread> = fc.array(ack, { maxLength: 6 }).map((acks) => {
  return acks.reduce((left, [start, end]) => without(left, start, end), ALL);
});

const owners = fc.uniqueArray(fc.tuple(fc.constantFrom("node_1", "node_2", "__proto__"), unread), {
  selector: ([owner]) => owner,
}).map((all) => new Map(all));

/** Few epochs, so that they are the same often. */
export const consumerRecord: fc.Arbitrary<ConsumerRecord> = fc.oneof(
  { arbitrary: fc.nat(2).map(forgottenConsumer), weight: 1 },
  {
    arbitrary: fc.record({
      epoch: fc.nat(2),
      leases: fc.boolean(),
      forgotten: fc.constant(false),
      sinceMs: fc.option(fc.nat(3), { nil: undefined }),
      owners,
    }),
    weight: 6,
  },
);
