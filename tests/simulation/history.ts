/**
 * What happens in one simulated history, made from a seed: pure data, so that it can be printed, replayed and shrunk.
 *
 * @module
 */
import { SeededRandom } from "../support/seeded_random.ts";

/** Something that a client does. */
export type Step =
  | {
    readonly kind: "write";
    readonly atMs: number;
    readonly client: number;
    readonly node: number;
    readonly category: number;
    /** Sizes of the messages. */
    readonly sizes: readonly number[];
    readonly sync: boolean;
    readonly replicas: number;
    readonly timeoutMs: number;
    /** Times that it is tried again, at other nodes. */
    readonly retries: number;
    /** With a producer and a sequence: tried again more often, after a while, at the same node. @default false */
    readonly sequenced?: boolean;
  }
  | {
    readonly kind: "read";
    readonly atMs: number;
    readonly client: number;
    readonly node: number;
    readonly category: number;
    readonly sizeMax: number;
  }
  | {
    readonly kind: "ack";
    readonly atMs: number;
    readonly client: number;
    /** Where it reads, and where it acknowledges. */
    readonly node: number;
    readonly at: number;
    readonly category: number;
    /** Which of the complete chunks. */
    readonly pick: number;
  }
  | {
    readonly kind: "consume";
    readonly atMs: number;
    readonly client: number;
    /** Where it reads as a consumer, and where it acknowledges. */
    readonly node: number;
    readonly at: number;
    readonly category: number;
    readonly consumer: number;
    /** Which of the stretches that it has not read, and how much of it. */
    readonly pick: number;
    readonly sizeMax: number;
  };

/** Something that goes wrong. */
export type Fault =
  | { readonly kind: "kill"; readonly atMs: number; readonly node: number; readonly downMs: number }
  | { readonly kind: "power loss"; readonly atMs: number; readonly node: number; readonly downMs: number }
  | {
    readonly kind: "die at operation";
    readonly atMs: number;
    readonly node: number;
    readonly operation: number;
    readonly power: boolean;
    readonly downMs: number;
  }
  | { readonly kind: "wipe"; readonly atMs: number; readonly node: number; readonly downMs: number }
  | { readonly kind: "gone for good"; readonly atMs: number; readonly node: number }
  | { readonly kind: "pause"; readonly atMs: number; readonly node: number; readonly forMs: number }
  | {
    readonly kind: "link";
    readonly atMs: number;
    readonly from: number;
    readonly to: number;
    readonly state: "lost" | "cut" | "held";
    readonly both: boolean;
    readonly forMs: number;
  }
  | {
    readonly kind: "bad network";
    readonly atMs: number;
    readonly loss: number;
    readonly twice: number;
    readonly latencyMs: number;
    readonly forMs: number;
  }
  | {
    readonly kind: "slow";
    readonly atMs: number;
    readonly node: number;
    readonly latencyMs: number;
    readonly forMs: number;
  }
  | { readonly kind: "clock jumps"; readonly atMs: number; readonly node: number; readonly byMs: number }
  | { readonly kind: "disk full"; readonly atMs: number; readonly node: number; readonly forMs: number }
  | { readonly kind: "read-only"; readonly atMs: number; readonly node: number; readonly forMs: number }
  | { readonly kind: "no inodes"; readonly atMs: number; readonly node: number; readonly forMs: number }
  | { readonly kind: "nothing left"; readonly atMs: number; readonly node: number; readonly forMs: number }
  | { readonly kind: "disk hangs"; readonly atMs: number; readonly node: number; readonly forMs: number }
  | {
    readonly kind: "bit rot";
    readonly atMs: number;
    readonly node: number;
    /** Which of the files that may rot, and which of its bits. */
    readonly file: number;
    readonly bit: number;
  }
  | { readonly kind: "no descriptors"; readonly atMs: number; readonly node: number; readonly forMs: number }
  | {
    readonly kind: "short writes";
    readonly atMs: number;
    readonly node: number;
    readonly bytes: number;
    readonly forMs: number;
  }
  | { readonly kind: "sync fails"; readonly atMs: number; readonly node: number }
  | {
    readonly kind: "slow disk";
    readonly atMs: number;
    readonly node: number;
    readonly syncMs: number;
    readonly forMs: number;
  };

/** One history. */
export interface History {
  readonly seed: number;
  readonly nodes: number;
  readonly categories: number;
  readonly chunkBytesMax: number;
  readonly rotateIntervalMs: number;
  readonly finaliseAfterMs: number;
  /** How long a round takes that looks for rot. @default as it ships: longer than any history */
  readonly scrubIntervalMs?: number;
  /** With how many chunks and categories there is a checkpoint. @default as it ships: more than in any history */
  readonly checkpointChunksMin?: number;
  /** Rate of each node's clock. */
  readonly rates: readonly number[];
  /** When faults end. */
  readonly endMs: number;
  readonly steps: readonly Step[];
  readonly faults: readonly Fault[];
}

/** Whether bits of complete chunks rot. */
const BIT_ROT = true;
const SCRUB_INTERVAL_MS = 4_000;

/** In every so many a part of the writes is sequenced. */
const SEQUENCED_SEEDS = 3;

/** In every so many messages are consumed under a name. */
const CONSUMED_SEEDS = 3;
/** For each other step, so many of these. */
const CONSUMED_SHARE = 0.5;
const CONSUMERS = 2;

/** How large histories of one kind are. Long ones find what takes its time; short, dense ones find most for their price. */
interface Size {
  /** When faults end: at least, and how much later at most. */
  readonly endMs: readonly [number, number];
  readonly steps: readonly [number, number];
  readonly bursts: number;
  readonly chunkBytesMax: readonly number[];
  readonly rotateIntervalMs: readonly number[];
  readonly finaliseAfterMs: readonly number[];
  readonly faults: readonly number[];
  /** How long faults stay. */
  readonly forMs: readonly number[];
  /** How long a node stays down. */
  readonly downMs: readonly number[];
}

const LONG: Size = {
  endMs: [20_000, 60_000],
  steps: [90, 60],
  bursts: 6,
  chunkBytesMax: [200, 600, 2_000, 100_000],
  rotateIntervalMs: [2_000, 10_000, 600_000],
  finaliseAfterMs: [8_000, 25_000, 600_000],
  faults: [0, 2, 4, 8, 12],
  forMs: [300, 2_000, 8_000, 30_000],
  downMs: [0, 500, 3_000, 15_000, 40_000],
};
const SHORT: Size = {
  endMs: [4_000, 8_000],
  steps: [36, 16],
  bursts: 3,
  chunkBytesMax: [200, 600, 2_000],
  rotateIntervalMs: [1_000, 4_000, 600_000],
  finaliseAfterMs: [4_000, 8_000, 600_000],
  faults: [1, 2, 4, 6],
  forMs: [300, 1_000, 4_000],
  downMs: [0, 300, 2_000, 9_000],
};

/** The history that a seed stands for. */
export function historyOf(seed: number): History {
  const random = new SeededRandom(seed * 2654435761 + 1);
  const size = random.below(8) === 0 ? LONG : SHORT;
  const nodes = random.pick([2, 3, 3, 3, 3, 4]);
  const categories = random.pick([1, 1, 2]);
  const endMs = size.endMs[0] + random.below(size.endMs[1]);
  const steps: Step[] = [];
  const clients = 3;
  // Between two nodes less happens for each step.
  const count = Math.round((size.steps[0] + random.below(size.steps[1])) * (nodes === 2 ? 2.2 : 1));
  // Writes are dense for a while, then sparse: both find bugs.
  const bursts = Array.from({ length: size.bursts }, () => random.below(endMs));
  for (let i = 0; i < count; i++) {
    const atMs = random.below(3) === 0 ? random.below(endMs) : random.pick(bursts) + random.below(3_000);
    const common = {
      atMs,
      client: random.below(clients),
      node: random.below(nodes),
      category: random.below(categories),
    };
    const roll = random.below(100);
    if (roll < 72) {
      steps.push({
        kind: "write",
        ...common,
        sizes: Array.from({ length: 1 + random.below(4) }, () => random.pick([0, 0, 5, 20, 100, 300])),
        sync: random.below(3) === 0,
        replicas: random.pick([0, 0, 1, 1, nodes - 1]),
        timeoutMs: random.pick([300, 1_000, 5_000]),
        retries: random.pick([0, 0, 1, 3]),
      });
    } else if (roll < 88) {
      steps.push({ kind: "read", ...common, sizeMax: random.pick([64, 400, 4096]) });
    } else {
      steps.push({ kind: "ack", ...common, at: random.below(nodes), pick: random.below(4) });
    }
  }
  steps.sort((a, b) => a.atMs - b.atMs);
  if (seed % SEQUENCED_SEEDS === 0) sequence(steps, new SeededRandom(seed * 40503 + 7));
  if (seed % CONSUMED_SEEDS === 2) {
    consume(steps, { clients, nodes, categories, endMs }, new SeededRandom(seed * 48271 + 3));
  }
  const faults = faultsOf(random, nodes, endMs, size);
  const rots = BIT_ROT && faults.some(({ kind }) => kind === "bit rot");
  return {
    seed,
    nodes,
    categories,
    chunkBytesMax: random.pick(size.chunkBytesMax),
    rotateIntervalMs: random.pick(size.rotateIntervalMs),
    finaliseAfterMs: random.pick(size.finaliseAfterMs),
    rates: Array.from({ length: nodes }, () => random.pick([1, 1, 0.97, 1.02])),
    endMs,
    steps,
    faults,
    ...(rots ? { scrubIntervalMs: SCRUB_INTERVAL_MS } : {}),
    ...(seed % 2 === 0 ? { checkpointChunksMin: 1 } : {}),
  };
}

/** Has half of the writes carry a producer and a sequence. Their dice are their own: all else stays as it was without. */
function sequence(steps: Step[], random: SeededRandom): void {
  for (const [i, step] of steps.entries()) {
    if (step.kind === "write" && random.below(2) === 0) steps[i] = { ...step, sequenced: true };
  }
}

/** Has consumers read what is written, at any node, and acknowledge it at any. Their dice are their own as well. */
function consume(
  steps: Step[],
  { clients, nodes, categories, endMs }: {
    clients: number;
    nodes: number;
    categories: number;
    endMs: number;
  },
  random: SeededRandom,
): void {
  const count = Math.round(steps.length * CONSUMED_SHARE);
  for (let i = 0; i < count; i++) {
    steps.push({
      kind: "consume",
      atMs: random.below(endMs),
      client: random.below(clients),
      node: random.below(nodes),
      at: random.below(nodes),
      category: random.below(categories),
      consumer: random.below(CONSUMERS),
      pick: random.pick([0, 0, 0, 1, 3]),
      sizeMax: random.pick([400, 4096]),
    });
  }
  steps.sort((a, b) => a.atMs - b.atMs);
}

function faultsOf(random: SeededRandom, nodes: number, endMs: number, size: Size): Fault[] {
  const faults: Fault[] = [];
  const count = random.pick(size.faults);
  // A disk is lost at most once in a history, and by one node: what two lose together nobody promised to keep.
  if (nodes > 2 && random.below(6) === 0) {
    const [atMs, node] = [random.below(endMs), random.below(nodes)];
    if (random.below(3) === 0) faults.push({ kind: "gone for good", atMs, node });
    else faults.push({ kind: "wipe", atMs, node, downMs: random.pick(size.downMs) });
  } else if (BIT_ROT && random.below(6) === 0) {
    // Where a disk rots no other one is lost, and it is one disk: of every byte a good copy is left.
    const node = random.below(nodes);
    for (let i = 1 + random.below(6); i > 0; i--) {
      const atMs = Math.round(endMs / 4) + random.below(Math.round(endMs * 0.7));
      faults.push({ kind: "bit rot", atMs, node, file: random.below(1_000), bit: random.below(1_000_000) });
    }
  }
  for (let i = 0; i < count; i++) {
    const atMs = random.below(endMs);
    const node = random.below(nodes);
    const forMs = random.pick(size.forMs);
    const downMs = random.pick(size.downMs);
    const roll = random.below(100);
    if (roll < 16) faults.push({ kind: "kill", atMs, node, downMs });
    else if (roll < 30) faults.push({ kind: "power loss", atMs, node, downMs });
    else if (roll < 44) {
      faults.push({
        kind: "die at operation",
        atMs,
        node,
        operation: 1 + random.below(30),
        power: random.below(2) === 0,
        downMs,
      });
    } else if (roll < 64) {
      const to = (node + 1 + random.below(nodes - 1)) % nodes;
      const state = random.pick(["lost", "cut", "held"] as const);
      faults.push({ kind: "link", atMs, from: node, to, state, both: random.below(2) === 0, forMs });
    } else if (roll < 70) faults.push({ kind: "pause", atMs, node, forMs });
    else if (roll < 75) {
      faults.push({
        kind: "bad network",
        atMs,
        loss: random.pick([0.02, 0.2]),
        twice: random.pick([0, 0.1]),
        latencyMs: random.pick([1, 30, 200]),
        forMs,
      });
    } else if (roll < 79) {
      faults.push({ kind: "slow", atMs, node, latencyMs: random.pick([100, 800]), forMs });
    } else if (roll < 82) {
      faults.push({
        kind: "clock jumps",
        atMs,
        node,
        byMs: random.pick([-1, 1]) * random.pick([5_000, 3e8]),
      });
    } else if (roll < 84) faults.push({ kind: "disk full", atMs, node, forMs });
    else if (roll < 85) faults.push({ kind: "no inodes", atMs, node, forMs });
    else if (roll < 86) faults.push({ kind: "nothing left", atMs, node, forMs });
    else if (roll < 87) faults.push({ kind: "read-only", atMs, node, forMs });
    else if (roll < 89) faults.push({ kind: "no descriptors", atMs, node, forMs });
    else if (roll < 91) {
      faults.push({ kind: "short writes", atMs, node, bytes: random.pick([1, 7, 40]), forMs });
    } else if (roll < 94) faults.push({ kind: "sync fails", atMs, node });
    else if (roll < 97) faults.push({ kind: "disk hangs", atMs, node, forMs });
    else faults.push({ kind: "slow disk", atMs, node, syncMs: random.pick([5, 400]), forMs });
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}
