/**
 * Producers against real nodes: nothing is lost while nodes are killed, duplicates are counted, and memory stays bounded.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { connect, type ProducerError, withEventId } from "../../lib/client/mod.ts";
import { linesOf, TestCluster } from "../support/cluster.ts";
import { startChildNode, startLocalNode, temporaryDirectory } from "../support/node.ts";
import { report } from "../support/report.ts";

const EVENTS = 20_000;
const KILLS = 4;

/** How often each id is among these lines. */
function countIds(lines: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of lines) {
    const { event_id } = JSON.parse(line);
    counts.set(event_id, (counts.get(event_id) ?? 0) + 1);
  }
  return counts;
}

Deno.test("a message lies where its send said, whatever it is", async () => {
  await using node = await startLocalNode();
  await using chukcha = connect({ servers: node.url });
  await using producer = chukcha.producer("web");
  const values = ["text", "", { a: "ä\n" }, [1], null, 1.5, Uint8Array.of(0, 255, 13)];
  const places = await Promise.all(values.map((value) => producer.send(value!)));
  const all = await node.readAll("web");
  const found = places.map(({ offset, size }) => all.subarray(offset, offset + size - 1));
  assertEquals(found.slice(0, -1).map((bytes) => new TextDecoder().decode(bytes)), [
    "text",
    "",
    '{"a":"ä\\n"}',
    "[1]",
    "null",
    "1.5",
  ]);
  assertEquals([...found.at(-1)!], [0, 255, 13]);
});

Deno.test("a node's own limits refuse one message, and no other", async () => {
  await using node = await startLocalNode({ settings: { maxMessageSize: 1000, maxBatchSize: 4000 } });
  await using chukcha = connect({ servers: node.url });
  const producer = chukcha.producer("web");
  const texts = Array.from({ length: 500 }, (_, i) => "x".repeat(i === 123 ? 1001 : 1 + i * 37 % 1000));
  const outcomes = await Promise.allSettled(texts.map((text) => producer.send(text)));
  assertEquals(outcomes.flatMap(({ status }, i) => status === "rejected" ? [i] : []), [123]);
  assertEquals((await node.readText("web")).split("\n").slice(0, -1), texts.filter((_, i) => i !== 123));
});

Deno.test("nothing is lost while the node in use is killed again and again, and duplicates are few", async () => {
  await using cluster = await TestCluster.start();
  await using chukcha = connect({ servers: cluster.members.map(({ url }) => url) });
  await using producer = chukcha.producer("web", { batchBytes: 20_000, bufferBytes: 100_000 });
  const sent: Promise<string>[] = [];
  const killEvery = EVENTS / KILLS;
  let inUse = "";
  let killed: Promise<unknown> = Promise.resolve();
  for (let i = 0; i < EVENTS; i++) {
    const event = withEventId({ i, text: "x".repeat(i % 100) });
    await producer.ready;
    const storing = producer.send(event).then(({ chunk }) => {
      inUse = chunk;
      return event.event_id;
    });
    sent.push(storing);
    if (i % killEvery !== killEvery / 2) continue;
    await killed;
    const member = cluster.members.find(({ instance }) => inUse.startsWith(`${instance}-chunk`))!;
    // It has a batch under way; the others are written to until it is back.
    killed = member.kill().then(() => member.launch()).then(() => member.ready());
  }
  const ids = await Promise.all(sent);
  await killed;
  await cluster.converged();
  const chunks = await linesOf(cluster.at(0));
  const counts = countIds(chunks.flatMap(({ lines }) => lines));
  assertEquals(ids.filter((id) => !counts.has(id)), []);
  const duplicates = [...counts.values()].reduce((sum, count) => sum + count - 1, 0);
  report(`    a producer and ${KILLS} kills: ${EVENTS} events, ${duplicates} duplicates`);
  // At most the batch that was under way at each kill.
  assert(duplicates <= KILLS * 20_000 / 60, `${duplicates}`);
});

Deno.test("with duplicates refused, a node that is killed and comes back stores each message once", async () => {
  await using directory = await temporaryDirectory();
  let node = await startChildNode(directory.path);
  const flags = ["--listen", `127.0.0.1:${node.port}`];
  await using chukcha = connect({ servers: node.url });
  const producer = chukcha.producer("web", {
    duplicates: "refuse",
    batchBytes: 20_000,
    bufferBytes: 100_000,
  });
  const sent: Promise<unknown>[] = [];
  for (let i = 0; i < EVENTS; i++) {
    await producer.ready;
    sent.push(producer.send(`${i}`));
    if (i % (EVENTS / 2) !== EVENTS / 4) continue;
    await node.kill();
    node = await startChildNode(directory.path, ...flags);
  }
  await Promise.all(sent);
  await producer.close();
  const numbers = (await node.readText("web")).split("\n").slice(0, -1);
  assertEquals(numbers, Array.from({ length: EVENTS }, (_, i) => `${i}`));
  await node.stop();
});

Deno.test("of a million sends nothing is left, and what is held meanwhile is bounded", async () => {
  let size = 0;
  const fetch = async (_url: string, init: RequestInit): Promise<Response> => {
    // A task, as with a socket: the program goes on meanwhile.
    await new Promise((resolve) => setTimeout(resolve));
    const { length } = init.body as Uint8Array;
    size += length;
    return Response.json({ chunk: "node-chunk000000000", offset: size - length, size: length });
  };
  await using chukcha = connect({ fetch });
  await using producer = chukcha.producer("web", { bufferBytes: 1_000_000 });
  const { signal } = new AbortController();
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const used = (): number => {
    collect();
    const { heapUsed, external } = Deno.memoryUsage();
    return heapUsed + external;
  };
  /** What is in use while most is held. */
  const run = async (count: number): Promise<number> => {
    let most = 0;
    let waits = 0;
    for (let i = 0; i < count; i++) {
      if (producer.desiredSize <= 0) {
        if (waits++ % 50 === 0) most = Math.max(most, used());
        await producer.ready;
      }
      if (i % 100 === 0) producer.send(i, { signal });
      else producer.send("x".repeat(20));
    }
    await producer.flush();
    return most;
  };
  await run(100_000);
  const before = used();
  const most = await run(1_000_000);
  assert(most - before < 8_000_000, `${most - before} bytes more are in use while a million is held back`);
  const left = used() - before;
  assert(left < 2_000_000, `${left} bytes more are in use after a million sends`);
});

Deno.test("a program that does not wait is refused before its memory is gone", async () => {
  const fetch = (_url: string, { signal }: RequestInit): Promise<Response> =>
    new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
  const chukcha = connect({ fetch });
  const producer = chukcha.producer("web", { bufferBytes: 1_000_000 });
  let full = 0;
  const text = "x".repeat(100);
  for (let i = 0; i < 100_000; i++) {
    producer.send(text).catch((error: ProducerError) => {
      if (error.code === "buffer_full") full++;
    });
  }
  assert(producer.desiredSize >= -1_000_000);
  await producer.close({ signal: AbortSignal.abort() }).catch(() => {});
  assert(full > 90_000, `${full}`);
});
