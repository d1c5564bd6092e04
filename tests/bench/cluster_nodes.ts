/**
 * A cluster of real processes on this machine, below one directory; and when its nodes hold the same.
 *
 * Owns the processes and the directory: both are gone once it is disposed of, whatever happened before. A process that
 * does not end when asked is killed.
 *
 * @module
 */
import { type Listening, startListening } from "../support/listening.ts";
import { owned } from "./owned.ts";
import { memoryBytesMax, processorMicros, ROOT } from "./server.ts";

/** More than a node takes for its own deadlines at shutdown. */
const STOP_MS_MAX = 30_000;
const READY_MS_MAX = 30_000;
const READY_STEP_MS = 20;

/** A node that runs. */
export interface ClusterNode {
  readonly instance: string;
  readonly url: string;
  readonly pid: number;
  /** Processor time it has used, in microseconds; `undefined` where that cannot be known. */
  processorMicros(): number | undefined;
  /** The most memory it has held, in bytes; `undefined` where that cannot be known. */
  memoryBytesMax(): number | undefined;
}

/** Nodes that know each other's addresses; they are started one by one. */
export class LocalCluster implements AsyncDisposable {
  readonly #directory: string;
  readonly #ports: ReadonlyMap<string, number>;
  readonly #processes = new Map<string, Listening>();
  /** Nodes that may not listen yet: an end that comes meanwhile has to wait for them. */
  readonly #starting: Promise<unknown>[] = [];
  #ended = false;
  readonly #end = owned(async () => {
    this.#ended = true;
    await Promise.allSettled(this.#starting);
    await Promise.all(Array.from(this.#processes.values(), end));
    await Deno.remove(this.#directory, { recursive: true });
  });

  private constructor(directory: string, ports: ReadonlyMap<string, number>) {
    this.#directory = directory;
    this.#ports = ports;
  }

  /** Makes a directory below `directory` and finds a free port for each instance. */
  static async create(directory: string, instances: readonly string[]): Promise<LocalCluster> {
    const own = await Deno.makeTempDir({ dir: directory, prefix: "chukcha-bench-cluster-" });
    const ports = freePorts(instances.length);
    return new LocalCluster(own, new Map(instances.map((instance, i) => [instance, ports[i]!])));
  }

  /** Starts one node; resolves when it listens. */
  async start(instance: string, ...flags: string[]): Promise<ClusterNode> {
    if (this.#ended) throw new Error(`${instance} is not started: the run ends`);
    const port = this.#ports.get(instance)!;
    const peers = [...this.#ports].map(([name, at]) => `${name}=http://127.0.0.1:${at}`).join(",");
    const starting = startListening(Deno.execPath(), {
      args: [
        ...["run", "-A", "main.ts", "serve", "--instance", instance, "--listen", `127.0.0.1:${port}`],
        ...["--data-dir", `${this.#directory}/${instance}`, "--peers", peers, ...flags],
      ],
      cwd: ROOT,
    }).then((listening) => {
      this.#processes.set(instance, listening);
      return listening;
    });
    this.#starting.push(starting);
    const listening = await starting;
    return {
      instance,
      url: `http://127.0.0.1:${port}`,
      pid: listening.pid,
      processorMicros: () => processorMicros(listening.pid),
      memoryBytesMax: () => memoryBytesMax(listening.pid),
    };
  }

  /** Starts all of them at once and waits until each takes writes. */
  async startAll(): Promise<ClusterNode[]> {
    const nodes = await Promise.all([...this.#ports.keys()].map((instance) => this.start(instance)));
    await Promise.all(nodes.map(({ url }) => waitReady(url)));
    return nodes;
  }

  /** Does what needs the nodes; an error gets what they have printed. */
  async watched<T>(name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      const printed = [...this.#processes].map(([instance, process]) =>
        `--- ${instance}:\n${process.output()}`
      );
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${name}: ${message}\n${printed.join("\n")}`, { cause });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}

/** Resolves once the node takes writes. */
async function waitReady(url: string): Promise<void> {
  const deadlineMs = performance.now() + READY_MS_MAX;
  for (;;) {
    const answer = await fetch(`${url}/readyz`);
    const text = await answer.text();
    if (answer.ok) return;
    if (performance.now() > deadlineMs) {
      throw new Error(`${url} is not ready after ${READY_MS_MAX} ms: ${text}`);
    }
    await pause(READY_STEP_MS);
  }
}

/** Asked first, killed by its id if that is not enough. */
async function end(process: Listening): Promise<void> {
  const timer = setTimeout(() => Deno.kill(process.pid, "SIGKILL"), STOP_MS_MAX);
  await process.stop();
  clearTimeout(timer);
}

/** Ports that nothing listens on: all taken before the first is given back, so that they differ. */
function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const ports = listeners.map(({ addr }) => addr.port);
  listeners.forEach((listener) => listener.close());
  return ports;
}

/**
 * Waits until all nodes list the same chunks of a category, with the same sizes.
 *
 * All are asked each time: writes that were cut off when the load ended may still be stored a little later.
 *
 * @param stepMs time between two looks, which is also how much later than it happened it may be seen
 * @returns the time that it took, in ms
 */
export async function untilSame(
  nodes: readonly ClusterNode[],
  category: string,
  { stepMs, msMax }: { stepMs: number; msMax: number },
): Promise<number> {
  const startMs = performance.now();
  for (;;) {
    const listings = await Promise.all(nodes.map(({ url }) => listing(url, category)));
    const tookMs = performance.now() - startMs;
    if (new Set(listings).size === 1) return tookMs;
    if (tookMs > msMax) {
      const told = nodes.map(({ instance }, i) => `${instance}: ${listings[i]}`).join("\n");
      throw new Error(`the nodes do not hold the same after ${msMax} ms:\n${told}`);
    }
    await pause(stepMs);
  }
}

/** Name, completeness and size of each chunk, in the order of names. */
async function listing(url: string, category: string): Promise<string> {
  const answer = await fetch(`${url}/listChunks?category=${category}`);
  if (!answer.ok) throw new Error(`listing chunks: ${answer.status} ${await answer.text()}`);
  const chunks: { name: string; complete: boolean; size: number }[] = await answer.json();
  return chunks.map(({ name, complete, size }) => `${name} ${complete} ${size}`).toSorted().join("\n");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
