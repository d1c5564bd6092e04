/**
 * The acknowledged chunks as a set: what a plain set would answer, in ranges that stay few.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Acknowledged, addNumber, type NumberRange } from "../../lib/storage/acknowledged.ts";
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
  assertEquals(text(acknowledged.encode()), '{"node_1":[[0,2],[5,5]]}\n');
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
    ]
  ) {
    assertThrows(() => Acknowledged.decode(bytes(content)), SyntaxError, undefined, content);
  }
  assertThrows(() => Acknowledged.decode(Uint8Array.of(0xff, 0x7b)), Error);
});
