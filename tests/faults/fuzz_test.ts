/**
 * Random and mutated requests to a live node, and random and mutated answers of a peer that it asks, for a bounded
 * time: no 500, no crash, no growth, nothing on disk but what belongs there, and a client that behaves notices nothing.
 *
 * `FUZZ_SECONDS` sets for how long (5 by default), `FUZZ_SEED` which requests; the seed is printed in any case. The same
 * seed makes the same requests, in the same order on each connection; how those of several connections meet is up to
 * the machine.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { concatenate } from "../../lib/protocol/bytes.ts";
import { parseCategoryDirectory, parseChunkName } from "../../lib/protocol/names.ts";
import type { CopyState, NodeId } from "../../lib/replication/peer.ts";
import { ACKNOWLEDGED_FILE } from "../../lib/storage/acknowledged.ts";
import { JOURNAL_FILE } from "../../lib/storage/batch_journal.ts";
import { CONSUMERS_FILE, CONSUMERS_RECENT_FILES } from "../../lib/storage/consumers_file.ts";
import { NODE_FILE } from "../../lib/storage/node_file.ts";
import { eventually } from "../support/eventually.ts";
import { changesResponse, fetchResponse, GarbagePeer } from "../support/garbage_peer.ts";
import { hashDirectory } from "../support/directory_hash.ts";
import { type ChildNode, startChildNode, temporaryDirectory } from "../support/node.ts";
import { report } from "../support/report.ts";
import { isConnectionFailure, memoryMib, sockets } from "../support/rude_clients.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { os, testWith } from "../support/skip.ts";
import { Requests } from "./fuzz_requests.ts";

const SECONDS = Number(Deno.env.get("FUZZ_SECONDS") ?? 5);
const SEED = Number(Deno.env.get("FUZZ_SEED") ?? Math.floor(Math.random() * 2 ** 32));
/** Connections at once. */
const SENDERS = 8;
/** Whoever gets no answer goes away: tails have no end, and half a request has no answer. */
const PATIENCE_MS = 150;
/** What memory may grow by after the first part of the time. */
const GROWTH_MIB_MAX = 256;
const NODE: NodeId = { instance: "node_2", incarnation: "badbadbad", run: "run1" };

interface Tally {
  connections: number;
  readonly statuses: Map<number, number>;
}

/** Sends what there is to send on a connection of its own, and looks at what comes back. */
async function sendOne({ port }: ChildNode, bytes: Uint8Array, tally: Tally): Promise<void> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const timer = setTimeout(() => connection.close(), PATIENCE_MS);
  let text = "";
  const decoder = new TextDecoder("latin1");
  const reading = (async () => {
    const buffer = new Uint8Array(65_536);
    for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
      if (text.length < 1_000_000) text += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
  })();
  const writing = (async () => {
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    await connection.closeWrite();
  })();
  for (const { reason } of (await Promise.allSettled([reading, writing])).filter(isRejected)) {
    const isOver = isConnectionFailure(reason) || reason instanceof Deno.errors.BadResource ||
      reason instanceof Deno.errors.Interrupted;
    if (!isOver) throw reason;
  }
  clearTimeout(timer);
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
  tally.connections++;
  for (const [, digits] of text.matchAll(/^HTTP\/1\.[01] (\d{3}) /gm)) {
    const status = Number(digits);
    tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1);
    // Where the runtime answers itself, it is a 400 or 431.
    if (status >= 500 && status !== 503 || /"code":"internal"/.test(text)) {
      throw new Error(
        `${status} after ${JSON.stringify(decoder.decode(bytes).slice(0, 2_000))}: ${text.slice(0, 500)}`,
      );
    }
  }
}

function isRejected(settled: PromiseSettledResult<unknown>): settled is PromiseRejectedResult {
  return settled.status === "rejected";
}

/** Answers as a node would, with something wrong in most answers. */
function lyingPeer(random: SeededRandom): GarbagePeer {
  const requests = new Requests(random);
  const peer = new GarbagePeer();
  peer.become(async ({ route }) => {
    const copy: CopyState = {
      category: random.pick(["fuzzed", "lied"]),
      chunk: `node_${1 + random.below(3)}-chunk00000000${random.below(4)}`,
      size: random.below(100_000),
      synced: random.below(100_000),
      rolling: random.below(2 ** 32),
      complete: random.below(2) === 0,
      finalised: false,
    };
    const bytes = new Uint8Array(random.below(5_000)).fill(10);
    const piece = {
      ...copy,
      offset: random.below(2) * random.below(5_000),
      bytes,
      timeMs: random.below(2 ** 31),
    };
    const well = route === "fetch"
      ? fetchResponse(NODE, { pieces: [piece] })
      : changesResponse(NODE, { copies: [copy], pieces: random.below(2) === 0 ? [piece] : [] });
    if (random.below(4) === 0) return well;
    const status = random.pick([200, 200, 200, 404, 500, 503]);
    return new Response(requests.mutated(await well.bytes()), { status });
  });
  return peer;
}

/** Writes, and reads what it wrote; nothing of what goes on beside it shows. */
class Steady {
  readonly #parts: Uint8Array[] = [];
  #rounds = 0;

  constructor(private readonly node: ChildNode) {}

  async round(): Promise<void> {
    const part = new TextEncoder().encode(`round ${this.#rounds++} ${"s".repeat(this.#rounds % 3_000)}\n`);
    const { chunk, offset, size } = await this.node.write("steady", part);
    assertEquals(size, part.length);
    assertEquals((await this.node.read("steady", chunk, offset)).subarray(0, size), part);
    this.#parts.push(part);
  }

  async check(): Promise<number> {
    assertEquals(await this.node.readAll("steady"), concatenate(this.#parts));
    return this.#rounds;
  }
}

/** Files of a category besides its chunks. */
const SMALL_FILES = [ACKNOWLEDGED_FILE, JOURNAL_FILE, CONSUMERS_FILE, ...CONSUMERS_RECENT_FILES];

/** Names that no part of the program gives to a file. */
function unknownFiles(paths: readonly string[]): string[] {
  return paths.filter((path) => {
    const [category, file, ...deeper] = path.split("/");
    if (file === undefined) return ![NODE_FILE, "lock"].includes(category!);
    if (!parseCategoryDirectory(category!) || deeper.length > 0) return true;
    if (file === "") return false;
    return !parseChunkName(file.replace(/\.idx$/, "")) && !SMALL_FILES.includes(file);
  });
}

testWith(
  `fuzz: ${SECONDS} s of requests and answers that nobody should send harm nobody (FUZZ_SEED=${SEED})`,
  [
    os("linux"),
  ],
  async () => {
    report(`FUZZ_SEED=${SEED} FUZZ_SECONDS=${SECONDS}`);
    await using sandbox = await temporaryDirectory();
    const dataDir = `${sandbox.path}/a/b/data`;
    const random = new SeededRandom(SEED);
    await using peer = lyingPeer(new SeededRandom(SEED + 1));
    await using node = await startChildNode(
      dataDir,
      "--peers",
      `node_1=http://127.0.0.1:1,node_2=${peer.url}`,
      "--bootstrap",
      "--max-batch-size",
      "1MiB",
      "--max-chunk-size",
      "64KiB",
    );
    const before = sockets(node.pid);
    const tally: Tally = { connections: 0, statuses: new Map() };
    const startMs = performance.now();
    const steady = new Steady(node);
    const run = async (untilMs: number): Promise<void> => {
      const isOver = (): boolean => performance.now() - startMs > untilMs;
      const senders = Array.from({ length: SENDERS }, async () => {
        const requests = new Requests(new SeededRandom(random.below(2 ** 32)));
        while (!isOver()) await sendOne(node, requests.next(), tally);
      });
      const behaving = (async () => {
        while (!isOver()) await steady.round();
      })();
      const ended = await Promise.allSettled([...senders, behaving]);
      for (const one of ended) {
        if (isRejected(one)) {
          throw new Error(`${one.reason}\n${node.output}`, { cause: one.reason });
        }
      }
    };
    await run(SECONDS * 400);
    const warm = memoryMib(node.pid);
    await run(SECONDS * 1_000);
    const rounds = await steady.check();
    const { now, peak } = memoryMib(node.pid);
    const statuses = Array.from(tally.statuses).sort(([a], [b]) => a - b).map(([status, n]) =>
      `${status}: ${n}`
    );
    report(
      `${tally.connections} connections, answers ${statuses.join(", ")}; ${rounds} rounds beside; ` +
        `memory ${Math.round(warm.now)} MiB, then ${Math.round(now)}, most ${Math.round(peak)}`,
    );
    assert(tally.statuses.has(200) && tally.statuses.has(400), "both good and bad requests were made");
    assert(rounds > 0 && peer.answered > 0);
    assert(now - warm.now < GROWTH_MIB_MAX, `memory grew from ${warm.now} MiB to ${now} MiB`);
    await eventually(
      "connections are given back",
      () => sockets(node.pid),
      (count) => count <= before + 8,
    );
    await eventually("tails are closed", async () => (await node.status()).open, (open) => {
      return open.tails === 0 && open.body_bytes === 0;
    });
    assert(!/TypeError|RangeError|ReferenceError|panicked|defect/.test(node.output), node.output);
    assertEquals(await node.stop(), 0, node.output);
    const outside = Object.keys(hashDirectory(sandbox.path)).filter((path) => !path.startsWith("a/b/data/"));
    assertEquals(outside, ["a/", "a/b/"]);
    assertEquals(unknownFiles(Object.keys(hashDirectory(dataDir))), []);
  },
);
