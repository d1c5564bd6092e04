/**
 * @module Tests of `lib/storage/observed_time.ts` and `observed_time_file.ts`.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CLOCK_STEP_MS_MIN, CLOCK_STRETCHES_MAX, RETENTION_SAVE_MS } from "../../lib/protocol/limits.ts";
import {
  ageMs,
  beginObserving,
  hear,
  observe,
  type ObservedTime,
  resumeObserving,
  silentMs,
} from "../../lib/storage/observed_time.ts";
import { decodeObservedTime, encodeObservedTime } from "../../lib/storage/observed_time_file.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
const T = Date.UTC(2026, 0, 1);

/** A node under a wall clock that does what it wants. */
class Machine {
  wallMs = T;
  /** Time that this node's processes saw pass. */
  trueMs = 0;
  /** Of it, up to the last observation. */
  #observedTrueMs = 0;
  observed: ObservedTime;
  #saved: Uint8Array;
  /** What bears a time: the time it bears, and the true one. */
  readonly written: { timeMs: number; trueMs: number }[] = [];

  constructor() {
    this.observed = beginObserving(this.wallMs, undefined);
    this.#saved = encodeObservedTime(this.observed);
  }

  pass(ms: number): void {
    this.wallMs += ms;
    this.trueMs += ms;
  }

  write(): void {
    this.written.push({ timeMs: this.wallMs, trueMs: this.trueMs });
  }

  look(): void {
    this.observed = observe(this.observed, this.wallMs, this.trueMs - this.#observedTrueMs);
    this.#observedTrueMs = this.trueMs;
  }

  save(): void {
    this.look();
    this.#saved = encodeObservedTime(this.observed);
  }

  /** The process dies, and another one begins when the wall clock has moved by `downMs`, be that time or not. */
  restart(downMs: number): void {
    this.wallMs += downMs;
    this.#observedTrueMs = this.trueMs;
    this.observed = resumeObserving(decodeObservedTime(this.#saved), this.wallMs);
    this.save();
  }

  /** What each thing is older than it can be, at most. */
  worst(): number {
    this.look();
    return Math.max(
      -Infinity,
      ...this.written.map(({ timeMs, trueMs }) =>
        (ageMs(this.observed, timeMs) ?? 0) - (this.trueMs - trueMs)
      ),
    );
  }
}

const size = fc.oneof(fc.integer({ min: 1, max: HOUR }), fc.integer({ min: 1, max: 2 * YEAR }));
const event = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: DAY }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("write" as const), ms: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("ahead" as const, "back" as const), ms: size }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom("look" as const, "save" as const), ms: fc.constant(0) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("restart" as const), ms: size.map((ms) => ms - HOUR / 2) }),
  },
);

function apply(machine: Machine, { kind, ms }: { kind: string; ms: number }): void {
  if (kind === "pass") {
    // What is not saved after so long is saved by then.
    const unsavedMs = ms % RETENTION_SAVE_MS;
    machine.pass(ms - unsavedMs);
    machine.save();
    machine.pass(unsavedMs / 2);
    machine.write();
    machine.pass(unsavedMs / 2);
  } else if (kind === "write") machine.write();
  else if (kind === "look") machine.look();
  else if (kind === "save") machine.save();
  else if (kind === "restart") machine.restart(ms);
  else {
    // A node looks every minute, and saves what it found.
    machine.look();
    machine.pass(ms % 30_000);
    machine.write();
    machine.wallMs = Math.max(1, machine.wallMs + (kind === "ahead" ? ms : -ms));
    machine.write();
    machine.pass(ms % 29_000);
    machine.write();
    machine.save();
  }
}

Deno.test("ageMs is never more than the node saw pass, whatever the wall clock did", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 80, size: "max" }), (events) => {
      const machine = new Machine();
      for (const one of events) {
        apply(machine, one);
        const excess = machine.worst();
        assert(excess <= CLOCK_STEP_MS_MIN, `${excess} ms too old after ${JSON.stringify(one)}`);
      }
    }),
    { numRuns: 1500 },
  );
});

Deno.test("ageMs is what the wall clock says, as long as nobody sets it", () => {
  const machine = new Machine();
  machine.write();
  for (let i = 0; i < 48; i++) {
    machine.pass(HOUR);
    // A clock may be a little fast or slow.
    machine.wallMs += i % 2 === 0 ? 300 : -300;
    machine.look();
  }
  assertEquals(ageMs(machine.observed, T), 2 * DAY);
  assertEquals(machine.observed.stretches.length, 1);
});

Deno.test("ageMs grows as before when a clock that was ahead is set right again", () => {
  const machine = new Machine();
  machine.write();
  machine.pass(DAY);
  for (const kind of ["ahead", "back"]) {
    apply(machine, { kind, ms: YEAR });
    assert(machine.worst() <= 0, kind);
    machine.pass(HOUR);
    machine.write();
  }
  machine.look();
  for (const { timeMs, trueMs } of machine.written) {
    const age = ageMs(machine.observed, timeMs)!;
    assert(Math.abs(age - (machine.trueMs - trueMs)) <= RETENTION_SAVE_MS, `${age}`);
  }
});

Deno.test("a restart under a clock that is a year ahead makes nothing older, saved or not", () => {
  const machine = new Machine();
  machine.write();
  machine.pass(DAY);
  machine.save();
  machine.pass(HOUR);
  machine.write();
  machine.restart(YEAR);
  machine.pass(HOUR);
  assert(machine.worst() <= 0);
  // Time after the last save was seen by nobody who could tell of it.
  assertEquals(machine.written.map(({ timeMs }) => ageMs(machine.observed, timeMs)), [DAY + HOUR, 0]);
});

Deno.test("beginObserving trusts no time behind the newest message", () => {
  const began = beginObserving(T + YEAR, T);
  assertEquals(ageMs(began, T - DAY), DAY);
  assertEquals(ageMs(began, T), 0);
  const alone = beginObserving(T, undefined);
  assertEquals(ageMs(alone, T - YEAR), 0, "copies of what a lost disk held are as old as this one at most");
  assertEquals(ageMs(observe(alone, T + HOUR, HOUR), T - YEAR), HOUR);
  assertEquals(ageMs(beginObserving(T, T + YEAR), T - HOUR), HOUR);
});

Deno.test("stretches are kept up to a bound, and then make things younger at most", () => {
  const machine = new Machine();
  for (let i = 0; i < 10 * CLOCK_STRETCHES_MAX; i++) {
    machine.write();
    machine.pass(HOUR);
    machine.restart(1000 + (i * 7919) % HOUR);
    assert(machine.observed.stretches.length <= CLOCK_STRETCHES_MAX);
    assert(machine.worst() <= 0);
  }
});

for (const [what, rate] of [["fast", 1.03], ["slow", 0.97]] as const) {
  Deno.test(`a wall clock that runs 3 % too ${what} for a month makes nothing older, and little younger`, () => {
    const machine = new Machine();
    for (let minute = 0; minute < 30 * 24 * 60; minute++) {
      if (minute % (24 * 60) === 0) machine.write();
      machine.pass(60_000);
      machine.wallMs += 60_000 * (rate - 1);
      machine.look();
    }
    assert(machine.worst() <= CLOCK_STEP_MS_MIN);
    for (const { timeMs, trueMs } of machine.written) {
      const trueAge = machine.trueMs - trueMs;
      const age = ageMs(machine.observed, timeMs)!;
      assert(age >= 0.9 * trueAge, `${age} of ${trueAge}`);
    }
  });
}

Deno.test("silentMs counts from when a node was heard of, or first met, across restarts", () => {
  let observed = beginObserving(T, undefined);
  observed = hear(observed, new Map(), ["a", "b"]);
  observed = observe(observed, T + HOUR, HOUR);
  observed = hear(observed, new Map([["a", 60_000], ["c", 0]]), ["a", "b"]);
  assertEquals(["a", "b", "c"].map((name) => silentMs(observed, name)), [60_000, HOUR, 0]);
  observed = resumeObserving(decodeObservedTime(encodeObservedTime(observed)), T + YEAR);
  observed = observe(observed, T + YEAR + HOUR, HOUR);
  assertEquals(["a", "b"].map((name) => silentMs(observed, name)), [HOUR + 60_000, 2 * HOUR]);
});

Deno.test("decodeObservedTime refuses what is not such a file", () => {
  const machine = new Machine();
  apply(machine, { kind: "ahead", ms: DAY });
  const good = JSON.parse(new TextDecoder().decode(encodeObservedTime(machine.observed)));
  const decode = (value: unknown) => decodeObservedTime(new TextEncoder().encode(JSON.stringify(value)));
  assertEquals(decode(good), machine.observed);
  const wrong: object[] = [
    { format: 2 },
    { observed: -1 },
    { observed: "1" },
    { stretches: [] },
    { stretches: [[1, 2]] },
    { stretches: [[2, 1, 0]] },
    { stretches: {} },
    { heard: { "a/b": 1 } },
    { heard: null },
    { heard: { a: 1.5 } },
  ];
  for (const change of wrong) assertThrows(() => decode({ ...good, ...change }), SyntaxError);
  for (const text of ["", "null", "7", "{"]) {
    assertThrows(() => decodeObservedTime(new TextEncoder().encode(text)), SyntaxError);
  }
});
