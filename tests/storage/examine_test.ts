/**
 * What can be trusted of a chunk's files: torn tails, damage before good records, lost records, and their mixtures.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { INDEX_SEGMENT_BYTES_MAX } from "../../lib/protocol/limits.ts";
import { crc32 } from "../../lib/storage/crc32.ts";
import { examine, type Examined, pieceReader } from "../../lib/storage/examine.ts";
import { IndexBuilder } from "../../lib/storage/index_builder.ts";
import { decodeRecord, RECORD_BYTES } from "../../lib/storage/index_record.ts";
import { bytes } from "./world.ts";

interface Files {
  data: Uint8Array;
  index: Uint8Array;
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** The files of a chunk of these groups. */
function filesOf(groups: readonly Uint8Array[], complete = false): Files {
  const builder = new IndexBuilder();
  const records: Uint8Array[] = [];
  let end = 0;
  let rolling = 0;
  groups.forEach((group, i) => {
    builder.begin(end, rolling, 1000 + i);
    builder.add(group);
    records.push(builder.commit().slice());
    end += group.length;
    rolling = builder.rolling;
  });
  if (complete) {
    builder.begin(end, rolling, 1000 + groups.length - 1);
    records.push(builder.complete().slice());
  }
  return { data: joined(...groups), index: joined(...records) };
}

function run({ data, index }: Files): Examined {
  return examine(
    index,
    (offset, length) => offset + length <= data.length ? data.subarray(offset, offset + length) : undefined,
  );
}

const GROUPS = ["one\n", "two\n", "three\n", "four\n"].map(bytes);
const ENDS = [4, 8, 14, 19];

interface Case {
  readonly name: string;
  readonly complete?: boolean;
  readonly change: (files: Files) => void;
  readonly size: number;
  readonly damaged?: readonly [from: number, to: number][];
  readonly rewritten?: true;
  /** Records that the index ends up with. */
  readonly records: number;
  readonly isComplete?: true;
}

const rot = (content: Uint8Array, at: number): void => void (content[at]! ^= 1);
const lose = (files: Files, record: number): void =>
  void files.index.fill(0, record * RECORD_BYTES, (record + 1) * RECORD_BYTES);

const CASES: readonly Case[] = [
  { name: "untouched", change: () => {}, size: 19, records: 4 },
  {
    name: "nothing there",
    change: (f) => Object.assign(f, { data: bytes(""), index: bytes("") }),
    size: 0,
    records: 0,
  },
  { name: "no index", change: (f) => f.index = bytes(""), size: 0, records: 0 },
  { name: "no data", change: (f) => f.data = bytes(""), size: 0, records: 0 },
  {
    name: "data behind the last record",
    change: (f) => f.data = joined(f.data, bytes("tail")),
    size: 19,
    records: 4,
  },
  {
    name: "half a record at the end",
    change: (f) => f.index = f.index.subarray(0, 3 * 32 + 9),
    size: 14,
    records: 3,
  },
  {
    name: "zeros behind the index",
    change: (f) => f.index = joined(f.index, new Uint8Array(99)),
    size: 19,
    records: 4,
  },
  { name: "the last group is short", change: (f) => f.data = f.data.subarray(0, 18), size: 14, records: 3 },
  { name: "the last group is rotten: a torn tail", change: (f) => rot(f.data, 16), size: 14, records: 3 },
  { name: "the last two are", change: (f) => (rot(f.data, 9), rot(f.data, 16)), size: 8, records: 2 },
  { name: "all are", change: (f) => f.data.fill(0), size: 0, records: 0 },
  {
    name: "one in the middle is: damage",
    change: (f) => rot(f.data, 5),
    size: 19,
    damaged: [[4, 8]],
    records: 4,
  },
  {
    name: "the first is, and the last is torn",
    change: (f) => (rot(f.data, 0), f.data = f.data.subarray(0, 16)),
    size: 14,
    damaged: [[0, 4]],
    records: 3,
  },
  { name: "the last record is lost", change: (f) => lose(f, 3), size: 14, records: 3 },
  {
    name: "a record in the middle is lost: the next one vouches",
    change: (f) => lose(f, 1),
    size: 19,
    rewritten: true,
    records: 4,
  },
  { name: "the first is lost", change: (f) => lose(f, 0), size: 19, rewritten: true, records: 4 },
  {
    name: "two in a row are lost: one takes their place",
    change: (f) => (lose(f, 1), lose(f, 2)),
    size: 19,
    rewritten: true,
    records: 3,
  },
  {
    name: "the record before the last is lost: the last one vouches",
    change: (f) => lose(f, 2),
    size: 19,
    rewritten: true,
    records: 4,
  },
  {
    name: "the record before the last is lost, and its bytes are rotten: nothing says what belongs together",
    change: (f) => (lose(f, 2), rot(f.data, 9)),
    size: 8,
    records: 2,
  },
  {
    name: "a record is lost and its bytes are rotten",
    change: (f) => (lose(f, 1), rot(f.data, 5)),
    size: 19,
    damaged: [[4, 8]],
    rewritten: true,
    records: 4,
  },
  {
    name: "a record is lost and the next group is rotten: nobody vouches",
    change: (f) => (lose(f, 1), rot(f.data, 9)),
    size: 19,
    damaged: [[4, 8], [8, 14]],
    rewritten: true,
    records: 4,
  },
  {
    name: "a record is moved off its place by a lost byte",
    change: (f) => f.index = joined(f.index.subarray(0, 40), f.index.subarray(41)),
    size: 4,
    records: 1,
  },
  {
    name: "a record is there twice",
    change: (f) => f.index = joined(f.index.subarray(0, 64), f.index.subarray(32)),
    size: 19,
    rewritten: true,
    records: 4,
  },
  { name: "complete", complete: true, change: () => {}, size: 19, records: 5, isComplete: true },
  {
    name: "complete, the last group is rotten: damage, not a tail",
    complete: true,
    change: (f) => rot(f.data, 16),
    size: 19,
    damaged: [[14, 19]],
    records: 5,
    isComplete: true,
  },
  {
    name: "complete, the data is shorter",
    complete: true,
    change: (f) => f.data = f.data.subarray(0, 6),
    size: 19,
    damaged: [[4, 8], [8, 14], [14, 19]],
    records: 5,
    isComplete: true,
  },
  {
    name: "complete, only the last record is left: it vouches for all",
    complete: true,
    change: (f) => f.index.fill(0, 0, 4 * 32),
    size: 19,
    rewritten: true,
    records: 2,
    isComplete: true,
  },
  {
    name: "complete, the record that says so is lost",
    complete: true,
    change: (f) => lose(f, 4),
    size: 19,
    records: 4,
  },
];

for (const { name, complete, change, size, damaged = [], rewritten, records, isComplete } of CASES) {
  Deno.test(`examine: ${name}`, () => {
    const files = filesOf(GROUPS, complete);
    change(files);
    const found = run(files);
    assertEquals(
      {
        size: found.size,
        damaged: found.damaged.map(({ from, to }) => [from, to]),
        rewritten: found.rewritten,
        records: found.index.length / RECORD_BYTES,
        complete: found.complete,
      },
      { size, damaged, rewritten: rewritten ?? false, records, complete: isComplete ?? false },
    );
    // Done once more it finds the same, and nothing to do.
    const again = run({ data: files.data, index: found.index });
    assertEquals({ ...again, rewritten: false }, { ...found, rewritten: false });
    assertEquals(again.rewritten, false);
    if (damaged.length === 0) {
      assertEquals(found.rolling, crc32(joined(...GROUPS).subarray(0, size)));
      assert(size === 0 || ENDS.includes(size));
    }
  });
}

Deno.test("examine: a group of several records is there whole or not at all", () => {
  const large = new Uint8Array(2 * INDEX_SEGMENT_BYTES_MAX + 10).fill(120);
  large[large.length - 1] = 10;
  const files = filesOf([bytes("one\n"), large]);
  assertEquals(files.index.length, 4 * RECORD_BYTES);
  for (let cut = 0; cut < 4; cut++) {
    const found = run({ ...files, index: files.index.subarray(0, cut * RECORD_BYTES) });
    assertEquals(found.size, cut === 0 ? 0 : 4);
  }
  for (const at of [4, 4 + INDEX_SEGMENT_BYTES_MAX, 4 + 2 * INDEX_SEGMENT_BYTES_MAX]) {
    const data = files.data.slice();
    rot(data, at);
    assertEquals(run({ ...files, data }).size, 4, `rotten at ${at}`);
  }
  // With a good group behind it, it is damage, and what is good of it stays.
  const followed = filesOf([bytes("one\n"), large, bytes("end\n")]);
  rot(followed.data, 4 + INDEX_SEGMENT_BYTES_MAX);
  const found = run(followed);
  assertEquals([found.size, found.damaged], [
    followed.data.length,
    [{ from: 4 + INDEX_SEGMENT_BYTES_MAX, to: 4 + 2 * INDEX_SEGMENT_BYTES_MAX }],
  ]);
});

Deno.test("examine: a record made anew does not end a group in the middle of a message", () => {
  const large = new Uint8Array(2 * INDEX_SEGMENT_BYTES_MAX).fill(120);
  large[large.length - 1] = 10;
  const files = filesOf([bytes("one\n"), large, bytes("end\n")]);
  const wanted = files.index.slice();
  for (const record of [0, 1, 2]) {
    const index = wanted.slice();
    index.fill(0, record * RECORD_BYTES, (record + 1) * RECORD_BYTES);
    const flags = (content: Uint8Array) =>
      [0, 1, 2, 3].map((n) => decodeRecord(content, n * RECORD_BYTES)!.flags);
    assertEquals(flags(run({ ...files, index }).index), flags(wanted), `record ${record}`);
  }
});

Deno.test("examine: whatever is done to the files, what is called good is what was written", () => {
  const written = joined(...GROUPS);
  const change = fc.record({
    file: fc.boolean(),
    at: fc.nat(200),
    length: fc.integer({ min: 1, max: 40 }),
    byte: fc.nat(255),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 4 }), fc.boolean(), fc.nat(30), (changes, complete, cut) => {
      const files = filesOf(GROUPS, complete);
      for (const { file, at, length, byte } of changes) {
        const target = file ? files.data : files.index;
        target.fill(byte, at % target.length, at % target.length + length);
      }
      files.data = files.data.subarray(0, Math.max(0, files.data.length - Math.max(0, cut - 20)));
      const found = run(files);
      assert(found.size <= written.length && found.index.length % RECORD_BYTES === 0);
      let end = 0;
      for (let at = 0; at < found.index.length; at += RECORD_BYTES) {
        const record = decodeRecord(found.index, at)!;
        assertEquals(record.end - record.length, end, "the records leave a gap");
        const isDamaged = found.damaged.some(({ from, to }) => from < record.end && end < to);
        const same =
          crc32(files.data.subarray(end, record.end)) === crc32(written.subarray(end, record.end)) &&
          record.end <= files.data.length;
        if (record.length > 0 && !isDamaged) assert(same, `${end} to ${record.end} are called good`);
        end = record.end;
      }
      assertEquals(end, found.size);
    }),
    { numRuns: 500 },
  );
});

Deno.test("pieceReader: gives any piece in any order, and none that is not whole", () => {
  const content = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7) >> 2);
  let reads = 0;
  const read = pieceReader({
    read: (into, offset) => {
      reads++;
      const part = content.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
  }, content.length);
  for (let at = 0; at + 60_000 <= content.length; at += 60_000) {
    assertEquals(crc32(read(at, 60_000)!), crc32(content.subarray(at, at + 60_000)));
  }
  assert(reads <= 4, `${reads} reads of a file of 3 MB`);
  assertEquals(crc32(read(5, 100)!), crc32(content.subarray(5, 105)));
  assertEquals(read(content.length - 10, 11), undefined);
  assertEquals(read(content.length - 10, 10)?.length, 10);
});
