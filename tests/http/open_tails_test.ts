/**
 * What tails may hold together: `lib/http/open_tails.ts`; and large answers and polls of peers beside them.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { OpenStreams } from "../../lib/http/open_streams.ts";
import { OpenTails } from "../../lib/http/open_tails.ts";
import { WaitingPolls } from "../../lib/http/waiting_polls.ts";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import {
  MIB,
  PACE_BYTES_PER_S_MIN,
  PACE_CHECK_MS,
  PACE_SILENT_MS,
  REPLICATION_POLLS_MAX,
  TAIL_STEP_BYTES,
  TAIL_STEP_BYTES_MIN,
  TAIL_STEPS_HELD,
  TAILS_BYTES_MAX,
} from "../../lib/protocol/limits.ts";
import { Tail } from "../../lib/storage/tail.ts";
import { FakeClock } from "../support/fake_clock.ts";

const nothing = (): Tail =>
  new Tail({ category: () => undefined, offsetSince: () => 0, watch: () => () => {} }, "earliest");

Deno.test("OpenTails: the more there are, the less each takes at a time; over the bound, 503", () => {
  const tails = new OpenTails(5_000, new FakeClock());
  assertEquals(tails.stepBytes, TAIL_STEP_BYTES);
  for (let count = 1; count <= 5_000; count++) {
    tails.open(nothing);
    const { stepBytes } = tails;
    assert(stepBytes >= TAIL_STEP_BYTES_MIN && stepBytes <= TAIL_STEP_BYTES);
    if (stepBytes > TAIL_STEP_BYTES_MIN) assert(stepBytes * count * TAIL_STEPS_HELD <= TAILS_BYTES_MAX);
  }
  assertEquals(tails.stepBytes, TAIL_STEP_BYTES_MIN);
  const error = assertThrows(() => tails.open(nothing), ChukchaError, "5000 tails are open");
  assertEquals(error.code, "overloaded");
  tails.closeAll();
  assertEquals(tails.count, 0);
});

/** A body of parts, and whether it was let go. */
function body(parts: number): { stream: ReadableStream<Uint8Array>; gone: () => boolean } {
  let left = parts;
  let gone = false;
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => left-- > 0 ? controller.enqueue(new Uint8Array(MIB)) : controller.close(),
    cancel: () => void (gone = true),
  }, { highWaterMark: 0 });
  return { stream, gone: () => gone };
}

Deno.test("OpenStreams: the bytes come through, and give their place back, at the end or when the client leaves", async () => {
  const streams = new OpenStreams(new FakeClock(), 2);
  const whole = streams.open("read", body(3).stream);
  const left = streams.open("read", body(3).stream);
  const third = body(1);
  assertThrows(() => streams.open("read", third.stream), ChukchaError, "read: 2 large answers are under way");
  assert(third.gone());
  assertEquals((await new Response(whole).bytes()).length, 3 * MIB);
  assertEquals(streams.count, 1);
  await left.cancel();
  assertEquals(streams.count, 0);
});

Deno.test("OpenStreams: what is not taken for too long lets go of its source, and is cut off when it is wanted again", async () => {
  const clock = new FakeClock();
  const streams = new OpenStreams(clock, 2);
  const source = body(3);
  const reader = streams.open("read", source.stream).getReader();
  await reader.read();
  clock.advance(PACE_SILENT_MS + MIB / PACE_BYTES_PER_S_MIN * 1000 - PACE_CHECK_MS);
  assert(!source.gone());
  clock.advance(3 * PACE_CHECK_MS);
  assert(source.gone());
  assertEquals(streams.count, 1, "the client is still there");
  await assertRejects(() => reader.read(), ChukchaError, "was not taken for too long");
  assertEquals(streams.count, 0);
});

Deno.test("WaitingPolls bounds those of each node by itself, and counts those that end, well or not", async () => {
  const polls = new WaitingPolls();
  const ends: PromiseWithResolvers<void>[] = [];
  const wait = (instance: string) =>
    polls.during(instance, () => {
      const end = Promise.withResolvers<void>();
      ends.push(end);
      return end.promise;
    });
  const waiting = Array.from({ length: REPLICATION_POLLS_MAX }, () => wait("node_2"));
  await assertRejects(() => wait("node_2"), ChukchaError, 'polls of "node_2" wait here');
  waiting.push(wait("node_3"));
  ends[0]!.reject(new Error("no"));
  await assertRejects(() => waiting.shift()!, Error, "no");
  waiting.push(wait("node_2"));
  await assertRejects(() => wait("node_2"), ChukchaError);
  ends.slice(1).forEach((end) => end.resolve());
  await Promise.all(waiting);
});
