/**
 * What a value is as a message, and what is refused with which words.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProducerError } from "../../lib/client/mod.ts";
import { contentOf } from "../../lib/client/message_content.ts";

Deno.test("contentOf sends a text and bytes as they are, and all else as JSON", () => {
  const bytes = Uint8Array.of(0, 13, 255);
  assertEquals(contentOf(bytes), bytes);
  for (const text of ["", "plain", '"quoted"', "a\r", "a\u2028b"]) assertEquals(contentOf(text), text);
  const values = [null, true, 1.5, [], [1, "a\nb"], {}, { a: undefined, b: "\n" }, new Date(0), {
    toJSON: () => 1,
  }];
  for (const value of values) assertEquals(contentOf(value), JSON.stringify(value));
  class Empty {}
  assertEquals(contentOf(new Empty()), "{}");
  assertEquals(contentOf(Object.create(null)), "{}");
});

const circle: Record<string, unknown> = {};
circle.self = circle;

const REFUSED: readonly (readonly [value: unknown, words: string])[] = [
  ["a\nb", "line break at character 1"],
  ["a\n", "line break at character 1"],
  [new TextEncoder().encode("ab\n"), "line break (10) at byte 2"],
  [undefined, "undefined has no JSON"],
  [Symbol("s"), 'the symbol "Symbol(s)" has no JSON'],
  [function named() {}, 'the function "named" has no JSON'],
  [() => {}, "a function has no JSON"],
  [10n, 'the BigInt "10" has no JSON'],
  [{ deep: [10n] }, "the object has no JSON: Do not know how to serialize a BigInt"],
  [circle, "the object has no JSON: Converting circular structure to JSON"],
  [{ toJSON: () => undefined }, "the object has no JSON"],
  [{
    get a() {
      throw new Error("not today");
    },
  }, "has no JSON: not today"],
  [NaN, "the number NaN"],
  [-Infinity, "the number -Infinity"],
  [new Date(NaN), "invalid Date"],
  [new ArrayBuffer(3), "of ArrayBuffer objects JSON makes {}: bytes are sent as a Uint8Array"],
  [new Uint16Array(3), "the Uint16Array: bytes are sent as a Uint8Array"],
  [new DataView(new ArrayBuffer(3)), "the DataView: bytes are sent as a Uint8Array"],
  [new Blob(["a"]), "await blob.bytes()"],
  [Promise.resolve(1), "await it"],
  [new Map([[1, 2]]), "Object.fromEntries(map)"],
  [new Set([1]), "[...set]"],
  [new RangeError("x"), "String(error)"],
  [/x/, "RegExp"],
];

Deno.test("contentOf refuses what a reader would not get back, and says what it is", () => {
  for (const [value, words] of REFUSED) {
    const error = assertThrows(() => contentOf(value), ProducerError);
    assert(error.message.startsWith("send: ") && error.message.includes(words), error.message);
    assertEquals([error.code, error.written], ["not_a_message", "no"]);
  }
  const { cause } = assertThrows(() => contentOf(circle), ProducerError);
  assert(cause instanceof TypeError);
});
