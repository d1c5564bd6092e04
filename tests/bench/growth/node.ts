/**
 * A node on a data directory that was prepared, from its start to its end, and what it costs on the way.
 *
 * @module
 */
import { DenoDisk } from "../../../lib/storage/deno_disk.ts";
import { eventually } from "../../support/eventually.ts";
import { startListening } from "../../support/listening.ts";
import { spread } from "../measure.ts";
import { owned } from "../owned.ts";
import { ROOT } from "../server.ts";
import { during, microsBetween, pause, residentMib, threadsOf } from "./observe.ts";

/** A node with a million chunks takes its time. */
const START_MS_MAX = 10 * 60_000;
/** What a start leaves to be done is done by then; a shorter look waits less long. */
const SETTLE_MS = 1_500;
const IDLE_LOOKS = 3;
/** Name of this node in everything that is prepared. */
export const INSTANCE = "bench";
/** A node that never answers: what asks in its name is this program. */
export const GHOST = "ghost";
const GHOST_URL = "http://127.0.0.1:9";

/** A node under observation. */
export interface GrowthNode {
  readonly url: string;
  readonly pid: number;
  /** From the start of the process to its first answer of `/status`. */
  readonly startMs: number;
  /** Processor time of that. */
  readonly startCpuMs: number;
  /** Ends it; returns how long that took, in ms. */
  stop(): Promise<number>;
}

/** Starts a node on `dataDirectory`; `flags` besides. */
export async function startOn(dataDirectory: string, ...flags: string[]): Promise<GrowthNode> {
  const begunMs = performance.now();
  const { url, pid, stop, output } = await startListening(Deno.execPath(), {
    args: [
      ...["run", "-A", "main.ts", "serve", "--listen", "127.0.0.1:0"],
      ...["--instance", INSTANCE, "--data-dir", dataDirectory, ...flags],
    ],
    cwd: ROOT,
    startMsMax: START_MS_MAX,
  });
  const end = owned(async () => {
    const code = await stop();
    if (code !== 0) throw new Error(`the node ended with ${code}:\n${output()}`);
  });
  try {
    const status = await fetch(`${url}/status`, { headers: { accept: "application/json" } });
    if (!status.ok) throw new Error(`/status: ${status.status} ${await status.text()}`);
    await status.body?.cancel();
  } catch (error) {
    await end();
    throw error;
  }
  return {
    url,
    pid,
    startMs: performance.now() - begunMs,
    startCpuMs: microsBetween(new Map(), threadsOf(pid)) / 1000,
    stop: async () => {
      const askedMs = performance.now();
      await end();
      return performance.now() - askedMs;
    },
  };
}

/** The same as a member of a cluster of two, the other of which is {@linkcode GHOST}. */
export function startMember(dataDirectory: string, ...flags: string[]): Promise<GrowthNode> {
  return startOn(dataDirectory, "--peers", `${GHOST}=${GHOST_URL}`, ...flags);
}

/**
 * Processor time of a node that nobody asks for anything, in µs a second, once it has come to rest. Of some looks the
 * median: a collection of garbage that comes in one of them, behind a start, is no cost of being idle.
 */
export async function idleMicros({ pid }: Pick<GrowthNode, "pid">, seconds: number): Promise<number> {
  await pause(Math.min(SETTLE_MS, seconds * 1000));
  const looks: number[] = [];
  for (let i = 0; i < IDLE_LOOKS; i++) {
    const startMs = performance.now();
    const { micros } = await during([pid], () => pause(seconds * 1000 / IDLE_LOOKS));
    looks.push(micros / ((performance.now() - startMs) / 1000));
  }
  return spread(looks).median;
}

/** Resolves when a directory has been left alone for so long that a checkpoint relies upon it. */
export async function settled(dataDirectory: string, directory: string): Promise<void> {
  const disk = new DenoDisk(dataDirectory);
  await eventually("the directory is left alone", () => disk.stampOf(directory), (stamp) => !!stamp);
}

/** Resident memory, in MiB. */
export function memoryMib({ pid }: Pick<GrowthNode, "pid">): number {
  return residentMib(pid);
}

/** A data directory of its own; it is removed at the end, of an interrupted run too. */
export async function makeDirectory(below: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await Deno.makeTempDir({ dir: below, prefix: "chukcha-growth-" });
  return { path, remove: owned(() => Deno.remove(path, { recursive: true })) };
}
