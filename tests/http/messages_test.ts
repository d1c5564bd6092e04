/**
 * @module Tests of `lib/http/messages.ts`.
 */
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { toBatch } from "../../lib/http/messages.ts";
import { ChukchaError } from "../../lib/protocol/errors.ts";

const LIMITS = { messageBytesMax: 10, batchBytesMax: 40 };

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function batch(text: string, limits = LIMITS, isJson = false): string {
  return new TextDecoder().decode(toBatch({ bytes: utf8(text), spare: false }, isJson, limits));
}

function refusal(act: () => unknown): string {
  const error = assertThrows(act, ChukchaError);
  assertEquals([error.code, error.status, error.written], ["too_large", 413, "no"]);
  return error.message;
}

Deno.test("toBatch adds the last newline where it is missing", () => {
  assertEquals(batch("a\nb"), "a\nb\n");
  assertEquals(batch("a\nb\n"), "a\nb\n");
  assertEquals(batch("\n\n"), "\n\n");
  assertEquals(batch("a\r\nb\r"), "a\r\nb\r\n");
  assertEquals(batch("\0\x01\n\0"), "\0\x01\n\0\n");
});

Deno.test("toBatch of an empty body is an empty batch", () => {
  assertEquals(batch(""), "");
  assertEquals(batch("[]", LIMITS, true), "");
});

Deno.test("toBatch does not copy what is complete or has a spare byte", () => {
  const bytes = utf8("abc\n");
  assertStrictEquals(toBatch({ bytes, spare: false }, false, LIMITS), bytes);
  const buffer = utf8("..abc?x");
  const spared = toBatch({ bytes: buffer.subarray(2, 5), spare: true }, false, LIMITS);
  assertStrictEquals(spared.buffer, buffer.buffer);
  assertEquals(new TextDecoder().decode(buffer), "..abc\nx");
  const fixed = utf8("abc?x");
  toBatch({ bytes: fixed.subarray(0, 3), spare: false }, false, LIMITS);
  assertEquals(new TextDecoder().decode(fixed), "abc?x");
});

Deno.test("toBatch takes a message of exactly the limit, and none that is longer", () => {
  const max = "x".repeat(10);
  for (const text of [max, `${max}\n`, `\n${max}\n`, `${max}\n${max}\n${max}`, `\n\n${max}\n\n${max}`]) {
    assertEquals(batch(text), text.endsWith("\n") ? text : `${text}\n`);
  }
  assertEquals(
    refusal(() => batch(`ab\n${max}x\nc`)),
    "body: the message of 11 bytes at byte 3 is over the limit of 10",
  );
  refusal(() => batch(`${max}x`));
  refusal(() => batch(`${max}x\n`));
  refusal(() => batch(`a\n${max}x`));
});

Deno.test("toBatch counts the added newline into the batch", () => {
  const limits = { messageBytesMax: 10, batchBytesMax: 8 };
  assertEquals(batch("1234567\n", limits), "1234567\n");
  assertEquals(batch("1234567", limits), "1234567\n");
  assertEquals(
    refusal(() => batch("12345678", limits)),
    "body: a batch of 9 bytes is over the limit of 8",
  );
});

Deno.test("toBatch of JSON holds the limits of the messages, not of the brackets around them", () => {
  assertEquals(
    batch("[12345678,\n  123]", { messageBytesMax: 8, batchBytesMax: 13 }, true),
    "12345678\n123\n",
  );
  refusal(() => batch("[123456789]", { messageBytesMax: 8, batchBytesMax: 13 }, true));
  assertEquals(batch("[1, 2", LIMITS, true), "[1, 2\n");
});

Deno.test("toBatch finds a message that is too long exactly where a scan of every byte does", () => {
  const text = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant("x") }, fc.constant("\n")), {
    maxLength: 60,
  })
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 12 }), fc.boolean(), (body, messageBytesMax, spare) => {
      const limits = { messageBytesMax, batchBytesMax: 1000 };
      const buffer = utf8(`${body}?`);
      const bytes = { bytes: buffer.subarray(0, body.length), spare };
      const messages = body.split("\n");
      const tooLong = messages.findIndex((message) => message.length > messageBytesMax);
      if (tooLong < 0) {
        const expected = body === "" || body.endsWith("\n") ? body : `${body}\n`;
        assertEquals(new TextDecoder().decode(toBatch(bytes, false, limits)), expected);
      } else {
        const at = messages.slice(0, tooLong).join("\n").length + (tooLong > 0 ? 1 : 0);
        const told = `the message of ${messages[tooLong]!.length} bytes at byte ${at} is`;
        assert(refusal(() => toBatch(bytes, false, limits)).includes(told));
      }
    }),
    { numRuns: 500 },
  );
});
