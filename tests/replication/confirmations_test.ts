/**
 * Writes that wait for replicas: who counts, what counts, and what is left afterwards.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { Confirmations } from "../../lib/replication/confirmations.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

const CHUNK = "a-chunk000000000";
const RESULT = { chunk: CHUNK, offset: 10, size: 5 };

function setUp() {
  const clock = new FakeClock();
  const confirmations = new Confirmations(clock);
  const hold = (instance: string, size: number, synced = 0): void =>
    confirmations.note({ instance, incarnation: "i", category: "web", chunk: CHUNK, size, synced });
  const wait = (replicas: number, sync = false) => {
    const state = { done: false };
    const promise = confirmations.wait("web", RESULT, { replicas, sync, timeoutMs: 1_000 });
    promise.then(() => state.done = true, () => {});
    return { state, promise };
  };
  return { clock, confirmations, hold, wait };
}

Deno.test("Confirmations: a write waits until as many different nodes hold its last byte", async () => {
  const { hold, wait, clock } = setUp();
  const { state, promise } = wait(2);
  hold("b", 14);
  hold("b", 15);
  hold("b", 20);
  await settle();
  assertEquals(state.done, false);
  hold("c", 14);
  await settle();
  assertEquals(state.done, false);
  hold("c", 15);
  await promise;
  assertEquals(clock.timerCount, 0);
});

Deno.test("Confirmations: with sync, only what they have synced counts", async () => {
  const { hold, wait } = setUp();
  const { state, promise } = wait(1, true);
  hold("b", 20, 14);
  await settle();
  assertEquals(state.done, false);
  hold("b", 20, 15);
  await promise;
});

Deno.test("Confirmations: what was said before the write counts, what a former process said does not", async () => {
  const { hold, wait, confirmations, clock } = setUp();
  hold("b", 15);
  await wait(1).promise;
  confirmations.forget("b");
  const { promise } = wait(1);
  clock.advance(1_000);
  const error = await assertRejects(() => promise, ChukchaError, "0 of 1 replicas");
  assertEquals([error.code, error.written], ["not_confirmed", "maybe"]);
});

Deno.test("Confirmations: reports that come late or twice take nothing back", async () => {
  const { hold, wait } = setUp();
  hold("b", 15);
  hold("b", 3);
  await wait(1).promise;
});

Deno.test("Confirmations: nothing is left of chunks that are held by all, that nobody confirmed, or that are gone", async () => {
  const { hold, wait, confirmations, clock } = setUp();
  hold("b", 15);
  hold("c", 14);
  confirmations.release("web", CHUNK, 15, 2);
  assertEquals(confirmations.size, 1);
  hold("c", 15);
  confirmations.release("web", CHUNK, 15, 2);
  assertEquals(confirmations.size, 0);
  const { promise } = wait(1);
  clock.advance(1_000);
  await assertRejects(() => promise);
  assertEquals(confirmations.size, 0);
  hold("b", 15);
  confirmations.sweep(() => false);
  assertEquals(confirmations.size, 0);
});
