/**
 * @module
 */
import { assertEquals } from "@std/assert";
import { SystemClock } from "../../lib/storage/clock.ts";
import { RotationTimer } from "../../lib/storage/rotation_timer.ts";
import { FakeClock } from "../support/fake_clock.ts";

const DAY_MS = 86_400_000;

Deno.test("SystemClock: a timer longer than the runtime can hold does not fire at once", async () => {
  const clock = new SystemClock();
  let fired = false;
  const cancel = clock.after(300 * DAY_MS, () => fired = true);
  // A timer that is due later than the one that would fire at once; it also keeps the process alive.
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(fired, false);
  cancel();
  cancel();
});

Deno.test("SystemClock: soon runs behind the events that are waiting, in order", async () => {
  const clock = new SystemClock();
  const order: string[] = [];
  const done = new Promise<void>((resolve) => {
    clock.soon(() => order.push("first"));
    clock.soon(() => {
      order.push("second");
      resolve();
    });
  });
  await Promise.resolve().then(() => order.push("waiting"));
  await done;
  assertEquals(order, ["waiting", "first", "second"]);
});

Deno.test("FakeClock: timers fire in order of their time, those set meanwhile too; cancelled ones do not", () => {
  const clock = new FakeClock(1000);
  const fired: string[] = [];
  clock.after(20, () => fired.push(`b at ${clock.monotonic()}`));
  clock.after(10, () => {
    fired.push(`a at ${clock.monotonic()}`);
    clock.after(5, () => fired.push(`c at ${clock.monotonic()}`));
  });
  clock.after(12, () => fired.push("never"))();
  clock.jump(-500);
  clock.advance(30);
  assertEquals(fired, ["a at 10", "c at 15", "b at 20"]);
  assertEquals([clock.monotonic(), clock.now()], [30, 530]);
});

Deno.test("RotationTimer: each is called once after the interval, with one timer for all", () => {
  const clock = new FakeClock();
  const timer = new RotationTimer(clock, 100);
  const called: number[] = [];
  timer.add(() => called.push(1));
  clock.advance(40);
  timer.add(() => called.push(2));
  timer.add(() => called.push(3));
  assertEquals(clock.timerCount, 1);
  clock.advance(59);
  assertEquals(called, []);
  clock.advance(1);
  assertEquals([called, clock.timerCount], [[1], 1]);
  clock.advance(40);
  assertEquals([called, clock.timerCount], [[1, 2, 3], 0]);
  timer.add(() => called.push(4));
  timer.close();
  clock.advance(1000);
  assertEquals([called, clock.timerCount], [[1, 2, 3], 0]);
});
