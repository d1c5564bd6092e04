/**
 * How costs grow with the categories of a node, each of which holds one message in one chunk.
 *
 * @module
 */
import { METRICS_CACHE_MS } from "../../../lib/protocol/limits.ts";
import type { Figure, Row } from "./figures.ts";
import { categoryName, fillCategories } from "./fill.ts";
import { Ghost } from "./ghost.ts";
import { callMicros, get, getJson, wrkWrites } from "./load.ts";
import { idleMicros, makeDirectory, memoryMib, startMember, startOn } from "./node.ts";
import { during } from "./observe.ts";
import { type GrowthPlan, type GrowthTable, powersOfTen } from "./table.ts";

const SIZE_MAX = 100_000;
/** Writes are spread over all categories, up to this many: more would be a table of its own. */
const WRITTEN_MAX = 10_000;
const FEW = 8;

const FIGURES: readonly Figure[] = [
  { name: "start-up", unit: "ms", expected: "constant", noise: 150 },
  { name: "start-up, processor time", unit: "ms", expected: "constant", noise: 100 },
  { name: "resident memory after the start", unit: "MiB", expected: "linear", noise: 20 },
  { name: "idle, processor time", unit: "us/s", expected: "constant", noise: 1_000 },
  { name: "write 100 B x8 into up to 8 of them", unit: "us", digits: 1, expected: "constant", noise: 3 },
  { name: "write 100 B x8 into up to 10,000", unit: "us", digits: 1, expected: "constant", noise: 3 },
  { name: "/listCategories", unit: "us", expected: "linear", noise: 100 },
  { name: "/listChunks of one", unit: "us", expected: "constant", noise: 50 },
  { name: "/metrics", unit: "us", expected: "linear", noise: 1_000 },
  { name: "/status", unit: "us", expected: "linear", noise: 200 },
  { name: "poll of a peer without news", unit: "us", expected: "constant", noise: 60 },
  { name: "first polls of a peer, until it knows all", unit: "us", expected: "linear", noise: 500 },
  { name: "first polls of a peer, answers", unit: "KiB", expected: "linear", noise: 1 },
  { name: "idle in a cluster, processor time", unit: "us/s", expected: "constant", noise: 1_000 },
  { name: "end after writes into up to 10,000", unit: "ms", expected: "linear", noise: 100 },
];

/** The table. */
export const CATEGORIES: GrowthTable = {
  name: "categories",
  of: "categories of a node",
  about:
    "Each holds one message of 100 B in one sealed chunk, prepared by the storage in this process, without syncs. " +
    "A node of its own on a real disk for each row; processor time of the node.",
  sizes: powersOfTen(SIZE_MAX),
  figures: FIGURES,
  measure,
};

async function* measure(sizes: readonly number[], plan: GrowthPlan): AsyncGenerator<Row> {
  const directory = await makeDirectory(plan.directory);
  try {
    for (const size of sizes) {
      await fillCategories(directory.path, size);
      const member = await measureMember(directory.path, plan);
      yield { size, values: { ...await measureAlone(directory.path, size, plan), ...member } };
    }
  } finally {
    await directory.remove();
  }
}

async function measureMember(directory: string, plan: GrowthPlan): Promise<Record<string, number>> {
  const node = await startMember(directory);
  try {
    const ghost = new Ghost(node);
    await ghost.catchUp();
    ghost.forget();
    const first = await during([node.pid], () => ghost.catchUp());
    return {
      "first polls of a peer, until it knows all": first.micros,
      "first polls of a peer, answers": first.result / 1024,
      "poll of a peer without news": await callMicros(node, () => ghost.poll()),
      "idle in a cluster, processor time": await idleMicros(node, plan.idleSeconds),
    };
  } finally {
    await node.stop();
  }
}

async function measureAlone(
  directory: string,
  size: number,
  plan: GrowthPlan,
): Promise<Record<string, number>> {
  const node = await startOn(directory);
  try {
    const memory = memoryMib(node);
    const idle = await idleMicros(node, plan.idleSeconds);
    const listed = await getJson<string[]>(node, "/listCategories");
    if (listed.length !== size) throw new Error(`${listed.length} categories instead of ${size}`);
    const json = { headers: { accept: "application/json" } };
    const values = {
      "start-up": node.startMs,
      "start-up, processor time": node.startCpuMs,
      "resident memory after the start": memory,
      "idle, processor time": idle,
      "/listCategories": await callMicros(node, () => get(node, "/listCategories")),
      "/listChunks of one": await callMicros(
        node,
        (i) => get(node, `/listChunks?category=${categoryName(i % size)}`),
      ),
      "/status": await callMicros(node, () => get(node, "/status", json)),
      // What was rendered just now serves everybody: only behind that time is it looked up again.
      "/metrics": await callMicros(node, () => get(node, "/metrics"), {
        calls: 3,
        warm: 1,
        pauseMs: METRICS_CACHE_MS + 100,
      }),
    };
    const few = await wrkWrites(node, named(Math.min(size, FEW)), plan);
    const many = await wrkWrites(node, named(Math.min(size, WRITTEN_MAX)), plan);
    const written = {
      "write 100 B x8 into up to 8 of them": few.micros,
      "write 100 B x8 into up to 10,000": many.micros,
    };
    return { ...values, ...written, "end after writes into up to 10,000": await node.stop() };
  } finally {
    await node.stop();
  }
}

function named(count: number): string[] {
  return Array.from({ length: count }, (_, i) => categoryName(i));
}
