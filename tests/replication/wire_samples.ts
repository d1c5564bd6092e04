/**
 * Requests and answers between nodes: any that there can be, and one of each for tests of what carries them.
 *
 * @module
 */
import fc from "fast-check";
import { CHUNK_NUMBER_MAX, chunkName } from "../../lib/protocol/names.ts";
import type {
  AcknowledgedChange,
  ChangesAnswer,
  ChangesRequest,
  ChunkKnowledge,
  ConsumerChange,
  CopyState,
  FetchAnswer,
  Held,
  NodeId,
  Piece,
} from "../../lib/replication/peer.ts";
import type { FetchRequest, KnowsRequest } from "../../lib/replication/wire.ts";
import { consumerRecord } from "../storage/consumer_samples.ts";

const SIZE_MAX = 2 ** 48 - 1;

/** Few names, so that groups of them form, and the odd ones among them. */
const instance = fc.constantFrom("node_1", "node_2", "__proto__", "a-chunk000000001", "n".repeat(64));
const category = fc.constantFrom("web", "web.access-log", "__proto__", "constructor", "c".repeat(128));
const chunk = fc.tuple(instance, fc.nat(CHUNK_NUMBER_MAX)).map(([owner, number]) => chunkName(owner, number));
const size = fc.oneof(fc.nat(10), fc.maxSafeNat().map((n) => n % (SIZE_MAX + 1)), fc.constant(SIZE_MAX));
const id = fc.string({ unit: fc.constantFrom(..."09AZaz"), minLength: 1, maxLength: 64 });
const crc = fc.nat(2 ** 32 - 1);
const count = fc.maxSafeNat();
const node: fc.Arbitrary<NodeId> = fc.record({ instance, incarnation: id, run: id });

/** A size, and how much of it is synced. */
const sizes = fc.tuple(size, fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([size, part]) => ({ size, synced: Math.floor(size * part) }));

const copy: fc.Arbitrary<CopyState> = fc.tuple(
  fc.record({ category, chunk, rolling: crc }),
  sizes,
  fc.constantFrom(
    { complete: false, finalised: false },
    { complete: true, finalised: false },
    { complete: true, finalised: true },
  ),
).map(([names, sizes, kind]) => ({ ...names, ...sizes, ...kind }));

const held: fc.Arbitrary<Held> = fc.tuple(fc.record({ instance, incarnation: id, category, chunk }), sizes)
  .map(([names, sizes]) => ({ ...names, ...sizes }));

const bytes = fc.uint8Array({ maxLength: 40 }).map((start) => Uint8Array.of(...start, 10));
const offset = size.map((n) => Math.min(n, SIZE_MAX - 41));
const whole = {
  category,
  chunk,
  offset,
  bytes,
  rolling: crc,
  timeMs: fc.nat(2 ** 31 - 1).map((n) => n * 1000),
};
const piece: fc.Arbitrary<Piece> = fc.oneof(
  fc.record(whole),
  // What was asked for with a length ends anywhere.
  fc.record({
    ...whole,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    part: fc.constant(true as const),
  }),
);

const acknowledged: fc.Arbitrary<AcknowledgedChange> = fc.record({
  category,
  instance,
  gaps: fc.array(fc.tuple(fc.nat(1000), fc.nat(1000), fc.option(size)), { maxLength: 8 }),
}).map(({ category, instance, gaps }) => {
  let first = 0;
  const sizes = new Map<number, number>();
  const ranges = gaps.map(([gap, length, size]) => {
    first += gap + 2;
    const last = first + length;
    if (size !== null) sizes.set(last, size);
    const range = [first, last] as const;
    first = last;
    return range;
  });
  return { category, instance, ranges, sizes };
});

const consumer: fc.Arbitrary<ConsumerChange> = fc.record({
  category,
  consumer: category,
  record: consumerRecord,
});

const wanted = fc.oneof(
  fc.record({ category, chunk, offset: size }),
  fc.record({ category, chunk, offset, length: fc.integer({ min: 1, max: 40 }) }),
);
const few = { maxLength: 6 };

export const changesRequest: fc.Arbitrary<ChangesRequest> = fc.record({
  from: node,
  cursor: fc.string({ maxLength: 256 }).filter((text) => text.length <= 256),
  held: fc.array(held, few),
  relay: fc.array(instance, few),
  behindBytes: count,
  waitMs: count,
});

export const changesAnswer: fc.Arbitrary<ChangesAnswer> = fc.record({
  node,
  cursor: fc.string({ unit: "binary", maxLength: 100 }),
  reset: fc.boolean(),
  more: fc.boolean(),
  heardMs: fc.uniqueArray(fc.tuple(instance, count), { selector: ([name]) => name }).map((all) =>
    new Map(all)
  ),
  acknowledged: fc.array(acknowledged, few),
  consumers: fc.array(consumer, few),
  copies: fc.array(copy, few),
  pieces: fc.array(piece, few),
});

export const fetchRequest: fc.Arbitrary<FetchRequest> = fc.record({
  from: node,
  wanted: fc.array(wanted, few),
  bytesMax: count.map((n) => Math.max(1, n)),
});

export const fetchAnswer: fc.Arbitrary<FetchAnswer> = fc.record({
  node,
  pieces: fc.array(piece, few),
  unreadable: fc.array(wanted, few),
});

export const knowsRequest: fc.Arbitrary<KnowsRequest> = fc.record({ from: node, category, chunk });

export const knowledge: fc.Arbitrary<ChunkKnowledge> = fc.record({
  node,
  state: fc.oneof(fc.constant("unknown" as const), fc.constant("acknowledged" as const), copy),
});

export const NODE_1: NodeId = { instance: "node_1", incarnation: "aa11", run: "r1" };
export const NODE_2: NodeId = { instance: "node_2", incarnation: "bb22", run: "r2" };

/** A poll of node_1. */
export const POLL: ChangesRequest = {
  from: NODE_1,
  cursor: "",
  held: [{
    instance: "node_1",
    incarnation: "aa11",
    category: "web",
    chunk: "node_2-chunk000000007",
    size: 9,
    synced: 4,
  }],
  relay: ["node_3"],
  behindBytes: 5,
  waitMs: 1000,
};

/** What node_2 answers to it. */
export const NEWS: ChangesAnswer = {
  node: NODE_2,
  cursor: "r2.12.0",
  reset: true,
  more: false,
  heardMs: new Map([["node_3", 120]]),
  acknowledged: [{
    category: "web",
    instance: "node_2",
    ranges: [[0, 4], [6, 6]],
    sizes: new Map([[3, 100], [6, 0]]),
  }],
  consumers: [{
    category: "web",
    consumer: "indexer",
    record: {
      epoch: 2,
      leases: true,
      forgotten: false,
      sinceMs: undefined,
      owners: new Map([["node_1", [{ start: { number: 4, offset: 900 }, end: undefined }]]]),
    },
  }],
  copies: [
    copyOf("node_2-chunk000000007", { size: 14, synced: 9 }),
    copyOf("node_2-chunk000000008", { size: 5, complete: true }),
    copyOf("node_3-chunk000000000", { size: 5, complete: true, finalised: true }),
  ],
  pieces: [pieceOf("node_2-chunk000000007", 9, "text\n"), pieceOf("node_2-chunk000000008", 0, "more\n")],
};

/** A copy of a chunk in the category `web`. */
export function copyOf(chunk: string, more: Partial<CopyState> = {}): CopyState {
  const rest = { size: 0, synced: 0, rolling: 0xfedcba98, complete: false, finalised: false };
  return { category: "web", chunk, ...rest, ...more };
}

/** A piece of a chunk in the category `web`. */
export function pieceOf(chunk: string, offset: number, content: string | Uint8Array): Piece {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return { category: "web", chunk, offset, bytes, rolling: 0x12345678, timeMs: 1_700_000_000_000 };
}
