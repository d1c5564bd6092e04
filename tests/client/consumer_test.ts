/**
 * A consumer's loop against stand-ins: what it gets, what it gives back, and what it does when nodes fail.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Batch,
  ChukchaClient,
  ChukchaError,
  Consumer,
  type ConsumerOptions,
  MessageError,
  type Trouble,
} from "../../lib/client/mod.ts";
import { Shared, StandIn, StandInNodes } from "./stand_in.ts";

/** A cluster of this many nodes. */
function cluster(count = 1) {
  const shared = new Shared();
  const nodes = Array.from({ length: count }, () => new StandIn(shared));
  const order = new StandInNodes(...nodes);
  const consumer = (options: Partial<ConsumerOptions> = {}) =>
    new Consumer(order, "web", { name: "indexer", ...options });
  return {
    shared,
    nodes,
    node: nodes[0]!,
    order,
    consumer,
    [Symbol.asyncDispose]: async () => void await Promise.all(nodes.map((node) => node.kill())),
  };
}

/** Acknowledges everything that comes, until nothing is left; returns all messages. */
async function drain(consumer: Consumer, shared: Shared, work = (_batch: Batch) => {}): Promise<string[]> {
  const got: string[] = [];
  for await (const batch of consumer) {
    got.push(...batch.texts());
    await work(batch);
    await batch.ack();
    if (shared.isDone) break;
  }
  return got;
}

Deno.test("a loop gets every message once, in order, and nothing is acknowledged but by ack", async () => {
  await using all = cluster();
  all.shared.write("a", "b", "c", "d", "e");
  assertEquals(await drain(all.consumer(), all.shared), ["a", "b", "c", "d", "e"]);
  assertEquals(all.node.count("/ack"), 3);
});

Deno.test("leaving a loop gives back at once what was fetched ahead, and keeps what the loop had got", async () => {
  await using all = cluster();
  all.shared.write("a", "b", "c", "d", "e", "f");
  const consumer = all.consumer();
  let kept: Batch | undefined;
  for await (const batch of consumer) {
    // Both that are fetched ahead are here: no more is asked for.
    await all.node.until(() => all.node.lent.length === 3);
    kept = batch;
    break;
  }
  assertEquals(all.node.lent, [0]);
  assertEquals(await kept!.ack(), "done");
  assertEquals([...all.shared.acked], [0, 2]);
  await consumer.close();
});

Deno.test("closing gives back everything that was not acknowledged, and ends a loop that waits", async () => {
  await using all = cluster();
  all.shared.write("a", "b", "c", "d");
  const consumer = all.consumer();
  const seen: number[] = [];
  const loop = (async () => {
    for await (const { offset } of consumer) seen.push(offset);
  })();
  await all.node.until(() => seen.length === 2 && all.node.count("/consume") === 3);
  await consumer.close();
  await loop;
  assertEquals([seen, all.node.lent], [[0, 4], []]);
  await assertRejects(() => consumer[Symbol.asyncIterator]().next(), TypeError, "closed");
});

Deno.test("an abort throws its reason, gives back what waits, and leaves the batch in work to be acknowledged", async () => {
  await using all = cluster();
  all.shared.write("a", "b", "c", "d", "e", "f");
  const controller = new AbortController();
  const consumer = all.consumer({ signal: controller.signal });
  const reason = await assertRejects(async () => {
    for await (const batch of consumer) {
      await all.node.until(() => all.node.lent.length === 3);
      controller.abort(new RangeError("enough"));
      await all.node.until(() => all.node.lent.length === 1);
      assertEquals([await batch.ack(), all.node.lent], ["done", []]);
    }
  }, RangeError);
  assertEquals([reason.message, [...all.shared.acked]], ["enough", [0, 2]]);
});

Deno.test("what the loop throws ends it, and another worker is given what was fetched ahead", async () => {
  await using all = cluster();
  all.shared.write("a", "b", "c", "d");
  await assertRejects(async () => {
    for await (const _ of all.consumer()) {
      await all.node.until(() => all.node.lent.length === 2);
      throw new RangeError("in the loop");
    }
  }, RangeError);
  for await (const { offset } of all.consumer()) {
    assertEquals(offset, 4);
    break;
  }
});

Deno.test("release gives a batch back at once, and it comes again with a count", async () => {
  await using all = cluster();
  all.shared.write("a", "b");
  const counts: number[] = [];
  for await (const batch of all.consumer()) {
    counts.push(batch.deliveries);
    if (counts.length === 3) {
      await batch.ack();
      break;
    }
    assertEquals(await batch.release(), "done");
    assertEquals(await batch.release(), "lost");
  }
  assertEquals(counts, [1, 2, 3]);
});

Deno.test("leases are renewed while the loop works, for renewMs at most", async () => {
  await using all = cluster();
  all.shared.write("a", "b");
  const consumer = all.consumer({ leaseMs: 150, renewMs: 400 });
  let isFirst = true;
  for await (const batch of consumer) {
    if (!isFirst) break;
    isFirst = false;
    // Each comes after a third of the lease at the earliest: without them it would have run out.
    await all.node.until(() => all.node.count("/lease") === 4);
    assertEquals(all.node.deliveries.get(0), 1);
    // The loop hangs: after some time others are to have it.
    await all.node.until(() => all.node.deliveries.get(0) === 2);
    assertEquals(await batch.extend(1_000), "lost");
    assertEquals(await batch.release(), "lost");
    assertEquals(all.node.lent, [0]);
  }
  await consumer.close();
  assertEquals(all.node.lent, []);
});

Deno.test("extend sets the end of a lease, which is not made shorter by renewing it", async () => {
  await using all = cluster();
  all.shared.write("a");
  const consumer = all.consumer({ leaseMs: 100 });
  for await (const batch of consumer) {
    assertEquals(await batch.extend(60_000), "done");
    const before = all.node.count("/lease");
    assert(all.node.leases[0]!.untilMs > performance.now() + 50_000);
    // A message that comes, and is lent and renewed, shows that renewing goes on without this one.
    all.shared.write("b");
    await all.node.until(() => all.node.count("/lease") > before);
    assert(all.node.leases[0]!.untilMs > performance.now() + 50_000);
    break;
  }
  await consumer.close();
});

Deno.test("when its node dies, a consumer goes on at the next one, and acknowledges there what it held", async () => {
  await using all = cluster(2);
  const [first, second] = [all.nodes[0]!, all.nodes[1]!];
  all.shared.write("a", "b", "c", "d", "e", "f");
  const troubles: Trouble[] = [];
  const consumer = all.consumer({ onTrouble: (trouble) => troubles.push(trouble) });
  const got = await drain(consumer, all.shared, async ({ offset }) => {
    if (offset === 0) await first.kill();
  });
  assertEquals(
    got.toSorted(),
    ["a", "b", "c", "d", "e", "f"].concat(got.length > 6 ? ["a", "b"] : []).toSorted(),
  );
  assertEquals([first.count("/ack"), all.shared.isDone], [0, true]);
  assert(second.count("/ack") >= 3);
  assert(troubles.length > 0 && troubles.every(({ failures }) => failures >= 1), JSON.stringify(troubles));
  await consumer.close();
});

Deno.test("an ack whose answer is lost is sent again", async () => {
  await using all = cluster(2);
  all.shared.write("a", "b");
  all.node.faults.push({ path: "/ack", fault: { cut: true } });
  assertEquals(await drain(all.consumer(), all.shared), ["a", "b"]);
  assertEquals(all.nodes.map((node) => node.count("/ack")), [1, 1]);
});

Deno.test("messages whose answer is cut off are given back, and asked for again", async () => {
  await using all = cluster();
  all.shared.write("a", "b");
  all.node.faults.push({ path: "/consume", fault: { cut: true } });
  assertEquals(await drain(all.consumer(), all.shared), ["a", "b"]);
  assertEquals(all.node.asked.filter((asked) => /^.lease.*\blease=0\b/.test(asked)).length, 1);
});

Deno.test("a refusal that passes is tried again, one that does not ends the loop", async () => {
  await using all = cluster();
  all.shared.write("a", "b");
  const troubles: Trouble[] = [];
  const consumer = all.consumer({ onTrouble: (trouble) => troubles.push(trouble) });
  all.node.faults.push({ path: "/consume", fault: { refuse: "overloaded" } });
  assertEquals(await drain(consumer, all.shared), ["a", "b"]);
  assertEquals(troubles.map(({ failures }) => failures), [1]);
  assert(troubles[0]!.retryMs >= 50);
  all.node.faults.push({ path: "/consume", fault: { refuse: "forbidden" } });
  const error = await assertRejects(() => consumer[Symbol.asyncIterator]().next(), ChukchaError);
  assertEquals(error.code, "forbidden");
});

Deno.test("when no node answers for giveUpMs, the last error is thrown", async () => {
  await using all = cluster(2);
  await Promise.all(all.nodes.map((node) => node.kill()));
  const troubles: Trouble[] = [];
  const consumer = all.consumer({ giveUpMs: 300, onTrouble: (trouble) => troubles.push(trouble) });
  await assertRejects(() => consumer[Symbol.asyncIterator]().next(), Error, "connection refused");
  // Both nodes, then a pause, each time: no busy loop.
  assert(troubles.length >= 3 && troubles.length <= 12, String(troubles.length));
  assertEquals(troubles.slice(0, 2).map(({ retryMs }) => retryMs > 0), [false, true]);
});

Deno.test("after a seek an ack says so, and what was handed out before is not given to the loop", async () => {
  await using all = cluster();
  all.shared.write("a", "b", "c", "d", "e", "f");
  const outcomes: string[] = [];
  const offsets: number[] = [];
  for await (const batch of all.consumer()) {
    offsets.push(batch.offset);
    if (outcomes.length === 0) {
      await all.node.until(() => all.node.lent.length === 3);
      all.shared.seek();
      all.node.leases = [];
    }
    outcomes.push(await batch.ack());
    if (all.shared.isDone) break;
  }
  assertEquals([offsets, outcomes], [[0, 0, 4, 8], ["moved", "done", "done", "done"]]);
});

Deno.test("a consumer goes back to the node it prefers, when that is ready and nothing is held", async () => {
  await using all = cluster(2);
  const [first, second] = [all.nodes[0]!, all.nodes[1]!];
  await first.kill();
  all.shared.write("a");
  const got: string[] = [];
  const acks: string[] = [];
  for await (const batch of all.consumer()) {
    got.push(...batch.texts());
    if (got.length === 1) {
      first.start();
      all.order.worked(first.client);
      // The request that waits at the second node is answered by this; before the next one, the first node is asked.
      all.shared.write("b");
      await first.until(() => first.count("/readyz") === 1);
      // The batch in work is held: it stays where it is.
      assertEquals(first.count("/consume"), 0);
      void first.until(() => first.count("/consume") === 1).then(() => all.shared.write("d"));
      all.shared.write("c");
    }
    await batch.ack();
    acks.push(`${first.count("/ack")} ${second.count("/ack")}`);
    if (got.length === 4) break;
  }
  assertEquals([got.toSorted(), acks[0], acks.at(-1)], [["a", "b", "c", "d"], "0 1", `1 ${acks.length - 1}`]);
});

Deno.test("messages are views of the batch, a byte order mark stays, and what is no JSON is named", async () => {
  await using all = cluster();
  all.node.batchMessages = 3;
  all.shared.write("1", "{", "");
  for await (const batch of all.consumer()) {
    assertEquals(Array.from(batch.messages(), ({ length }) => length), [1, 1, 0]);
    assert([...batch.messages()].every(({ buffer }) => buffer === batch.bytes.buffer));
    const values: unknown[] = [];
    const error = assertThrows(() => {
      for (const value of batch.json()) values.push(value);
    }, MessageError);
    assertEquals([values, error.chunk, error.offset, error.beginning], [[1], batch.chunk, 2, "{"]);
    assertEquals(error.message, `the message at offset 2 of chunk ${batch.chunk} is not JSON: "{"`);
    break;
  }
});

Deno.test("one loop at a time, and options are judged before anything is sent", async () => {
  await using all = cluster();
  all.shared.write("a");
  const consumer = all.consumer();
  for await (const _ of consumer) {
    await assertRejects(
      () => consumer[Symbol.asyncIterator]().next(),
      TypeError,
      "a loop goes over it already",
    );
    break;
  }
  const bad: Partial<ConsumerOptions>[] = [
    { name: "a/b" },
    { from: "soon" },
    { maxBytes: 0 },
    { maxBytes: 17 * 1024 * 1024 },
    { leaseMs: 1 },
    { leaseMs: 13 * 3_600_000 },
    { maxDeliveries: 1001 },
    { leaseMs: 1.5 * 1000 + 0.5 },
    { renewMs: -1 },
    { prefetch: -1 },
    { prefetch: 101 },
    { maxDeliveries: -1 },
    { giveUpMs: 0 },
    { giveUpMs: NaN },
  ];
  for (const options of bad) {
    const [name] = Object.keys(options);
    assertThrows(() => all.consumer(options), ChukchaError, `${name}: `);
  }
});

Deno.test("a node that has nothing and does not wait is not asked without pauses", async () => {
  const times: number[] = [];
  const controller = new AbortController();
  const client = new ChukchaClient({
    fetch: () => {
      times.push(performance.now());
      if (times.length === 4) controller.abort(new RangeError("enough"));
      return Promise.resolve(new Response(null, { status: 204 }));
    },
  });
  const nodes = { inOrder: () => [client], failed() {}, worked() {} };
  const consumer = new Consumer(nodes, "web", { name: "indexer", signal: controller.signal });
  await assertRejects(() => consumer[Symbol.asyncIterator]().next(), RangeError, "enough");
  assert(times.at(-1)! - times[0]! >= 250, String(times));
});
