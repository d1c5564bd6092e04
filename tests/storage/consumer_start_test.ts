/**
 * @module Tests of `lib/storage/consumer_start.ts`.
 */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import {
  atMost,
  behindAll,
  fromPlaces,
  type PlacedChunk,
  since,
  trimmed,
} from "../../lib/storage/consumer_start.ts";
import {
  ALL,
  comparePlaces,
  decodeUnread,
  encodeUnread,
  intersect,
  sameUnread,
  type Unread,
} from "../../lib/storage/unread.ts";
import { unread } from "./consumer_samples.ts";

function chunk(number: number, size: number, complete = true, timeMs = number * 10): PlacedChunk {
  return { number, size, complete, timeMs };
}

function holds(unread: Unread, number: number, offset: number): boolean {
  const place = { number, offset };
  return unread.some(({ start, end }) => comparePlaces(start, place) <= 0 && comparePlaces(place, end) < 0);
}

Deno.test("behindAll leaves what may still come: holes, older chunks that grow, and what comes behind", () => {
  const place = behindAll({
    chunks: [chunk(3, 500), chunk(4, 80, false), chunk(7, 10), chunk(8, 60, false)],
    acknowledged: [[0, 1], [5, 5]],
  });
  assertEquals(encodeUnread(place), [[2, 0, 3, 0], [4, 80, 5, 0], [6, 0, 7, 0], [8, 60]]);
  assertEquals(behindAll({ chunks: [], acknowledged: [] }), ALL);
});

Deno.test("behindAll has nothing that is here, and all that is not", () => {
  const chunks = fc.uniqueArray(
    fc.record({ number: fc.nat(9), size: fc.integer({ min: 1, max: 5 }), complete: fc.boolean() }),
    {
      selector: ({ number }) => number,
    },
  ).map((all) => all.sort((a, b) => a.number - b.number).map((one) => ({ ...one, timeMs: 0 })));
  fc.assert(fc.property(chunks, (chunks) => {
    const place = behindAll({ chunks, acknowledged: [] });
    assert(sameUnread(decodeUnread(encodeUnread(place))!, place));
    for (let number = 0; number < 10; number++) {
      const here = chunks.find((one) => one.number === number);
      for (let offset = 0; offset < 7; offset++) {
        const isRead = here !== undefined && (here.complete || offset < here.size);
        assertEquals(holds(place, number, offset), !isRead, `${number}:${offset}`);
      }
    }
  }));
});

Deno.test("since begins where the records say, and leaves older chunks that grow", () => {
  const chunks = [chunk(1, 50), chunk(2, 20, false), chunk(5, 99), chunk(6, 7, false)];
  const at = (timeMs: number, offset: number) =>
    encodeUnread(since({ chunks, acknowledged: [] }, timeMs, () => offset));
  assertEquals(at(45, 30), [[2, 20, 3, 0], [5, 30]]);
  // All of chunk 5 is new enough: what may come between is, too.
  assertEquals(at(45, 0), [[2, 20]]);
  assertEquals(at(5, 0), [[0, 0]]);
  assertEquals(at(5, 9), [[1, 9]]);
  assertEquals(at(61, 0), [[2, 20, 3, 0], [6, 7]]);
});

Deno.test("fromPlaces: the last place of an owner is all from there on, those before it the rest of their chunks", () => {
  const places = fromPlaces([
    { chunk: "a-chunk000000007", offset: 5 },
    { chunk: "a-chunk000000003", offset: 9 },
    { chunk: "b-chunk000000000", offset: 0 },
    { chunk: "a-chunk000000007", offset: 8 },
    { chunk: "none", offset: 1 },
  ]);
  assertEquals(Array.from(places, ([owner, unread]) => [owner, encodeUnread(unread)]), [
    ["a", [[3, 9, 4, 0], [7, 5]]],
    ["b", [[0, 0]]],
  ]);
  const touching = fromPlaces([{ chunk: "a-chunk000000003", offset: 9 }, {
    chunk: "a-chunk000000004",
    offset: 0,
  }]);
  assertEquals(encodeUnread(touching.get("a")!), [[3, 9]]);
});

Deno.test("trimmed drops what lies before anything that can still be read", () => {
  const chunks = new Map([[4, chunk(4, 900)], [5, chunk(5, 10, false)]]);
  const behind = (number: number) => number <= 3 ? 4 : number;
  const trim = (place: number[][]) =>
    encodeUnread(trimmed(decodeUnread(place)!, (n) => chunks.get(n), behind));
  assertEquals(trim([[0, 0, 4, 0], [4, 900, 5, 0], [5, 3]]), [[5, 3]]);
  assertEquals(trim([[0, 0]]), [[4, 0]]);
  assertEquals(trim([[4, 900]]), [[5, 0]]);
  assertEquals(trim([[4, 899]]), [[4, 899]]);
  assertEquals(trim([[5, 10, 6, 0], [9, 0]]), [[5, 10, 6, 0], [9, 0]]);
  const same = decodeUnread([[4, 1, 5, 0], [5, 3]])!;
  assertStrictEquals(trimmed(same, (n) => chunks.get(n), behind), same);
});

Deno.test("atMost never leaves out what is unread", () => {
  fc.assert(fc.property(unread, fc.integer({ min: 1, max: 4 }), (unread, max) => {
    const few = atMost(unread, max);
    assert(few.length <= max);
    assert(sameUnread(intersect(few, unread), unread));
    if (unread.length <= max) assertStrictEquals(few, unread);
  }));
});
