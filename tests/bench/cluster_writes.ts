/**
 * Measures writes to one node of three, answered once 0, 1 or 2 others hold them: on the same cluster, in turns, with
 * the same replication under way, so that only the waiting differs.
 *
 * A writer that does not wait can be faster than what replicates. So each round ends only when all nodes hold the same,
 * and there are two rates: what was answered in the time of the round, and what was answered and was everywhere in the
 * time until then.
 *
 * @module
 */
import { baselineOf, clusterCaseName, type ClusterWrite } from "./cluster_cases.ts";
import { type ClusterNode, LocalCluster, untilSame } from "./cluster_nodes.ts";
import { checkWrite, letGo, storedBytes } from "./data.ts";
import { warmFileCache } from "./file_cache.ts";
import { LARGE_BYTES, type Plan, type Spread, spread } from "./measure.ts";
import { type Round, runWrk } from "./wrk.ts";

const INSTANCES = ["node_1", "node_2", "node_3"];
const CATEGORY = "bench";
/** More than three nodes on one machine write together in a second. */
const FILE_BYTES_PER_SECOND = 2 * 1024 * 1024 * 1024;
const SAME = { stepMs: 10, msMax: 60_000 };

/** The node that is written to, and the others. */
export interface Both {
  readonly writer: number;
  readonly others: number;
}

/** What came of one case. */
export interface ClusterWriteFigures {
  readonly answeredPerSecond: Spread;
  /** Answered, and held by all three nodes. */
  readonly everywherePerSecond: Spread;
  readonly p50Micros: Spread;
  readonly p99Micros: Spread;
  /** From the end of a round until all nodes held the same. */
  readonly sameMs: Spread;
  readonly wrkBusy: number;
  /** Processor time per request until it was everywhere; of the others together. */
  readonly processorMicros?: Both;
  /** The most since the start, with all cases of the cluster; of the others the larger one. */
  readonly memoryBytesMax?: Both;
}

/** A case and what came out. */
export interface ClusterWriteResult {
  readonly case: ClusterWrite;
  readonly figures: ClusterWriteFigures;
  /** Medians by those of N=0. */
  readonly ratio: number;
  readonly everywhereRatio: number;
}

/** One round. */
export interface ClusterRound {
  readonly round: Round;
  readonly requests: number;
  readonly sameMs: number;
  readonly processor: Both | undefined;
}

/** Measures cases that differ only in N, and N=0 even if it is not among them. */
export async function measureWrites(
  group: readonly ClusterWrite[],
  plan: Plan,
): Promise<ClusterWriteResult[]> {
  await using cluster = await LocalCluster.create(plan.directory, INSTANCES);
  return await cluster.watched(clusterCaseName(group[0]!), async () => {
    const nodes = await cluster.startAll();
    const cases = group.some(({ replicas }) => replicas === 0) ? group : [baselineOf(group), ...group];
    const rounds = new Map(cases.map((one) => [one, [] as ClusterRound[]]));
    const warmSeconds = plan.cold || cases[0]!.bytes < LARGE_BYTES ? 0 : plan.seconds;
    for (const one of cases) {
      await checkWrite(`${nodes[0]!.url}${pathOf(one)}`, one.bytes);
      await oneRound(nodes, one, Math.min(1, plan.seconds));
    }
    for (let i = 0; i < plan.rounds; i++) {
      for (const one of cases) {
        if (warmSeconds > 0) warmFileCache(plan.directory, warmSeconds * FILE_BYTES_PER_SECOND);
        rounds.get(one)!.push(await oneRound(nodes, one, plan.seconds));
      }
    }
    const memory = memoryOf(nodes);
    const figures = (one: ClusterWrite): ClusterWriteFigures => figuresOf(rounds.get(one)!, memory);
    const baseline = figures(cases.find(({ replicas }) => replicas === 0)!);
    return group.map((one) => compare(one, figures(one), baseline));
  });
}

/** One round, until all nodes hold the same; then lets it go everywhere, so that the next one finds idle nodes. */
async function oneRound(
  nodes: readonly ClusterNode[],
  measured: ClusterWrite,
  seconds: number,
): Promise<ClusterRound> {
  const { bytes, connections } = measured;
  const [writer] = nodes;
  const before = await storedBytes(writer!.url, CATEGORY);
  const start = processorOf(nodes);
  const load = ["write", String(bytes), pathOf(measured)];
  const { round, requests } = await runWrk(writer!.url, { kind: "write", bytes, connections }, load, seconds);
  const sameMs = await untilSame(nodes, CATEGORY, SAME);
  const end = processorOf(nodes);
  const stored = await storedBytes(writer!.url, CATEGORY) - before;
  if (stored < requests * bytes) {
    throw new Error(`${requests} writes were answered, but only ${stored} bytes are there`);
  }
  await letGo(writer!.url, CATEGORY);
  await untilSame(nodes, CATEGORY, SAME);
  const processor = start && end && { writer: end.writer - start.writer, others: end.others - start.others };
  return { round, requests, sameMs, processor };
}

function pathOf({ replicas }: ClusterWrite): string {
  return `/write?category=${CATEGORY}&min_sync_replicas=${replicas}`;
}

/** Figures of a case from its rounds. */
export function figuresOf(rounds: readonly ClusterRound[], memory: Both | undefined): ClusterWriteFigures {
  const requests = rounds.reduce((sum, one) => sum + one.requests, 0);
  const perRequest = (side: keyof Both): number | undefined => {
    const micros = rounds.map(({ processor }) => processor?.[side]);
    return micros.includes(undefined)
      ? undefined
      : micros.reduce<number>((sum, one) => sum + one!, 0) / requests;
  };
  const [writer, others] = [perRequest("writer"), perRequest("others")];
  const isKnown = writer !== undefined && others !== undefined;
  return {
    answeredPerSecond: spread(rounds.map(({ round }) => round.requestsPerSecond)),
    everywherePerSecond: spread(rounds.map(everywherePerSecond)),
    p50Micros: spread(rounds.map(({ round }) => round.p50Micros)),
    p99Micros: spread(rounds.map(({ round }) => round.p99Micros)),
    sameMs: spread(rounds.map(({ sameMs }) => sameMs)),
    wrkBusy: spread(rounds.map(({ round }) => round.wrkBusy)).median,
    ...(isKnown ? { processorMicros: { writer, others } } : {}),
    ...(memory ? { memoryBytesMax: memory } : {}),
  };
}

/** A case beside N=0. */
export function compare(
  measured: ClusterWrite,
  figures: ClusterWriteFigures,
  baseline: ClusterWriteFigures,
): ClusterWriteResult {
  return {
    case: measured,
    figures,
    ratio: figures.answeredPerSecond.median / baseline.answeredPerSecond.median,
    everywhereRatio: figures.everywherePerSecond.median / baseline.everywherePerSecond.median,
  };
}

function everywherePerSecond({ round, requests, sameMs }: ClusterRound): number {
  return requests / (requests / round.requestsPerSecond + sameMs / 1000);
}

function processorOf(nodes: readonly ClusterNode[]): Both | undefined {
  const [writer, ...others] = nodes.map((node) => node.processorMicros());
  if (writer === undefined) return undefined;
  return { writer, others: others.reduce<number>((sum, one) => sum + (one ?? 0), 0) };
}

function memoryOf(nodes: readonly ClusterNode[]): Both | undefined {
  const [writer, ...others] = nodes.map((node) => node.memoryBytesMax());
  if (writer === undefined) return undefined;
  return { writer, others: Math.max(...others.map((one) => one ?? 0)) };
}
