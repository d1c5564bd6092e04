/**
 * Batches: nothing is lost, no line is cut, and the bound holds.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { countLines, halve, LineBatcher, LineTooLong } from "../../lib/cli/line_batcher.ts";

const NEWLINE = 10;
/** Few different bytes, so that line ends are frequent and lines longer than a batch occur. */
const bytes = fc.array(fc.constantFrom(NEWLINE, 13, 65, 66, 67, 255), { maxLength: 200 })
  .map((array) => new Uint8Array(array));

Deno.test("LineBatcher gives all bytes in order, in batches of whole lines within the bound", () => {
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 10 }), fc.integer({ min: 1, max: 64 }), (pieces, batchBytes) => {
      const batcher = new LineBatcher(batchBytes);
      const batches = pieces.flatMap((piece) => [...batcher.push(piece)]);
      batcher.endLine();
      const last = batcher.take();
      if (last) batches.push(last);
      const input = pieces.flatMap((piece) => [...piece]);
      if (input.length > 0 && input.at(-1) !== NEWLINE) input.push(NEWLINE);
      assertEquals(batches.flatMap((batch) => [...batch]), input);
      for (const batch of batches) {
        assertEquals(batch.at(-1), NEWLINE);
        if (batch.length > batchBytes) assertEquals(countLines(batch), 1);
      }
      assertEquals(batcher.bytes, 0);
    }),
  );
});

Deno.test("LineBatcher keeps an unfinished line for later", () => {
  const batcher = new LineBatcher(100);
  assertEquals([...batcher.push(new TextEncoder().encode("a\nb"))], []);
  assertEquals(new TextDecoder().decode(batcher.take()), "a\n");
  assertEquals([batcher.hasLines, batcher.take(), batcher.unfinishedBytes], [false, undefined, 1]);
});

Deno.test("LineBatcher refuses a line that no node would take", () => {
  const batcher = new LineBatcher(4, 10);
  assertEquals([...batcher.push(new TextEncoder().encode("0123456789\n"))].length, 1);
  assertThrows(() => [...batcher.push(new Uint8Array(12).fill(65))], LineTooLong);
});

Deno.test("halve cuts at a line end, and only where there are two lines", () => {
  fc.assert(fc.property(bytes, (lines) => {
    const batch = new Uint8Array([...lines, NEWLINE]);
    const halves = halve(batch);
    assertEquals(halves === undefined, countLines(batch) === 1);
    if (!halves) return;
    assertEquals([...halves[0], ...halves[1]], [...batch]);
    for (const half of halves) assertEquals([half.length > 0, half.at(-1)], [true, NEWLINE]);
  }));
});
