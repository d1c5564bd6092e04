/**
 * How costs grow with the chunks of one category, each of one message.
 *
 * @module
 */
import type { Figure, Row } from "./figures.ts";
import { fillChunks, MESSAGE_BYTES } from "./fill.ts";
import { callMicros, get, getJson, wrkReads, wrkWrites } from "./load.ts";
import { type GrowthNode, idleMicros, makeDirectory, memoryMib, settled, startOn } from "./node.ts";
import { during } from "./observe.ts";
import { measureStored } from "./stored.ts";
import { type GrowthPlan, type GrowthTable, powersOfTen } from "./table.ts";

const SIZE_MAX = 1_000_000;
const CATEGORY = "chunks";
const ACKS_MAX = 100;
const WARM_FILL_CHUNKS = 3_000;
/** What one consumer reads, a chunk at a time. */
const READ_CHUNKS = 200;
const WARM_CHUNKS = 20;

const FIGURES: readonly Figure[] = [
  { name: "start-up, chunks have just come", unit: "ms", expected: "constant", noise: 150 },
  { name: "start-up", unit: "ms", expected: "constant", noise: 150 },
  { name: "start-up, processor time", unit: "ms", expected: "constant", noise: 100 },
  { name: "resident memory after the start", unit: "MiB", expected: "linear", noise: 20 },
  { name: "idle, processor time", unit: "us/s", expected: "constant", noise: 1_000 },
  { name: "write 100 B x8", unit: "us", digits: 1, expected: "constant", noise: 3 },
  { name: "read the first x8", unit: "us", digits: 1, expected: "constant", noise: 5 },
  { name: "read the last x8", unit: "us", digits: 1, expected: "constant", noise: 5 },
  { name: "/listChunks", unit: "us", expected: "linear", noise: 100 },
  { name: "/tail resumed behind the last, until it waits", unit: "us", expected: "constant", noise: 100 },
  { name: "/tail from latest, until it waits", unit: "us", expected: "constant", noise: 100 },
  { name: "/tail from a time, until it waits", unit: "us", expected: "linear", noise: 100 },
  { name: "first /consume of a new consumer", unit: "us", expected: "constant", noise: 200 },
  { name: "/consume and /ack of a consumer", unit: "us", expected: "constant", noise: 200 },
  { name: "/consumers, with their lag", unit: "us", expected: "linear", noise: 200 },
  { name: "/ack of the oldest chunk", unit: "us", expected: "constant", noise: 200 },
  { name: "a chunk is completed and the next begun", unit: "us", expected: "constant", noise: 100 },
  { name: "a look of retention by age, nothing is due", unit: "us", expected: "constant", noise: 200 },
  { name: "a look of retention by size, nothing is due", unit: "us", expected: "linear", noise: 200 },
  { name: "256 chunks expire", unit: "us", expected: "constant", noise: 10_000 },
];

/** The table. */
export const CHUNKS: GrowthTable = {
  name: "chunks",
  of: "chunks of one category",
  about:
    "Each holds one message of 100 B and is sealed, prepared by the storage in this process, without syncs. A node " +
    "of its own on a real disk for each row; processor time of the node. The last four lines are the storage " +
    "alone, in this process.",
  sizes: powersOfTen(SIZE_MAX),
  figures: FIGURES,
  measure,
};

async function* measure(sizes: readonly number[], plan: GrowthPlan): AsyncGenerator<Row> {
  await warmUp(plan.directory);
  const directory = await makeDirectory(plan.directory);
  try {
    for (const size of sizes) {
      await fillChunks(directory.path, CATEGORY, size);
      const first = await measureFirst(directory.path);
      const served = await measureServed(directory.path, size, plan);
      yield { size, values: { ...first, ...served, ...await measureStored(directory.path, CATEGORY) } };
    }
  } finally {
    await directory.remove();
  }
}

/** The storage in this process is to be as fast for the smallest size as for the largest, which makes many chunks first. */
async function warmUp(below: string): Promise<void> {
  const directory = await makeDirectory(below);
  try {
    await fillChunks(directory.path, CATEGORY, WARM_FILL_CHUNKS);
    await measureStored(directory.path, CATEGORY);
  } finally {
    await directory.remove();
  }
}

/** A start that cannot rely upon the directory, and looks at the sizes of its files; the one after it can. */
async function measureFirst(directory: string): Promise<Record<string, number>> {
  const node = await startOn(directory);
  try {
    await settled(directory, CATEGORY);
  } finally {
    await node.stop();
  }
  return { "start-up, chunks have just come": node.startMs };
}

async function measureServed(
  directory: string,
  size: number,
  plan: GrowthPlan,
): Promise<Record<string, number>> {
  const node = await startOn(directory);
  try {
    const memory = memoryMib(node);
    const idle = await idleMicros(node, plan.idleSeconds);
    const listed = await getJson<{ name: string; size: number }[]>(node, `/listChunks?category=${CATEGORY}`);
    if (listed.length < size) throw new Error(`${listed.length} chunks instead of ${size}`);
    const readOf = ({ name }: { name: string }): string => `/read?category=${CATEGORY}&chunk=${name}&off=0`;
    const first = await wrkReads(node, [readOf(listed[0]!)], MESSAGE_BYTES, plan);
    const last = await wrkReads(node, [readOf(listed.at(-1)!)], MESSAGE_BYTES, plan);
    const listing = await callMicros(node, () => get(node, `/listChunks?category=${CATEGORY}`));
    const behind = `${listed.at(-1)!.name}:${MESSAGE_BYTES}`;
    const tails = {
      "/tail resumed behind the last, until it waits": await tailMicros(node, "earliest", behind),
      "/tail from latest, until it waits": await tailMicros(node, "latest"),
      "/tail from a time, until it waits": await tailMicros(node, String(Date.now() + 60_000)),
    };
    const consumed = await measureConsumer(node, size);
    const written = await wrkWrites(node, [CATEGORY], plan);
    // Last: it changes what there is. The chunk that the writes went into stays.
    const oldest = listed.slice(0, ACKS_MAX);
    const acked = await during([node.pid], async () => {
      for (const { name, size: bytes } of oldest) {
        await get(node, `/ack?category=${CATEGORY}&chunk=${name}&size=${bytes}`);
      }
    });
    return {
      "start-up": node.startMs,
      "start-up, processor time": node.startCpuMs,
      "resident memory after the start": memory,
      "idle, processor time": idle,
      "write 100 B x8": written.micros,
      "read the first x8": first.micros,
      "read the last x8": last.micros,
      "/listChunks": listing,
      ...tails,
      ...consumed,
      "/ack of the oldest chunk": acked.micros / oldest.length,
    };
  } finally {
    await node.stop();
  }
}

/** Opens a tail, which has nothing to tell, and leaves it again; `behind` is what it has seen before. */
function tailMicros(node: GrowthNode, from: string, behind?: string): Promise<number> {
  return callMicros(node, async () => {
    const leave = new AbortController();
    const headers = behind === undefined ? undefined : { "last-event-id": behind };
    const answer = await fetch(`${node.url}/tail?category=${CATEGORY}&from=${from}`, {
      signal: leave.signal,
      ...headers ? { headers } : {},
    });
    if (!answer.ok) throw new Error(`/tail: ${answer.status} ${await answer.text()}`);
    leave.abort();
  }, { calls: 100 });
}

async function measureConsumer(node: GrowthNode, size: number): Promise<Record<string, number>> {
  const consume = async (consumer: string): Promise<Headers> => {
    const path = `/consume?category=${CATEGORY}&consumer=${consumer}&from=earliest`;
    const answer = await fetch(`${node.url}${path}`);
    const body = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${body}`);
    return answer.headers;
  };
  const first = await callMicros(node, (i) => consume(`new-${i}`), { calls: 20, warm: 5 });
  const next = size < READ_CHUNKS + WARM_CHUNKS ? undefined : await callMicros(node, async () => {
    const headers = await consume("reader");
    const [chunk, end] = [headers.get("chukcha-chunk"), headers.get("chukcha-next-offset")];
    await get(node, `/ack?category=${CATEGORY}&consumer=reader&chunk=${chunk}&size=${end}`);
  }, { calls: READ_CHUNKS, warm: WARM_CHUNKS });
  const listed = await callMicros(node, () => get(node, `/consumers?category=${CATEGORY}`), { calls: 30 });
  const names = await getJson<{ consumer: string }[]>(node, `/consumers?category=${CATEGORY}`);
  for (const { consumer } of names) {
    await get(node, `/consumers?category=${CATEGORY}&consumer=${consumer}`, { method: "DELETE" });
  }
  return {
    "first /consume of a new consumer": first,
    // A category that has fewer cannot tell.
    ...next === undefined ? {} : { "/consume and /ack of a consumer": next },
    "/consumers, with their lag": listed,
  };
}
