/**
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { chunkName } from "../../lib/protocol/names.ts";
import { formatCursor, parseCursor, parseFrom } from "../../lib/protocol/position.ts";

Deno.test("parseFrom: words, milliseconds, and times with and without a zone", () => {
  const cases: [text: string, from: unknown][] = [
    ["earliest", "earliest"],
    ["latest", "latest"],
    ["0", { timeMs: 0 }],
    ["1732300000000", { timeMs: 1732300000000 }],
    ["2026-11-22T10:00:00Z", { timeMs: Date.UTC(2026, 10, 22, 10) }],
    ["2026-11-22t10:00:00z", { timeMs: Date.UTC(2026, 10, 22, 10) }],
    ["2026-11-22T12:00:00+02:00", { timeMs: Date.UTC(2026, 10, 22, 10) }],
    ["2026-11-22T10:00:00.250", { timeMs: Date.UTC(2026, 10, 22, 10, 0, 0, 250) }],
    ["2026-11-22 10:00", { timeMs: Date.UTC(2026, 10, 22, 10) }],
    ["2026-11-22", { timeMs: Date.UTC(2026, 10, 22) }],
    ["2028-02-29", { timeMs: Date.UTC(2028, 1, 29) }],
    ["2026-11-30T23:59:59-12:00", { timeMs: Date.UTC(2026, 11, 1, 11, 59, 59) }],
  ];
  for (const [text, from] of cases) assertEquals(parseFrom(text), from, text);
});

Deno.test("parseFrom: what is none of these names the field, the value and the rule", () => {
  for (
    const text of [
      "",
      "Earliest",
      "-1",
      "1.5",
      "1e9",
      "yesterday",
      "2026-13-01",
      "2026-02-29",
      "2026-02-30T10:00:00Z",
      "2026-11-22T25:00:00Z",
      "9".repeat(16),
    ]
  ) {
    const error = assertThrows(() => parseFrom(text), ChukchaError);
    assertEquals([error.code, error.status], ["invalid_parameter", 400]);
    assertEquals(
      error.message.startsWith(`from: ${JSON.stringify(text)} is not earliest, latest`),
      true,
      error.message,
    );
  }
});

Deno.test("cursor: what was formatted is parsed again, for any number of owners", () => {
  const position = fc.record({
    chunk: fc.tuple(fc.constantFrom("n", "node-2", "a_b", "x-chunk000000001"), fc.nat(999_999_999)).map((
      [owner, n],
    ) => chunkName(owner, n)),
    offset: fc.nat(2 ** 40),
  });
  fc.assert(fc.property(fc.array(position, { minLength: 1, maxLength: 5 }), (positions) => {
    assertEquals(parseCursor(formatCursor(positions), "cursor"), positions);
  }));
});

Deno.test("cursor: what is none is refused", () => {
  for (
    const text of [
      "",
      "x",
      "n-chunk000000001",
      "n-chunk000000001:",
      "n-chunk000000001:-1",
      "n-chunk000000001:1,",
      ":1",
    ]
  ) {
    assertThrows(() => parseCursor(text, "Last-Event-ID"), ChukchaError, "Last-Event-ID: ");
  }
});
