/**
 * Messages that no worker can process, and messages that cannot be read, through a real socket: neither blocks the rest,
 * and none is lost.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DEAD_LETTER_RETRY_MS, KIB, MIB, STUCK_MS } from "../../lib/protocol/limits.ts";
import { type Disk, DiskError } from "../../lib/storage/disk.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { faultyDisk } from "../support/faulty_disk.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { type LocalNode, startLocalNode, until } from "../support/node.ts";
import { carry, openNode } from "../storage/two_nodes.ts";
import { bytes } from "../storage/world.ts";
import { chunkOf, ConsumerCalls } from "./consumer_calls.ts";

const LEASE_MS = 1000;
const ASKED = `&lease=${LEASE_MS}&max_deliveries=2&worker=w%2F1`;

interface Letter {
  readonly category: string;
  readonly consumer: string;
  readonly chunk: string;
  readonly offset: number;
  readonly size: number;
  readonly deliveries: number;
  readonly first: string;
  readonly last: string;
  readonly history: readonly { readonly at: string; readonly worker?: string }[];
  readonly text?: string;
  readonly base64?: string;
  readonly part?: number;
  readonly parts?: number;
}

async function letters(node: LocalNode): Promise<Letter[]> {
  const lines = (await node.readText("c.dead")).split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

/** Takes what there is and lets every lease of it run out, until nothing comes back. */
async function fail(node: LocalNode, clock: FakeClock, a: ConsumerCalls, rest = ASKED): Promise<string[]> {
  const taken: string[] = [];
  for (;;) {
    const { status, text } = await a.consume(rest);
    if (status === 200) {
      taken.push(text);
      continue;
    }
    assertEquals(status, 204, text);
    const { dispensed } = node.built.service;
    const leaving = dispensed.pieces - dispensed.leases;
    if (dispensed.pieces === 0) return taken;
    if (leaving > 0) await settle();
    clock.advance(LEASE_MS);
  }
}

Deno.test("what fails is cut in halves until single messages are left, and those become dead letters", async () => {
  const clock = new FakeClock();
  await using node = await startLocalNode({ clock });
  await node.write("c", "a\nbb\nccc\ndddd\n");
  const a = new ConsumerCalls(node, "a");
  const taken = await fail(node, clock, a);
  const whole = "a\nbb\nccc\ndddd\n";
  assertEquals(taken.slice(0, 4), [whole, whole, "a\nbb\n", "ccc\ndddd\n"]);
  const found = await letters(node);
  assertEquals(found.map(({ text }) => text).toSorted(), ["a", "bb", "ccc", "dddd"]);
  for (const { category, consumer, chunk, offset, size, deliveries, history, first, last, text } of found) {
    assertEquals([category, consumer, chunk], ["c", "a", chunkOf(0)]);
    assertEquals([offset, size], [whole.indexOf(text!), text!.length + 1]);
    assert(deliveries > 2 && history.length === deliveries);
    assertEquals([history[0], history.at(-1)!.at], [{ at: first, worker: "w/1" }, last]);
  }
  assertEquals(await a.take(ASKED), 204);
  assertEquals((await (await node.fetch("/consumers?category=c")).json())[0].lag_bytes, 0);
  const metrics = await (await node.fetch("/metrics")).text();
  assertStringIncludes(metrics, "\nchukcha_dead_letters_total 4\n");
  assertEquals(await node.readText("c"), whole, "the messages themselves stay");
});

Deno.test("the good messages of a bad piece are processed, and one bad one is the only dead letter", async () => {
  const clock = new FakeClock();
  await using node = await startLocalNode({ clock });
  const lines = Array.from({ length: 33 }, (_, i) => i === 20 ? "bad\n" : `good ${i}\n`);
  await node.write("c", lines.join(""));
  const a = new ConsumerCalls(node, "a");
  const done: string[] = [];
  for (let idle = 0; idle < 2;) {
    const taken = await a.consume(ASKED);
    if (taken.status === 204) {
      clock.advance(LEASE_MS);
      idle++;
      continue;
    }
    idle = 0;
    if (taken.text.includes("bad")) continue;
    done.push(taken.text);
    assertEquals(await a.ack(taken), [200, ""]);
  }
  assertEquals(
    done.join("").split("\n").toSorted().join("\n").trim(),
    lines.filter((l) => l !== "bad\n").toSorted().join("").trim(),
  );
  await until("the letter", () => letters(node), (found) => found.length === 1);
  assertEquals((await letters(node))[0]!.text, "bad");
});

Deno.test("without max_deliveries nothing is ever moved", async () => {
  const clock = new FakeClock();
  await using node = await startLocalNode({ clock });
  await node.write("c", "one\n");
  const a = new ConsumerCalls(node, "a");
  for (let i = 1; i < 30; i++) {
    assertEquals((await a.consume(`&lease=${LEASE_MS}`)).deliveries, i);
    clock.advance(LEASE_MS);
  }
  assertEquals(await node.listChunks("c.dead"), []);
});

Deno.test("a dead letter is text where it can be, and fits into what a reader takes", async () => {
  const clock = new FakeClock();
  await using node = await startLocalNode({
    clock,
    settings: { maxMessageSize: 8 * MIB, maxBatchSize: 16 * MIB },
  });
  const large = new Uint8Array(7 * MIB).map((_, i) => 65 + i % 26);
  const messages: Uint8Array<ArrayBuffer>[] = [
    new TextEncoder().encode('grüße "\\ \u0000'),
    new Uint8Array([0xff, 0xfe, 0x00]),
    new Uint8Array(),
    new Uint8Array(MIB),
    large,
  ];
  for (const message of messages) await node.write("c", new Blob([message, "\n"]));
  await fail(node, clock, new ConsumerCalls(node, "a"), `${ASKED}&max_size=${16 * MIB}`);
  const found = (await letters(node)).toSorted((a, b) =>
    a.offset - b.offset || (a.part ?? 0) - (b.part ?? 0)
  );
  const byOffset = Map.groupBy(found, ({ offset }) => offset);
  const read = [...byOffset.values()].map((parts) => {
    const { text } = parts[0]!;
    if (text !== undefined) return new TextEncoder().encode(text);
    assertEquals(parts.map(({ part }) => part ?? 1), parts.map((_, i) => i + 1));
    assertEquals(parts.length, parts[0]!.parts ?? 1);
    return new Uint8Array(parts.flatMap(({ base64 }) => [...Uint8Array.fromBase64(base64!)]));
  });
  assertEquals(read.map(({ length }) => length), messages.map(({ length }) => length));
  assert(read.every((bytes, i) => bytes.every((byte, at) => byte === messages[i]![at])));
  assertEquals([...byOffset.values()].map((parts) => [parts.length, parts[0]!.text !== undefined]), [
    [1, true],
    [1, false],
    [1, true],
    [1, false],
    [3, false],
  ]);
  // With the size that a read has where none is given.
  for (const { name, size } of await node.listChunks("c.dead")) {
    for (let at = 0; at < size;) {
      const part = await (await node.fetch(`/read?category=c.dead&chunk=${name}&off=${at}`)).bytes();
      assert(part.length > 0);
      at += part.length;
    }
  }
});

Deno.test("a dead letter that the disk does not take: the message comes back later, and others go on", async () => {
  const clock = new FakeClock();
  let full = false;
  await using node = await startLocalNode({
    clock,
    wrapDisk: (disk: Disk) =>
      faultyDisk(disk, {
        open: (path) => {
          if (full && path.startsWith("c.dead")) throw new DiskError("full", "open", path);
        },
      }),
  });
  await node.write("c", "bad\n");
  const a = new ConsumerCalls(node, "a");
  for (let i = 0; i < 2; i++) {
    assertEquals(await a.take(ASKED), "bad\n");
    clock.advance(LEASE_MS);
  }
  full = true;
  assertEquals(await a.take(ASKED), 204);
  const { dispensed } = node.built.service;
  await until("it failed", () => settle().then(() => dispensed.deadLetterFailures), (count) => count === 1);
  await node.write("c", "good\n");
  assertEquals(await a.take(ASKED), "good\n");
  full = false;
  assertEquals(await a.take(ASKED), 204, "it rests");
  clock.advance(DEAD_LETTER_RETRY_MS);
  await a.take(ASKED);
  await until("the letter", () => letters(node), (found) => found.length >= 1);
  assertEquals((await letters(node))[0]!.text, "bad");
});

Deno.test("damaged messages: others go on, a poll is told at its end, and an ack passes over them", async () => {
  const clock = new FakeClock();
  await using node = await startLocalNode({ clock, settings: { maxChunkSize: KIB } });
  const full = (name: string) => `${name} ${"x".repeat(1000)}\n`;
  for (let i = 0; i < 3; i++) await node.write("c", full(`m${i}`));
  const path = `${node.dataDir}/c/${chunkOf(0)}`;
  const flip = async (): Promise<void> => {
    const content = await Deno.readFile(path);
    content[5]! ^= 1;
    await Deno.writeFile(path, content);
  };
  await flip();
  const a = new ConsumerCalls(node, "a");
  assertEquals(await a.drain("&max_size=2000").catch((error) => error.message.slice(0, 3)), "503");
  const { status, text } = await a.consume();
  assertEquals([status, JSON.parse(text).error.code], [503, "damaged"]);
  const { message } = JSON.parse(text).error;
  for (const says of [chunkOf(0), '"a"', "offset and size"]) assertStringIncludes(message, says);
  const b = new ConsumerCalls(node, "b");
  assertEquals((await b.consume(`&lease=${LEASE_MS}`)).chunk, chunkOf(1));
  assertEquals((await b.consume(`&lease=${LEASE_MS}`)).chunk, chunkOf(2));
  const waits = b.consume(`&lease=${LEASE_MS}&wait=500`);
  await until(
    "it waits",
    () => settle().then(() => node.built.service.dispensed.polls),
    (polls) => polls === 1,
  );
  clock.advance(500);
  assertEquals((await waits).status, 503);
  const size = full("m0").length;
  assertEquals(await a.ack({ chunk: chunkOf(0), offset: 0, next: size }), [200, ""]);
  assertEquals(await a.take(), 204);
  // Healed by hand, for the other one.
  await flip();
  const healed = b.consume(`&lease=${LEASE_MS}&wait=60000`);
  await until(
    "it waits",
    () => settle().then(() => node.built.service.dispensed.polls),
    (polls) => polls === 1,
  );
  clock.advance(STUCK_MS);
  assertEquals((await healed).text.length, size);
});

Deno.test("an older chunk of an owner that may still grow does not hold up later ones, and is not passed over", async () => {
  await using node = await startLocalNode();
  const { store } = node.built;
  const owner = await openNode("n", new MemoryDisk(), { chunkBytesMax: 12 });
  for (const line of ["one\n", "two\n", "three\n", "four\n"]) {
    await owner.store.append("c", bytes(line), false);
  }
  const chunk = (number: number) => `n-chunk00000000${number}`;
  await carry(owner.store, store, "c", chunk(0), () => 4, 4);
  await carry(owner.store, store, "c", chunk(1));
  for (const rest of ["", `&lease=${LEASE_MS}`]) {
    assertEquals(await new ConsumerCalls(node, `a${rest.length}`).drain(rest), "one\nthree\nfour\n");
  }
  await carry(owner.store, store, "c", chunk(0));
  assertEquals(store.listChunks("c").map(({ size, complete }) => [size, complete]), [[8, false], [
    11,
    false,
  ]]);
  for (const rest of ["", `&lease=${LEASE_MS}`]) {
    assertEquals(await new ConsumerCalls(node, `a${rest.length}`).drain(rest), "two\n");
  }
  await owner.store.close();
});
