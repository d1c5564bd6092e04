/**
 * Events of a tail: every byte of every message comes through, however the stream is cut.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { EventParser } from "../../lib/client/event_parser.ts";
import { toEvents } from "../../lib/http/events.ts";

const NEWLINE = 10;
const message = fc.array(fc.constantFrom(13, 32, 58, 65, 100, 0, 255), { maxLength: 12 });

Deno.test("EventParser gives back the bytes that the node made events of, in pieces of any size", () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), fc.infiniteStream(fc.integer({ min: 1, max: 9 })), (
      messages,
      sizes,
    ) => {
      const bytes = new Uint8Array(messages.flatMap((message) => [...message, NEWLINE]));
      const piece = { chunk: "a-chunk000000000", offset: 5, bytes };
      const events = toEvents({ cursor: ({ chunk, offset }) => `${chunk}:${offset}` }, piece);
      const stream = Uint8Array.from(
        [...events].reduce((all, part) => [...all, ...part], [58, NEWLINE, NEWLINE]),
      );
      const parser = new EventParser();
      const got: number[] = [];
      let count = 0;
      for (let at = 0; at < stream.length;) {
        const size = sizes.next().value!;
        const found = parser.push(stream.slice(at, at + size));
        at += size;
        if (!found) continue;
        got.push(...found.bytes);
        count += found.messages;
        assertEquals(found.cursor, `a-chunk000000000:${5 + got.length}`);
      }
      assertEquals([got, count], [[...bytes], messages.length]);
    }),
  );
});
