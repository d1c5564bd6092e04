/**
 * Whole nodes for tests, in a temporary directory and on a port of the system's choice: one in this process, built from
 * its seams, and one that is a process of its own and can be killed.
 *
 * Both are ready when they are returned. Disposing of them waits for their end.
 *
 * @module
 */
import type { Guard } from "../../lib/http/auth.ts";
import { ErrorAnswers } from "../../lib/http/answer.ts";
import { buildNode, type BuiltNode } from "../../lib/node.ts";
import { type Log, SILENT_LOG } from "../../lib/protocol/log.ts";
import type { ChunkInfo, NodeStatus, WriteResult } from "../../lib/protocol/types.ts";
import type { PeerAddress } from "../../lib/peers.ts";
import { PeerClient } from "../../lib/replication/peer_client.ts";
import { DEFAULT_SETTINGS, type Settings } from "../../lib/settings.ts";
import { type Clock, SystemClock } from "../../lib/storage/clock.ts";
import { DenoDisk } from "../../lib/storage/deno_disk.ts";
import type { Disk } from "../../lib/storage/disk.ts";
import { SystemRandom } from "../../lib/storage/random.ts";
import { type Listening, startListening } from "./listening.ts";

const ROOT = new URL("../../", import.meta.url);
/** Name of every node that is started here, and so of the owner of its chunks. */
export const INSTANCE = "node_1";

/** What a test shows to a node, and whom it trusts. */
export interface Reach {
  readonly token?: string;
  /** Connections that trust the node's certificate; its maker closes it. */
  readonly client?: Deno.HttpClient;
}

/** What tests ask of a node that listens. */
export class NodeUnderTest {
  readonly port: number;

  /** @param url without a slash at its end */
  constructor(readonly url: string, readonly dataDir: string, private readonly reach: Reach = {}) {
    this.port = Number(new URL(url).port);
  }

  fetch(pathAndQuery: string, init: RequestInit = {}): Promise<Response> {
    const { token, client } = this.reach;
    const headers = new Headers(init.headers);
    if (token !== undefined && !headers.has("authorization")) headers.set("authorization", `Bearer ${token}`);
    return fetch(`${this.url}${pathAndQuery}`, { ...init, headers, ...client && { client } } as RequestInit);
  }

  /** Writes a batch; throws unless the answer is 200. */
  async write(category: string, body: BodyInit, init: RequestInit = {}): Promise<WriteResult> {
    return await this.#json(`/write?category=${category}`, { method: "POST", ...init, body });
  }

  /** Bytes of one chunk from `offset`; throws unless the answer is 200. */
  async read(category: string, chunk: string, offset = 0): Promise<Uint8Array> {
    const path = `/read?category=${category}&chunk=${chunk}&off=${offset}&max_size=16777216`;
    return await (await this.#ok(path)).bytes();
  }

  /** Everything that a category holds, chunk after chunk. */
  async readAll(category: string): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (const { name, size } of await this.listChunks(category)) {
      for (let at = 0; at < size;) {
        const part = await this.read(category, name, at);
        if (part.length === 0) throw new Error(`${name} ends at ${at}, but is listed with ${size}`);
        parts.push(new Uint8Array(part));
        at += part.length;
      }
    }
    return await new Blob(parts).bytes() as Uint8Array<ArrayBuffer>;
  }

  /** The same as text. */
  async readText(category: string): Promise<string> {
    return new TextDecoder().decode(await this.readAll(category));
  }

  listChunks(category: string): Promise<ChunkInfo[]> {
    return this.#json(`/listChunks?category=${category}`);
  }

  listCategories(): Promise<string[]> {
    return this.#json("/listCategories");
  }

  status(): Promise<NodeStatus> {
    return this.#json("/status");
  }

  async #json<T>(path: string, init?: RequestInit): Promise<T> {
    return await (await this.#ok(path, init)).json();
  }

  async #ok(path: string, init?: RequestInit): Promise<Response> {
    const response = await this.fetch(path, init);
    if (response.status === 200) return response;
    throw new Error(`${path}: ${response.status} ${await response.text()}`);
  }
}

/** How a node in this process differs from the default. */
export interface LocalOptions {
  readonly settings?: Partial<Settings>;
  /** That of a node that was closed before; a new one otherwise. Disposing of the node removes it. */
  readonly dataDir?: string;
  /** Stands between the node and the real disk. */
  readonly wrapDisk?: (disk: Disk) => Disk;
  readonly log?: Log;
  /** That of this machine if it is left out. */
  readonly clock?: Clock;
  /** What requests have to pass. */
  readonly guard?: Guard;
}

/** A node in this process. */
export class LocalNode extends NodeUnderTest implements AsyncDisposable {
  constructor(
    url: string,
    dataDir: string,
    readonly built: BuiltNode,
    private readonly server: Deno.HttpServer<Deno.NetAddr>,
  ) {
    super(url, dataDir);
  }

  /** Stops it and leaves its directory. */
  async close(): Promise<void> {
    void this.built.drain();
    await this.built.cluster?.close();
    await this.server.shutdown();
    await this.built.store.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await Deno.remove(this.dataDir, { recursive: true });
  }
}

/** Starts a node in this process. */
export async function startLocalNode(options: LocalOptions = {}): Promise<LocalNode> {
  const { wrapDisk = (disk: Disk) => disk, log = SILENT_LOG } = options;
  const { dataDir = await Deno.makeTempDir({ prefix: "chukcha-test-" }) } = options;
  const settings: Settings = {
    ...DEFAULT_SETTINGS,
    instance: INSTANCE,
    listen: { hostname: "127.0.0.1", port: 0 },
    minFreeDisk: 0,
    ...options.settings,
    dataDir,
  };
  const { clock = new SystemClock() } = options;
  const disk = wrapDisk(new DenoDisk(dataDir));
  const connect = ({ instance, url }: PeerAddress): PeerClient => new PeerClient(instance, url);
  const { guard } = options;
  const built = await buildNode(settings, { disk, clock, random: new SystemRandom(), log, connect, guard });
  built.cluster?.start();
  const errors = new ErrorAnswers(log, clock);
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
    onError: (error) => errors.answer(error),
  }, built.app.fetch);
  return new LocalNode(`http://127.0.0.1:${server.addr.port}`, dataDir, built, server);
}

/** A node in a process of its own. */
export class ChildNode extends NodeUnderTest implements AsyncDisposable {
  #ended = false;

  constructor(dataDir: string, private readonly process: Listening, reach?: Reach) {
    super(process.url, dataDir, reach);
  }

  get pid(): number {
    return this.process.pid;
  }

  /** What it has printed so far. */
  get output(): string {
    return this.process.output();
  }

  /** Sends one signal to it, and to nothing else. */
  signal(signal: Deno.Signal): void {
    Deno.kill(this.pid, signal);
  }

  /** Sends SIGKILL, and waits for the end. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended();
  }

  /** Waits for its end, without sending it anything; returns the exit code. */
  ended(): Promise<number> {
    this.#ended = true;
    return this.process.ended;
  }

  /** Sends SIGTERM if it still runs, and waits for the end; returns the exit code. */
  stop(): Promise<number> {
    this.#ended = true;
    return this.process.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.stop();
  }
}

/** The arguments with which this Deno runs the program from its sources. */
export function programArgs(...args: string[]): string[] {
  return ["run", "-A", new URL("main.ts", ROOT).pathname, ...args];
}

/** Starts `chukcha serve` as a process, with a data directory that is the caller's. */
export function startChildNode(dataDir: string, ...flags: string[]): Promise<ChildNode> {
  return startChildNodeWith({}, dataDir, ...flags);
}

/** The same for a node that asks for tokens, or serves TLS. */
export async function startChildNodeWith(
  reach: Reach,
  dataDir: string,
  ...flags: string[]
): Promise<ChildNode> {
  const own = ["--data-dir", dataDir, "--instance", INSTANCE, "--min-free-disk", "0"];
  const listen = flags.includes("--listen") ? [] : ["--listen", "127.0.0.1:0"];
  const args = programArgs("serve", ...own, ...listen, ...flags);
  const node = new ChildNode(dataDir, await startListening(Deno.execPath(), { args, cwd: ROOT }), reach);
  const ready = await node.fetch("/readyz");
  const text = await ready.text();
  if (ready.status === 200) return node;
  await node.stop();
  throw new Error(`the node is not ready: ${text}\n${node.output}`);
}

/** A temporary directory that is removed at the end. */
export async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "chukcha-test-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Asks again and again until the answer is as wanted; each question waits for its answer, none sleeps. */
export async function until<T>(
  what: string,
  ask: () => Promise<T>,
  wanted: (answer: T) => boolean,
  waitMsMax = 10_000,
): Promise<T> {
  const end = performance.now() + waitMsMax;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (performance.now() > end) throw new Error(`${what}: still ${JSON.stringify(answer)}`);
  }
}
