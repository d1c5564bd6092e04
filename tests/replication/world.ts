/**
 * A cluster in one process: nodes built as they are built for real, on simulated disks, under one fake clock, joined by
 * links that a test cuts and mends.
 *
 * A call from one node to another is one method call, copied on the way as a network copies. Each direction is a link of
 * its own: `cut` refuses at once, `hang` never answers. Time passes only while a test waits for something.
 *
 * @module
 */
import { buildNode, type BuiltNode } from "../../lib/node.ts";
import type { ChunkInfo } from "../../lib/protocol/types.ts";
import type {
  Answerer,
  ChangesAnswer,
  ChangesRequest,
  ChunkKnowledge,
  FetchAnswer,
  NodeId,
  Peer,
  Piece,
  Wanted,
} from "../../lib/replication/peer.ts";
import { DEFAULT_SETTINGS, type Settings } from "../../lib/settings.ts";
import type { Clock } from "../../lib/storage/clock.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { LogLines } from "../storage/world.ts";

/** What a link does with what is sent over it. */
export type LinkState = "up" | "cut" | "hang";

/** Simulated time that a test waits for something at most. */
const PATIENCE_MS = 120_000;
const STEP_MS = 20;
const LONG_STEP_MS = 1000;

/** One node: its disk outlives its processes. */
export class SimulatedNode {
  disk = new MemoryDisk();
  log = new LogLines();
  /** How far its wall clock is ahead of the others'. */
  aheadMs = 0;
  built: BuiltNode | undefined;

  constructor(readonly instance: string, readonly settings: Partial<Settings>) {}

  get running(): BuiltNode {
    if (!this.built) throw new Error(`${this.instance} is not running`);
    return this.built;
  }

  get store(): BuiltNode["store"] {
    return this.running.store;
  }

  /** A request to its HTTP interface. */
  async fetch(path: string, init?: RequestInit): Promise<Response> {
    return await this.running.app.fetch(new Request(`http://${this.instance}${path}`, init));
  }

  /** Writes lines; returns the status, and the answer. */
  async write(category: string, lines: string, query = ""): Promise<{ status: number; text: string }> {
    const response = await this.fetch(`/write?category=${category}${query}`, { method: "POST", body: lines });
    return { status: response.status, text: await response.text() };
  }

  list(category: string): ChunkInfo[] {
    return this.store.listChunks(category);
  }

  /** All of a category: chunk by chunk, in the order of their names. */
  async readAll(category: string): Promise<Map<string, string>> {
    const all = new Map<string, string>();
    for (const { name, size } of this.list(category)) {
      const response = await this.fetch(`/read?category=${category}&chunk=${name}&max_size=16777216`);
      const content = await response.text();
      if (response.status !== 200 || content.length !== size) {
        throw new Error(`${this.instance}: ${name}: ${response.status}, ${content.length} of ${size}`);
      }
      all.set(name, content);
    }
    return all;
  }

  /** All messages of a category, sorted. */
  async messages(category: string): Promise<string[]> {
    const contents = [...(await this.readAll(category)).values()];
    return contents.flatMap((content) => content.split("\n").slice(0, -1)).sort();
  }
}

/** The cluster. */
export class Cluster {
  readonly clock = new FakeClock();
  readonly random = new SeededRandom(1);
  readonly nodes: SimulatedNode[];
  readonly #links = new Map<string, LinkState>();
  /** Calls that hang, by the node that made them. */
  readonly #hanging = new Set<{ from: string; reject: (error: Error) => void }>();
  /** How often each kind of call was made. */
  readonly calls = { changes: 0, fetch: 0, knows: 0 };

  constructor(names: readonly string[], settings: Partial<Settings> = {}) {
    this.nodes = names.map((name) => new SimulatedNode(name, settings));
  }

  node(instance: string): SimulatedNode {
    return this.nodes.find((node) => node.instance === instance)!;
  }

  /** Starts a node on its disk. */
  async start(instance: string, settings: Partial<Settings> = {}): Promise<void> {
    const node = this.node(instance);
    const peers = this.nodes.filter((other) => other !== node).map((other) => ({
      instance: other.instance,
      url: `http://${other.instance}`,
    }));
    const disk = node.disk;
    node.built = await buildNode({
      ...DEFAULT_SETTINGS,
      minFreeDisk: 0,
      peers,
      ...node.settings,
      ...settings,
      instance,
    }, {
      disk,
      clock: this.#clockOf(node),
      random: this.random,
      log: node.log,
      connect: (peer) => this.#connect(instance, peer.instance),
    });
    node.built.cluster?.start();
    node.built.retention?.start();
  }

  /** Starts all nodes, and waits until they have joined. */
  async startAll(): Promise<void> {
    for (const { instance } of this.nodes) await this.start(instance);
    await this.until(() => this.nodes.every(({ store }) => store.joined), "all have joined");
  }

  /** The process dies; its disk stays as it is, or forgets what was not synced. */
  async kill(instance: string, how: "kill" | "power loss" | "wipe" = "kill"): Promise<void> {
    const node = this.node(instance);
    const { built, disk } = node;
    node.built = undefined;
    node.disk = how === "wipe" ? new MemoryDisk() : how === "kill" ? disk.kill() : disk.crash();
    for (const call of [...this.#hanging]) {
      if (call.from === instance) call.reject(new Error("the caller died"));
    }
    await built?.retention?.close();
    await built?.cluster?.close();
  }

  /** Sets the links between two nodes, in one direction or both. */
  link(from: string, to: string, state: LinkState, both = true): void {
    this.#links.set(`${from}>${to}`, state);
    if (both) this.#links.set(`${to}>${from}`, state);
    if (state === "hang") return;
    for (const call of [...this.#hanging]) {
      if (call.from === from || call.from === to) call.reject(new Error("the connection was reset"));
    }
  }

  /** Lets time pass until `condition` holds. */
  async until(condition: () => boolean | Promise<boolean>, what: string): Promise<number> {
    const startMs = this.clock.monotonic();
    for (;;) {
      for (let i = 0; i < 4; i++) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        if (await condition()) return this.clock.monotonic() - startMs;
      }
      if (this.clock.monotonic() - startMs > PATIENCE_MS) throw new Error(`in vain: ${what}\n${this.dump()}`);
      this.clock.advance(STEP_MS);
    }
  }

  /** Lets time pass while a promise is pending. */
  async during<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const noted = promise.finally(() => done = true);
    noted.catch(() => {});
    await this.until(() => done, "a call ends");
    return await promise;
  }

  /** Lets much time pass, in larger steps, as long as there is nothing that waits for it. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= LONG_STEP_MS) {
      this.clock.advance(Math.min(left, LONG_STEP_MS));
      await settle();
    }
  }

  /** Waits until all running nodes hold the same; returns how long it took, in simulated milliseconds. */
  async converged(...categories: string[]): Promise<number> {
    const running = this.nodes.filter(({ built }) => built);
    const listings = (): string[] =>
      running.map(({ store }) => JSON.stringify(categories.map((category) => store.listChunks(category))));
    return await this.until(() => new Set(listings()).size === 1, `converged: ${listings().join("\n")}`);
  }

  /** Ends everything. */
  async close(): Promise<void> {
    for (const { instance, built } of this.nodes) if (built) await this.kill(instance);
  }

  dump(): string {
    return this.nodes.map(({ instance, built, log }) =>
      `--- ${instance}\n${
        built
          ? JSON.stringify({
            status: built.cluster?.status(),
            chunks: built.store.listCategories().map((category) => built.store.listChunks(category)),
          })
          : "down"
      }\n${log.lines.slice(-10).join("\n")}`
    ).join("\n");
  }

  /** The one clock, but that a node's wall clock may be ahead. */
  #clockOf(node: SimulatedNode): Clock {
    const { clock } = this;
    return {
      now: () => clock.now() + node.aheadMs,
      monotonic: () => clock.monotonic(),
      after: (delayMs, fn) => clock.after(delayMs, fn),
      soon: (fn) => clock.soon(fn),
    };
  }

  #connect(from: string, to: string): Peer {
    let closed = false;
    const call = async <T>(ask: (answerer: Answerer) => Promise<T>, cancel?: AbortSignal): Promise<T> => {
      await this.#pass(from, to, cancel);
      const answerer = this.node(to).built?.cluster?.answerer;
      if (closed || !answerer) throw new Error("connection refused");
      const process = this.node(to).built;
      const answer = await ask(answerer);
      if (this.node(to).built !== process) throw new Error("the connection was reset");
      await this.#pass(to, from, cancel);
      if (closed || cancel?.aborted) throw new Error("nobody waits for this answer");
      return answer;
    };
    return {
      instance: to,
      url: `http://${to}`,
      changes: (request: ChangesRequest, cancel?: AbortSignal): Promise<ChangesAnswer> => {
        this.calls.changes++;
        return call(async (answerer) => copied(await answerer.changes(request, cancel)), cancel);
      },
      fetch: (node: NodeId, wanted: readonly Wanted[], bytesMax: number): Promise<FetchAnswer> => {
        this.calls.fetch++;
        return call(async (answerer) => copied(await answerer.fetch(node, wanted, bytesMax)));
      },
      knows: (node: NodeId, category: string, chunk: string): Promise<ChunkKnowledge> => {
        this.calls.knows++;
        return call((answerer) => answerer.knows(node, category, chunk));
      },
      close: () => {
        closed = true;
        for (const hanging of [...this.#hanging]) {
          if (hanging.from === from) hanging.reject(new Error("closed"));
        }
      },
    };
  }

  /** One way over a link. */
  async #pass(from: string, to: string, cancel?: AbortSignal): Promise<void> {
    const state = this.#links.get(`${from}>${to}`) ?? "up";
    if (state === "cut") throw new Error("no route to host");
    if (state === "up") return;
    await new Promise<never>((_, reject) => {
      const call = {
        from,
        reject: (error: Error) => {
          this.#hanging.delete(call);
          reject(error);
        },
      };
      this.#hanging.add(call);
      cancel?.addEventListener("abort", () => call.reject(new Error("cancelled")));
    });
  }
}

/** The answer with bytes of its own: what was sent does not change any more. */
function copied<T extends { readonly pieces: readonly Piece[] }>(answer: T): T {
  return { ...answer, pieces: answer.pieces.map((piece) => ({ ...piece, bytes: piece.bytes.slice() })) };
}
