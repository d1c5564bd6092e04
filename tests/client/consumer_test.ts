/**
 * A consumer's loop against stand-ins: what it gets, what it gives back, and what it does when nodes fail.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Batch,
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
