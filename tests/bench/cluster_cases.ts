/**
 * What is measured of a cluster on this machine, and the goal of each.
 *
 * @module
 */
import { formatBytes } from "./cases.ts";
import type { Goal } from "./goals.ts";

const MIB = 1024 * 1024;

/** Writes that are answered once this many other nodes hold them. */
export interface ClusterWrite {
  readonly kind: "cluster write";
  /** Size of a batch. */
  readonly bytes: number;
  readonly connections: number;
  /** `min_sync_replicas`. */
  readonly replicas: number;
  readonly goal?: Goal;
}

/** An empty node takes everything that another one holds. */
export interface CatchUp {
  readonly kind: "cluster catch-up";
  readonly bytes: number;
  readonly goal: Goal;
}

/** One row of the report. */
export type ClusterCase = ClusterWrite | CatchUp;

/** With three nodes, as many as can be asked for. */
const REPLICAS = [0, 1, 2];

/** Writes to one node of three, in the order of the report. */
export const CLUSTER_WRITES: readonly ClusterWrite[] = [
  ...writes(100, 1, { of: "p50_ms", bound: 3, below: true }),
  ...writes(100, 8),
  ...writes(1 * MIB, 8, { of: "ratio", bound: 0.5 }),
];

/** The catch-up of a node that lacks this many MiB. */
export function catchUpOf(mib: number): CatchUp {
  return { kind: "cluster catch-up", bytes: mib * MIB, goal: { of: "mb_s", bound: 300 } };
}

/** The name by which `--only` chooses: `cluster write 100 B N=1 x8`, `cluster catch-up 1 GiB`. */
export function clusterCaseName(measured: ClusterCase): string {
  const size = `${measured.kind} ${formatBytes(measured.bytes)}`;
  return measured.kind === "cluster write" ? `${size} N=${measured.replicas} x${measured.connections}` : size;
}

/** Cases that differ only in how many replicas they wait for: they are compared, so they are measured in turns. */
export function inGroups(cases: readonly ClusterWrite[]): readonly (readonly ClusterWrite[])[] {
  return [...Map.groupBy(cases, ({ bytes, connections }) => `${bytes} ${connections}`).values()];
}

/** The case that a group is compared with, whether it was chosen or not. */
export function baselineOf([first]: readonly ClusterWrite[]): ClusterWrite {
  const { kind, bytes, connections } = first!;
  return { kind, bytes, connections, replicas: 0 };
}

/** A goal is about the least that says anything of replication: one other node. */
function writes(bytes: number, connections: number, goal?: Goal): ClusterWrite[] {
  return REPLICAS.map((replicas) => ({
    kind: "cluster write",
    bytes,
    connections,
    replicas,
    ...(goal && replicas === 1 ? { goal } : {}),
  }));
}
