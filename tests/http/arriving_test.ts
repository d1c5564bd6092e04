/**
 * Who gets memory for a body, and who has to go: `lib/http/arriving.ts` and `lib/http/pace.ts`, on a clock that stands
 * still.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Arrival, ArrivingBodies } from "../../lib/http/arriving.ts";
import { BodyBudget } from "../../lib/http/body_budget.ts";
import { Pace } from "../../lib/http/pace.ts";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import {
  BODY_EVICTED_SHARE,
  BODY_FAST_BYTES_PER_S,
  BODY_FRESH_MS,
  KIB,
  MIB,
  PACE_BYTES_PER_S_MIN,
  PACE_CHECK_MS,
  PACE_SILENT_MS,
} from "../../lib/protocol/limits.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** Bodies on their way, and the names of those that were refused. */
class Bodies {
  readonly clock = new FakeClock();
  readonly budget: BodyBudget;
  readonly arriving: ArrivingBodies;
  readonly refused: string[] = [];
  readonly #byName = new Map<string, Arrival>();

  constructor(budgetBytes = 100 * KIB) {
    this.budget = new BodyBudget(budgetBytes);
    this.arriving = new ArrivingBodies(this.budget, this.clock);
  }

  begin(...names: string[]): void {
    for (const name of names) {
      const arrival = this.arriving.begin(0, (error) => {
        assertEquals([error.code, error.written], ["overloaded", "no"]);
        this.refused.push(name);
        this.arriving.end(arrival);
      });
      this.#byName.set(name, arrival);
    }
  }

  /** Bytes come, and memory is held for them. */
  comes(name: string, bytes: number): void {
    const arrival = this.#byName.get(name)!;
    this.arriving.received(arrival, bytes);
    this.arriving.hold(arrival, bytes);
  }

  end(name: string): void {
    this.budget.give(this.arriving.end(this.#byName.get(name)!));
  }
}

Deno.test("ArrivingBodies: a body that stands still is given up, one that moves is not", () => {
  const bodies = new Bodies();
  bodies.begin("still", "moving");
  for (let ms = 0; ms < PACE_SILENT_MS; ms += 10_000) {
    bodies.comes("moving", 10 * 2 * PACE_BYTES_PER_S_MIN / 8);
    bodies.clock.advance(10_000);
  }
  bodies.clock.advance(PACE_CHECK_MS);
  assertEquals(bodies.refused, ["still"]);
  assertEquals(bodies.arriving.count, 1);
});

Deno.test("ArrivingBodies: a body that is too slow on the whole is given up, though it moves", () => {
  const bodies = new Bodies(4 * MIB);
  bodies.begin("slower", "slow");
  // In the first minute nobody is too slow; behind it, the one that had a little less than the pace is.
  for (let s = 0; s < 600; s += 10) {
    bodies.clock.advance(10_000);
    if (!bodies.refused.includes("slower")) bodies.comes("slower", 10 * PACE_BYTES_PER_S_MIN / 2);
    bodies.comes("slow", 10 * PACE_BYTES_PER_S_MIN);
  }
  assertEquals(bodies.refused, ["slower"]);
});

Deno.test("ArrivingBodies: a body that tells nothing until it is there has time by its length", () => {
  const bodies = new Bodies();
  const refused: number[] = [];
  for (const bytes of [1, 60 * PACE_BYTES_PER_S_MIN]) {
    const arrival = bodies.arriving.begin(bytes, () => {
      refused.push(bytes);
      bodies.arriving.end(arrival);
    });
  }
  bodies.clock.advance(PACE_SILENT_MS + 2 * PACE_CHECK_MS);
  assertEquals(refused, [1]);
  bodies.clock.advance(60_000);
  assertEquals(refused.length, 2);
});

Deno.test("ArrivingBodies: where memory is short, slow bodies go, the slowest first, and not more than needed", () => {
  const bodies = new Bodies();
  bodies.begin("c", "a", "b");
  bodies.comes("c", 30 * KIB);
  bodies.comes("a", 10 * KIB);
  bodies.comes("b", 20 * KIB);
  bodies.clock.advance(BODY_FRESH_MS);
  bodies.begin("fast");
  bodies.comes("fast", 45 * KIB);
  assertEquals(bodies.refused, ["a"]);
  bodies.comes("fast", 10 * KIB);
  assertEquals(bodies.refused, ["a", "b"]);
  assertEquals(bodies.budget.used, 85 * KIB);
});

Deno.test("ArrivingBodies: some more room is made at once than is lacking", () => {
  const bodies = new Bodies(1000 * KIB);
  const names = Array.from({ length: 1000 }, (_, i) => `slow ${i}`);
  bodies.begin(...names);
  names.forEach((name) => bodies.comes(name, KIB));
  bodies.clock.advance(BODY_FRESH_MS);
  bodies.begin("fast");
  bodies.comes("fast", 1);
  assertEquals(bodies.refused.length, Math.ceil(1000 * BODY_EVICTED_SHARE));
});

Deno.test("ArrivingBodies: bodies that are fresh or fast do not go: who needs memory then is refused, nobody else", () => {
  const bodies = new Bodies();
  bodies.begin("fresh", "other");
  bodies.comes("fresh", 60 * KIB);
  bodies.comes("other", 40 * KIB);
  const refuse = (name: string) =>
    assertThrows(() => bodies.comes(name, 30 * KIB), ChukchaError, "send it again");
  refuse("other");
  assertEquals(bodies.refused, []);
  const fast = new Bodies(2 * BODY_FAST_BYTES_PER_S * BODY_FRESH_MS / 1000);
  fast.begin("fast", "slow");
  fast.comes("fast", BODY_FAST_BYTES_PER_S * BODY_FRESH_MS / 1000);
  fast.comes("slow", KIB);
  fast.clock.advance(BODY_FRESH_MS);
  fast.begin("new");
  assertThrows(() => fast.comes("new", fast.budget.max), ChukchaError);
  assertEquals(fast.refused, [], "letting the slow one go would not have been enough");
});

Deno.test("ArrivingBodies: what has arrived whole gets what long bodies have to leave", () => {
  const bodies = new Bodies(100 * KIB);
  const arriving = new ArrivingBodies(bodies.budget, bodies.clock, 10 * KIB);
  const long = arriving.begin(0, () => {});
  arriving.hold(long, 90 * KIB);
  assertThrows(() => arriving.hold(long, 1), ChukchaError, "over the limit of 92160");
  arriving.take(10 * KIB);
  assertThrows(() => arriving.take(1), ChukchaError, "over the limit of 102400");
  bodies.budget.give(10 * KIB + arriving.end(long));
  assertEquals(bodies.budget.used, 0);
});

Deno.test("ArrivingBodies: a slow body takes memory from those that are slower, never from faster ones or itself", () => {
  const bodies = new Bodies();
  bodies.begin("slowest", "slow", "less slow");
  bodies.comes("slowest", 20 * KIB);
  bodies.comes("slow", 30 * KIB);
  bodies.comes("less slow", 50 * KIB);
  bodies.clock.advance(BODY_FRESH_MS);
  assertThrows(() => bodies.comes("slowest", 10 * KIB), ChukchaError);
  assertEquals(bodies.refused, []);
  bodies.comes("slow", 10 * KIB);
  assertEquals(bodies.refused, ["slowest"]);
});

Deno.test("ArrivingBodies: of many that all want more than there is, each refusal lets the others go on, and some get through", () => {
  const bodies = new Bodies(256 * KIB);
  const names = new Set(Array.from({ length: 100 }, (_, i) => `body ${i}`));
  bodies.begin(...names);
  let through = 0;
  for (let step = 0; step < 8; step++) {
    for (const name of names) {
      try {
        bodies.comes(name, KIB);
      } catch (error) {
        assert(error instanceof ChukchaError);
        bodies.end(name);
        names.delete(name);
      }
    }
  }
  for (const name of names) {
    bodies.end(name);
    through++;
  }
  assertEquals(through, 32, "as many as fit");
  assertEquals(bodies.budget.used, 0);
});

Deno.test("ArrivingBodies.none resolves behind the last one, and leaves no timer", async () => {
  const bodies = new Bodies();
  bodies.begin("a", "b");
  assertEquals(bodies.clock.timerCount, 1);
  let none = false;
  const waiting = bodies.arriving.none().then(() => none = true);
  bodies.end("a");
  await Promise.resolve();
  assertEquals(none, false);
  bodies.end("b");
  await waiting;
  assertEquals(bodies.clock.timerCount, 0);
  await bodies.arriving.none();
});

Deno.test("Pace: there is one timer while anything is under way, and none a step after", () => {
  const clock = new FakeClock();
  const pace = new Pace(clock);
  const runners = Array.from({ length: 10 }, () => ({ dueMs: Infinity, slot: -1, expired: () => {} }));
  runners.forEach((runner) => pace.begin(runner));
  clock.advance(10 * PACE_CHECK_MS);
  assertEquals(clock.timerCount, 1);
  runners.forEach((runner) => pace.end(runner));
  clock.advance(PACE_CHECK_MS);
  assertEquals([clock.timerCount, pace.count], [0, 0]);
});
