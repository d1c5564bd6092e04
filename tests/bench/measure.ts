/**
 * Measures one case: a node and its floor side by side, in rounds that take turns, because the machine's other work
 * comes and goes in seconds. What is compared are medians; least and most are told beside them.
 *
 * @module
 */
import { type Case, caseName } from "./cases.ts";
import { warmFileCache } from "./file_cache.ts";
import { checkWrite, letGo, prepareReads, storedBytes } from "./data.ts";
import { runningNode, type Server, startFloor, startNode } from "./server.ts";
import { type Round, runWrk } from "./wrk.ts";

/** Writes of at least this size need memory for files faster than any other. */
export const LARGE_BYTES = 64 * 1024;
/** More than a round of them writes in a second. */
const FILE_BYTES_PER_SECOND = 1024 * 1024 * 1024;

/** How to measure. */
export interface Plan {
  /** Length of a round. */
  readonly seconds: number;
  /** Rounds per server, after one to warm up. */
  readonly rounds: number;
  /** Where data directories are made; a real disk, not memory. */
  readonly directory: string;
  /** Whether rounds of large writes find the file cache's memory as the machine happens to have it. */
  readonly cold?: boolean;
  /** A node that listens already; none: one is started per case. */
  readonly url?: string;
}

/** Median, least and most of the rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** One server's figures. */
export interface Figures {
  readonly requestsPerSecond: Spread;
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly wrkBusy: number;
  /** Processor time per request; hardly disturbed by what else the machine does. */
  readonly processorMicros?: number;
  readonly memoryBytesMax?: number;
}

/** A case and what came out. */
export interface Result {
  readonly case: Case;
  readonly node: Figures;
  readonly floor: Figures;
  /** The node's median by the floor's. */
  readonly ratio: number;
}

/** A server, what is sent to it, and what it did so far. */
interface Side {
  readonly server: Server;
  readonly load: readonly string[];
  readonly rounds: Round[];
  requests: number;
  processorMicros: number | undefined;
}

/** Starts both servers, lets them take turns, stops them. */
export async function measure(measured: Case, plan: Plan): Promise<Result> {
  await using stack = new AsyncDisposableStack();
  const node = plan.url === undefined ? await startNode(plan.directory) : runningNode(plan.url);
  stack.defer(() => node.stop());
  const floor = await startFloor(measured.kind === "read" ? measured.bytes : 0);
  stack.defer(() => floor.stop());
  const category = `bench-${crypto.randomUUID().slice(0, 8)}`;
  const load = await prepareLoad(measured, node, category, stack);
  const sides = [newSide(node, load), newSide(floor, load)] as const;
  const warmed = !plan.cold && measured.kind !== "read" && measured.bytes >= LARGE_BYTES;
  for (const side of sides) await oneRound(side, measured, Math.min(1, plan.seconds), node, category);
  for (const side of sides) forget(side);
  for (let i = 0; i < plan.rounds; i++) {
    for (const side of sides) {
      if (warmed) warmFileCache(plan.directory, plan.seconds * FILE_BYTES_PER_SECOND);
      await oneRound(side, measured, plan.seconds, node, category);
    }
  }
  const [nodeFigures, floorFigures] = [figures(sides[0]), figures(sides[1])];
  const ratio = nodeFigures.requestsPerSecond.median / floorFigures.requestsPerSecond.median;
  return { case: measured, node: nodeFigures, floor: floorFigures, ratio };
}

/** Arguments of `load.lua`; the paths of reads are handed over in a file. */
async function prepareLoad(
  measured: Case,
  node: Server,
  category: string,
  stack: AsyncDisposableStack,
): Promise<string[]> {
  if (measured.kind !== "read") {
    const path = `/write?category=${category}`;
    await checkWrite(`${node.url}${path}`, measured.bytes);
    return [measured.kind, String(measured.bytes), path];
  }
  const paths = await prepareReads(node.url, category, measured.bytes);
  const file = await Deno.makeTempFile({ suffix: ".paths" });
  stack.defer(() => Deno.remove(file));
  await Deno.writeTextFile(file, paths.map((path) => `${path}\n`).join(""));
  return ["read", file];
}

/** One round against one side; for writes to the node, also that what was answered is there, then lets it go. */
async function oneRound(
  side: Side,
  measured: Case,
  seconds: number,
  node: Server,
  category: string,
): Promise<void> {
  const checked = measured.kind !== "read" && side.server === node;
  const before = checked ? await storedBytes(node.url, category) : 0;
  const startMicros = side.server.processorMicros();
  const { round, requests } = await runWrk(side.server.url, measured, side.load, seconds);
  const endMicros = side.server.processorMicros();
  side.rounds.push(round);
  side.requests += requests;
  if (startMicros === undefined || endMicros === undefined) side.processorMicros = undefined;
  else if (side.processorMicros !== undefined) side.processorMicros += endMicros - startMicros;
  if (!checked) return;
  const stored = await storedBytes(node.url, category) - before;
  if (stored < requests * measured.bytes) {
    throw new Error(
      `${caseName(measured)}: ${requests} writes were answered, but only ${stored} bytes are there`,
    );
  }
  await letGo(node.url, category);
}

function newSide(server: Server, load: readonly string[]): Side {
  return { server, load, rounds: [], requests: 0, processorMicros: 0 };
}

/** Drops what the warming up measured. */
function forget(side: Side): void {
  side.rounds.length = 0;
  side.requests = 0;
  side.processorMicros = 0;
}

function figures({ server, rounds, requests, processorMicros }: Side): Figures {
  const memoryBytesMax = server.memoryBytesMax();
  return {
    requestsPerSecond: spread(rounds.map((round) => round.requestsPerSecond)),
    p50Micros: spread(rounds.map((round) => round.p50Micros)).median,
    p99Micros: spread(rounds.map((round) => round.p99Micros)).median,
    wrkBusy: spread(rounds.map((round) => round.wrkBusy)).median,
    ...(processorMicros === undefined ? {} : { processorMicros: processorMicros / requests }),
    ...(memoryBytesMax === undefined ? {} : { memoryBytesMax }),
  };
}

/** Median, least and most; of an even number of values the lower middle one. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: sorted[(sorted.length - 1) >> 1]!, min: sorted[0]!, max: sorted.at(-1)! };
}
