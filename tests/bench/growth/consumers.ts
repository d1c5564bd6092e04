/**
 * How costs grow with consumers: on one category as many as it may have, and beyond that on as many categories as it
 * takes.
 *
 * @module
 */
import { CONSUMERS_MAX } from "../../../lib/protocol/limits.ts";
import type { Figure, Row } from "./figures.ts";
import { categoryName, fillConsumers, MESSAGE, openStore } from "./fill.ts";
import { Ghost } from "./ghost.ts";
import { type Asked, callMicros, get, inTurns, wrkWrites } from "./load.ts";
import { idleMicros, makeDirectory, memoryMib, startMember, startOn } from "./node.ts";
import { during, pause } from "./observe.ts";
import { type GrowthPlan, type GrowthTable, powersOfTen } from "./table.ts";

const SIZE_MAX = 10_000;
const MESSAGES = 1_000;
/** All of them acknowledge at once, up to this many. */
const ACKING_MAX = 1_000;
/** Acknowledgements are on the device, and told to others, by then. */
const TOLD_MS = 1_500;

const FIGURES: readonly Figure[] = [
  { name: "start-up, processor time", unit: "ms", expected: "linear", noise: 100 },
  { name: "resident memory after the start", unit: "MiB", expected: "linear", noise: 20 },
  { name: "idle, processor time", unit: "us/s", expected: "constant", noise: 1_000 },
  { name: "write 100 B x8", unit: "us", digits: 1, expected: "constant", noise: 3 },
  { name: "/consume of one, nothing acknowledged", unit: "us", expected: "constant", noise: 60 },
  { name: "/consume and /ack of one, others idle", unit: "us", expected: "constant", noise: 150 },
  { name: "/consume and /ack x8 by up to 1,000", unit: "us", expected: "constant", noise: 150 },
  { name: "/consumers", unit: "us", expected: "linear", noise: 200 },
  { name: "first polls of a peer, answers", unit: "B", expected: "linear", noise: 200 },
  { name: "poll of a peer behind the ack of one, answer", unit: "B", expected: "constant", noise: 200 },
  { name: "poll of a peer behind the ack of one", unit: "us", expected: "constant", noise: 100 },
];

/** The table. */
export const CONSUMERS: GrowthTable = {
  name: "consumers",
  of: "consumers",
  about:
    `Of one category, up to the ${CONSUMERS_MAX} that it may have; more are of several such. Each category has ` +
    `${MESSAGES} messages of 100 B. A node of its own for each row; processor time of the node.`,
  sizes: powersOfTen(SIZE_MAX),
  figures: FIGURES,
  measure,
};

interface Consumer {
  readonly category: string;
  readonly name: string;
}

async function* measure(sizes: readonly number[], plan: GrowthPlan): AsyncGenerator<Row> {
  for (const size of sizes) {
    const directory = await makeDirectory(plan.directory);
    try {
      const all = consumersOf(size);
      await prepare(directory.path, all);
      const member = await measureMember(directory.path, all[0]!);
      yield { size, values: { ...await measureAlone(directory.path, all, plan), ...member } };
    } finally {
      await directory.remove();
    }
  }
}

function consumersOf(size: number): Consumer[] {
  return Array.from({ length: size }, (_, i) => ({
    category: categoryName(Math.floor(i / CONSUMERS_MAX)),
    name: `consumer-${i}`,
  }));
}

async function prepare(directory: string, all: readonly Consumer[]): Promise<void> {
  for (const [category, its] of Map.groupBy(all, (one) => one.category)) {
    const store = await openStore(directory);
    for (let i = 0; i < MESSAGES; i++) await store.append(category, MESSAGE, false);
    await store.close();
    await fillConsumers(directory, category, its.map(({ name }) => name));
  }
}

async function measureMember(directory: string, one: Consumer): Promise<Record<string, number>> {
  const node = await startMember(directory);
  try {
    const ghost = new Ghost(node);
    const first = await ghost.catchUp();
    let bytes = 0;
    let micros = 0;
    for (let i = 0; i < 5; i++) {
      await consumeAndAck(node, one);
      await pause(TOLD_MS);
      const polled = await during([node.pid], () => ghost.catchUp());
      micros = polled.micros;
      bytes = polled.result;
    }
    return {
      "first polls of a peer, answers": first,
      "poll of a peer behind the ack of one, answer": bytes,
      "poll of a peer behind the ack of one": micros,
    };
  } finally {
    await node.stop();
  }
}

async function measureAlone(
  directory: string,
  all: readonly Consumer[],
  plan: GrowthPlan,
): Promise<Record<string, number>> {
  const node = await startOn(directory);
  try {
    const memory = memoryMib(node);
    const idle = await idleMicros(node, plan.idleSeconds);
    const one = all[0]!;
    const taken = await callMicros(node, () => consume(node, one));
    const acked = await callMicros(node, () => consumeAndAck(node, one));
    const acking = all.slice(0, ACKING_MAX);
    const turns = Array.from({ length: Math.max(1, Math.ceil(300 / acking.length)) }, () => acking).flat();
    const together = await during([node.pid], async () => {
      await inTurns(turns, (consumer) => consumeAndAck(node, consumer));
      // What was acknowledged is put on the device within a second, which belongs to it.
      await pause(TOLD_MS);
    });
    const listed = await callMicros(node, () => get(node, "/consumers"), { calls: 30 });
    const written = await wrkWrites(node, [one.category], plan);
    return {
      "start-up, processor time": node.startCpuMs,
      "resident memory after the start": memory,
      "idle, processor time": idle,
      "write 100 B x8": written.micros,
      "/consume of one, nothing acknowledged": taken,
      "/consume and /ack of one, others idle": acked,
      "/consume and /ack x8 by up to 1,000": together.micros / turns.length,
      "/consumers": listed,
    };
  } finally {
    await node.stop();
  }
}

/** The next message of a consumer; where in which chunk it ends. */
async function consume(node: Asked, { category, name }: Consumer): Promise<{ chunk: string; end: string }> {
  const path = `/consume?category=${category}&consumer=${name}&max_size=${MESSAGE.length}`;
  const answer = await fetch(`${node.url}${path}`);
  const text = await answer.text();
  const chunk = answer.headers.get("chukcha-chunk");
  const end = answer.headers.get("chukcha-next-offset");
  if (answer.status !== 200 || chunk === null || end === null) {
    throw new Error(`${path}: ${answer.status} ${text}`);
  }
  return { chunk, end };
}

async function consumeAndAck(node: Asked, consumer: Consumer): Promise<void> {
  const { chunk, end } = await consume(node, consumer);
  const { category, name } = consumer;
  await get(node, `/ack?category=${category}&consumer=${name}&chunk=${chunk}&size=${end}`);
}
