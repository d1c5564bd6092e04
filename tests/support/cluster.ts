/**
 * A cluster of real node processes on this machine, with a proxy on each way from one to another where a test wants to
 * break it, and what must hold of a cluster when it has come to rest.
 *
 * Disposing of it kills the processes and removes their directories.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import type { ChunkInfo } from "../../lib/protocol/types.ts";
import { categoryDirectory } from "../../lib/protocol/names.ts";
import { eventually } from "./eventually.ts";
import { freePorts, Member } from "./member.ts";
import type { Reach } from "./node.ts";
import { type Fault, Proxy } from "./proxy.ts";

const STARTS_MAX = 5;
const CONVERGE_MS = 30_000;
const READ_BYTES = 4 * 1024 * 1024;

/** How a cluster differs from three nodes that know each other directly. */
export interface ClusterOptions {
  /** @default 3 */
  readonly count?: number;
  /** Whether each way from one node to another goes through a proxy. */
  readonly proxied?: boolean;
  /** Of every node. */
  readonly flags?: readonly string[];
  /** What tests show to every node; with connections that trust them, all serve TLS. */
  readonly reach?: Reach;
  /** How many are started at once; the others are when the test does so. @default all */
  readonly started?: number;
}

/** One chunk on one node. */
export interface ListedChunk extends ChunkInfo {
  readonly category: string;
}

/** Nodes that replicate one another. */
export class TestCluster implements AsyncDisposable {
  readonly #proxies = new Map<string, Proxy>();

  readonly members: Member[];

  private constructor(
    members: readonly Member[],
    proxies: ReadonlyMap<string, Proxy>,
    private readonly directory: string | undefined,
  ) {
    this.members = [...members];
    this.#proxies = new Map(proxies);
  }

  /** A cluster of nodes that someone else made, whose directories are theirs. */
  static of(members: readonly Member[]): TestCluster {
    return new TestCluster(members, new Map(), undefined);
  }

  /** Starts nodes; resolves when those that were started are ready for requests. */
  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const { count = 3, started = count } = options;
    for (let attempt = 1;; attempt++) {
      const cluster = await TestCluster.build(options);
      const first = cluster.members.slice(0, started);
      try {
        const launches = await Promise.allSettled(first.map((member) => member.launch()));
        const failed = launches.find((launch) => launch.status === "rejected");
        if (failed) throw failed.reason;
        // A node with an empty directory is not ready before it has seen all others.
        if (started === count) await Promise.all(first.map((member) => member.ready()));
        return cluster;
      } catch (error) {
        await cluster[Symbol.asyncDispose]();
        if (attempt === STARTS_MAX || !/another program uses this address/.test(String(error))) throw error;
      }
    }
  }

  /** Makes the nodes and the ways between them, and starts none. */
  static async build(
    { count = 3, proxied = false, flags = [], reach }: ClusterOptions = {},
  ): Promise<TestCluster> {
    const scheme = reach?.client ? "https" : "http";
    const directory = await Deno.makeTempDir({ prefix: "chukcha-cluster-" });
    const ports = freePorts(count);
    const instances = ports.map((_, i) => `node_${i + 1}`);
    const proxies = new Map<string, Proxy>();
    const members = instances.map((instance, from) => {
      const peers = instances.map((name, to) => {
        if (!proxied || from === to) return `${name}=${scheme}://127.0.0.1:${ports[to]!}`;
        const proxy = Proxy.start(ports[to]!);
        proxies.set(way(from, to), proxy);
        return `${name}=${proxy.url}`;
      });
      const dataDir = `${directory}/${instance}`;
      const port = ports[from]!;
      return new Member({ instance, dataDir, port, peers: peers.join(","), flags, ...reach && { reach } });
    });
    return new TestCluster(members, proxies, directory);
  }

  /** The node with this number, from 0 on. */
  at(index: number): Member {
    const member = this.members[index];
    if (!member) throw new Error(`there is no node ${index}`);
    return member;
  }

  /** Puts another node in the place of one that does not run any more. */
  replace(index: number, member: Member): void {
    assertEquals(this.at(index).running, false);
    this.members[index] = member;
  }

  /** Nodes that answer. */
  get live(): Member[] {
    return this.members.filter((member) => member.live);
  }

  /** The way on which `from` asks `to`. */
  proxy(from: number, to: number): Proxy {
    const proxy = this.#proxies.get(way(from, to));
    if (!proxy) throw new Error(`there is no proxy from ${from} to ${to}`);
    return proxy;
  }

  /** Sets a fault on both ways between two nodes. */
  between(one: number, other: number, fault: Fault): void {
    this.proxy(one, other).set(fault);
    this.proxy(other, one).set(fault);
  }

  /** Lets everything pass again. */
  heal(): void {
    this.#proxies.forEach((proxy) => proxy.heal());
  }

  /** Bytes and connections of all ways together. */
  traffic(): { bytes: number; connections: number } {
    const passed = Array.from(this.#proxies.values(), ({ passed }) => passed);
    return {
      bytes: passed.reduce((sum, { request, response }) => sum + request + response, 0),
      connections: passed.reduce((sum, { connections }) => sum + connections, 0),
    };
  }

  /**
   * Waits until all live nodes list the same chunks with the same sizes, and returns how many milliseconds that took.
   * `also` may want more of the listing.
   */
  async converged(
    waitMs = CONVERGE_MS,
    also: (chunks: readonly ListedChunk[]) => boolean = () => true,
  ): Promise<number> {
    const startMs = performance.now();
    const look = () => Promise.all(this.live.map(listingOf));
    try {
      await eventually(
        "all nodes list the same",
        look,
        (all) => {
          const [first, ...others] = all.map((chunks) => chunks.map(show).join("\n"));
          return others.every((other) => other === first) && !all.flat().some(({ damaged }) => damaged) &&
            also(all[0] ?? []);
        },
        waitMs,
      );
    } catch (error) {
      throw new Error(`the nodes did not converge within ${waitMs} ms\n${await this.dump()}`, {
        cause: error,
      });
    }
    return Math.round(performance.now() - startMs);
  }

  /** Where the nodes differ, what they say of their peers, and the end of what they logged. */
  async dump(): Promise<string> {
    const parts: string[] = [];
    const listings = await Promise.all(this.live.map(async (member) => ({
      member,
      shown: new Set((await listingOf(member).catch(() => [])).map(show)),
    })));
    const all = new Set(listings.flatMap(({ shown }) => [...shown]));
    for (const chunk of [...all].toSorted()) {
      const holders = listings.filter(({ shown }) => shown.has(chunk)).map(({ member }) => member.instance);
      if (holders.length < listings.length) parts.push(`only ${holders.join(", ")}: ${chunk}`);
      if (parts.length > 40) break;
    }
    for (const member of this.live) {
      const status = await member.status().catch(() => undefined);
      const failed = status?.checks.filter(({ ok }) => !ok);
      parts.push(
        `${member.instance}: ${JSON.stringify({ state: status?.state, failed, peers: status?.peers })}`,
      );
    }
    for (const member of this.members) {
      parts.push(`--- ${member.instance} printed\n${member.output.slice(-2500)}`);
    }
    return parts.join("\n");
  }

  /**
   * Asserts that each chunk has the same SHA-256 on every live node, as it is read over HTTP and, if asked, as it is on
   * disk. Returns how many chunks and bytes one node holds.
   */
  async sameBytes(options: { files?: boolean } = {}): Promise<{ chunks: number; bytes: number }> {
    const [first, ...others] = await Promise.all(this.live.map((member) => hashesOf(member, options.files)));
    for (const other of others) assertEquals(other, first);
    const sizes = Array.from(first?.values() ?? [], (found) => Number(found.split(" ")[0]));
    return { chunks: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    await Promise.all(Array.from(this.#proxies.values(), (proxy) => proxy[Symbol.asyncDispose]()));
    if (this.directory !== undefined) await Deno.remove(this.directory, { recursive: true });
  }
}

function way(from: number, to: number): string {
  return `${from}>${to}`;
}

function show({ category, name, size, complete, damaged }: ListedChunk): string {
  return `${category}/${name} ${size} ${complete ? "complete" : "open"}${damaged ? " damaged" : ""}`;
}

/** Every chunk that a node lists. */
export async function listingOf(member: Member): Promise<ListedChunk[]> {
  const categories = await member.listCategories();
  const lists = await Promise.all(categories.map(async (category) => {
    const chunks = await member.listChunks(category);
    return chunks.map((chunk) => ({ ...chunk, category }));
  }));
  return lists.flat();
}

/** Bytes of one chunk as they are read, part after part. */
export async function* partsOf(
  member: Member,
  { category, name, size }: ListedChunk,
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size;) {
    const path = `/read?category=${category}&chunk=${name}&off=${at}&max_size=${READ_BYTES}`;
    const response = await member.fetch(path);
    if (response.status !== 200) {
      throw new Error(`${member.instance}: ${path}: ${response.status} ${await response.text()}`);
    }
    const part = await response.bytes();
    if (part.length === 0) throw new Error(`${member.instance}: ${path}: nothing, of ${size} bytes`);
    // Whoever still writes may have made it longer.
    yield part.subarray(0, size - at);
    at += part.length;
  }
}

async function hashesOf(member: Member, files = false): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  for (const chunk of await listingOf(member)) {
    const hash = createHash("sha256");
    for await (const part of partsOf(member, chunk)) hash.update(part);
    const digest = hash.digest("hex");
    const key = `${chunk.category}/${chunk.name}`;
    hashes.set(key, `${chunk.size} ${digest}`);
    if (!files) continue;
    const path = `${member.dataDir}/${categoryDirectory(chunk.category)}/${chunk.name}`;
    assertEquals(await hashOfFile(path, chunk.size), digest, `${path} is not what is read`);
  }
  return hashes;
}

async function hashOfFile(path: string, size: number): Promise<string> {
  const hash = createHash("sha256");
  let left = size;
  using file = await Deno.open(path);
  const buffer = new Uint8Array(READ_BYTES);
  while (left > 0) {
    const count = await file.read(buffer);
    if (count === null) break;
    hash.update(buffer.subarray(0, Math.min(count, left)));
    left -= count;
  }
  return hash.digest("hex");
}

/** The messages of every chunk of a node. */
export async function linesOf(member: Member): Promise<{ name: string; lines: string[] }[]> {
  const chunks: { name: string; lines: string[] }[] = [];
  for (const chunk of await listingOf(member)) {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for await (const part of partsOf(member, chunk)) parts.push(new Uint8Array(part));
    const text = await new Blob(parts).text();
    assertEquals(text.at(-1), "\n", `${chunk.name} ends within a message`);
    chunks.push({ name: `${chunk.category}/${chunk.name}`, lines: text.split("\n").slice(0, -1) });
  }
  return chunks;
}
