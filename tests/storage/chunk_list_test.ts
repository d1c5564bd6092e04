/**
 * The list of a category's chunks: in order whatever comes and goes, and at the same cost however many there are.
 *
 * @module
 */
import { assertEquals, assertLess } from "@std/assert";
import fc from "fast-check";
import { Chunk } from "../../lib/storage/chunk.ts";
import { ChunkList } from "../../lib/storage/chunk_list.ts";
import { countMoves } from "../support/array_moves.ts";

/** More than a runtime moves by a trick. */
const MANY = 10_000;

function chunk(owner: string, number: number): Chunk {
  return new Chunk("web", owner, number, 0);
}

Deno.test("ChunkList holds what a sorted array would, whatever comes and goes", () => {
  // One name begins like the name of a chunk of another one.
  const owners = ["a", "b", "a-chunk000000003-x", "a-b"];
  const step = fc.record({
    owner: fc.constantFrom(...owners),
    number: fc.nat(12),
    what: fc.constantFrom("add", "add", "delete", "complete"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const list = new ChunkList();
      const model = new Map<string, Chunk>();
      for (const { owner, number, what } of steps) {
        const one = chunk(owner, number);
        if (what === "add") {
          list.add(one);
          if (!model.has(one.name)) model.set(one.name, one);
        } else if (what === "complete") {
          const known = model.get(one.name);
          if (known) known.complete = true;
        } else {
          list.delete(one.name);
          model.delete(one.name);
        }
        const names = [...model.keys()].sort();
        assertEquals(list.sorted().map(({ name }) => name), names);
        assertEquals(list.size, model.size);
        for (const of of owners) {
          const own = [...model.values()].filter(({ instance }) => instance === of)
            .sort((x, y) => x.number - y.number);
          assertEquals(list.ofOwner(of), own);
          assertEquals(list.lastOf(of), own.at(-1));
          for (const from of [0, number, 13]) {
            assertEquals(list.firstFrom(of, from), own.find((known) => known.number >= from));
            const open = own.filter((known) => known.number < from && !known.complete);
            assertEquals(list.openBefore(of, from), open);
          }
        }
        const present = owners.filter((of) => list.ofOwner(of).length > 0).sort();
        assertEquals(list.owners(), present);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("ChunkList: chunks that go from either end, or come behind the last, move no others", async () => {
  const list = new ChunkList();
  const chunks = Array.from({ length: MANY }, (_, i) => chunk("a", i));
  const moves = await countMoves(() => {
    chunks.forEach((one) => list.add(one));
    for (let i = 0; i < MANY / 4; i++) {
      list.delete(chunks[i]!.name);
      list.delete(chunks[MANY - 1 - i]!.name);
      // A reader that looks for its place meanwhile.
      assertEquals(list.firstFrom("a", 0), chunks[i + 1]);
    }
  });
  assertEquals(list.size, MANY / 2);
  assertLess(moves, 2 * MANY);
});

Deno.test("ChunkList: a new chunk does not have all others sorted anew", () => {
  const list = new ChunkList();
  // As they come in a cluster: of all owners in turns.
  for (let i = 0; i < MANY; i++) for (const owner of ["b", "a", "c"]) list.add(chunk(owner, i));
  let looks = 0;
  for (const one of list.all()) {
    const { name } = one;
    Object.defineProperty(one, "name", { get: () => (looks++, name) });
  }
  assertEquals(list.sorted()[MANY]!.instance, "b");
  // Each with the next one, both of which are looked at; to sort 30,000 takes fourteen times as many.
  assertLess(looks, 7 * MANY);
});

Deno.test("ChunkList: what is open is found at the same cost, however many are complete before it", () => {
  const list = new ChunkList();
  let looks = 0;
  for (let i = 0; i < MANY; i++) {
    const one = chunk("a", i);
    Object.defineProperty(one, "complete", { get: () => (looks++, i !== MANY - 2) });
    list.add(one);
  }
  const open = (): number[] => list.openBefore("a", MANY - 1).map(({ number }) => number);
  assertEquals(open(), [MANY - 2]);
  looks = 0;
  for (let i = 0; i < 100; i++) assertEquals(open(), [MANY - 2]);
  assertLess(looks, 1_000);
});
