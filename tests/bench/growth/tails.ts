/**
 * How costs grow with those who wait: open tails, of the category that is written to or of another one, and polls of one
 * consumer's workers.
 *
 * @module
 */
import { CONNECTION_SIZES, withNode } from "./connections.ts";
import type { Figure, Row } from "./figures.ts";
import { write, wrkWrites } from "./load.ts";
import { idleMicros, memoryMib } from "./node.ts";
import { during, pause } from "./observe.ts";
import { Sockets } from "./sockets.ts";
import type { GrowthPlan, GrowthTable } from "./table.ts";

const [FOLLOWED, OTHER, POLLED] = ["followed", "other", "polled"];
const WRITES = 10;
/** A write that wakes one worker is measured so often, */
const POLLED_WRITES = 50;
/** after so many that are not: making thousands of connections leaves something to be tidied up. */
const WARM_WRITES = 20;
/** What a tail that was given something still does. */
const CALM_MS = 50;
const POLL_MS = 60_000;

const FIGURES: readonly Figure[] = [
  { name: "write 100 B x8 into another category", unit: "us", digits: 1, expected: "constant", noise: 3 },
  { name: "a message until all tails have it", unit: "us", expected: "linear", noise: 500 },
  { name: "idle with open tails, processor time", unit: "us/s", expected: "constant", noise: 1_000 },
  { name: "resident memory with open tails", unit: "MiB", digits: 1, expected: "linear", noise: 20 },
  { name: "a message that wakes one poll, which comes again", unit: "us", expected: "constant", noise: 300 },
  { name: "idle with waiting polls, processor time", unit: "us/s", expected: "constant", noise: 1_000 },
];

/** The table. */
export const TAILS: GrowthTable = {
  name: "connections waiting",
  of: "open tails, or waiting polls",
  about:
    "Tails of one category, all of which get each message of it; then as many polls of /consume for one consumer, " +
    "of which each message wakes one. One node for all rows; processor time of the node.",
  sizes: CONNECTION_SIZES,
  figures: FIGURES,
  measure: (sizes, plan) => withNode(sizes, plan, measureWaiting),
};

interface Running {
  readonly url: string;
  readonly pid: number;
}

async function* measureWaiting(
  node: Running,
  sizes: readonly number[],
  plan: GrowthPlan,
): AsyncGenerator<Row> {
  for (const size of sizes) {
    yield { size, values: { ...await withTails(node, size, plan), ...await withPolls(node, size, plan) } };
  }
}

async function withTails(node: Running, size: number, plan: GrowthPlan): Promise<Record<string, number>> {
  using sockets = new Sockets(node.url);
  await write(node, FOLLOWED!, "before\n");
  await sockets.grow(size, () => `/tail?category=${FOLLOWED}&from=latest`);
  const idle = await idleMicros(node, plan.idleSeconds);
  const { micros } = await wrkWrites(node, [OTHER!], plan);
  const memory = memoryMib(node);
  const tell = async (): Promise<void> => {
    for (let i = 0; i < WRITES; i++) {
      const taken = sockets.takeEach();
      await write(node, FOLLOWED!, "message\n");
      await taken;
    }
    await pause(CALM_MS);
  };
  await tell();
  const all = await during([node.pid], tell);
  return {
    "write 100 B x8 into another category": micros,
    "a message until all tails have it": all.micros / WRITES,
    "idle with open tails, processor time": idle,
    "resident memory with open tails": memory,
  };
}

async function withPolls(node: Running, size: number, plan: GrowthPlan): Promise<Record<string, number>> {
  using sockets = new Sockets(node.url);
  const path = `/consume?category=${POLLED}&consumer=workers-${size}&from=latest&wait=${POLL_MS}`;
  await write(node, POLLED!, "before\n");
  await sockets.ask(size, () => path);
  const idle = await idleMicros(node, plan.idleSeconds);
  const wake = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const one = sockets.takeAny();
      await write(node, POLLED!, "message\n");
      await one;
      // As a worker does that has done its work.
      await sockets.ask(1, () => path);
    }
    await pause(CALM_MS);
  };
  await wake(WARM_WRITES);
  const all = await during([node.pid], () => wake(POLLED_WRITES));
  return {
    "a message that wakes one poll, which comes again": all.micros / POLLED_WRITES,
    "idle with waiting polls, processor time": idle,
  };
}
