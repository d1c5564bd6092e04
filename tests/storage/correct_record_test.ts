/**
 * Records in which bits have flipped: one or two are put right, more are never taken for something else.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { correctRecord } from "../../lib/storage/correct_record.ts";
import { COMMIT, COMPLETE, encodeRecord, RECORD_BYTES } from "../../lib/storage/index_record.ts";
import { SeededRandom } from "../support/seeded_random.ts";

const BITS = RECORD_BYTES * 8;
/** In the middle of other bytes. */
const AT = 5;

function sample(random: SeededRandom): Uint8Array {
  const bytes = new Uint8Array(AT + RECORD_BYTES + 3).fill(0xaa);
  encodeRecord(bytes, AT, {
    end: random.below(2 ** 31),
    flags: COMMIT | COMPLETE,
    length: 0,
    timeMs: 1_700_000_000_000 + random.below(2 ** 31),
    crc: 0,
    rolling: random.below(2 ** 31),
  });
  return bytes;
}

function flipped(bytes: Uint8Array, ...bits: number[]): Uint8Array {
  const copy = bytes.slice();
  for (const bit of bits) copy[AT + (bit >> 3)]! ^= 1 << (bit & 7);
  return copy;
}

Deno.test("correctRecord: one flipped bit, or any two, are put right", () => {
  const whole = sample(new SeededRandom(1));
  const record = whole.slice(AT, AT + RECORD_BYTES);
  for (let one = 0; one < BITS; one++) {
    assertEquals(correctRecord(flipped(whole, one), AT), record);
    for (let other = 0; other < one; other++) {
      const corrected = correctRecord(flipped(whole, one, other), AT);
      if (corrected?.some((byte, i) => byte !== record[i]) ?? true) {
        throw new Error(`bits ${one} and ${other}`);
      }
    }
  }
});

Deno.test("correctRecord: three flipped bits are never taken for two", () => {
  const random = new SeededRandom(2);
  for (let n = 0; n < 3_000; n++) {
    const bits = new Set<number>();
    while (bits.size < 3) bits.add(random.below(BITS));
    assertEquals(correctRecord(flipped(sample(random), ...bits), AT), undefined);
  }
});

Deno.test("correctRecord: neither zeros nor bytes that are not there make a record, and nothing is changed in place", () => {
  assertEquals(correctRecord(new Uint8Array(RECORD_BYTES), 0), undefined);
  assertEquals(correctRecord(sample(new SeededRandom(3)), AT + 4), undefined);
  const rotten = flipped(sample(new SeededRandom(4)), 100);
  const before = rotten.slice();
  correctRecord(rotten, AT);
  assertEquals(rotten, before);
});
