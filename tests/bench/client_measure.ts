/**
 * Measures the client against a node in a process of its own; the client runs in the bench's own process, which does
 * nothing else meanwhile.
 *
 * Beside each figure stands a floor, measured in turns with it against the same node: plain `fetch` of the same bytes, in
 * parts as large as the client's, with nothing done to them; for the latency, the answer to a plain write of one message.
 *
 * @module
 */
import { type Batch, type Chukcha, connect } from "../../lib/client/mod.ts";
import type { ClientCase } from "./client_cases.ts";
import { type Plan, type Spread, spread } from "./measure.ts";
import { runningNode, type Server, startNode } from "./server.ts";

const MIB = 1024 * 1024;
/** Written by each round of the producer, and read by each round of a consumer. */
const ROUND_BYTES = 64 * MIB;
const WRITE_BYTES = 1 * MIB;
const READ_BYTES = 4 * MIB;
/** Plain writes under way at once: as many connections as a producer uses. */
const FLOOR_WRITERS = 4;
/** Messages a second of the rounds for latency: the node is idle in between. */
const LATENCY_RATE = 100;

/** A case and what came out. */
export interface ClientResult {
  readonly case: ClientCase;
  /** Messages a second, where that is what is measured. */
  readonly messagesPerSecond?: Spread;
  readonly floorPerSecond?: Spread;
  /** From `send` to the loop's body. */
  readonly p50Ms?: Spread;
  readonly p99Ms?: Spread;
  readonly floorP50Ms?: Spread;
  readonly floorP99Ms?: Spread;
}

/** Starts a node, measures, stops it. */
export async function measureClient(measured: ClientCase, plan: Plan): Promise<ClientResult> {
  await using stack = new AsyncDisposableStack();
  const node = plan.url === undefined ? await startNode(plan.directory) : runningNode(plan.url);
  stack.defer(() => node.stop());
  await using chukcha = connect({ servers: [node.url] });
  const bench: Bench = {
    node,
    chukcha,
    measured,
    plan,
    category: `bench-${crypto.randomUUID().slice(0, 8)}`,
  };
  if (measured.kind === "latency") return await measureLatency(bench);
  if (measured.kind === "consume") await fill(bench);
  const round = measured.kind === "produce" ? produce : consume;
  const floor = measured.kind === "produce" ? produceFloor : consumeFloor;
  const [own, floors] = await inTurns(plan.rounds, () => round(bench), () => floor(bench));
  return { case: measured, messagesPerSecond: spread(own), floorPerSecond: spread(floors) };
}

interface Bench {
  readonly node: Server;
  readonly chukcha: Chukcha;
  readonly measured: ClientCase;
  readonly plan: Plan;
  readonly category: string;
}

/** Rounds of both, one after the other, after one of each to warm up. */
async function inTurns<T>(
  rounds: number,
  one: () => Promise<T>,
  other: () => Promise<T>,
): Promise<[T[], T[]]> {
  const results: [T[], T[]] = [[], []];
  for (let i = -1; i < rounds; i++) {
    const [a, b] = [await one(), await other()];
    if (i < 0) continue;
    results[0].push(a);
    results[1].push(b);
  }
  return results;
}

/** Runs it, and says how many messages a second that were. */
async function timed(messages: number, run: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await run();
  return messages / (performance.now() - startMs) * 1000;
}

function messageOf(bytes: number, index: number): string {
  const head = `{"event":${index},"text":"`;
  return `${head}${"x".repeat(Math.max(0, bytes - 1 - head.length - 2))}"}`;
}

function produce({ chukcha, measured: { bytes }, category }: Bench): Promise<number> {
  const count = Math.floor(ROUND_BYTES / bytes);
  // Made before: what is measured is sending.
  const messages = Array.from({ length: 1000 }, (_, i) => messageOf(bytes, 100_000 + i));
  return timed(count, async () => {
    await using producer = chukcha.producer(category);
    let failure: unknown;
    for (let i = 0; i < count; i++) {
      producer.send(messages[i % messages.length]!).catch((error: unknown) => failure ??= error);
      // Asked for now and then: a promise for each message would be measured as well.
      if (i % 100 === 0) await producer.ready;
    }
    await producer.flush();
    if (failure !== undefined) throw failure;
  });
}

function produceFloor({ node, measured: { bytes }, category }: Bench): Promise<number> {
  const batch = batchOf(bytes);
  const batches = Math.ceil(ROUND_BYTES / WRITE_BYTES);
  let left = batches;
  const write = async (): Promise<void> => {
    while (left-- > 0) await post(node, category, batch);
  };
  const all = async (): Promise<void> => void await Promise.all(Array.from({ length: FLOOR_WRITERS }, write));
  return timed(batches * Math.floor(WRITE_BYTES / bytes), all);
}

async function fill({ node, measured: { bytes }, category }: Bench): Promise<void> {
  const batch = batchOf(bytes);
  for (let written = 0; written < ROUND_BYTES; written += batch.length) await post(node, category, batch);
}

async function consume(bench: Bench): Promise<number> {
  const { chukcha, measured: { bytes, form }, category } = bench;
  const total = await storedBytes(bench);
  const name = `bench-${crypto.randomUUID()}`;
  const rate = await timed(total / bytes, async () => {
    await using consumer = chukcha.consumer(category, { name });
    let seen = 0;
    let messages = 0;
    for await (const batch of consumer) {
      messages += take(batch, form);
      await batch.ack();
      seen += batch.size;
      if (seen >= total) break;
    }
    if (messages !== total / bytes) throw new Error(`${messages} messages of ${total / bytes}`);
  });
  await chukcha.node.forget(category, { consumer: name });
  return rate;
}

/** Goes over all messages; a sum of something keeps the work from being left out. */
function take(batch: Batch, form: ClientCase["form"]): number {
  let messages = 0;
  let sum = 0;
  const add = (value: number): void => {
    sum += value;
    messages++;
  };
  if (form === "bytes") { for (const message of batch.messages()) add(message.length); }
  else if (form === "texts") { for (const text of batch.texts()) add(text.length); }
  else for (const { event } of batch.json<{ event: number }>()) add(event);
  if (sum <= 0) throw new Error("messages of nothing");
  return messages;
}

async function consumeFloor(bench: Bench): Promise<number> {
  const { chukcha, node, measured: { bytes }, category } = bench;
  const chunks = await chukcha.node.listChunks(category);
  return await timed(await storedBytes(bench) / bytes, async () => {
    for (const { name, size } of chunks) {
      for (let at = 0; at < size;) {
        const query = `category=${category}&chunk=${name}&off=${at}&max_size=${READ_BYTES}`;
        const response = await fetch(`${node.url}/read?${query}`);
        at += (await response.arrayBuffer()).byteLength;
      }
    }
  });
}

async function measureLatency(bench: Bench): Promise<ClientResult> {
  const { measured, plan } = bench;
  const [own, floors] = await inTurns(plan.rounds, () => latency(bench), () => latencyFloor(bench));
  const at = (rounds: readonly number[][], share: number): Spread =>
    spread(rounds.map((times) => times.toSorted((a, b) => a - b)[Math.ceil(times.length * share) - 1]!));
  return {
    case: measured,
    p50Ms: at(own, 0.5),
    p99Ms: at(own, 0.99),
    floorP50Ms: at(floors, 0.5),
    floorP99Ms: at(floors, 0.99),
  };
}

/** Milliseconds from `send` to the loop's body, of each message. */
async function latency({ chukcha, measured: { bytes }, plan, category }: Bench): Promise<number[]> {
  const name = `bench-${crypto.randomUUID()}`;
  await chukcha.node.seek(category, { consumer: name, to: "latest" });
  await using consumer = chukcha.consumer(category, { name });
  await using producer = chukcha.producer(category, { lingerMs: 0 });
  const count = LATENCY_RATE * plan.seconds;
  const sentMs: number[] = [];
  const times: number[] = [];
  let sending: Promise<void> | undefined;
  // Not measured: with it connections come about.
  await producer.send(messageOf(bytes, 0));
  for await (const batch of consumer) {
    const nowMs = performance.now();
    if (sending) {
      for (const { event } of batch.json<{ event: number }>()) times.push(nowMs - sentMs[event]!);
    }
    await batch.ack();
    sending ??= paced(count, async (i) => {
      sentMs[i] = performance.now();
      await producer.send(messageOf(bytes, i));
    });
    if (times.length >= count) break;
  }
  await sending;
  await chukcha.node.forget(category, { consumer: name });
  return times;
}

/** Milliseconds from a plain write to its answer. */
async function latencyFloor({ node, measured: { bytes }, plan, category }: Bench): Promise<number[]> {
  const times: number[] = [];
  const body = new TextEncoder().encode(`${messageOf(bytes, 0)}\n`);
  await paced(LATENCY_RATE * plan.seconds, async () => {
    const startMs = performance.now();
    await post(node, `${category}-floor`, body);
    times.push(performance.now() - startMs);
  });
  return times;
}

/** Calls it so many times, evenly spread over the round. */
async function paced(count: number, call: (index: number) => Promise<void>): Promise<void> {
  const startMs = performance.now();
  const calls: Promise<void>[] = [];
  for (let i = 0; i < count; i++) {
    const waitMs = startMs + i * 1000 / LATENCY_RATE - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    calls.push(call(i));
  }
  await Promise.all(calls);
}

function batchOf(bytes: number): Uint8Array<ArrayBuffer> {
  const count = Math.floor(WRITE_BYTES / bytes);
  const lines = Array.from({ length: count }, (_, i) => `${messageOf(bytes, 100_000 + i)}\n`);
  return new TextEncoder().encode(lines.join(""));
}

async function post({ url }: Server, category: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
  const response = await fetch(`${url}/write?category=${category}`, { method: "POST", body });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`write: ${response.status} ${text}`);
}

async function storedBytes({ chukcha, category }: Bench): Promise<number> {
  return (await chukcha.node.listChunks(category)).reduce((sum, { size }) => sum + size, 0);
}
