/**
 * The acknowledged chunks as a set: what a plain set would answer, in ranges that stay few.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Acknowledged, addNumber, missingRanges, type NumberRange } from "../../lib/storage/acknowledged.ts";
import { ACKNOWLEDGED_SIZES_MAX } from "../../lib/protocol/limits.ts";
import { bytes, text } from "./world.ts";

const numbers = fc.array(fc.nat(40), { maxLength: 60 });

Deno.test("addNumber: ranges hold what a set would, sorted, disjoint, and none beside its neighbour", () => {
  fc.assert(fc.property(numbers, (added) => {
    const set = new Set<number>();
    let ranges: NumberRange[] = [];
    for (const number of added) {
      ranges = addNumber(ranges, number);
      set.add(number);
      assertEquals(
        ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i)),
        [
          ...set,
        ].sort((a, b) => a - b),
      );
      assert(ranges.every(([from, to], i) => from <= to && (i === 0 || ranges[i - 1]![1] < from - 1)));
    }
  }));
});

Deno.test("addNumber: the order does not matter, and adding again changes nothing", () => {
  fc.assert(fc.property(numbers, numbers, (one, other) => {
    const add = (all: number[]): NumberRange[] => all.reduce<NumberRange[]>(addNumber, []);
    assertEquals(add([...one, ...other]), add([...other, ...one, ...one]));
  }));
});

Deno.test("Acknowledged: has, largest and isEmpty per owner, also after a round through its file", () => {
  const owners = fc.constantFrom("n", "m", "__proto__", "constructor", "0", "a-chunk000000001");
  fc.assert(fc.property(fc.array(fc.tuple(owners, fc.nat(30))), (added) => {
    const built = new Acknowledged();
    added.forEach(([owner, number]) => built.add(owner, number));
    for (const acknowledged of [built, Acknowledged.decode(built.encode())]) {
      assertEquals(acknowledged.isEmpty, added.length === 0);
      for (const owner of ["n", "m", "__proto__", "constructor", "0", "toString"]) {
        const own = added.filter(([name]) => name === owner).map(([, number]) => number);
        assertEquals(acknowledged.largest(owner), Math.max(-1, ...own));
        for (let number = 0; number <= 31; number++) {
          assertEquals(acknowledged.has(owner, number), own.includes(number));
        }
      }
    }
  }));
});

Deno.test("Acknowledged: the file is as it is documented", () => {
  const acknowledged = new Acknowledged();
  for (const number of [1, 0, 2, 5]) acknowledged.add("node_1", number);
  assertEquals(text(acknowledged.encode()), '{"node_1":[[0,2],[5,5]],"#crc32":"89da336c"}\n');
});

const sets = fc.record({
  numbers,
  sizes: fc.array(fc.tuple(fc.nat(40), fc.nat(9)), { maxLength: 6 }),
}).map(({ numbers, sizes }) => ({
  ranges: numbers.reduce<NumberRange[]>(addNumber, []),
  sizes: new Map(sizes),
}));

Deno.test("Acknowledged.with: the union, of ranges and of the larger sizes, in any order; nothing if nothing is new", () => {
  fc.assert(fc.property(sets, sets, (one, other) => {
    const empty = new Acknowledged();
    const first = empty.with("n", one) ?? empty;
    const both = first.with("n", other) ?? first;
    const second = empty.with("n", other) ?? empty;
    const back = second.with("n", one) ?? second;
    const sorted = (
      of: Acknowledged,
    ) => [of.of("n")?.ranges, [...of.of("n")?.sizes ?? []].sort(([a], [b]) => a - b)];
    assertEquals(sorted(both), sorted(back));
    assertEquals(sorted(Acknowledged.decode(both.encode())), sorted(both));
    for (let number = 0; number <= 41; number++) {
      const isIn = ({ ranges }: typeof one) => ranges.some(([a, b]) => a <= number && number <= b);
      assertEquals(both.has("n", number), isIn(one) || isIn(other));
      const sizes = [one, other].flatMap(({ sizes }) => sizes.get(number) ?? []);
      assertEquals(both.of("n")?.sizes.get(number), sizes.length > 0 ? Math.max(...sizes) : undefined);
    }
    assertEquals([both.with("n", one), both.with("n", other)], [undefined, undefined]);
  }));
});

Deno.test("missingRanges: what a set would lack, as ranges", () => {
  fc.assert(fc.property(numbers, numbers, (known, wanted) => {
    const ranges = (all: number[]) => all.reduce<NumberRange[]>(addNumber, []);
    const lacking = missingRanges(ranges(known), ranges(wanted));
    assertEquals(
      lacking.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i)),
      [...new Set(wanted)].filter((number) => !known.includes(number)).sort((a, b) => a - b),
    );
  }));
});

Deno.test("Acknowledged: sizes are bounded, the smallest numbers go first, and the file has them", () => {
  const sizes = new Map(Array.from({ length: ACKNOWLEDGED_SIZES_MAX + 5 }, (_, i) => [i, i] as const));
  const acknowledged = new Acknowledged().with("n", { ranges: [[0, 5000]], sizes })!;
  assertEquals([...acknowledged.of("n")!.sizes.keys()].slice(0, 2), [5, 6]);
  assertEquals(acknowledged.with("n", { ranges: [], sizes: new Map([[3, 9]]) }), undefined);
  const few = new Acknowledged().with("node_1", { ranges: [[0, 41]], sizes: new Map([[41, 80]]) })!;
  assertEquals(text(few.encode()), '{"node_1":{"ranges":[[0,41]],"sizes":{"41":80}},"#crc32":"03d74969"}\n');
});

Deno.test("Acknowledged: what is not such a file is refused", () => {
  for (
    const content of [
      "",
      "x",
      "null",
      "1",
      '{"n":1}',
      '{"n":[1]}',
      '{"n":[[1]]}',
      '{"n":[[1,2,3]]}',
      '{"n":[[2,1]]}',
      '{"n":[[-1,1]]}',
      '{"n":[[0,1.5]]}',
      '{"n":[[0,1000000000]]}',
      '{"":[[0,1]]}',
      '{"a b":[[0,1]]}',
      '{"n":[["0","1"]]}',
      '{"n":{}}',
      '{"n":{"ranges":[[1]]}}',
      '{"n":{"ranges":[[0,1]],"sizes":1}}',
      '{"n":{"ranges":[[0,1]],"sizes":{"x":1}}}',
      '{"n":{"ranges":[[0,1]],"sizes":{"1":-1}}}',
      '{"n":{"ranges":[[0,1]],"sizes":{"1":"1"}}}',
    ]
  ) {
    assertThrows(() => Acknowledged.decode(bytes(content)), SyntaxError, undefined, content);
  }
  assertThrows(() => Acknowledged.decode(Uint8Array.of(0xff, 0x7b)), Error);
});
