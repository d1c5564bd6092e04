/**
 * @module Tests of `lib/replication/wire.ts` and what it is made of.
 */
import { assert, assertEquals, assertStrictEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { concatenate } from "../../lib/protocol/bytes.ts";
import { REPLICATION_ENTRIES_MAX, REPLICATION_WANTED_MAX } from "../../lib/protocol/limits.ts";
import type { ChangesAnswer } from "../../lib/replication/peer.ts";
import {
  decodeChangesAnswer,
  decodeChangesRequest,
  decodeFetchAnswer,
  decodeFetchRequest,
  decodeKnowledge,
  decodeKnowsRequest,
  encodeChangesAnswer,
  encodeChangesRequest,
  encodeFetchAnswer,
  encodeFetchRequest,
  encodeKnowledge,
  encodeKnowsRequest,
} from "../../lib/replication/wire.ts";
import { WireError } from "../../lib/replication/wire_fields.ts";
import * as samples from "./wire_samples.ts";
import { copyOf, NEWS, NODE_2, POLL } from "./wire_samples.ts";

const CHUNK = "node_2-chunk000000007";

/** One kind of message: any that there can be, and the way there and back. */
interface Kind<T> {
  readonly any: fc.Arbitrary<T>;
  readonly encode: (value: T) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => T;
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const KINDS = {
  changesRequest: kind({
    any: samples.changesRequest,
    encode: (value) => utf8(encodeChangesRequest(value)),
    decode: decodeChangesRequest,
  }),
  changesAnswer: kind({
    any: samples.changesAnswer,
    encode: (value) => concatenate(encodeChangesAnswer(value)),
    decode: decodeChangesAnswer,
  }),
  fetchRequest: kind({
    any: samples.fetchRequest,
    encode: (value) => utf8(encodeFetchRequest(value)),
    decode: decodeFetchRequest,
  }),
  fetchAnswer: kind({
    any: samples.fetchAnswer,
    encode: (value) => concatenate(encodeFetchAnswer(value)),
    decode: decodeFetchAnswer,
  }),
  knowsRequest: kind({
    any: samples.knowsRequest,
    encode: (value) => utf8(encodeKnowsRequest(value)),
    decode: decodeKnowsRequest,
  }),
  knowledge: kind({
    any: samples.knowledge.map(({ node, state }) => ({
      node,
      state: typeof state === "string" ? state : { ...state, category: "web", chunk: CHUNK },
    })),
    encode: (value) => concatenate(encodeKnowledge(value)),
    decode: (bytes) => decodeKnowledge(bytes, "web", CHUNK),
  }),
};

// deno-lint-ignore no-explicit-any
function kind<T>(kind: Kind<T>): Kind<any> {
  return kind;
}

for (const [name, { any, encode, decode }] of Object.entries(KINDS)) {
  Deno.test(`${name}: what is sent arrives`, () => {
    fc.assert(fc.property(any, (value) => assertEquals(decode(encode(value)), value)));
  });

  Deno.test(`${name}: what is cut off or changed is refused, or another one that can be sent`, () => {
    const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const change = fc.tuple(at, fc.oneof(fc.nat(255), fc.constantFrom(...utf8('0129-.e[]{}",:\\/n\n'))));
    const changes = fc.array(change, { maxLength: 3 });
    fc.assert(
      fc.property(any, changes, fc.option(at), fc.boolean(), (value, changes, cut, doubled) => {
        let bytes = encode(value).slice();
        for (const [at, byte] of changes) bytes[Math.floor(at * bytes.length)] = byte;
        if (cut !== null) bytes = bytes.subarray(0, Math.floor(cut * bytes.length));
        if (doubled) bytes = concatenate([bytes, bytes]);
        acceptsOrRefuses(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  Deno.test(`${name}: a document of any form is refused, or one that can be sent`, () => {
    const head = (value: unknown) => JSON.parse(new TextDecoder().decode(encode(value)).split("\n")[0]!);
    const pick = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const odd = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.constantFrom(-1, 1.5, 2 ** 32, 2 ** 48, 2 ** 53, 1e308, "", "../x", "a/b", ".", null, [], {}, [[]]),
    );
    fc.assert(
      fc.property(any, pick, odd, (value, pick, odd) => {
        const document = head(value);
        const places = placesIn(document);
        const [holder, key] = places[Math.floor(pick * places.length)]!;
        holder[key] = odd;
        acceptsOrRefuses(utf8(JSON.stringify(document) + "\n"));
        acceptsOrRefuses(utf8(JSON.stringify(odd) + "\n"));
      }),
      { numRuns: 1000 },
    );
  });

  /** What is taken is as good as what is sent; all else is a `WireError`. */
  const acceptsOrRefuses = (bytes: Uint8Array): void => {
    let value: unknown;
    try {
      value = decode(bytes);
    } catch (error) {
      assert(error instanceof WireError, String(error));
      assert(error.message.length <= 300, error.message);
      return;
    }
    assertEquals(decode(encode(value)), value);
  };
}

/** Every value within a document, as what holds it and under which key. */
// deno-lint-ignore no-explicit-any
function placesIn(value: any): [holder: any, key: string][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.keys(value).flatMap((key) => [[value, key] as [unknown, string], ...placesIn(value[key])]);
}

Deno.test("the layout is as drawn", () => {
  assertEquals(JSON.parse(encodeChangesRequest(POLL)), {
    from: ["node_1", "aa11", "r1"],
    cursor: "",
    held: [["node_1", "aa11", "web", "node_2", [[7, 9, 4]]]],
    relay: ["node_3"],
    behind_bytes: 5,
    wait_ms: 1000,
  });
  const [head, ...bytes] = encodeChangesAnswer(NEWS);
  const text = new TextDecoder().decode(head);
  assertEquals(text.indexOf("\n"), text.length - 1);
  assertEquals(JSON.parse(text), {
    node: ["node_2", "bb22", "r2"],
    cursor: "r2.12.0",
    reset: true,
    more: false,
    heard_ms: [["node_3", 120]],
    acknowledged: [["web", "node_2", [[0, 4], [6, 6]], [[3, 100], [6, 0]]]],
    consumers: [["web", "indexer", 2, 1, null, [["node_1", [[4, 900]]]]]],
    copies: [
      ["web", "node_2", [[7, 14, 9, 0xfedcba98, 0], [8, 5, 0, 0xfedcba98, 1]]],
      ["web", "node_3", [[0, 5, 0, 0xfedcba98, 2]]],
    ],
    pieces: [["web", "node_2", [[7, 9, 5, 0x12345678, 1_700_000_000_000], [
      8,
      0,
      5,
      0x12345678,
      1_700_000_000_000,
    ]]]],
  });
  assertEquals(bytes, NEWS.pieces.map(({ bytes }) => bytes));
});

Deno.test("bytes are not copied, on neither side", () => {
  const parts = encodeChangesAnswer(NEWS);
  assertStrictEquals(parts[1], NEWS.pieces[0]!.bytes);
  const received = concatenate(parts);
  for (const { bytes } of decodeChangesAnswer(received).pieces) {
    assertStrictEquals(bytes.buffer, received.buffer);
  }
});

Deno.test("what a later version adds is left alone", () => {
  const document = JSON.parse(new TextDecoder().decode(encodeChangesAnswer(NEWS)[0]));
  document.later = { deep: [1] };
  document.node.push("later");
  document.copies[0].push("later");
  document.copies[0][2][0].push("later");
  document.acknowledged[0].push("later");
  document.heard_ms[0].push("later");
  document.consumers[0].push("later");
  document.consumers[0][5][0].push("later");
  document.consumers[0][3] |= 128;
  const bytes = NEWS.pieces.map(({ bytes }) => new Uint8Array(bytes));
  assertEquals(decodeChangesAnswer(concatenate([utf8(JSON.stringify(document) + "\n"), ...bytes])), NEWS);
});

Deno.test("a node that knows no consumers tells none", () => {
  const document = JSON.parse(new TextDecoder().decode(encodeChangesAnswer(NEWS)[0]));
  delete document.consumers;
  const bytes = NEWS.pieces.map(({ bytes }) => new Uint8Array(bytes));
  const answer = decodeChangesAnswer(concatenate([utf8(JSON.stringify(document) + "\n"), ...bytes]));
  assertEquals(answer, { ...NEWS, consumers: [] });
  assertEquals(JSON.parse(new TextDecoder().decode(encodeChangesAnswer(answer)[0])), document);
});

/** The news with other fields in its document. */
function refusalOf(change: (document: Record<string, unknown>) => void): string {
  const [head, ...bytes] = encodeChangesAnswer(NEWS);
  const document = JSON.parse(new TextDecoder().decode(head));
  change(document);
  const answer = concatenate([utf8(JSON.stringify(document) + "\n"), ...bytes]);
  return assertThrows(() => decodeChangesAnswer(answer), WireError).message;
}

Deno.test("a refusal names the field, the value and the rule", () => {
  const copies = (...row: unknown[]) => [["web", "node_2", [row]]];
  const acked = (ranges: unknown, sizes: unknown = []) => [["web", "node_2", ranges, sizes]];
  const placed = (
    { consumer = "x", epoch = 0, flags = 0, since = null, owners = [] }: Record<string, unknown>,
  ) => {
    return [["web", consumer, epoch, flags, since, owners]];
  };
  const rows: [field: string, value: unknown, says: string][] = [
    ["node", ["../x", "a", "b"], 'node.instance: "../x" is not an instance'],
    ["node", ["node_2", "a-b", "b"], 'node.incarnation: "a-b" is not 1 to 64 of 0-9 A-Z a-z'],
    ["node", ["node_2", "a", ""], 'node.run: "" is not 1 to 64'],
    ["node", { instance: "node_2" }, "node: an object is not a list of at least 3"],
    ["cursor", "x".repeat(257), "is not a text of at most 256 characters"],
    ["cursor", undefined, "cursor: undefined is not a text"],
    ["reset", 1, "reset: 1 is not true or false"],
    ["heard_ms", [["node_3", -1]], "heard_ms: -1 is not a whole number from 0"],
    ["heard_ms", [["node_3", 1], ["node_3", 2]], 'heard_ms: "node_3" is not told once'],
    ["copies", [["../../etc", "node_2", []]], 'copies.category: "../../etc" is not a category'],
    ["copies", [["web", "..", []]], 'copies.owner: ".." is not an instance'],
    ["copies", copies("7", 1, 1, 0, 0), 'copies.number: "7" is not a whole number from 0 to 999999999'],
    ["copies", copies(1e9, 1, 1, 0, 0), "copies.number: 1000000000 is not"],
    ["copies", copies(7, -1, 0, 0, 0), "copies.size: -1 is not a whole number from 0 to 281474976710655"],
    ["copies", copies(7, 2 ** 48, 0, 0, 0), "copies.size: 281474976710656 is not"],
    ["copies", copies(7, 1.5, 0, 0, 0), "copies.size: 1.5 is not"],
    ["copies", copies(7, 5, 6, 0, 0), "copies.synced: 6 is not a whole number from 0 to 5"],
    ["copies", copies(7, 5, 5, 2 ** 32, 0), "copies.rolling: 4294967296 is not"],
    ["copies", copies(7, 5, 5, 0, 3), "copies.kind: 3 is not a whole number from 0 to 2"],
    ["copies", copies(7, 5, 5, 0), "copies: a list of 3 is not a list of at least 4"],
    ["acknowledged", acked([[5, 4]]), "acknowledged.ranges.last: 4 is not a whole number from 5 to"],
    ["acknowledged", acked([[5, 6], [2, 3]]), "acknowledged.ranges.first: 2 is not a whole number from 8"],
    ["acknowledged", acked([[0, 6], [7, 8]]), "acknowledged.ranges.first: 7 is not a whole number from 8"],
    ["acknowledged", acked([[0, 1e9]]), "acknowledged.ranges.last: 1000000000 is not"],
    ["acknowledged", acked([[0, 6]], [[7, 1]]), "acknowledged.sizes.number: 7 is not in the ranges"],
    [
      "acknowledged",
      acked([[0, 6]], [[5, 1], [5, 1]]),
      "acknowledged.sizes.number: 5 is not a whole number from 6",
    ],
    ["acknowledged", acked([[0, 6]], [[5, -1]]), "acknowledged.sizes.size: -1 is not"],
    ["consumers", placed({ consumer: "../x" }), 'consumers.consumer: "../x" is not a consumer'],
    ["consumers", placed({ epoch: -1 }), "consumers.epoch: -1 is not a whole number from 0"],
    ["consumers", placed({ flags: "1" }), 'consumers.flags: "1" is not a whole number'],
    ["consumers", placed({ since: -1 }), "consumers.since: -1 is not"],
    ["consumers", placed({ owners: [["..", []]] }), 'consumers.owner: ".." is not an instance'],
    [
      "consumers",
      placed({ owners: [["n", [[2, 0], [1, 0]]]] }),
      "consumers.unread: a list of 2 is not intervals",
    ],
    ["consumers", placed({ owners: [["n", []], ["n", []]] }), 'consumers.owner: "n" is not told once'],
    ["pieces", [], "pieces.length: 0 is not the 10 bytes that follow, in all"],
    ["pieces", [["web", "node_2", [[7, 9, 11, 0, 0]]]], "pieces.length: 11 is not the 10 bytes"],
    ["pieces", [["web", "node_2", [[7, 9, 9, 0, 0]]]], "pieces.length: 9 is not the 10 bytes"],
    ["pieces", [["web", "node_2", [[7, 9, 0, 0, 0]]]], "pieces.length: 0 is not a whole number from 1"],
    [
      "pieces",
      [["web", "node_2", [[7, 0, 4, 0, 0], [7, 4, 6, 0, 0]]]],
      "pieces: node_2-chunk000000007 from 0 on does not end with a message",
    ],
    [
      "pieces",
      [["web", "node_2", [[7, 2 ** 48 - 5, 10, 0, 0]]]],
      "pieces.length: 10 is not a whole number from 1 to 4",
    ],
  ];
  for (const [field, value, says] of rows) {
    assertStringIncludes(refusalOf((document) => document[field] = value), says);
  }
});

Deno.test("lists are bounded, in one group or in many", () => {
  const copies = (count: number): ChangesAnswer => ({
    ...NEWS,
    copies: Array.from({ length: count }, () => copyOf(CHUNK)),
  });
  const most = copies(REPLICATION_ENTRIES_MAX);
  assertEquals(
    decodeChangesAnswer(concatenate(encodeChangesAnswer(most))).copies.length,
    REPLICATION_ENTRIES_MAX,
  );
  const tooMany = concatenate(encodeChangesAnswer(copies(REPLICATION_ENTRIES_MAX + 1)));
  assertThrows(
    () => decodeChangesAnswer(tooMany),
    WireError,
    "copies: a list of 5001 is not a list of at most 5000",
  );
  const half = Array.from({ length: 2501 }, () => [7, 5, 5, 0, 0]);
  assertStringIncludes(
    refusalOf((document) => document.copies = [["web", "node_2", half], ["web", "node_3", half]]),
    "copies.length: 5002 is not at most 5000",
  );
  assertStringIncludes(
    refusalOf((document) => document.copies = Array.from({ length: 5001 }, () => ["web", "node_2", []])),
    "copies: a list of 5001",
  );
  const wanted = Array.from(
    { length: REPLICATION_WANTED_MAX + 1 },
    (_, offset) => ({ category: "web", chunk: CHUNK, offset }),
  );
  const request = encodeFetchRequest({ from: NODE_2, wanted, bytesMax: 1 });
  assertThrows(() => decodeFetchRequest(utf8(request)), WireError, "wanted: a list of 257");
});

Deno.test("what is no document at all is refused in few words", () => {
  const answers: [text: string, says: string][] = [
    ["", "answer: has no line"],
    ["{}", "answer: has no line"],
    ["\n", 'document: "" is not JSON'],
    ["<html>nope</html>\n", 'document: "<html>nope</html>" is not JSON'],
    ["[]\n", "document: a list of 0 is not a JSON object"],
    ["null\n", "document: null is not a JSON object"],
    ["{}\n", "node: undefined is not a list"],
    ["[".repeat(100_000) + "\n", "document:"],
    [`${"[".repeat(100_000)}${"]".repeat(100_000)}\n`, "document: a list of 1 is not a JSON object"],
    [`{"node":${"[".repeat(100_000)}${"]".repeat(100_000)}}\n`, "node: a list of 1 is not"],
    [" ".repeat(8 * 1024 * 1024 + 1) + "\n", "answer: has no line of at most 8388608 bytes"],
  ];
  for (const [text, says] of answers) {
    const error = assertThrows(() => decodeChangesAnswer(utf8(text)), WireError, says);
    assert(error.message.length < 200, error.message);
  }
  assertThrows(
    () => decodeChangesAnswer(Uint8Array.of(0x7b, 0xff, 0x7d, 10)),
    WireError,
    "is not JSON in UTF-8",
  );
  assertThrows(
    () => decodeKnowsRequest(utf8('{"chunk":"node_1"}')),
    WireError,
    'chunk: "node_1" is not a chunk',
  );
  const trailing = concatenate([...encodeKnowledge({ node: NODE_2, state: "unknown" }), utf8("x")]);
  assertThrows(() => decodeKnowledge(trailing, "web", CHUNK), WireError, "answer: 1 is not without bytes");
});

Deno.test("what cannot be the name of a chunk is not sent", () => {
  assertThrows(() => encodeChangesAnswer({ ...NEWS, copies: [copyOf("../x")] }), RangeError);
});
