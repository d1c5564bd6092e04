/**
 * What is measured of one node, and the goal of each: a share of the floor's requests per second.
 *
 * @module
 */

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** One row of the report. */
export interface Case {
  /** `sequenced` is a write with a producer and a sequence. */
  readonly kind: "write" | "sequenced" | "read";
  /** Size of a batch, or of a read's answer. */
  readonly bytes: number;
  readonly connections: number;
  /** Least acceptable ratio of the node's median to the floor's; none where only the figure is wanted. */
  readonly goal?: number;
}

const CONNECTIONS = [1, 8, 64];
const WRITES: readonly { bytes: number; goal?: (connections: number) => number | undefined }[] = [
  { bytes: 100, goal: (connections) => connections >= 8 ? 0.9 : undefined },
  { bytes: 4 * KIB },
  { bytes: 64 * KIB },
  { bytes: 1 * MIB, goal: () => 0.8 },
];
const READS: readonly { bytes: number; goal?: number }[] = [
  { bytes: 64 * KIB },
  { bytes: 1 * MIB, goal: 0.9 },
  { bytes: 4 * MIB, goal: 0.9 },
];

/** Every case, in the order of the report. */
export const CASES: readonly Case[] = [
  ...WRITES.flatMap(({ bytes, goal }) =>
    CONNECTIONS.map((connections) => withGoal({ kind: "write", bytes, connections }, goal?.(connections)))
  ),
  ...CONNECTIONS.map((connections): Case => ({ kind: "sequenced", bytes: 100, connections })),
  ...READS.flatMap(({ bytes, goal }) =>
    CONNECTIONS.map((connections) => withGoal({ kind: "read", bytes, connections }, goal))
  ),
];

/** The name by which `--only` chooses: `write 100 B x8`. */
export function caseName({ kind, bytes, connections }: Case): string {
  return `${kind} ${formatBytes(bytes)} x${connections}`;
}

/** `100 B`, `4 KiB`, `1 MiB`, `1 GiB`. */
export function formatBytes(bytes: number): string {
  if (bytes >= GIB) return `${bytes / GIB} GiB`;
  if (bytes >= MIB) return `${bytes / MIB} MiB`;
  return bytes >= KIB ? `${bytes / KIB} KiB` : `${bytes} B`;
}

function withGoal(base: Case, goal: number | undefined): Case {
  return goal === undefined ? base : { ...base, goal };
}
