/** @module Tests of `lib/storage/gathering.ts`: how long a group waits for more. */
import { assert, assertEquals } from "@std/assert";
import { Gathering } from "../../lib/storage/gathering.ts";

/** Rounds that a group waits for while so many wait after each; each round takes `roundMs`. */
function rounds(gathering: Gathering, waiting: (round: number) => number, roundMs = 0): number {
  gathering.begin();
  let round = 0;
  while (gathering.another(waiting(round), round * roundMs)) {
    if (++round > 10_000) throw new Error("for ever");
  }
  return round;
}

Deno.test("Gathering: without a sync a group waits while each round brings more, and for few rounds", () => {
  const gathering = new Gathering();
  assertEquals(rounds(gathering, () => 1), 1, "one more round, which brings nothing");
  assertEquals(rounds(gathering, (round) => Math.min(3, round + 1)), 3);
  assertEquals(rounds(gathering, (round) => round + 1), 4, "but not for ever");
  gathering.ended(64, 0, 0);
  assert(!gathering.isEarly(1));
  assertEquals(rounds(gathering, () => 1), 1);
});

Deno.test("Gathering: those who were answered together are waited for, if they come back in less than half a sync", () => {
  const gathering = new Gathering();
  gathering.ended(4, 4, 1);
  assert(gathering.isEarly(4) && !gathering.isEarly(8));
  assertEquals(rounds(gathering, (round) => round < 20 ? 4 : 8), 20, "until all of them are there");
  gathering.ended(64, 64, 1);
  assert(!gathering.isEarly(1), "so many take longer than that: the next sync begins with who is there");
  gathering.ended(1, 0, 1);
  assert(!gathering.isEarly(1), "a lone writer waits for nobody");
});

Deno.test("Gathering: who does not come back is waited for once, and for no longer than half a sync", () => {
  const gathering = new Gathering();
  gathering.ended(100, 0, 4);
  assertEquals(rounds(gathering, () => 7, 0.1), 20);
  assertEquals(
    rounds(gathering, () => 7, 0),
    256,
    "nor for more rounds than that, if the clock stands still",
  );
  gathering.ended(7, 0, 4);
  assert(!gathering.isEarly(7));
});
