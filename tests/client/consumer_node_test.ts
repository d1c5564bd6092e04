/**
 * Consumers and tails against real nodes: one in this process, and clusters whose nodes are killed.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type Chukcha, type ChukchaClient, connect, type Consumer } from "../../lib/client/mod.ts";
import { TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { startLocalNode } from "../support/node.ts";
import { SeededRandom } from "../support/seeded_random.ts";

/** Writes events with these numbers, in batches as they come. */
async function produce(chukcha: Chukcha, category: string, from: number, to: number): Promise<void> {
  await using producer = chukcha.producer(category, { lingerMs: 1 });
  for (let n = from; n < to; n++) {
    await producer.ready;
    producer.send({ n }).catch(() => {});
  }
}

/** Takes and acknowledges until all of `count` events were seen by whoever shares `seen`; returns how many it took. */
async function work(
  consumer: Consumer,
  seen: Set<number>,
  count: number,
  isOver: AbortController,
): Promise<number> {
  let taken = 0;
  try {
    for await (const batch of consumer) {
      for (const { n } of batch.json<{ n: number }>()) {
        seen.add(n);
        taken++;
      }
      await batch.ack();
      if (seen.size === count) isOver.abort("all");
    }
  } catch (reason) {
    if (reason !== "all") throw reason;
  }
  return taken;
}

Deno.test("two consumers see everything each, and a loop that begins again goes on where it was", async () => {
  await using node = await startLocalNode();
  await using chukcha = connect({ servers: node.url });
  await produce(chukcha, "web", 0, 500);
  for (const name of ["one", "other"]) {
    const seen: number[] = [];
    // Small batches, and a new loop after each: what was fetched ahead is not lost, and does not come out of order.
    const consumer = chukcha.consumer("web", { name, maxBytes: 1000 });
    while (seen.length < 500) {
      for await (const batch of consumer) {
        seen.push(...Array.from(batch.json<{ n: number }>(), ({ n }) => n));
        assertEquals([await batch.ack(), batch.deliveries >= 1], ["done", true]);
        if (seen.length % 3 === 0) break;
        if (seen.length >= 500) break;
      }
    }
    assertEquals(seen, Array.from({ length: 500 }, (_, n) => n));
    await consumer.close();
  }
  const consumers = await chukcha.node.consumers("web");
  assertEquals(
    consumers.map(({ consumer, lag_bytes, leased_bytes }) => [consumer, lag_bytes, leased_bytes]),
    [
      ["one", 0, 0],
      ["other", 0, 0],
    ],
  );
});

Deno.test("four workers of one consumer share the work while it comes", async () => {
  await using node = await startLocalNode();
  await using chukcha = connect({ servers: node.url });
  const seen = new Set<number>();
  const isOver = new AbortController();
  const { signal } = isOver;
  const workers = Array.from({ length: 4 }, (_, i) => {
    const consumer = chukcha.consumer("web", { name: "shared", worker: `w${i}`, maxBytes: 2000, signal });
    return work(consumer, seen, 5000, isOver);
  });
  await produce(chukcha, "web", 0, 5000);
  const taken = await Promise.all(workers);
  assertEquals(taken.reduce((sum, count) => sum + count), 5000);
  // How it is shared is for the moment to say.
  assert(taken.filter((count) => count > 0).length > 1, String(taken));
});

Deno.test("a worker that dies with a batch loses it to others when the lease is over", async () => {
  await using node = await startLocalNode();
  await using chukcha = connect({ servers: node.url });
  await produce(chukcha, "web", 0, 10);
  // What a worker that died has done: it asked, and never said anything again.
  const dead = await chukcha.node.consume("web", { consumer: "c", leaseMs: 300, maxSize: 40 });
  const seen = new Set<number>();
  const isOver = new AbortController();
  await work(chukcha.consumer("web", { name: "c", signal: isOver.signal }), seen, 10, isOver);
  assert(dead!.bytes.length > 0);
  assertEquals(seen.size, 10);
});

Deno.test("a seek while a loop runs has it read again, and its acks from before say so", async () => {
  await using node = await startLocalNode();
  await using chukcha = connect({ servers: node.url });
  await produce(chukcha, "web", 0, 2);
  const outcomes: string[] = [];
  let events = 0;
  for await (const batch of chukcha.consumer("web", { name: "c" })) {
    events += [...batch.messages()].length;
    if (outcomes.length === 0) await chukcha.node.seek("web", { consumer: "c", to: "earliest" });
    outcomes.push(await batch.ack());
    if (events >= 4) break;
  }
  assertEquals([outcomes[0], outcomes.at(-1), events], ["moved", "done", 4]);
});

Deno.test("when its node is killed, a consumer goes on at another and repeats little, and a tail repeats nothing", async () => {
  await using cluster = await TestCluster.start();
  await using chukcha = connect({ servers: cluster.members.map(({ url }) => url) });
  const count = 3000;
  const key = "web/mover";
  // Written to a node that stays, so that everything is there.
  const first = chukcha.servers.clients.indexOf(chukcha.servers.inOrder(key)[0]!);
  const stays = connect({ servers: cluster.at((first + 1) % 3).url });
  await produce(stays, "web", 0, count);
  await cluster.converged();
  const tailed: number[] = [];
  const tailing = (async () => {
    for await (const piece of chukcha.tail("web")) {
      tailed.push(...Array.from(piece.json<{ n: number }>(), ({ n }) => n));
      if (tailed.length >= 2 * count) break;
    }
  })();
  let taken = 0;
  const seen = new Set<number>();
  let repeated = 0;
  for await (const batch of chukcha.consumer("web", { name: "mover", maxBytes: 4000 })) {
    const events = Array.from(batch.json<{ n: number }>(), ({ n }) => n);
    repeated += events.filter((n) => seen.has(n)).length;
    taken += events.length;
    for (const n of events) seen.add(n);
    if (taken >= count / 2 && cluster.at(first).running) {
      // What was acknowledged is known elsewhere within the delay of replication: that is waited for.
      const lag = async (at: ChukchaClient) => (await at.consumers("web"))[0]?.lag_bytes;
      const here = await lag(chukcha.servers.clients[first]!);
      await eventually("the acks arrive", () => lag(stays.node), (there) => there === here);
      await cluster.at(first).kill();
      await produce(stays, "web", count, 2 * count);
    }
    assertEquals(await batch.ack(), "done");
    if (seen.size === 2 * count) break;
  }
  await tailing;
  // The batch in work, those that were fetched ahead, and nothing else: acks before had the time to travel.
  assert(repeated <= 3 * 4000 / '{"n":0}\n'.length, `${repeated} of ${count}`);
  const all = Array.from({ length: 2 * count }, (_, n) => n);
  assertEquals(tailed.toSorted((a, b) => a - b), all);
  await stays.close();
});

Deno.test("workers that come, go, fail and release leave no lease behind, and only what was not acknowledged comes again", async () => {
  await using node = await startLocalNode();
  await using chukcha = connect({ servers: node.url });
  const count = 10_000;
  const random = new SeededRandom(23);
  const acked = new Set<number>();
  let handed = 0;
  let unacked = 0;
  const isOver = new AbortController();
  const works = async (prefetch: number): Promise<void> => {
    while (acked.size < count) {
      const failing = new AbortController();
      const signal = AbortSignal.any([failing.signal, isOver.signal]);
      // A lease that was left behind would have others wait for longer than the test may take.
      const options = { name: "s", maxBytes: 500 + 1000 * prefetch, prefetch, leaseMs: 600_000, signal };
      await using consumer = chukcha.consumer("web", options);
      try {
        for await (const batch of consumer) {
          const events = Array.from(batch.json<{ n: number }>(), ({ n }) => n);
          handed += events.length;
          const dice = random.number();
          if (dice < 0.1) {
            unacked += events.length;
            if (dice < 0.05) throw new RangeError("planned");
            await batch.release();
            continue;
          }
          if (dice < 0.15) failing.abort(new RangeError("planned"));
          await batch.ack();
          for (const n of events) acked.add(n);
          if (acked.size === count) isOver.abort(new RangeError("planned"));
          if (dice > 0.95) break;
        }
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }
  };
  const working = Promise.all([0, 1, 2, 3].map(works));
  await produce(chukcha, "web", 0, count);
  await working;
  assert(unacked > 0);
  assertEquals(handed, count + unacked);
  const [{ lag_bytes, leased_bytes } = { lag_bytes: -1, leased_bytes: -1 }] = await chukcha.node.consumers(
    "web",
  );
  assertEquals([lag_bytes, leased_bytes], [0, 0]);
});
