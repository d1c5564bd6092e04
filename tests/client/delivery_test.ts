/**
 * What a producer does when nodes fail: which one is asked next, what is sent twice, and when it ends.
 *
 * Between attempts it pauses for up to some hundred milliseconds, by itself: nothing here waits for longer.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  Producer,
  ProducerError,
  type ProducerOptions,
  Servers,
  type Trouble,
} from "../../lib/client/mod.ts";
import { WriteStandIn } from "./write_stand_in.ts";

/** Nodes, the first of which is the one that the producer begins with. */
async function cluster(options: ProducerOptions = {}, count = 2) {
  const nodes = Array.from({ length: count }, (_, i) => new WriteStandIn(`node_${i}`));
  const servers = new Servers({ servers: nodes.map(({ url }) => url) });
  const troubles: Trouble[] = [];
  let told = Promise.withResolvers<void>();
  const onTrouble = (trouble: Trouble): void => {
    troubles.push(trouble);
    told.resolve();
    told = Promise.withResolvers();
  };
  const producer = new Producer(servers, "web", { onTrouble, ...options });
  await producer.send("hello");
  nodes.sort((a, b) => b.asked.length - a.asked.length);
  const lines = (): string[][] => nodes.map((node) => node.lines.filter((line) => line !== "hello"));
  return {
    nodes,
    servers,
    producer,
    troubles,
    /** Resolves when so many failures were told. */
    troubled: async (count: number) => {
      while (troubles.length < count) await told.promise;
    },
    lines,
    [Symbol.asyncDispose]: async () => {
      await producer.close().catch(() => {});
      await Promise.all(nodes.map((node) => node.kill()));
    },
  };
}

async function failure(promise: Promise<unknown>): Promise<ProducerError> {
  return await assertRejects(() => promise, ProducerError);
}

Deno.test("a node that is gone is passed over at once, and its messages are stored once", async () => {
  await using all = await cluster();
  await all.nodes[0]!.kill();
  assertEquals((await all.producer.send("a")).chunk.startsWith("node_"), true);
  assertEquals(all.lines(), [[], ["a"]]);
  // A connection that was kept may be found broken first, and then the node gone.
  assertEquals(all.troubles.at(-1)!.retryMs, 0);
  const told = all.troubles.length;
  await all.producer.send("b");
  assertEquals([all.lines()[1], all.troubles.length], [["a", "b"], told]);
});

Deno.test("what a node certainly did not write goes to the next one at once", async () => {
  await using all = await cluster();
  all.nodes[0]!.faults.push({ refuse: "disk_full" });
  await all.producer.send("a");
  assertEquals([all.lines(), all.troubles.map(({ retryMs }) => retryMs)], [[[], ["a"]], [0]]);
});

for (const cut of ["before", "after", "stored"] as const) {
  Deno.test(`a connection that is closed ${cut === "stored" ? "when all is stored" : `${cut} the body`} has the same node asked again`, async () => {
    await using all = await cluster();
    const [node] = all.nodes;
    // Twice: a runtime may send a request again by itself when a connection that was kept breaks.
    node!.faults.push({ cut }, { cut });
    const { offset } = await all.producer.send("a");
    assertEquals([all.lines(), offset], [[["a"], []], 6]);
    const sources = node!.asked.slice(1).map((query) => `${query.get("producer")} ${query.get("sequence")}`);
    assertEquals([sources.length, new Set(sources).size], [3, 1]);
    assert(
      all.troubles.length > 0 &&
        all.troubles.every(({ error }) => (error as { written: string }).written === "maybe"),
    );
  });
}

Deno.test("a node that says maybe again and again is left for another, where duplicates are allowed", async () => {
  await using all = await cluster();
  const maybe = { refuse: "not_confirmed", written: "maybe", stored: true } as const;
  all.nodes[0]!.faults.push(maybe, maybe, maybe);
  await all.producer.send("a");
  // This is how duplicates come to be.
  assertEquals(all.lines(), [["a"], ["a"]]);
});

Deno.test("what a node that is gone may have written goes to another one, where duplicates are allowed", async () => {
  await using all = await cluster();
  const [node] = all.nodes;
  const { promise: until, resolve: lift } = Promise.withResolvers<void>();
  node!.faults.push({ until });
  const sent = all.producer.send("a");
  await node!.until(() => node!.asked.length === 2);
  const gone = node!.kill();
  lift();
  await Promise.all([sent, gone]);
  assertEquals(all.lines()[1], ["a"]);
  // At once when it is known to be gone: the first failure may have been another one.
  assertEquals(all.troubles.at(-1)!.retryMs, 0);
  assert(all.troubles.length <= 2);
});

Deno.test("with duplicates refused the same node is asked until it is back, and stores once", async () => {
  await using all = await cluster({ duplicates: "refuse" });
  const [node] = all.nodes;
  node!.faults.push({ cut: "stored" }, { cut: "stored" });
  const sent = all.producer.send("a");
  await all.troubled(1);
  await node!.kill();
  await all.troubled(all.troubles.length + 2);
  node!.start();
  await sent;
  assertEquals(all.lines(), [["a"], []]);
});

Deno.test("with duplicates refused a message whose fate stays open is given up with maybe", async () => {
  await using all = await cluster({ duplicates: "refuse", giveUpMs: 300 });
  all.nodes[0]!.faults.push({ cut: "stored" }, { cut: "stored" });
  const sent = failure(all.producer.send("a"));
  await all.troubled(1);
  await all.nodes[0]!.kill();
  const error = await sent;
  assertEquals([error.code, error.written, all.lines()], ["given_up", "maybe", [["a"], []]]);
});

Deno.test("a message is given up when all nodes were asked and the time is over, with the last error as the cause", async () => {
  const failures: [ProducerError, number][] = [];
  await using all = await cluster({
    giveUpMs: 0,
    onFailure: (error, messages) => failures.push([error, messages]),
  });
  for (const node of all.nodes) node.faults.push({ refuse: "overloaded" }, { refuse: "overloaded" });
  const [first, second] = [failure(all.producer.send("a")), failure(all.producer.send("b"))];
  const error = await first;
  assertEquals([error.code, error.written, (error.cause as { code: string }).code], [
    "given_up",
    "no",
    "overloaded",
  ]);
  assertEquals(error.message, 'send to category "web": given up after 2 attempts: so it was planned');
  assertEquals([await second, failures], [error, [[error, 2]]]);
  // The next one is tried afresh.
  all.nodes.forEach(({ faults }) => faults.length = 0);
  await all.producer.send("c");
});

Deno.test("Retry-After is waited for when all nodes ask for it", async () => {
  await using all = await cluster({ giveUpMs: 5_000 }, 1);
  all.nodes[0]!.faults.push({ refuse: "overloaded", retryAfterS: 1 });
  const startMs = performance.now();
  await all.producer.send("a");
  assert(performance.now() - startMs >= 990);
  assert(all.troubles[0]!.retryMs >= 1000);
});

Deno.test("what trying again would not change is refused at once, with what the node said", async () => {
  await using all = await cluster();
  all.nodes[0]!.faults.push({ refuse: "forbidden" });
  const error = await failure(all.producer.send("a"));
  assertEquals([error.code, error.written], ["refused", "no"]);
  assertEquals(error.message, 'send to category "web": so it was planned');
  all.nodes[0]!.faults.push({ status: 200, text: "<h1>hello</h1>" });
  assertEquals((await failure(all.producer.send("a"))).written, "maybe");
  assertEquals(all.lines(), [[], []]);
});

Deno.test("what may be written is not sent in halves where duplicates are refused, since these would be news", async () => {
  await using all = await cluster({ duplicates: "refuse" });
  all.nodes[0]!.faults.push({ refuse: "internal", written: "maybe", stored: true }, { refuse: "too_large" });
  const sent = [all.producer.send("a"), all.producer.send("b")];
  const error = await failure(sent[0]!);
  assertEquals([error.code, error.written, await failure(sent[1]!)], ["refused", "maybe", error]);
  assertEquals(all.lines(), [["a", "b"], []]);
});

Deno.test("halves of what may be written say so when they fail", async () => {
  await using all = await cluster({}, 1);
  all.nodes[0]!.faults.push(
    { refuse: "internal", written: "maybe" },
    { refuse: "too_large" },
    { refuse: "forbidden" },
  );
  const sent = [all.producer.send("a"), all.producer.send("b")];
  assertEquals((await failure(sent[0]!)).written, "maybe");
  await sent[1];
});

Deno.test("a proxy's 502 may have been written, and the same node is asked again", async () => {
  await using all = await cluster();
  all.nodes[0]!.faults.push({ status: 502, text: "bad gateway" });
  await all.producer.send("a");
  assertEquals(all.lines(), [["a"], []]);
});

Deno.test("a node that swallows requests is passed over when its time is over", async () => {
  const nodes = [new WriteStandIn("node_0"), new WriteStandIn("node_1")];
  const { promise: until, resolve: lift } = Promise.withResolvers<void>();
  const servers = new Servers({ servers: nodes.map(({ url }) => url), timeoutMs: 30 });
  const producer = new Producer(servers, "web", { confirmMs: 20 });
  const silent = { until };
  await producer.send("hello");
  const [first, second] = nodes.toSorted((a, b) => b.asked.length - a.asked.length);
  first!.faults.push(silent, silent, silent);
  await producer.send("a");
  assertEquals(second!.lines, ["a"]);
  lift();
  await producer.close();
  for (const node of nodes) await node.kill();
});

Deno.test("a producer goes back to its node when that is ready again, and finds that out beside the writing", async () => {
  await using all = await cluster();
  const [node, other] = all.nodes;
  await node!.kill();
  await all.producer.send("a");
  node!.start();
  // Its rest is over, as far as others know.
  all.servers.clients.forEach((client) => all.servers.worked(client));
  for (let i = 0; i < 10_000 && !node!.lines.includes("b"); i++) await all.producer.send("b");
  assert(node!.lines.includes("b"));
  assert(other!.lines.includes("a"));
});

Deno.test("messages stay in order through failures of every kind", async () => {
  await using all = await cluster({ batchBytes: 40 }, 1);
  const [node] = all.nodes;
  node!.messageBytesMax = 20;
  node!.faults.push(
    { status: 413, text: "too large" },
    { refuse: "overloaded" },
    { cut: "stored" },
    { cut: "before" },
    { refuse: "not_confirmed", written: "maybe", stored: true },
    { refuse: "disk_full" },
  );
  const texts = Array.from({ length: 50 }, (_, i) => i === 30 ? "x".repeat(21) : `${i}`);
  const outcomes = await Promise.allSettled(texts.map((text) => all.producer.send(text)));
  assertEquals(outcomes.flatMap(({ status }, i) => status === "rejected" ? [i] : []), [30]);
  assertEquals(all.lines(), [texts.filter((text) => text.length < 20)]);
});

Deno.test("a message that is taken back between attempts is not sent any more", async () => {
  await using all = await cluster({}, 1);
  const controller = new AbortController();
  all.nodes[0]!.faults.push({ refuse: "overloaded", retryAfterS: 1 });
  const sent = [all.producer.send("a"), all.producer.send("b", { signal: controller.signal })];
  await all.troubled(1);
  controller.abort();
  assertEquals((await failure(sent[1]!)).written, "no");
  await sent[0];
  assertEquals(all.lines(), [["a"]]);
});

Deno.test("close ends a pause between attempts when its signal says so", async () => {
  await using all = await cluster({}, 1);
  all.nodes[0]!.faults.push({ refuse: "overloaded", retryAfterS: 60 });
  const sent = failure(all.producer.send("a"));
  await all.troubled(1);
  await failure(all.producer.close({ signal: AbortSignal.abort() }));
  assertEquals((await sent).written, "no");
});

Deno.test("producers of one program begin at nodes of their own", async () => {
  const nodes = Array.from({ length: 3 }, () => new WriteStandIn());
  const servers = new Servers({ servers: nodes.map(({ url }) => url) });
  for (let i = 0; i < 60; i++) {
    await using producer = new Producer(servers, "web");
    await producer.send("a");
  }
  assert(nodes.every(({ asked }) => asked.length > 5), nodes.map(({ asked }) => asked.length).join());
  for (const node of nodes) await node.kill();
});
