/**
 * The queue keeps its order, and costs the same however long it is.
 *
 * @module
 */
import { assertEquals, assertLess } from "@std/assert";
import fc from "fast-check";
import { Fifo } from "../../lib/storage/fifo.ts";
import { countMoves } from "../support/array_moves.ts";

Deno.test("Fifo does what an array does that gives its first element away", () => {
  const step = fc.oneof(
    fc.record({ push: fc.nat(9) }),
    fc.constant("shift" as const),
    fc.record({ remove: fc.nat(9) }),
  );
  fc.assert(fc.property(fc.array(step), (steps) => {
    const fifo = new Fifo<number>();
    let model: number[] = [];
    for (const one of steps) {
      if (one === "shift") assertEquals(fifo.shift(), model.shift());
      else if ("push" in one) {
        fifo.push(one.push);
        model.push(one.push);
      } else {
        const left = model.filter((value) => value !== one.remove);
        assertEquals(fifo.remove((value) => value === one.remove), model.length - left.length);
        model = left;
      }
      assertEquals([fifo.size, fifo.first], [model.length, model[0]]);
    }
  }));
});

Deno.test("Fifo moves nothing when its first element is taken", async () => {
  const count = 10_000;
  const fifo = new Fifo<number>();
  for (let i = 0; i < count; i++) fifo.push(i);
  const moves = await countMoves(() => {
    for (let i = 0; i < count; i++) assertEquals(fifo.shift(), i);
  });
  assertLess(moves, 1);
});
