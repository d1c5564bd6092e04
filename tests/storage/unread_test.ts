/**
 * Sets of places against the same as sets of single bytes.
 *
 * @module
 */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import {
  ALL,
  decodeUnread,
  encodeUnread,
  intersect,
  type Place,
  sameUnread,
  type Unread,
  without,
} from "../../lib/storage/unread.ts";

const CHUNKS = 4;
const BYTES = 5;

/** Which of a few places are unread, one flag each; the last stands for everything beyond. */
function flags(unread: Unread): boolean[] {
  const places = Array.from(
    { length: CHUNKS * BYTES },
    (_, i) => [Math.floor(i / BYTES), i % BYTES] as const,
  );
  return [...places, [CHUNKS, 0] as const].map(([number, offset]) =>
    unread.some(({ start, end }) => {
      const at = number * 1_000 + offset;
      return start.number * 1_000 + start.offset <= at && (!end || at < end.number * 1_000 + end.offset);
    })
  );
}

const place: fc.Arbitrary<Place> = fc.record({
  number: fc.integer({ min: 0, max: CHUNKS - 1 }),
  offset: fc.integer({ min: 0, max: BYTES - 1 }),
});
const steps = fc.array(fc.tuple(place, fc.option(place, { nil: undefined })), { maxLength: 8 });

function acknowledged(of: readonly (readonly [Place, Place | undefined])[]): Unread {
  return of.reduce<Unread>((unread, [start, end]) => without(unread, start, end), ALL);
}

Deno.test("without takes exactly the places of the range, whatever is unread", () => {
  fc.assert(fc.property(steps, place, place, (before, start, end) => {
    const unread = acknowledged(before);
    const left = flags(without(unread, start, end));
    const at = ({ number, offset }: Place) => number * BYTES + offset;
    assertEquals(left, flags(unread).map((is, i) => is && !(at(start) <= i && i < at(end))));
  }));
});

Deno.test("intersect leaves what is unread in both; it commutes and is idempotent", () => {
  fc.assert(fc.property(steps, steps, (a, b) => {
    const [one, other] = [acknowledged(a), acknowledged(b)];
    const both = intersect(one, other);
    const right = flags(other);
    assertEquals(flags(both), flags(one).map((is, i) => is && right[i]!));
    assert(sameUnread(both, intersect(other, one)));
    assert(sameUnread(both, intersect(both, one)));
  }));
});

Deno.test("without gives back the same object where nothing changes", () => {
  const unread = without(ALL, { number: 0, offset: 0 }, { number: 2, offset: 5 });
  assertStrictEquals(without(unread, { number: 1, offset: 0 }, { number: 2, offset: 5 }), unread);
  assertStrictEquals(without(unread, { number: 3, offset: 0 }, { number: 3, offset: 0 }), unread);
});

Deno.test("decodeUnread takes what encodeUnread gives, and nothing that is no such list", () => {
  fc.assert(fc.property(steps, (of) => {
    const unread = acknowledged(of);
    assert(sameUnread(decodeUnread(JSON.parse(JSON.stringify(encodeUnread(unread))))!, unread));
  }));
  const wrong = [
    undefined,
    {},
    [[1]],
    [[0, 0, 0, 0]],
    [[2, 0, 1, 0]],
    [[0, 0, 1, 0], [1, 0, 2, 0]],
    [[0, 0], [1, 0]],
    [[0, -1]],
    [[0.5, 0]],
    [["0", 0]],
    [[0, 0, 1, null]],
    [[1_000_000_001, 0]],
  ];
  for (const value of wrong) assertEquals(decodeUnread(value), undefined, JSON.stringify(value));
});
