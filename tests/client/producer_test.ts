/**
 * A producer against stand-ins for nodes: what it sends together, what its senders are told, what it holds, and how it ends.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  ChukchaError,
  connect,
  Producer,
  ProducerError,
  type ProducerOptions,
  Servers,
} from "../../lib/client/mod.ts";
import { WriteStandIn } from "./write_stand_in.ts";

/** A producer to one node. */
async function one(options: ProducerOptions = {}) {
  const node = new WriteStandIn();
  const producer = new Producer(new Servers({ servers: node.url }), "web", options);
  await Promise.resolve();
  return {
    node,
    producer,
    [Symbol.asyncDispose]: async () => {
      await producer.close().catch(() => {});
      await node.kill();
    },
  };
}

/** What a promise rejects with. */
async function failure(promise: Promise<unknown>): Promise<ProducerError> {
  return await assertRejects(() => promise, ProducerError);
}

/** A fault that lasts until it is lifted. */
function held() {
  const { promise: until, resolve: lift } = Promise.withResolvers<void>();
  return { until, lift };
}

Deno.test("send tells each sender where its own message lies", async () => {
  await using all = await one();
  const { producer, node } = all;
  const sent = [
    producer.send("ä"),
    producer.send({ a: 1 }),
    producer.send(Uint8Array.of(65, 0, 66)),
    producer.send(""),
  ];
  const places = await Promise.all(sent);
  assertEquals(node.batches, ['ä\n{"a":1}\nA\0B\n\n']);
  assertEquals(places.map(({ chunk, offset, size }) => `${chunk}:${offset}+${size}`), [
    "node-chunk000000000:0+3",
    "node-chunk000000000:3+8",
    "node-chunk000000000:11+4",
    "node-chunk000000000:15+1",
  ]);
  assertEquals((await producer.send("next")).offset, 16);
});

Deno.test("what is sent in one turn goes together, and what comes while a batch is under way goes in the next", async () => {
  await using all = await one();
  const { producer, node } = all;
  const pause = held();
  node.faults.push(pause);
  const first = [producer.send("a"), producer.send("b")];
  await node.until(() => node.asked.length === 1);
  const second = ["c", "d", "e"].map((text) => producer.send(text));
  pause.lift();
  await Promise.all([...first, ...second]);
  assertEquals(node.batches, ["a\nb\n", "c\nd\ne\n"]);
});

Deno.test("lingerMs lets a batch wait for more, and neither a full batch nor flush waits", async () => {
  await using all = await one({ lingerMs: 60_000, batchBytes: 9 });
  const { producer, node } = all;
  const sent = ["aaa", "bbb", "ccc"].map((text) => producer.send(text));
  await Promise.all(sent.slice(0, 2));
  assertEquals(node.batches, ["aaa\nbbb\n"]);
  await producer.flush();
  assertEquals(node.batches, ["aaa\nbbb\n", "ccc\n"]);
});

Deno.test("with several in flight, only full batches go beside another one", async () => {
  await using all = await one({ inFlight: 2, batchBytes: 8 });
  const { producer, node } = all;
  const pause = held();
  node.faults.push(pause);
  const first = producer.send("a");
  await node.until(() => node.asked.length === 1);
  const sent = [producer.send("bbb"), producer.send("ccc"), producer.send("d")];
  await Promise.all(sent.slice(0, 2));
  assertEquals(node.batches, ["bbb\nccc\n"]);
  pause.lift();
  await Promise.all([first, ...sent]);
  assertEquals(node.batches, ["bbb\nccc\n", "a\n", "d\n"]);
});

Deno.test("a text that does not fit goes whole into the next batch", async () => {
  await using all = await one({ batchBytes: 20 });
  const texts = ["aaaa", "水水水水", "水水", "ЖЖ", "b".repeat(14), "c"];
  await Promise.all(texts.map((text) => all.producer.send(text)));
  assertEquals(all.node.lines, texts);
});

Deno.test("a producer that is closed leaves nothing at its signal", async () => {
  const { signal } = new AbortController();
  const kept: string[] = [];
  signal.addEventListener = (type: string) => void kept.push(type);
  signal.removeEventListener = (type: string) => void kept.splice(kept.indexOf(type), 1);
  const all = await one({ signal });
  assertEquals(kept, ["abort"]);
  const sent = all.producer.send("a", { signal });
  assertEquals(kept, ["abort", "abort"]);
  await sent;
  await all[Symbol.asyncDispose]();
  assertEquals(kept, []);
});

Deno.test("lingerMs ends by itself", async () => {
  await using all = await one({ lingerMs: 5 });
  const first = all.producer.send("a");
  await Promise.resolve();
  await Promise.all([first, all.producer.send("b")]);
  assertEquals(all.node.batches, ["a\nb\n"]);
});

Deno.test("batches hold what was sent, whatever its size and script, and stay in order", async () => {
  await using all = await one({ batchBytes: 100 });
  const { producer, node } = all;
  const texts = Array.from({ length: 300 }, (_, i) => `${i} ${"aЖ水🐾"[i % 5] ?? ""}`.repeat(1 + i * 7 % 60));
  const values = texts.map((text, i) => i % 3 === 0 ? new TextEncoder().encode(text) : text);
  const places = await Promise.all(values.map((value) => producer.send(value)));
  // A text may be cut within a surrogate pair: that half is U+FFFD in UTF-8, as anywhere.
  const expected = texts.map((text) => new TextDecoder().decode(new TextEncoder().encode(text)));
  assertEquals(node.lines, expected);
  const whole = new TextEncoder().encode(node.batches.join(""));
  places.forEach(({ offset, size }, i) => {
    assertEquals(new TextDecoder().decode(whole.subarray(offset, offset + size)), `${expected[i]}\n`);
  });
  const size = (text: string): number => new TextEncoder().encode(text).length;
  assert(node.batches.every((batch) => size(batch) <= 100 || batch.split("\n").length === 2));
});

Deno.test("inFlight sends full batches side by side", async () => {
  await using all = await one({ inFlight: 3, batchBytes: 4 });
  const { producer, node } = all;
  const pauses = [held(), held(), held()];
  node.faults.push(...pauses);
  const sent = ["a", "b", "c", "d"].map((text) => producer.send(text.repeat(3)));
  await node.until(() => node.asked.length === 3);
  pauses.forEach(({ lift }) => lift());
  await Promise.all(sent);
  assertEquals(node.lines.toSorted(), ["aaa", "bbb", "ccc", "ddd"]);
});

Deno.test("a batch over the node's limit is halved, and only the message that is too long is refused", async () => {
  await using all = await one();
  const { producer, node } = all;
  node.messageBytesMax = 10;
  const texts = Array.from({ length: 20 }, (_, i) => i === 7 || i === 13 ? "x".repeat(11) : `${i}`);
  const outcomes = await Promise.allSettled(texts.map((text) => producer.send(text)));
  const refused = outcomes.flatMap((outcome, i) => outcome.status === "rejected" ? [i] : []);
  assertEquals(refused, [7, 13]);
  assertEquals(node.lines, texts.filter((text) => text.length <= 10));
  const { reason } = outcomes[7] as PromiseRejectedResult;
  assertEquals([reason.code, reason.written, reason.cause.code], ["too_large", "no", "too_large"]);
  assert(reason.message.includes("the message of 11 bytes is refused"), reason.message);
  await failure(producer.flush());
});

Deno.test("a batch limit that was met is kept from then on", async () => {
  await using all = await one();
  const { producer, node } = all;
  node.batchBytesMax = 40;
  const texts = Array.from({ length: 10 }, (_, i) => `message${i}`);
  await Promise.all(texts.map((text) => producer.send(text)));
  const asked = node.asked.length;
  await Promise.all(texts.map((text) => producer.send(text)));
  assertEquals(node.lines, [...texts, ...texts]);
  // Without a refusal this time.
  assertEquals(node.asked.length - asked, node.batches.length / 2);
});

Deno.test("a proxy that finds a batch too large has it halved as well", async () => {
  await using all = await one();
  all.node.faults.push({ status: 413, text: "<h1>Request Entity Too Large</h1>" });
  await Promise.all(["a", "b"].map((text) => all.producer.send(text)));
  assertEquals(all.node.batches, ["a\n", "b\n"]);
});

Deno.test("send refuses without sending what no node would take", async () => {
  await using all = await one();
  const { producer, node } = all;
  assertEquals((await failure(producer.send("a\nb"))).code, "not_a_message");
  assertEquals((await failure(producer.send(new Uint8Array(16 * 1024 * 1024)))).code, "too_large");
  await producer.flush();
  assertEquals(node.asked, []);
});

Deno.test("ready waits while the buffer is full, send goes on to twice that, and then refuses", async () => {
  await using all = await one({ bufferBytes: 10_000, batchBytes: 1000 });
  const { producer, node } = all;
  const pause = held();
  node.faults.push(pause);
  const sent: Promise<unknown>[] = [];
  while (producer.desiredSize > 0) sent.push(producer.send("x".repeat(99)));
  // 356 each.
  assertEquals(sent.length, 29);
  let isReady = false;
  const ready = producer.ready.then(() => isReady = true);
  while (producer.desiredSize > -9_700) sent.push(producer.send("x".repeat(99)));
  const error = await failure(producer.send("x".repeat(99)));
  assertEquals([error.code, error.written, isReady], ["buffer_full", "no", false]);
  pause.lift();
  await ready;
  assert(producer.desiredSize > 0);
  await Promise.all(sent);
  await producer.flush().catch(() => {});
  assertEquals(producer.desiredSize, 10_000);
});

Deno.test("a message larger than the buffer is taken when nothing else is held", async () => {
  await using all = await one({ bufferBytes: 10 });
  await all.producer.send("x".repeat(1000));
  assertEquals(all.node.lines, ["x".repeat(1000)]);
});

Deno.test("the signal of a send takes its message back while it is not under way, and no other", async () => {
  await using all = await one();
  const { producer, node } = all;
  const pause = held();
  node.faults.push(pause);
  const [early, late] = [new AbortController(), new AbortController()];
  const first = producer.send("first", { signal: late.signal });
  await node.until(() => node.asked.length === 1);
  const others = ["a", "b", "c"].map((text, i) =>
    producer.send(text, { signal: i === 1 ? early.signal : undefined })
  );
  early.abort(new RangeError("enough"));
  late.abort();
  const taken = await failure(others[1]!);
  assertEquals([taken.code, taken.written], ["aborted", "no"]);
  assert(taken.cause instanceof RangeError);
  const late_ = await failure(first);
  assertEquals([late_.code, late_.written], ["aborted", "maybe"]);
  assertEquals((await failure(producer.send("d", { signal: early.signal }))).written, "no");
  pause.lift();
  const places = await Promise.all([others[0]!, others[2]!]);
  assertEquals([node.lines, places.map(({ offset }) => offset)], [["first", "a", "c"], [6, 8]]);
  await producer.flush();
});

Deno.test("a batch of which everything was taken back is not sent", async () => {
  await using all = await one({ lingerMs: 60_000 });
  const controller = new AbortController();
  const { signal } = controller;
  const sent = [all.producer.send("a", { signal }), all.producer.send("b", { signal })];
  controller.abort();
  for (const promise of sent) assertEquals((await failure(promise)).code, "aborted");
  await all.producer.flush();
  assertEquals([all.node.asked, all.producer.desiredSize], [[], 4_194_304]);
});

Deno.test("the signal of a producer ends it at once, whatever is under way", async () => {
  const controller = new AbortController();
  const failures: string[] = [];
  await using all = await one({
    signal: controller.signal,
    batchBytes: 10,
    onFailure: ({ code, written }, messages) => failures.push(`${messages} ${code} ${written}`),
  });
  const { producer, node } = all;
  const pause = held();
  node.faults.push(pause);
  const sent = ["aaaaa", "bbb", "ccccc"].map((text) => producer.send(text));
  const last = failure(sent[2]!);
  await node.until(() => node.asked.length === 1);
  const flushing = failure(producer.flush());
  controller.abort(new RangeError("enough"));
  assertEquals((await failure(sent[0]!)).written, "maybe");
  const error = await last;
  assertEquals([error.code, error.written, (error.cause as Error).message], ["aborted", "no", "enough"]);
  assertEquals((await flushing).code, "aborted");
  assertEquals(failures, ["2 aborted maybe", "1 aborted no"]);
  assertEquals((await failure(producer.send("d"))).code, "aborted");
  await producer.ready;
  pause.lift();
});

Deno.test("what a hook sends while its producer is aborted is refused", async () => {
  const controller = new AbortController();
  let late: Promise<unknown> | undefined;
  await using all = await one({
    signal: controller.signal,
    lingerMs: 60_000,
    onFailure: () => void (late = all.producer.send("late")),
  });
  const sent = failure(all.producer.send("a"));
  controller.abort();
  await sent;
  assertEquals((await failure(late!)).code, "aborted");
});

Deno.test("a producer whose signal is aborted already sends nothing", async () => {
  await using all = await one({ signal: AbortSignal.abort() });
  assertEquals((await failure(all.producer.send("a"))).code, "aborted");
  await all.producer.close();
});

Deno.test("close sends what is there, and takes nothing more", async () => {
  await using all = await one({ lingerMs: 60_000 });
  const { producer, node } = all;
  const sent = producer.send("a");
  const closing = producer.close();
  assertEquals((await failure(producer.send("b"))).code, "closed");
  await closing;
  await sent;
  await producer.close();
  assertEquals(node.lines, ["a"]);
});

Deno.test("the signal of close ends the waiting, and what is not stored is told so", async () => {
  await using all = await one();
  const pause = held();
  all.node.faults.push(pause);
  const sent = failure(all.producer.send("a"));
  await all.node.until(() => all.node.asked.length === 1);
  assertEquals((await failure(all.producer.close({ signal: AbortSignal.abort() }))).code, "aborted");
  assertEquals((await sent).written, "maybe");
  pause.lift();
});

Deno.test("the signal of flush ends the waiting alone", async () => {
  await using all = await one();
  const pause = held();
  all.node.faults.push(pause);
  const sent = all.producer.send("a");
  const controller = new AbortController();
  const flushing = failure(all.producer.flush({ signal: controller.signal }));
  controller.abort();
  assertEquals((await flushing).code, "aborted");
  pause.lift();
  await sent;
});

Deno.test("flush and close throw the first failure since the last flush; leaving a block only what fails in it", async () => {
  await using all = await one();
  const { producer, node } = all;
  node.faults.push({ refuse: "forbidden" }, { refuse: "unauthenticated" });
  // Nobody looks at what these reject with.
  producer.send("a");
  await failure(producer.flush());
  producer.send("b");
  await producer.send("c").catch(() => {});
  await producer.flush().then(() => {
    throw new Error("the failure of the second is not told");
  }, ({ cause }) => assertEquals(cause.code, "unauthenticated"));
  await producer.flush();

  node.faults.push({ refuse: "forbidden" });
  const left = await assertRejects(async () => {
    await using second = new Producer(new Servers({ servers: node.url }), "web");
    await second.send("d");
  }, ProducerError);
  assertEquals(left.code, "refused");
  node.faults.push({ refuse: "forbidden" });
  const lost = await assertRejects(async () => {
    await using third = new Producer(new Servers({ servers: node.url }), "web");
    third.send("e");
  }, ProducerError);
  assertEquals(lost.code, "refused");
});

Deno.test("a rejection that nobody looks at is never unhandled", async () => {
  const unhandled: unknown[] = [];
  const note = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  addEventListener("unhandledrejection", note);
  try {
    const all = await one();
    const { producer, node } = all;
    node.faults.push({ refuse: "forbidden" });
    const controller = new AbortController();
    producer.send("a");
    producer.send("b", { signal: controller.signal });
    producer.send("c\n");
    controller.abort();
    producer.flush({ signal: AbortSignal.abort() });
    producer.flush();
    await producer.ready;
    producer.send("d");
    producer.close();
    producer.close({ signal: AbortSignal.abort() });
    producer.send("e");
    await all[Symbol.asyncDispose]();
    // Unhandled rejections are told in a task of their own.
    await new Promise((resolve) => setTimeout(resolve));
  } finally {
    removeEventListener("unhandledrejection", note);
  }
  assertEquals(unhandled, []);
});

Deno.test("a hook that throws is reported as a program's own error, and keeps nothing from being sent", async () => {
  const errors: unknown[] = [];
  const note = (event: ErrorEvent): void => {
    event.preventDefault();
    errors.push(event.error);
  };
  addEventListener("error", note);
  try {
    await using all = await one({
      onTrouble: () => {
        throw new RangeError("of the hook");
      },
    });
    all.node.faults.push({ refuse: "overloaded" });
    await all.producer.send("a");
    assertEquals(all.node.lines, ["a"]);
  } finally {
    removeEventListener("error", note);
  }
  assertEquals(errors.map(String), ["RangeError: of the hook"]);
});

Deno.test("options are judged at once, by name", () => {
  const servers = new Servers();
  const wrong: ProducerOptions[] = [
    { batchBytes: 0 },
    { batchBytes: 16 * 1024 * 1024 + 1 },
    { lingerMs: -1 },
    { lingerMs: 0.5 },
    { inFlight: 0 },
    { inFlight: 65 },
    { bufferBytes: 0 },
    { minSyncReplicas: -1 },
    { confirmMs: 0 },
    { giveUpMs: NaN },
    { duplicates: "never" as "refuse" },
  ];
  for (const options of wrong) {
    const [name] = Object.keys(options);
    assertThrows(() => new Producer(servers, "web", options), ChukchaError, `${name}: `);
  }
  assertThrows(() => new Producer(servers, "a/b"), ChukchaError, "category: ");
});

Deno.test("a connection's close ends its producers, after they sent what they hold", async () => {
  await using node = new WriteStandIn();
  const chukcha = connect({ servers: node.url });
  const producer = chukcha.producer("web", { lingerMs: 60_000 });
  const sent = producer.send("a");
  await chukcha.close();
  await sent;
  assertEquals((await failure(producer.send("b"))).code, "closed");
  assertEquals(node.lines, ["a"]);
});

Deno.test("a connection's signal ends its producers at once", async () => {
  await using node = new WriteStandIn();
  const controller = new AbortController();
  await using chukcha = connect({ servers: node.url, signal: controller.signal });
  const producer = chukcha.producer("web", { lingerMs: 60_000 });
  const sent = failure(producer.send("a"));
  controller.abort();
  const error = await sent;
  assertEquals([error.code, error.written, node.asked], ["aborted", "no", []]);
});
