/**
 * Clients that are slow, or do nothing, in numbers: the memory of a node stays within what `docs/limits.md` says, and
 * whoever is quick is answered as if they were not there.
 *
 * The long form, with as many as the bounds are stated for: `RUDE_SENDERS=2000 RUDE_IDLE=10000 RUDE_READERS=100
 * RUDE_TAILS=1000`. It needs some 11,000 descriptors for each of two processes; with fewer, the numbers are cut to what
 * there is, and said so.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { descriptorsMax } from "../../lib/http/descriptors.ts";
import { BODY_BYTES_IN_FLIGHT_MAX, KIB, MIB, TAILS_BYTES_MAX } from "../../lib/protocol/limits.ts";
import type { WriteResult } from "../../lib/protocol/types.ts";
import { eventually, pause } from "../support/eventually.ts";
import { type ChildNode, startChildNode, temporaryDirectory } from "../support/node.ts";
import { report } from "../support/report.ts";
import { Crowd, descriptors, memoryMib } from "../support/rude_clients.ts";
import { os, testWith } from "../support/skip.ts";

/** From the environment, and not more than the descriptors of this process allow. */
function numberOf(name: string, usual: number): number {
  const wanted = Number(Deno.env.get(name) ?? usual);
  const possible = descriptorsMax() - 1_000;
  if (wanted > possible) report(`${name}: ${possible} instead of ${wanted}, for want of descriptors`);
  return Math.min(wanted, possible);
}

const SENDERS = numberOf("RUDE_SENDERS", 2_000);
const IDLE = numberOf("RUDE_IDLE", 2_000);
const READERS = numberOf("RUDE_READERS", 100);
const TAILS = numberOf("RUDE_TAILS", 300);

/** What a node has beside what is measured: garbage that was not collected yet, buffers of sockets, code. */
const SLACK_MIB = 250;
/** What the runtime itself holds of a body that is on its way: its buffers for reading from the socket and the stream. */
const SENDER_MIB = 0.4;
const LINES = new TextEncoder().encode(("m".repeat(KIB - 1) + "\n").repeat(KIB));
/** A whole answer comes within this, however many others there are. */
const QUICK_MS = 5_000;

/** A large write by a client that comes back when it is told to, as shippers do. */
async function persist(
  node: ChildNode,
  category: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<WriteResult> {
  const attempt = () =>
    node.write(category, bytes).catch((error: Error) => {
      if (/: 503 .*"overloaded"/.test(error.message)) return undefined;
      throw error;
    });
  return (await eventually("a large write is taken", attempt, (result) => result !== undefined))!;
}

/** A client that is quick: small and large writes, and reads; returns the slowest answer. No small write is refused. */
async function quick(node: ChildNode, category: string): Promise<number> {
  let slowestMs = 0;
  for (let i = 0; i < 4; i++) {
    const startMs = performance.now();
    await node.write(category, `${i}\n`);
    const { chunk, offset, size } = await persist(node, category, new Uint8Array(4 * MIB).fill(10));
    assertEquals(size, 4 * MIB);
    assertEquals((await node.read(category, chunk, offset)).length, size);
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
  }
  assert(slowestMs < QUICK_MS, `the slowest round took ${slowestMs} ms`);
  return Math.round(slowestMs);
}

interface Measured {
  readonly what: string;
  readonly before: { now: number };
  readonly slowestMs: number;
  readonly mibMax: number;
}

function expectWithin(node: ChildNode, { what, before, slowestMs, mibMax }: Measured): void {
  const { now, peak } = memoryMib(node.pid);
  const grown = Math.round(peak - before.now);
  report(
    `${what}: ${grown} MiB more at the most, ${
      Math.round(now - before.now)
    } now; a quick round ${slowestMs} ms`,
  );
  assert(grown < mibMax, `${grown} MiB more than before, the most are ${mibMax}`);
}

async function startWarm(directory: string): Promise<{ node: ChildNode; before: { now: number } }> {
  const node = await startChildNode(directory);
  await quick(node, "warm");
  return { node, before: memoryMib(node.pid) };
}

testWith(`${SENDERS} clients that send 4 MiB slowly: memory stays in its bound, a quick one is served`, [
  os("linux"),
], async () => {
  await using directory = await temporaryDirectory();
  const { node, before } = await startWarm(directory.path);
  await using _stopped = node;
  using senders = new Crowd(node);
  await senders.open(
    SENDERS,
    `POST /write?category=slow HTTP/1.1\r\nhost: x\r\ncontent-length: ${4 * MIB}\r\n\r\n`,
  );
  let slowestMs = 0;
  // Together they have sent more than there may be after a few rounds; each is below what counts as fast.
  for (let round = 0; round < 3; round++) {
    await senders.send(LINES.subarray(0, 64 * KIB));
    slowestMs = Math.max(slowestMs, await quick(node, "quick"));
  }
  const { open } = await node.status();
  assert(open.body_bytes <= BODY_BYTES_IN_FLIGHT_MAX, `${open.body_bytes} bytes of bodies`);
  expectWithin(node, {
    what: `${SENDERS} slow senders`,
    before,
    slowestMs,
    mibMax: BODY_BYTES_IN_FLIGHT_MAX / MIB + SENDERS * SENDER_MIB + SLACK_MIB,
  });
  senders.close();
  await eventually(
    "their memory is free",
    async () => (await node.status()).open.body_bytes,
    (bytes) => bytes === 0,
  );
  assertEquals(await node.listCategories(), ["quick", "warm"], "nothing of what was half sent is stored");
});

testWith(`${IDLE} connections that do nothing are held, and cost little`, [os("linux")], async () => {
  await using directory = await temporaryDirectory();
  const { node, before } = await startWarm(directory.path);
  await using _stopped = node;
  using idle = new Crowd(node);
  assertEquals(await idle.open(IDLE), 0);
  await eventually(
    "they are counted",
    async () => (await node.status()).open.connections,
    (count) => count! >= IDLE,
  );
  const slowestMs = await quick(node, "quick");
  expectWithin(node, { what: `${IDLE} idle connections`, before, slowestMs, mibMax: IDLE / 50 + SLACK_MIB });
  // All of them are still there.
  await idle.send(new TextEncoder().encode("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"));
  const answers = await idle.answers();
  assertEquals(answers.filter((text) => text.startsWith("HTTP/1.1 200")).length, IDLE);
  idle.close();
  await eventually(
    "they are gone",
    async () => (await node.status()).open.connections,
    (count) => count! < 20,
  );
});

testWith(`${READERS} readers of 16 MiB that take nothing: a few blocks each, and the file is shared`, [
  os("linux"),
], async () => {
  await using directory = await temporaryDirectory();
  const { node, before } = await startWarm(directory.path);
  await using _stopped = node;
  for (let i = 0; i < 48; i++) await node.write("large", LINES);
  const [chunk] = await node.listChunks("large");
  const files = descriptors(node.pid);
  using readers = new Crowd(node);
  // Each from another place, so that they share as little as may be.
  for (let i = 0; i < READERS; i++) {
    const offset = (i % 32) * MIB;
    await readers.open(
      1,
      `GET /read?category=large&chunk=${chunk!.name}&off=${offset}&max_size=${
        16 * MIB
      } HTTP/1.1\r\nhost: x\r\n\r\n`,
    );
  }
  const slowestMs = await quick(node, "quick");
  expectWithin(node, {
    what: `${READERS} stalled readers`,
    before,
    slowestMs,
    mibMax: 3 * READERS + SLACK_MIB,
  });
  assert(descriptors(node.pid) < files + READERS + 10, "a descriptor each, and no more");
});

testWith(`${TAILS} tails that take nothing: they share what there is for them`, [os("linux")], async () => {
  await using directory = await temporaryDirectory();
  const { node, before } = await startWarm(directory.path);
  await using _stopped = node;
  for (let i = 0; i < 16; i++) await node.write("large", LINES);
  using tails = new Crowd(node);
  const half = TAILS >> 1;
  await tails.open(half, "GET /tail?category=large HTTP/1.1\r\nhost: x\r\n\r\n");
  await tails.open(
    TAILS - half,
    "GET /tail?category=large HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n",
  );
  await eventually("they are open", async () => (await node.status()).open.tails, (count) => count === TAILS);
  for (let i = 0; i < 16; i++) await node.write("large", LINES);
  await pause(500);
  const slowestMs = await quick(node, "quick");
  // The first ones took larger steps, while there were few: a sum of shares, as they became more.
  expectWithin(node, {
    what: `${TAILS} stalled tails`,
    before,
    slowestMs,
    mibMax: TAILS_BYTES_MAX / MIB * (1 + Math.log(TAILS / 85)) + SLACK_MIB,
  });
  tails.close();
  await eventually("they are gone", async () => (await node.status()).open.tails, (count) => count === 0);
});
