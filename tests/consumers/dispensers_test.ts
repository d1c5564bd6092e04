/**
 * @module Tests of `lib/consumers/dispensers.ts` and `dispenser.ts`: who is woken, whose turn it is, and the bounds.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Handed, Want } from "../../lib/consumers/source.ts";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import {
  CONSUME_POLLS_MAX,
  CONSUMER_PIECES_MAX,
  DEAD_LETTER_RETRY_MS,
  DISPENSERS_MAX,
  PIECES_MAX,
} from "../../lib/protocol/limits.ts";
import type { ChunkList } from "../../lib/storage/chunk_list.ts";
import { settle } from "../support/fake_clock.ts";
import { CATEGORY, ConsumersWorld } from "./world.ts";

const WANT: Want = { maxSize: 1 << 20, leaseMs: 1000, maxDeliveries: 0, worker: "" };
const UNLEASED: Want = { ...WANT, leaseMs: 0 };

class CountingWorld extends ConsumersWorld {
  looks = 0;

  override chunks(): ChunkList {
    this.looks++;
    return super.chunks();
  }
}

function consume(
  world: ConsumersWorld,
  consumer: string,
  want = WANT,
  waitMs = 0,
): Promise<Handed | undefined> {
  const { signal } = new AbortController();
  return world.dispensers.consume(CATEGORY, consumer, "earliest", want, waitMs, () => signal);
}

const textOf = (handed: Handed | undefined): string => new TextDecoder().decode(handed?.body as Uint8Array);

function filled(): ConsumersWorld {
  const world = new ConsumersWorld();
  const chunk = world.make("n", 0);
  world.append(chunk, "one\ntwo\n");
  world.list(chunk);
  return world;
}

async function assertOverloaded(pending: Promise<unknown>): Promise<void> {
  const error = await assertRejects(() => pending, ChukchaError);
  assertEquals(error.code, "overloaded", error.message);
}

Deno.test("a thousand workers wait: a write costs a look for each that is served, and one more", async () => {
  const world = new CountingWorld();
  const chunk = world.make("n", 0);
  world.list(chunk);
  const served: string[] = [];
  const workers = Array.from({ length: 1000 }, () =>
    consume(world, "a", WANT, 60_000).then((handed) => {
      served.push(textOf(handed));
    }));
  await settle();
  assertEquals(world.meter.polls, 1000);
  const before = world.looks;
  for (const line of ["one\n", "two\n", "three\n"]) {
    world.append(chunk, line);
    await settle();
  }
  assertEquals(served, ["one\n", "two\n", "three\n"], "in order of coming");
  // A lease looks at whose turn it is, besides.
  assert(world.looks - before <= 3 * 4, `${world.looks - before} looks`);
  await world.dispensers.close().then(() => Promise.allSettled(workers));
  assertEquals(world.meter.polls, 0);
});

Deno.test("owners take turns: with leases at each hand-out, without them when something is done", async () => {
  const world = new ConsumersWorld();
  for (const owner of ["m", "n", "o"]) {
    const chunk = world.make(owner, 0);
    world.append(chunk, `${owner}1\n${owner}2\n`);
    world.list(chunk);
  }
  const leased: string[] = [];
  for (let i = 0; i < 6; i++) leased.push(textOf(await consume(world, "a", { ...WANT, maxSize: 3 })));
  assertEquals(leased, ["m1\n", "n1\n", "o1\n", "m2\n", "n2\n", "o2\n"]);
  const plain: string[] = [];
  for (let i = 0; i < 6; i++) {
    const want = { ...UNLEASED, maxSize: 3 };
    const handed = await consume(world, "b", want);
    assertEquals(textOf(await consume(world, "b", want)), textOf(handed));
    plain.push(textOf(handed));
    const { chunk, offset, size } = handed!;
    const ack = { chunk, to: offset + size, from: undefined, epoch: undefined };
    await world.dispensers.acknowledge(CATEGORY, "b", ack);
  }
  assertEquals(plain, leased);
});

Deno.test("what a place takes back, because it has too many parts, is handed out again", async () => {
  const world = filled();
  const { chunk, offset, size } = (await consume(world, "a"))!;
  await world.dispensers.acknowledge(CATEGORY, "a", {
    chunk,
    from: offset,
    to: offset + size,
    epoch: undefined,
  });
  assertEquals(await consume(world, "a"), undefined);
  world.places.forgetAcknowledged("a", "n");
  assertEquals(textOf(await consume(world, "a")), "one\ntwo\n");
});

Deno.test("beyond so many consumers in use those go that have nothing on lease, else it is a 503", async () => {
  const world = filled();
  for (let i = 0; i < DISPENSERS_MAX; i++) await consume(world, `c${i}`);
  assertEquals(world.dispensers.count, DISPENSERS_MAX);
  await assertOverloaded(consume(world, "other"));
  assert(await consume(world, "c0", UNLEASED) === undefined, "those that are known go on");
  world.clock.advance(1000);
  assertEquals(textOf(await consume(world, "other")), "one\ntwo\n");
  assertEquals([world.dispensers.count, world.meter.pieces], [1, 1]);
});

Deno.test("beyond so many pieces nothing new is lent; what came back to nobody makes room", async () => {
  const world = filled();
  await consume(world, "a", { ...WANT, maxSize: 4 });
  world.meter.pieces += PIECES_MAX - 1;
  await assertOverloaded(consume(world, "b"));
  await assertOverloaded(consume(world, "a"));
  assertEquals(textOf(await consume(world, "b", UNLEASED)), "one\ntwo\n");
  world.clock.advance(1000);
  assertEquals(textOf(await consume(world, "b")), "one\ntwo\n");
});

Deno.test("one consumer's pieces are bounded by themselves, and what came back goes on being handed out", async () => {
  const world = new ConsumersWorld();
  const chunk = world.make("n", 0);
  world.append(chunk, "\n".repeat(CONSUMER_PIECES_MAX + 1));
  world.list(chunk);
  const one = { ...WANT, maxSize: 1 };
  for (let i = 0; i < CONSUMER_PIECES_MAX; i++) await consume(world, "a", one);
  await assertOverloaded(consume(world, "a", one));
  assertEquals((await consume(world, "b", one))?.size, 1);
  world.clock.advance(1000);
  assertEquals((await consume(world, "a", one))?.deliveries, 2);
});

Deno.test("beyond so many polls nobody waits, and who need not wait is served", async () => {
  const world = filled();
  world.meter.polls += CONSUME_POLLS_MAX;
  assertEquals(textOf(await consume(world, "a", WANT, 1000)), "one\ntwo\n");
  await assertOverloaded(consume(world, "a", WANT, 1000));
  assertEquals(await consume(world, "a"), undefined);
});

Deno.test("a letter whose acknowledgement fails is written again: the message is in it twice, and not lost", async () => {
  const world = filled();
  const want = { ...WANT, maxSize: 4, maxDeliveries: 1 };
  assertEquals(textOf(await consume(world, "a", want)), "one\n");
  world.clock.advance(1000);
  world.places.refusals = 1;
  assertEquals(textOf(await consume(world, "a", want)), "two\n", "others go on");
  await settle();
  assertEquals([world.letters.length, world.meter.deadLetters, world.meter.deadLetterFailures], [1, 0, 1]);
  assertEquals(await consume(world, "a", want), undefined, "it rests");
  world.clock.advance(DEAD_LETTER_RETRY_MS);
  await consume(world, "a", want);
  await settle();
  const texts = world.letters.map((line) => JSON.parse(line).text);
  assertEquals(texts.filter((text) => text === "one"), ["one", "one"]);
  const [info] = await world.dispensers.list([CATEGORY]);
  assert(info!.lag_bytes <= 4, "it is acknowledged by now");
});

Deno.test("a consumer that stands inside of a message says so, and is given everything else", async () => {
  const world = filled();
  await consume(world, "a", UNLEASED);
  // As another node may tell it, that did not hold the chunk.
  world.places.acknowledgedElsewhere("a", "n-chunk000000000", 0, 2);
  const other = world.make("o", 0);
  world.append(other, "three\n");
  world.list(other);
  assertEquals(textOf(await consume(world, "a")), "three\n");
  const error = await assertRejects(() => consume(world, "a"), ChukchaError);
  assertMatch(error.message, /"a" stands at 2 of n-chunk000000000, .*\/seek/);
});
