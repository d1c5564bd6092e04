/**
 * Index records: what goes in comes out, what was not written whole does not, and builders vouch for every byte.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { INDEX_SEGMENT_BYTES_MAX } from "../../lib/protocol/limits.ts";
import { crc32 } from "../../lib/storage/crc32.ts";
import { LoadedIndex } from "../../lib/storage/index_cache.ts";
import { IndexBuilder } from "../../lib/storage/index_builder.ts";
import {
  COMMIT,
  COMPLETE,
  decodeRecord,
  encodeRecord,
  type IndexRecord,
  peekEnd,
  peekTime,
  RECORD_BYTES,
} from "../../lib/storage/index_record.ts";
import { bytes } from "./world.ts";

const u32 = fc.nat(2 ** 32 - 1);
const u48 = fc.nat(2 ** 48 - 1);
const anyRecord: fc.Arbitrary<IndexRecord> = fc.record({
  end: u48,
  flags: fc.nat(7),
  length: fc.nat(INDEX_SEGMENT_BYTES_MAX),
  timeMs: u48,
  crc: u32,
  rolling: u32,
}).map((record) => ({ ...record, length: Math.min(record.length, record.end) }));

Deno.test("IndexRecord: decoded it is what was encoded, at any place", () => {
  fc.assert(fc.property(anyRecord, fc.nat(100), (record, at) => {
    const place = new Uint8Array(at + RECORD_BYTES + 3);
    encodeRecord(place, at, record);
    assertEquals(decodeRecord(place, at), record);
    const view = new DataView(place.buffer);
    assertEquals([peekEnd(view, at), peekTime(view, at)], [record.end, record.timeMs]);
    assert(place.subarray(0, at).every((byte) => byte === 0) && place.at(-1) === 0, "wrote beside its place");
  }));
});

Deno.test("IndexRecord: one that lacks a byte, has a flipped bit, or was never written is none", () => {
  fc.assert(fc.property(anyRecord, fc.nat(RECORD_BYTES - 1), fc.nat(7), (record, at, bit) => {
    const place = new Uint8Array(RECORD_BYTES);
    encodeRecord(place, 0, record);
    assertEquals(decodeRecord(place.subarray(0, at), 0), undefined);
    place[at]! ^= 1 << bit;
    assertEquals(decodeRecord(place, 0), undefined);
  }));
  assertEquals(decodeRecord(new Uint8Array(RECORD_BYTES), 0), undefined);
  assertEquals(decodeRecord(new Uint8Array(RECORD_BYTES).fill(255), 0), undefined);
});

Deno.test("IndexRecord: its layout is the published one", () => {
  const place = new Uint8Array(RECORD_BYTES);
  encodeRecord(place, 0, {
    end: 0x0605_0403_0201,
    flags: 0x0807,
    length: 0x0c0b_0a09,
    timeMs: 0x1211_100f_0e0d,
    crc: 0x1817_1615,
    rolling: 0x1c1b_1a19,
  });
  const expected = Array.from({ length: 28 }, (_, i) => i + 1);
  // 'CK' stands where 19 and 20 would.
  expected.splice(
    12,
    16,
    ...Array.from({ length: 6 }, (_, i) => 13 + i),
    0x43,
    0x4b,
    21,
    22,
    23,
    24,
    25,
    26,
    27,
    28,
  );
  assertEquals([...place.subarray(0, 28)], expected);
  assertEquals(new DataView(place.buffer).getUint32(28, true), crc32(place.subarray(0, 28)));
});

Deno.test("IndexRecord: a length larger than its end is none", () => {
  const place = new Uint8Array(RECORD_BYTES);
  encodeRecord(place, 0, { end: 4, flags: COMMIT, length: 5, timeMs: 0, crc: 0, rolling: 0 });
  assertEquals(decodeRecord(place, 0), undefined);
});

function decodeAll(records: Uint8Array): IndexRecord[] {
  return Array.from(
    { length: records.length / RECORD_BYTES },
    (_, i) => decodeRecord(records, i * RECORD_BYTES)!,
  );
}

Deno.test("IndexBuilder: however the bytes come, the same records vouch for them, and one ends the group", () => {
  const content = Uint8Array.from({ length: 3 * INDEX_SEGMENT_BYTES_MAX + 17 }, (_, i) => (i * 31) >> 3);
  fc.assert(
    fc.property(fc.nat(content.length - 1), fc.array(fc.integer({ min: 1, max: 100_000 })), (size, steps) => {
      const group = content.subarray(0, size + 1);
      const builder = new IndexBuilder();
      builder.begin(1000, 77, 123);
      let at = 0;
      for (const step of [...steps, group.length]) {
        builder.add(group.subarray(at, Math.min(at + step, group.length)));
        at = Math.min(at + step, group.length);
      }
      const records = decodeAll(builder.commit());
      let end = 1000;
      for (const [i, record] of records.entries()) {
        const part = group.subarray(end - 1000, record.end - 1000);
        assertEquals(record, {
          end: end + record.length,
          flags: i === records.length - 1 ? COMMIT : 0,
          length: part.length,
          timeMs: 123,
          crc: crc32(part),
          rolling: crc32(group.subarray(0, record.end - 1000), 77),
        });
        assert(i === records.length - 1 || record.length === INDEX_SEGMENT_BYTES_MAX);
        end = record.end;
      }
      assertEquals([end, builder.rolling], [1000 + group.length, crc32(group, 77)]);
    }),
    { numRuns: 50 },
  );
});

Deno.test("IndexBuilder: a group of more records than it had room for, then a small one", () => {
  const builder = new IndexBuilder();
  const large = new Uint8Array(40 * INDEX_SEGMENT_BYTES_MAX);
  builder.begin(0, 0, 1);
  builder.add(large);
  assertEquals(decodeAll(builder.commit()).length, 40);
  builder.begin(5, 9, 2);
  builder.add(bytes("x\n"));
  assertEquals(decodeAll(builder.commit()).map(({ end, length }) => [end, length]), [[7, 2]]);
});

Deno.test("IndexBuilder: the last record of a chunk vouches for nothing but its end", () => {
  const builder = new IndexBuilder();
  builder.begin(42, 7, 3);
  assertEquals(decodeAll(builder.complete()), [
    { end: 42, flags: COMMIT | COMPLETE, length: 0, timeMs: 3, crc: 0, rolling: 7 },
  ]);
});

Deno.test("LoadedIndex: searches by offset and by time as a walk over all records would", () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(2)), { maxLength: 40 }), (steps) => {
    const ends: number[] = [];
    const times: number[] = [];
    const file = new Uint8Array(steps.length * RECORD_BYTES);
    steps.forEach(([length, pause], i) => {
      ends.push((ends.at(-1) ?? 0) + length);
      times.push((times.at(-1) ?? 0) + pause);
      encodeRecord(file, i * RECORD_BYTES, {
        end: ends[i]!,
        flags: COMMIT,
        length,
        timeMs: times[i]!,
        crc: 0,
        rolling: 0,
      });
    });
    const index = new LoadedIndex();
    for (const size of [file.length >> 1, file.length]) {
      index.extend(size, (into, offset) => {
        into.set(file.subarray(offset, offset + into.length));
        return into.length;
      });
    }
    assertEquals(index.count, steps.length);
    const first = (found: number): number => found < 0 ? steps.length : found;
    for (let value = -1; value <= (ends.at(-1) ?? 0) + 1; value++) {
      assertEquals(index.firstEndingAfter(value), first(ends.findIndex((end) => end > value)));
    }
    for (let value = 0; value <= (times.at(-1) ?? 0) + 1; value++) {
      assertEquals(index.firstSince(value), first(times.findIndex((time) => time >= value)));
    }
  }));
});
