/**
 * @module Tests of `lib/consumers/lag.ts`: what is summed up by intervals against the same counted byte by byte.
 */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Sizes } from "../../lib/consumers/lag.ts";
import { Chunk } from "../../lib/storage/chunk.ts";
import { ChunkList } from "../../lib/storage/chunk_list.ts";
import { ALL, comparePlaces, type Place, type Unread, without } from "../../lib/storage/unread.ts";

const place: fc.Arbitrary<Place> = fc.record({
  number: fc.integer({ min: 0, max: 9 }),
  offset: fc.integer({ min: 0, max: 6 }),
});
const acks = fc.array(fc.tuple(place, fc.option(place, { nil: undefined })), { maxLength: 10 });
const sizes = fc.array(fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }), { maxLength: 9 });

Deno.test("Sizes.lagOf counts every readable byte that is unread, and every chunk with one", async () => {
  await fc.assert(fc.asyncProperty(sizes, sizes, acks, async (n, m, acked) => {
    const list = new ChunkList();
    const chunks = Object.entries({ n, m }).flatMap(([owner, of]) =>
      of.flatMap((size, number) => {
        if (size === undefined) return [];
        const chunk = new Chunk("c", owner, number, 0);
        chunk.size = size;
        return [chunk];
      })
    );
    chunks.forEach((chunk) => list.add(chunk));
    const unread = acked.reduce<Unread>((left, [start, end]) => without(left, start, end), ALL);
    const isUnread = (at: Place): boolean =>
      unread.some(({ start, end }) => comparePlaces(start, at) <= 0 && comparePlaces(at, end) < 0);
    let bytes = 0;
    const behind = new Set<string>();
    for (const { name, number, size } of chunks) {
      for (let offset = 0; offset < size; offset++) {
        if (!isUnread({ number, offset })) continue;
        bytes++;
        behind.add(name);
      }
    }
    const lag = (await Sizes.of(list, () => {})).lagOf({ unread: () => unread });
    assertEquals([lag.bytes, lag.chunks], [bytes, behind.size]);
    assertEquals(lag.positions.length, unread.length === 0 ? 0 : list.owners().length);
  }));
});
