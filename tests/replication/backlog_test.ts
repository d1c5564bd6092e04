/**
 * The backlog: order within lanes, sums, and what is left of it when all is done.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Backlog } from "../../lib/replication/backlog.ts";
import type { CopyState } from "../../lib/replication/peer.ts";
import { SeededRandom } from "../support/seeded_random.ts";

const copy = (number: number, size = 10, category = "web"): CopyState => ({
  category,
  chunk: `a-chunk${String(number).padStart(9, "0")}`,
  size,
  synced: 0,
  rolling: 0,
  complete: true,
  finalised: false,
});

const numbers = (backlog: Backlog): number[] =>
  [...backlog.lanes()[0]!.inOrder()].map(({ number }) => number);

Deno.test("Backlog: a lane is in the order of its numbers, however they came", () => {
  const backlog = new Backlog();
  for (const number of [5, 3, 9, 4]) backlog.set("a", number, copy(number), 10);
  assertEquals(numbers(backlog), [3, 4, 5, 9]);
  backlog.delete("web", "a", 3);
  backlog.set("a", 1, copy(1), 10);
  assertEquals(numbers(backlog), [1, 4, 5, 9]);
  assertEquals([backlog.bytes, backlog.chunks], [40, 4]);
});

Deno.test("Backlog: the sums are those of its entries, and an empty one holds nothing", () => {
  const backlog = new Backlog();
  const random = new SeededRandom(3);
  const model = new Map<number, number>();
  for (let i = 0; i < 5_000; i++) {
    const number = random.below(200);
    if (random.below(3) === 0) {
      backlog.delete("web", "a", number);
      model.delete(number);
    } else {
      const lack = random.below(100);
      backlog.set("a", number, copy(number), lack);
      model.set(number, lack);
    }
    assertEquals(backlog.chunks, model.size);
    if (i % 100 === 0 && model.size > 0) {
      assertEquals(numbers(backlog), [...model.keys()].sort((a, b) => a - b));
      assertEquals(backlog.bytes, [...model.values()].reduce((sum, lack) => sum + lack, 0));
    }
  }
  for (const number of model.keys()) backlog.delete("web", "a", number);
  assert(backlog.isEmpty);
  assertEquals([backlog.bytes, backlog.lanes().length], [0, 0]);
});

Deno.test("Backlog: what is said anew of a chunk makes it worth another try", () => {
  const backlog = new Backlog();
  backlog.set("a", 1, copy(1), 10);
  backlog.get("web", "a", 1)!.resting = true;
  backlog.set("a", 1, copy(1, 12), 12);
  assertEquals(backlog.get("web", "a", 1)!.resting, false);
  backlog.get("web", "a", 1)!.resting = true;
  backlog.wakeAll();
  assertEquals(backlog.get("web", "a", 1)!.resting, false);
});

Deno.test("Backlog.bytesByCategory sums over owners, and names only what lacks something", () => {
  const backlog = new Backlog();
  backlog.set("a", 1, copy(1), 10);
  backlog.set("b", 1, { ...copy(1), chunk: "b-chunk000000001" }, 5);
  backlog.set("a", 2, copy(2, 10, "logs"), 7);
  backlog.set("a", 3, copy(3, 10, "done"), 0);
  assertEquals(backlog.bytesByCategory(), new Map([["web", 15], ["logs", 7]]));
  const entry = backlog.get("web", "a", 1)!;
  backlog.lacks(entry, 4);
  backlog.set("a", 2, copy(2, 20, "logs"), 17);
  assertEquals(backlog.bytesByCategory(), new Map([["web", 9], ["logs", 17]]));
  backlog.delete("web", "a", 1);
  // It is in no sum any more.
  backlog.lacks(entry, 100);
  assertEquals([...backlog.bytesByCategory()], [["web", 5], ["logs", 17]]);
  assertEquals(backlog.bytes, 22);
  backlog.clear();
  assertEquals(backlog.bytesByCategory().size, 0);
});
