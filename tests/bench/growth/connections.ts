/**
 * How costs grow with connections: those that are kept and ask for nothing, beside eight that write, and those that all
 * write.
 *
 * @module
 */
import type { Figure, Row } from "./figures.ts";
import { type Loaded, wrkRounds, wrkWrites } from "./load.ts";
import { idleMicros, makeDirectory, memoryMib, startOn } from "./node.ts";
import { Sockets } from "./sockets.ts";
import type { GrowthPlan, GrowthTable } from "./table.ts";

/** Powers of four, so that the last one is 4,096. */
export const CONNECTION_SIZES: readonly number[] = [1, 4, 16, 64, 256, 1_024, 4_096];
const CATEGORY = "connections";

const IDLE: readonly Figure[] = [
  { name: "write 100 B x8 beside them", unit: "us", digits: 1, expected: "constant", noise: 3 },
  { name: "p99 of these writes", unit: "ms", digits: 2, expected: "any", noise: 1 },
  { name: "idle, processor time", unit: "us/s", expected: "constant", noise: 1_000 },
  { name: "resident memory", unit: "MiB", digits: 1, expected: "linear", noise: 20 },
];

const BUSY: readonly Figure[] = [
  { name: "write 100 B", unit: "us", digits: 1, expected: "constant", noise: 5 },
  { name: "writes a second", unit: "1/s", expected: "any", noise: 0 },
  { name: "p99 of these writes", unit: "ms", digits: 2, expected: "linear", noise: 2 },
  { name: "resident memory", unit: "MiB", digits: 1, expected: "linear", noise: 30 },
];

/** Connections that ask for nothing. */
export const IDLE_CONNECTIONS: GrowthTable = {
  name: "connections idle",
  of: "idle connections",
  about:
    "Kept by this program, each after one request, beside eight of wrk that write. One node for all rows; " +
    "processor time of the node.",
  sizes: CONNECTION_SIZES,
  figures: IDLE,
  measure: (sizes, plan) => withNode(sizes, plan, measureIdle),
};

/** Connections that write. */
export const BUSY_CONNECTIONS: GrowthTable = {
  name: "connections busy",
  of: "connections that write",
  about:
    "All of wrk, which sends 100 B with each as soon as the one before is answered. One node for all rows; " +
    "processor time of the node.",
  sizes: CONNECTION_SIZES,
  figures: BUSY,
  measure: (sizes, plan) => withNode(sizes, plan, measureBusy),
};

interface Running {
  readonly url: string;
  readonly pid: number;
}

/** Measures size by size with one node, so that what the first ones taught the runtime counts for all. */
export async function* withNode(
  sizes: readonly number[],
  plan: GrowthPlan,
  measure: (node: Running, sizes: readonly number[], plan: GrowthPlan) => AsyncGenerator<Row>,
): AsyncGenerator<Row> {
  const directory = await makeDirectory(plan.directory);
  try {
    const node = await startOn(directory.path);
    try {
      await wrkWrites(node, [CATEGORY], plan);
      yield* measure(node, sizes, plan);
    } finally {
      await node.stop();
    }
  } finally {
    await directory.remove();
  }
}

async function* measureIdle(
  node: Running,
  sizes: readonly number[],
  plan: GrowthPlan,
): AsyncGenerator<Row> {
  using sockets = new Sockets(node.url);
  for (const size of sizes) {
    await sockets.grow(size, () => "/livez");
    const idle = await idleMicros(node, plan.idleSeconds);
    const { micros, p99Ms } = await wrkWrites(node, [CATEGORY], plan);
    yield {
      size,
      values: {
        "write 100 B x8 beside them": micros,
        "p99 of these writes": p99Ms,
        "idle, processor time": idle,
        "resident memory": memoryMib(node),
      },
    };
  }
}

async function* measureBusy(
  node: Running,
  sizes: readonly number[],
  plan: GrowthPlan,
): AsyncGenerator<Row> {
  for (const size of sizes) {
    const { micros, perSecond, p99Ms } = await busy(node, size, plan);
    yield {
      size,
      values: {
        "write 100 B": micros,
        "writes a second": perSecond,
        "p99 of these writes": p99Ms,
        "resident memory": memoryMib(node),
      },
    };
  }
}

function busy(node: Running, connections: number, plan: GrowthPlan): Promise<Loaded> {
  return wrkRounds(node, { connections, load: ["write", "100", `/write?category=${CATEGORY}`] }, plan);
}
