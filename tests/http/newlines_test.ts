/**
 * Counting newlines four bytes at a time: the same as one by one, wherever the bytes lie, and whatever they are.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { countNewlines } from "../../lib/http/newlines.ts";

const NEWLINE = 0x0a;

function oneByOne(bytes: Uint8Array, start: number, end: number): number {
  return bytes.subarray(start, end).reduce((sum, byte) => sum + Number(byte === NEWLINE), 0);
}

/** Bytes that a trick with bits could take for another: neighbours of `\n`, its bits, and those with carries. */
const BYTES = [NEWLINE, 0x09, 0x0b, 0x8a, 0x00, 0x01, 0x7f, 0x80, 0xff, 0x0d, 0x2a, 0x4a];

Deno.test("countNewlines counts what is there, of every range of any bytes", () => {
  fc.assert(fc.property(
    fc.array(fc.oneof(fc.constantFrom(...BYTES), fc.integer({ min: 0, max: 255 })), { maxLength: 70 }),
    fc.nat(7),
    fc.nat(70),
    fc.nat(70),
    (content, shift, one, other) => {
      const whole = Uint8Array.from([...new Array(shift).fill(NEWLINE), ...content, NEWLINE, NEWLINE]);
      const bytes = whole.subarray(shift, shift + content.length);
      const [start, end] = [one, other].map((at) => Math.min(at, content.length)).sort((a, b) => a - b);
      assertEquals(countNewlines(bytes, start!, end!), oneByOne(bytes, start!, end!));
    },
  ));
});

Deno.test("countNewlines counts every pair of neighbouring bytes", () => {
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second++) {
      const wanted = Number(first === NEWLINE) + Number(second === NEWLINE);
      for (let at = 0; at < 4; at++) {
        const bytes = new Uint8Array(8);
        bytes.set([first, second], at);
        if (countNewlines(bytes, 0, 8) !== wanted) assertEquals([first, second, at], []);
      }
    }
  }
});

Deno.test("countNewlines counts nothing in nothing", () => {
  assertEquals(countNewlines(new Uint8Array(0), 0, 0), 0);
  assertEquals(countNewlines(Uint8Array.of(NEWLINE), 0, 1), 1);
});
