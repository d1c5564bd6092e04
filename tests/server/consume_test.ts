/**
 * Named consumers through a real socket: what is handed out, to whom, how often, and what an ack covers.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CONSUME_WAIT_MS_MAX, KIB, MIB } from "../../lib/protocol/limits.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import {
  type LocalNode,
  startChildNode,
  startLocalNode,
  temporaryDirectory,
  until,
} from "../support/node.ts";
import { RawConnection } from "../support/raw_http.ts";
import { chunkOf, ConsumerCalls, type Taken } from "./consumer_calls.ts";

const LEASED = "&lease=1000";

/** How many polls wait at a node. */
function polls(node: LocalNode): number {
  return node.built.service.dispensed.polls;
}

/** Resolves once that many polls wait. */
async function waiting(node: LocalNode, count: number): Promise<void> {
  await until(`${count} polls wait`, () => settle().then(() => polls(node)), (now) => now === count);
}

async function error(node: LocalNode, path: string, init?: RequestInit): Promise<[number, string, string]> {
  const response = await node.fetch(path, init);
  const { error } = await response.json();
  return [response.status, error.code, error.message];
}

Deno.test("/consume hands out what is not acknowledged, as often as it is asked, and goes on behind an ack", async () => {
  await using node = await startLocalNode();
  const a = new ConsumerCalls(node, "a");
  assertEquals(await a.take(), 204);
  await node.write("c", "one\ntwo\n");
  for (let i = 0; i < 3; i++) assertEquals(await a.take("&max_size=5"), "one\n");
  const taken = await a.consume();
  assertEquals(taken, {
    status: 200,
    text: "one\ntwo\n",
    chunk: chunkOf(0),
    offset: 0,
    next: 8,
    epoch: 0,
    deliveries: -1,
  });
  await node.write("c", "three\n");
  assertEquals(await a.ack({ chunk: taken.chunk, next: 4 }), [200, ""]);
  assertEquals(await a.take(), "two\nthree\n");
  assertEquals(await a.ack({ chunk: taken.chunk, next: 14 }, "GET"), [200, ""]);
  assertEquals(await a.take(), 204);
  assertEquals(await node.readText("c"), "one\ntwo\nthree\n", "nothing is deleted for others");
});

Deno.test("two consumers of one category, and one name in two categories, see everything each", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: KIB } });
  const lines = Array.from({ length: 40 }, (_, i) => `${i} ${"x".repeat(97)}\n`);
  for (const line of lines) await node.write("c", line);
  await node.write("d", "other\n");
  const [a, b] = [new ConsumerCalls(node, "a"), new ConsumerCalls(node, "b")];
  assertEquals(await a.drain("&max_size=300"), lines.join(""));
  assertEquals(await b.drain(LEASED), lines.join(""));
  assertEquals(await new ConsumerCalls(node, "a", "d").drain(), "other\n");
});

Deno.test("/consume waits for a write, also to a category that is not there yet, and gives up after wait", async () => {
  const clock = new FakeClock();
  await using node = await startLocalNode({ clock });
  const a = new ConsumerCalls(node, "a");
  const first = a.take("&wait=60000");
  await waiting(node, 1);
  await node.write("c", "one\n");
  assertEquals(await first, "one\n");
  assertEquals(await a.drain(), "one\n");
  const second = a.take("&wait=500");
  await waiting(node, 1);
  clock.advance(499);
  await settle();
  assertEquals(polls(node), 1);
  clock.advance(1);
  assertEquals(await second, 204);
  assertEquals(polls(node), 0);
});

Deno.test("of many workers that wait, each write is given to one, and the others wait on", async () => {
  await using node = await startLocalNode({ clock: new FakeClock() });
  const a = new ConsumerCalls(node, "a");
  const workers = Array.from({ length: 20 }, () => a.consume(`${LEASED}&wait=60000`));
  await waiting(node, 20);
  for (let i = 0; i < 20; i++) {
    await node.write("c", `${i}\n`);
    await waiting(node, 19 - i);
  }
  const given = (await Promise.all(workers)).map(({ text }) => text);
  assertEquals(given.toSorted(), Array.from({ length: 20 }, (_, i) => `${i}\n`).toSorted());
});

Deno.test("what is lent is nobody else's until its time is over; then it comes first, with its count", async () => {
  const clock = new FakeClock();
  await using node = await startLocalNode({ clock });
  await node.write("c", "one\ntwo\nthree\n");
  const a = new ConsumerCalls(node, "a");
  const one = await a.consume(`${LEASED}&max_size=4`);
  const two = await a.consume(`${LEASED}&max_size=4`);
  assertEquals([one.text, two.text, one.deliveries], ["one\n", "two\n", 1]);
  assertEquals(await a.lease(two, 5000), [200, ""]);
  assertEquals(await a.take(`&max_size=6`), "three\n", "without a lease, what is lent is left out as well");
  const late = a.consume(`${LEASED}&max_size=4&wait=60000`).then(({ status }) => status);
  assertEquals(await late, 400, "the next message is longer than that");
  clock.advance(1000);
  const again = await a.consume(LEASED);
  assertEquals([again.text, again.deliveries], ["one\n", 2]);
  assertEquals((await a.consume(LEASED)).text, "three\n");
  assertEquals(await a.take(LEASED), 204);
  assertEquals(await a.lease(two, 0), [200, ""]);
  assertEquals(await a.lease(two, 0), [409, "not_leased"]);
  const back = await a.consume(LEASED);
  assertEquals([back.text, back.deliveries], ["two\n", 2]);
});

Deno.test("a worker that waits is given what another one's lease gives up, by time and by hand", async () => {
  const clock = new FakeClock();
  await using node = await startLocalNode({ clock });
  await node.write("c", "one\n");
  const a = new ConsumerCalls(node, "a");
  const first = await a.consume(LEASED);
  const byTime = a.consume(`${LEASED}&wait=60000`);
  await waiting(node, 1);
  clock.advance(1000);
  const second = await byTime;
  assertEquals([second.text, second.deliveries], ["one\n", 2]);
  assertEquals(await a.lease(first, 5000, 1), [409, "not_leased"], "it is another worker's now");
  const byHand = a.consume(`${LEASED}&wait=60000`);
  await waiting(node, 1);
  assertEquals(await a.lease(first, 0), [200, ""]);
  assertEquals((await byHand).deliveries, 3);
});

Deno.test("a piece that came back is cut where max_size is smaller, and keeps its count", async () => {
  const clock = new FakeClock();
  await using node = await startLocalNode({ clock });
  await node.write("c", "one\ntwo\nthree\n");
  const a = new ConsumerCalls(node, "a");
  const whole = await a.consume(LEASED);
  clock.advance(1000);
  const part = await a.consume(`${LEASED}&max_size=8`);
  assertEquals([part.text, part.deliveries], ["one\ntwo\n", 2]);
  assertEquals(await a.ack(whole), [200, ""], "the first worker has done all of it after all");
  assertEquals(await a.take(LEASED), 204);
  assertEquals(await a.ack({ chunk: part.chunk, next: part.next }), [200, ""]);
});

Deno.test("/ack without offset: the piece that ends there, or all before it, or a 409", async () => {
  const clock = new FakeClock();
  await using node = await startLocalNode({ clock });
  await node.write("c", "one\ntwo\nthree\n");
  const leased = new ConsumerCalls(node, "leased");
  const one = await leased.consume(`${LEASED}&max_size=4`);
  const two = await leased.consume(`${LEASED}&max_size=4`);
  const { chunk } = one;
  assertEquals(await leased.ack({ chunk, next: 14 }), [409, "not_leased"]);
  clock.advance(1000);
  assertEquals(
    await leased.ack({ chunk, next: two.next }),
    [200, ""],
    "its time is over, and it is known still",
  );
  assertEquals(await leased.ack({ chunk, next: two.next }), [200, ""], "sent again");
  assertEquals(await leased.drain(LEASED), "one\nthree\n");
  const plain = new ConsumerCalls(node, "plain");
  assertEquals(await plain.ack({ chunk, next: 8 }), [200, ""]);
  assertEquals(await plain.drain(), "three\n");
});

Deno.test("/ack with offset covers exactly that; between messages only", async () => {
  await using node = await startLocalNode();
  await node.write("c", "one\ntwo\nthree\n");
  const a = new ConsumerCalls(node, "a");
  const { chunk } = await a.consume();
  assertEquals(await a.ack({ chunk, offset: 4, next: 8 }), [200, ""]);
  assertEquals(await a.drain(), "one\nthree\n");
  for (const [offset, next] of [[0, 5], [5, 8], [1, 3]] as const) {
    assertEquals(await a.ack({ chunk, offset, next }), [400, "invalid_parameter"], `${offset} ${next}`);
  }
  assertEquals(await a.ack({ chunk, offset: 8, next: 15 }), [409, "not_complete"]);
  assertEquals(await a.ack({ chunk, offset: 8, next: 4 }), [400, "invalid_parameter"]);
});

Deno.test("/seek back and forth: what is out is handed out anew, and its old ack is refused", async () => {
  await using node = await startLocalNode();
  await node.write("c", "one\ntwo\n");
  const a = new ConsumerCalls(node, "a");
  const one = await a.consume(`${LEASED}&max_size=4`);
  assertEquals(await a.drain(LEASED), "two\n");
  assertEquals(await a.seek("earliest"), [200, ""]);
  assertEquals(await a.ack(one), [409, "position_moved"]);
  const again = await a.consume(LEASED);
  assertEquals([again.text, again.epoch, again.deliveries], ["one\ntwo\n", 1, 1]);
  assertEquals(await a.seek("latest"), [200, ""]);
  assertEquals(await a.take(LEASED), 204);
  await node.write("c", "three\n");
  assertEquals(await a.drain(LEASED), "three\n");
  assertEquals(await a.seek(`${chunkOf(0)}:5`), [400, "invalid_parameter"], "inside of a message");
  assertEquals(await a.seek(`${chunkOf(0)}:4`), [200, ""]);
  assertEquals(await a.drain(), "two\nthree\n");
});

Deno.test("/seek wakes who waits", async () => {
  await using node = await startLocalNode({ clock: new FakeClock() });
  await node.write("c", "one\n");
  const a = new ConsumerCalls(node, "a");
  assertEquals(await a.drain(), "one\n");
  const waits = a.take("&wait=60000");
  await waiting(node, 1);
  assertEquals(await a.seek("earliest"), [200, ""]);
  assertEquals(await waits, "one\n");
});

Deno.test("/consume from latest, and from a time, of a consumer that is new", async () => {
  const clock = new FakeClock();
  await using node = await startLocalNode({ clock });
  await node.write("c", "one\n");
  clock.advance(60_000);
  const time = clock.now();
  await node.write("c", "two\n");
  assertEquals(await new ConsumerCalls(node, "time").drain(`&from=${time}`), "two\n");
  const latest = new ConsumerCalls(node, "latest");
  assertEquals(await latest.take("&from=latest"), 204);
  await node.write("c", "three\n");
  assertEquals(await latest.drain("&from=earliest"), "three\n", "it is not new any more");
});

Deno.test("a consumer that is forgotten: who waits is told, and a new use begins anew", async () => {
  await using node = await startLocalNode({ clock: new FakeClock() });
  await node.write("c", "one\n");
  const a = new ConsumerCalls(node, "a");
  assertEquals(await a.forget(), [404, "consumer_not_found"]);
  assertEquals(await a.drain(), "one\n");
  const waits = a.take("&wait=60000");
  await waiting(node, 1);
  assertEquals(await a.forget(), [200, ""]);
  assertEquals(await waits, 404);
  assertEquals(await (await node.fetch("/consumers")).json(), []);
  assertEquals(await a.ack({ chunk: chunkOf(0), next: 4 }), [404, "consumer_not_found"]);
  assertEquals(await a.drain(), "one\n");
});

Deno.test("a restart gives up leases and keeps places", async () => {
  await using directory = await temporaryDirectory();
  {
    await using node = await startChildNode(directory.path);
    await node.write("c", "one\ntwo\nthree\n");
    const a = new ConsumerCalls(node, "a");
    await a.consume("&lease=60000&max_size=4");
    const two = await a.consume("&lease=60000&max_size=4");
    assertEquals(await a.ack(two), [200, ""]);
    await node.kill();
  }
  await using node = await startChildNode(directory.path);
  const a = new ConsumerCalls(node, "a");
  const one = await a.consume(LEASED);
  assertEquals([one.text, one.deliveries], ["one\n", 1]);
  assertEquals(await a.ack({ chunk: one.chunk, next: 14 }), [409, "not_leased"], "it is known to use leases");
  assertEquals(await a.take(LEASED), "three\n");
});

Deno.test("a chunk that is acknowledged for everybody while it is out", async () => {
  const clock = new FakeClock();
  await using node = await startLocalNode({ clock, settings: { maxChunkSize: KIB } });
  const full = "x".repeat(1000) + "\n";
  for (let i = 0; i < 3; i++) await node.write("c", full);
  const a = new ConsumerCalls(node, "a");
  const first = await a.consume(LEASED);
  const second = await a.consume(LEASED);
  assertEquals([first.chunk, second.chunk], [chunkOf(0), chunkOf(1)]);
  const gone = await node.fetch(`/ack?category=c&chunk=${chunkOf(0)}&size=1001`);
  assertEquals((await gone.json()).acknowledged, true);
  clock.advance(1000);
  assertEquals((await a.consume(LEASED)).chunk, chunkOf(1));
  assertEquals((await a.consume(LEASED)).chunk, chunkOf(2));
  assertEquals(await a.take(LEASED), 204);
  assertEquals(await a.ack(first), [200, ""]);
  assertEquals(await a.lease(first, 0), [409, "not_leased"]);
});

Deno.test("max_size below the next message is a 400 that names the size needed, and the message stays", async () => {
  await using node = await startLocalNode();
  await node.write("c", `${"x".repeat(100 * KIB)}\n`);
  const a = new ConsumerCalls(node, "a");
  for (const rest of ["", LEASED]) {
    const path = `/consume?category=c&consumer=a&max_size=1000${rest}`;
    const [status, code, message] = await error(node, path);
    assertEquals([status, code], [400, "invalid_offset"]);
    assertStringIncludes(message, `has ${100 * KIB + 1} bytes, more than 1000`);
  }
  assertEquals((await a.consume(`&max_size=${100 * KIB + 1}`)).next, 100 * KIB + 1);
});

Deno.test("a piece of many MiB comes whole, and one whose client leaves comes again", async () => {
  const clock = new FakeClock();
  await using node = await startLocalNode({ clock });
  const lines = ("l".repeat(KIB - 1) + "\n").repeat(4 * KIB);
  for (let i = 0; i < 3; i++) await node.write("c", lines);
  const a = new ConsumerCalls(node, "a");
  {
    using connection = await RawConnection.open(node);
    await connection.send(
      `GET /consume?category=c&consumer=a&lease=1000&max_size=${12 * MIB} HTTP/1.1\r\nhost: x\r\n\r\n`,
    );
    assertEquals((await connection.head()).headers.get("content-length"), String(12 * MIB));
    await connection.take(1000);
  }
  clock.advance(1000);
  const taken = await a.consume(`${LEASED}&max_size=${12 * MIB}`);
  assertEquals([taken.text.length, taken.deliveries], [12 * MIB, 2]);
  assert(taken.text === lines.repeat(3));
});

Deno.test("a client that leaves while it waits is given nothing", async () => {
  await using node = await startLocalNode({ clock: new FakeClock() });
  const a = new ConsumerCalls(node, "a");
  assertEquals(await a.take(), 204);
  {
    using connection = await RawConnection.open(node);
    await connection.send(
      "GET /consume?category=c&consumer=a&lease=1000&wait=60000 HTTP/1.1\r\nhost: x\r\n\r\n",
    );
    await waiting(node, 1);
  }
  await waiting(node, 0);
  await node.write("c", "one\n");
  assertEquals((await a.consume(LEASED)).deliveries, 1);
});

Deno.test("a node that shuts down answers who waits with a 503, and hands out no more", async () => {
  await using node = await startLocalNode({ clock: new FakeClock() });
  const a = new ConsumerCalls(node, "a");
  const waits = a.consume("&wait=60000");
  await waiting(node, 1);
  await node.write("d", "one\n");
  const d = new ConsumerCalls(node, "d", "d");
  const out = await d.consume(LEASED);
  void node.built.drain();
  const { status, text } = await waits;
  assertEquals([status, JSON.parse(text).error.code], [503, "draining"]);
  assertEquals(await a.take(), 503);
  assertEquals(await d.ack(out), [200, ""], "what is done is taken note of until the end");
});

Deno.test("/consumers lists place and lag, and what is on lease", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: KIB } });
  const full = "x".repeat(1000) + "\n";
  for (let i = 0; i < 3; i++) await node.write("c", full);
  await node.write("d", "one\n");
  const a = new ConsumerCalls(node, "a");
  const b = new ConsumerCalls(node, "b");
  await new ConsumerCalls(node, "z", "d").consume();
  const first = await a.consume(LEASED);
  await a.consume(LEASED);
  await a.ack(first);
  await b.seek("latest");
  const rows = await (await node.fetch("/consumers?category=c")).json();
  assertEquals(rows, [
    {
      category: "c",
      consumer: "a",
      epoch: 0,
      lag_bytes: 2002,
      lag_chunks: 2,
      leased_bytes: 1001,
      positions: [{ chunk: chunkOf(1), offset: 0 }],
    },
    {
      category: "c",
      consumer: "b",
      epoch: rows[1].epoch,
      lag_bytes: 0,
      lag_chunks: 0,
      leased_bytes: 0,
      positions: rows[1].positions,
    },
  ]);
  const all = await (await node.fetch("/consumers")).json();
  assertEquals(all.map(({ consumer }: { consumer: string }) => consumer), ["a", "b", "z"]);
  assertEquals(await (await node.fetch("/consumers?category=nothing")).json(), []);
  const metrics = await (await node.fetch("/metrics")).text();
  assertMatch(metrics, /chukcha_consumer_lag_bytes\{category="c",consumer="a"\} 2002\n/);
  assertMatch(metrics, /chukcha_consumers 3\n/);
  assertMatch(metrics, /chukcha_consumer_leases 1\n/);
});

Deno.test("HEAD hands out nothing, makes no consumer, acknowledges nothing", async () => {
  await using node = await startLocalNode();
  await node.write("c", "one\n");
  using connection = await RawConnection.open(node);
  const head = async (path: string) => (await connection.request("HEAD", path)).status;
  assertEquals(await head("/consume?category=c&consumer=a&lease=1000&wait=10000"), 200);
  assertEquals(await head("/consume?category=c"), 400);
  assertEquals(await head(`/ack?category=c&consumer=a&chunk=${chunkOf(0)}&size=4`), 200);
  assertEquals(await head("/consumers"), 200);
  assertEquals(await head("/seek?category=c&consumer=a&to=latest"), 405);
  assertEquals(await (await node.fetch("/consumers")).json(), []);
});

Deno.test("a wrong parameter of a consumer's call is a 400 that names field, value and rule", async () => {
  await using node = await startLocalNode();
  const base = "category=c&consumer=a";
  const chunk = chunkOf(0);
  const long = "w".repeat(129);
  const rows: [method: string, path: string, ...says: string[]][] = [
    ["GET", "/consume?consumer=a", "category: missing"],
    ["GET", "/consume?category=c", "consumer: missing"],
    ["GET", "/consume?category=c&consumer=.a", 'consumer: ".a"'],
    ["GET", `/consume?${base}&max_size=0`, 'max_size: "0"', "from 1 to"],
    ["GET", `/consume?${base}&wait=${CONSUME_WAIT_MS_MAX + 1}`, "wait: ", `0 to ${CONSUME_WAIT_MS_MAX}`],
    ["GET", `/consume?${base}&lease=x`, 'lease: "x"'],
    ["GET", `/consume?${base}&lease=43200001`, 'lease: "43200001"'],
    ["GET", `/consume?${base}&max_deliveries=1001`, "max_deliveries: "],
    ["GET", `/consume?${base}&from=yesterday`, 'from: "yesterday"'],
    ["GET", `/consume?${base}&worker=${long}`, "worker: ", "128"],
    ["GET", "/consume?category=c.dead&consumer=a&max_deliveries=3", "max_deliveries: 3", "c.dead"],
    ["GET", `/consume?category=${"c".repeat(124)}&consumer=a&max_deliveries=3`, "max_deliveries: 3"],
    ["POST", `/lease?${base}&chunk=${chunk}&offset=0&size=1`, "lease: missing"],
    ["POST", `/lease?${base}&chunk=x&offset=0&size=1&lease=1`, 'chunk: "x"'],
    ["POST", `/lease?${base}&chunk=${chunk}&offset=2&size=1&lease=1`, "offset: 2", "size, which is 1"],
    ["POST", `/seek?${base}`, "to: missing"],
    ["POST", `/seek?${base}&to=tomorrow`, 'to: "tomorrow"'],
    ["POST", `/seek?${base}&to=${chunk}`, `to: "${chunk}"`],
    ["DELETE", "/consumers?category=c", "consumer: missing"],
    ["GET", "/consumers?category=.c", 'category: ".c"'],
    ["POST", `/ack?${base}&chunk=${chunk}`, "size: missing"],
    ["POST", `/ack?${base}&chunk=${chunk}&size=1&epoch=-1`, 'epoch: "-1"'],
  ];
  for (const [method, path, ...says] of rows) {
    const [status, code, message] = await error(node, path, { method });
    assertEquals([status, code], [400, "invalid_parameter"], path);
    for (const text of says) assertStringIncludes(message, text, path);
  }
  assertEquals(await (await node.fetch("/consumers")).json(), []);
});

Deno.test("no bytes are with two workers, whoever asks, and in the end everything was acknowledged", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: 64 * KIB } });
  const lines = Array.from({ length: 4000 }, (_, i) => `${i} ${"y".repeat(i % 90)}\n`);
  const writing = (async () => {
    for (let at = 0; at < lines.length; at += 50) await node.write("c", lines.slice(at, at + 50).join(""));
  })();
  const a = new ConsumerCalls(node, "a");
  const held = new Set<string>();
  const seen: string[] = [];
  const work = async (worker: number) => {
    for (;;) {
      const taken: Taken = await a.consume(
        `&lease=60000&wait=300&max_size=${200 + 100 * worker}&worker=${worker}`,
      );
      if (taken.status === 204) return;
      assertEquals(taken.status, 200, taken.text);
      for (const line of taken.text.split("\n").slice(0, -1)) {
        assert(!held.has(line), `${line} is with two workers`);
        held.add(line);
        seen.push(line);
      }
      assertEquals(await a.ack(taken), [200, ""]);
    }
  };
  await Promise.all([writing, ...[0, 1, 2, 3, 4, 5].map(work)]);
  assertEquals(seen.length, lines.length);
  assertEquals((await (await node.fetch("/consumers")).json())[0].lag_bytes, 0);
});
