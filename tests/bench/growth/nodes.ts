/**
 * How costs grow with the nodes of a cluster, each of which holds everything.
 *
 * @module
 */
import { type ClusterNode, LocalCluster, untilSame } from "../cluster_nodes.ts";
import { letGo } from "../data.ts";
import { spread } from "../measure.ts";
import { runWrk } from "../wrk.ts";
import type { Figure, Row } from "./figures.ts";
import { write } from "./load.ts";
import { during, pause, residentMib } from "./observe.ts";
import type { GrowthPlan, GrowthTable } from "./table.ts";

const CATEGORY = "nodes";
const MIB = 1024 * 1024;
const CONNECTIONS = 8;
const SAME = { stepMs: 10, msMax: 120_000 };
const SOON = { stepMs: 1, msMax: 60_000 };
const SINGLE_WRITES = 20;
/** What a start leaves to be done is done by then; a shorter look waits less long. */
const SETTLE_MS = 3_000;

const FIGURES: readonly Figure[] = [
  { name: "idle, processor time of a node", unit: "us/s", expected: "linear", noise: 300 },
  { name: "resident memory of a node", unit: "MiB", expected: "linear", noise: 20 },
  { name: "write 100 B x8, the node written to", unit: "us", digits: 1, expected: "linear", noise: 5 },
  { name: "write 100 B x8, each other node", unit: "us", digits: 1, expected: "linear", noise: 5 },
  { name: "writes of 100 B answered", unit: "1/s", expected: "any", noise: 0 },
  { name: "write 1 MiB x8, the node written to", unit: "us", expected: "linear", noise: 300 },
  { name: "write 1 MiB x8, each other node", unit: "us", expected: "linear", noise: 300 },
  { name: "100 B, from the answer until everywhere", unit: "ms", digits: 2, expected: "linear", noise: 2 },
];

/** The table. */
export const NODES: GrowthTable = {
  name: "nodes",
  of: "nodes on this machine",
  about:
    "Processes on loopback, all written to at one node, until all list the same. They share this machine's " +
    "processors, which delays show; processor time does not.",
  sizes: [1, 3, 5, 7],
  figures: FIGURES,
  measure,
};

async function* measure(sizes: readonly number[], plan: GrowthPlan): AsyncGenerator<Row> {
  for (const size of sizes) {
    const instances = Array.from({ length: size }, (_, i) => `node_${i + 1}`);
    await using cluster = await LocalCluster.create(plan.directory, instances);
    const values = await cluster.watched(`${size} nodes`, async () => {
      const nodes = await cluster.startAll();
      const seconds = plan.idleSeconds;
      await pause(Math.min(SETTLE_MS, seconds * 1000));
      const idle = await during(nodes.map(({ pid }) => pid), () => pause(seconds * 1000));
      await until(nodes, 100, 1, 1);
      const small = await until(nodes, 100, plan.seconds, plan.rounds);
      const soon = await untilEverywhere(nodes);
      const large = await until(nodes, MIB, plan.seconds, plan.rounds);
      return {
        "idle, processor time of a node": idle.micros / seconds / size,
        "resident memory of a node": spread(nodes.map(({ pid }) => residentMib(pid))).median,
        "write 100 B x8, the node written to": small.writer,
        "writes of 100 B answered": small.perSecond,
        "write 1 MiB x8, the node written to": large.writer,
        // Alone, there is no other, and nothing to wait for.
        ...size === 1 ? {} : {
          "write 100 B x8, each other node": small.other,
          "write 1 MiB x8, each other node": large.other,
          "100 B, from the answer until everywhere": soon,
        },
      };
    });
    yield { size, values };
  }
}

/** Processor time of a write until it is everywhere, in µs: of the node written to, and of each other one. */
async function until(
  nodes: readonly ClusterNode[],
  bytes: number,
  seconds: number,
  rounds: number,
): Promise<{ writer: number; other: number; perSecond: number }> {
  const [writer, ...others] = nodes;
  const path = `/write?category=${CATEGORY}`;
  const all: { writer: number; other: number; perSecond: number }[] = [];
  for (let i = 0; i < rounds; i++) {
    const measured = { kind: "write", bytes, connections: CONNECTIONS } as const;
    const other = await during(others.map(({ pid }) => pid), async () => {
      return await during([writer!.pid], async () => {
        const answered = await runWrk(writer!.url, measured, ["write", String(bytes), path], seconds);
        await untilSame(nodes, CATEGORY, SAME);
        return answered;
      });
    });
    const { micros, result: { requests, round: { requestsPerSecond: perSecond } } } = other.result;
    all.push({ writer: micros / requests, other: other.micros / requests / others.length, perSecond });
    await letGo(writer!.url, CATEGORY);
    await untilSame(nodes, CATEGORY, SAME);
  }
  return {
    writer: spread(all.map(({ writer }) => writer)).median,
    other: spread(all.map(({ other }) => other)).median,
    perSecond: spread(all.map(({ perSecond }) => perSecond)).median,
  };
}

/** Milliseconds from the answer of one write until all nodes list it. */
async function untilEverywhere(nodes: readonly ClusterNode[]): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < SINGLE_WRITES; i++) {
    await write(nodes[0]!, CATEGORY, `${"m".repeat(99)}\n`);
    times.push(await untilSame(nodes, CATEGORY, SOON));
  }
  return spread(times).median;
}
