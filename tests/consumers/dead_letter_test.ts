/**
 * @module Tests of `lib/consumers/dead_letter.ts` and `range.ts`: which form a message has, and where pieces are cut.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { deadCategory, deadLetter } from "../../lib/consumers/dead_letter.ts";
import { Piece } from "../../lib/consumers/piece.ts";
import { middleOf } from "../../lib/consumers/range.ts";
import {
  BATCH_BYTES_CEILING,
  DEAD_LETTER_BYTES_MAX,
  DELIVERIES_TOLD_MAX,
  MIB,
  WORKER_CHARS_MAX,
} from "../../lib/protocol/limits.ts";

/** One whose history, and names, are as long as they can be. */
function longest(size: number): Piece {
  const piece = new Piece("o".repeat(64), 1, `${"o".repeat(64)}-chunk000000001`, 0, size);
  for (let i = 0; i <= DELIVERIES_TOLD_MAX; i++) {
    piece.delivered({ atMs: i, worker: "\u0001".repeat(WORKER_CHARS_MAX) });
  }
  return piece;
}

const HEAD = { category: "c".repeat(123), consumer: "n".repeat(128) };

Deno.test("deadLetter gives back every message, in lines that a reader can take", () => {
  const rows: [what: string, message: Uint8Array, form: "text" | "base64", parts: number][] = [
    ["nothing", new Uint8Array(), "text", 1],
    ["text", new TextEncoder().encode("\ufeffgrüße 🎈"), "text", 1],
    ["no text", Uint8Array.of(0xc3, 0x28), "base64", 1],
    ["a MiB of text", new Uint8Array(MIB).fill(97), "text", 1],
    ["a MiB of control characters", new Uint8Array(MIB).fill(1), "base64", 1],
    ["3 MiB of text", new Uint8Array(3 * MIB).fill(97), "text", 1],
    ["3 MiB of anything", new Uint8Array(3 * MIB).fill(255), "base64", 2],
    ["the longest message", new Uint8Array(BATCH_BYTES_CEILING - 1).fill(97), "base64", 6],
  ];
  for (const [what, message, form, parts] of rows) {
    const lines = [...deadLetter(HEAD, longest(message.length + 1), message)];
    assertEquals(lines.length, parts, what);
    const read = lines.map((line, i) => {
      assert(line.length <= DEAD_LETTER_BYTES_MAX, `${what}: ${line.length}`);
      assertEquals(line.indexOf(10), line.length - 1);
      const letter = JSON.parse(new TextDecoder().decode(line));
      assertEquals([letter.part, letter.parts], parts > 1 ? [i + 1, parts] : [undefined, undefined]);
      assertEquals(letter.size, message.length + 1);
      return form === "text" ? new TextEncoder().encode(letter.text) : Uint8Array.fromBase64(letter.base64);
    });
    assertEquals(read.reduce((sum, { length }) => sum + length, 0), message.length, what);
    let at = 0;
    for (const part of read) {
      assert(part.every((byte, i) => byte === message[at + i]), what);
      at += part.length;
    }
  }
});

Deno.test("deadCategory: none for dead letters themselves, nor where the name would be too long", () => {
  assertEquals(deadCategory("web"), "web.dead");
  assertEquals(deadCategory("c".repeat(123)), `${"c".repeat(123)}.dead`);
  assertEquals([deadCategory("c".repeat(124)), deadCategory("web.dead")], [undefined, undefined]);
});

Deno.test("middleOf cuts between messages, as near to the middle as can be, or not at all", () => {
  fc.assert(fc.property(fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 9 }), (sizes) => {
    const ends = sizes.map((_, i) => sizes.slice(0, i + 1).reduce((sum, size) => sum + size + 1, 0));
    const bytes = new TextEncoder().encode(sizes.map((size) => `${"x".repeat(size)}\n`).join(""));
    const cut = middleOf(bytes);
    if (sizes.length === 1) return assertEquals(cut, 0);
    assert(ends.slice(0, -1).includes(cut), `${cut} of ${ends}`);
    const off = (end: number) => Math.abs(end - bytes.length / 2);
    assert(ends.every((end) => off(cut) <= off(end) + 1), `${cut} of ${ends}`);
  }));
});
