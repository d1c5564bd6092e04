/**
 * Measures how fast an empty node takes everything that another one holds.
 *
 * Each round has a pair of its own: the source is filled while the other is not there, then the other is started. The
 * clock runs from when that one listens until it lists the same. What it then gives to readers is compared by SHA-256.
 *
 * @module
 */
import { type CatchUp, clusterCaseName } from "./cluster_cases.ts";
import { chunkHashes, fill } from "./cluster_data.ts";
import { type ClusterNode, LocalCluster, untilSame } from "./cluster_nodes.ts";
import { storedBytes } from "./data.ts";
import { warmFileCache } from "./file_cache.ts";
import { type Plan, type Spread, spread } from "./measure.ts";

const CATEGORY = "bench";
/** Rare enough not to be a load, and below a percent of what is measured. */
const STEP_MS = 20;
/** Slower than this is an error, not a measurement. */
const BYTES_PER_MS_MIN = 5_000;
const START_MS_MAX = 60_000;

/** The node that is asked, and the one that was empty. */
export interface Pair {
  readonly source: number;
  readonly copy: number;
}

/** What came out. */
export interface CatchUpResult {
  readonly case: CatchUp;
  readonly bytesPerSecond: Spread;
  /** Processor time of one catch-up: the median of the rounds. */
  readonly processorMicros?: Pair;
  /** The most of all rounds; of the source also from its filling. */
  readonly memoryBytesMax?: Pair;
  /** Chunks per round whose SHA-256 was the same on both. */
  readonly chunksCompared: number;
}

/** One round. */
export interface CatchUpRound {
  readonly bytes: number;
  readonly tookMs: number;
  readonly processor: Pair | undefined;
  readonly memory: Pair | undefined;
  readonly chunksCompared: number;
}

/** Measures a catch-up, each time from the beginning. */
export async function measureCatchUp(measured: CatchUp, plan: Plan): Promise<CatchUpResult> {
  const rounds: CatchUpRound[] = [];
  for (let i = 0; i < plan.rounds; i++) rounds.push(await oneRound(measured, plan));
  return summarise(measured, rounds);
}

async function oneRound(measured: CatchUp, plan: Plan): Promise<CatchUpRound> {
  await using cluster = await LocalCluster.create(plan.directory, ["node_1", "node_2"]);
  return await cluster.watched(clusterCaseName(measured), async () => {
    // Its disk is empty and its peer is not there to be asked: only with this flag does it take writes.
    const source = await cluster.start("node_1", "--bootstrap");
    if (!plan.cold) warmFileCache(plan.directory, measured.bytes);
    await fill(source.url, CATEGORY, measured.bytes);
    // Otherwise the disk is busy with what was written for the filling, for longer than a catch-up takes.
    await new Deno.Command("sync").output();
    if (!plan.cold) warmFileCache(plan.directory, measured.bytes);
    const copy = await cluster.start("node_2");
    const start = processorOf(source, copy);
    const msMax = START_MS_MAX + measured.bytes / BYTES_PER_MS_MIN;
    const tookMs = await untilSame([source, copy], CATEGORY, { stepMs: STEP_MS, msMax });
    const end = processorOf(source, copy);
    const bytes = await storedBytes(copy.url, CATEGORY);
    if (bytes !== measured.bytes) {
      throw new Error(`${measured.bytes} bytes were written, but ${bytes} are there`);
    }
    return {
      bytes,
      tookMs,
      processor: start && end && { source: end.source - start.source, copy: end.copy - start.copy },
      memory: pair(source.memoryBytesMax(), copy.memoryBytesMax()),
      chunksCompared: await compareChunks(source.url, copy.url),
    };
  });
}

function processorOf(source: ClusterNode, copy: ClusterNode): Pair | undefined {
  return pair(source.processorMicros(), copy.processorMicros());
}

function pair(source: number | undefined, copy: number | undefined): Pair | undefined {
  return source === undefined || copy === undefined ? undefined : { source, copy };
}

/** Compares chunks as readers get them; returns how many. */
async function compareChunks(source: string, copy: string): Promise<number> {
  const expected = await chunkHashes(source, CATEGORY);
  const found = await chunkHashes(copy, CATEGORY);
  for (const [name, hash] of expected) {
    if (found.get(name) !== hash) throw new Error(`${name} reads differently from the node that was empty`);
  }
  return expected.size;
}

/** The result from its rounds. */
export function summarise(measured: CatchUp, rounds: readonly CatchUpRound[]): CatchUpResult {
  const processor = rounds.map((round) => round.processor).filter((one) => one !== undefined);
  const memory = rounds.map((round) => round.memory).filter((one) => one !== undefined);
  return {
    case: measured,
    bytesPerSecond: spread(rounds.map(({ bytes, tookMs }) => bytes / tookMs * 1000)),
    ...(processor.length === 0 ? {} : {
      processorMicros: {
        source: spread(processor.map(({ source }) => source)).median,
        copy: spread(processor.map(({ copy }) => copy)).median,
      },
    }),
    ...(memory.length === 0 ? {} : {
      memoryBytesMax: {
        source: Math.max(...memory.map(({ source }) => source)),
        copy: Math.max(...memory.map(({ copy }) => copy)),
      },
    }),
    chunksCompared: rounds.at(-1)!.chunksCompared,
  };
}
