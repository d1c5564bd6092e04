/**
 * Everything at once: links that drop, hang, delay, cut and crawl, nodes that are killed and paused, clients that write
 * to whoever answers, and a reader that acknowledges what it has read at another node than where it read it.
 *
 * In the end, with all that healed: each message that was answered with 200 is there or was read and acknowledged, none
 * was made up or came back, and all nodes are the same.
 *
 * `CLUSTER_SECONDS` says how long that goes on (120 is the long form), `TEST_SEED` brings a run's choices back (not its
 * timing).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { linesOf, listingOf, TestCluster } from "../support/cluster.ts";
import { pause } from "../support/eventually.ts";
import type { Member } from "../support/member.ts";
import type { Fault } from "../support/proxy.ts";
import { report } from "../support/report.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { Writers } from "../support/writers.ts";

const SECONDS = Number(Deno.env.get("CLUSTER_SECONDS") ?? 8);
const CATEGORIES = ["alpha", "beta", "gamma"];
const FLAGS = ["--max-chunk-size", "64KiB"];
const FAULT_EVERY_MS = 150;
/** So that two minutes of it can still be checked, message by message. */
const REST_MS = 10;
const ANSWER_MS_MAX = 8_000;

function anyFault(random: SeededRandom): Fault {
  const way = random.pick(["request", "response"] as const);
  return random.pick<Fault>([
    { kind: "pass" },
    { kind: "pass" },
    { kind: "drop" },
    { kind: "hang" },
    { kind: "hang", way },
    { kind: "delay", ms: 1 + random.below(200) },
    { kind: "cut", at: random.below(20_000) },
    { kind: "throttle", bytesPerSecond: 20_000 + random.below(1_000_000) },
  ]);
}

/** Reads whole chunks and acknowledges them, as a consumer that changes its node all the time. */
class Reader {
  /** Messages of chunks whose acknowledgement was tried, by chunk. */
  readonly taken = new Map<string, string[]>();
  /** Chunks whose acknowledgement was answered with 200. */
  readonly acknowledged = new Set<string>();
  /** Answers that must not be. */
  readonly wrong: string[] = [];

  constructor(private readonly cluster: TestCluster, private readonly random: SeededRandom) {}

  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      // What it meets on its way is of no interest: a client tries again.
      await this.#step().catch((error) => {
        if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
      });
      await pause(10);
    }
  }

  async #step(): Promise<void> {
    const { random, cluster } = this;
    const source = random.pick(cluster.members);
    const category = random.pick(CATEGORIES);
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    const listed = await source.ask(`/listChunks?category=${category}`, { signal });
    const chunks = (JSON.parse(listed.text) as { name: string; size: number; complete: boolean }[])
      .filter(({ complete }) => complete);
    if (chunks.length === 0) return;
    const { name, size } = random.pick(chunks);
    const path = `/read?category=${category}&chunk=${name}&off=0&max_size=16777216`;
    const { status, text } = await source.ask(path, { signal });
    // Someone else acknowledged it in between: that was this reader, at another node.
    if (status !== 200 || text.length !== size) return;
    this.taken.set(`${category}/${name}`, text.split("\n").slice(0, -1));
    const target: Member = random.pick(cluster.members);
    const ack = await target.ask(`/ack?category=${category}&chunk=${name}&size=${size}`, {
      method: "POST",
      signal,
    });
    if (ack.status === 200) this.acknowledged.add(`${category}/${name}`);
    else if (ack.status !== 503) this.wrong.push(`${name} at ${target.instance}: ${ack.status} ${ack.text}`);
  }
}

/** Breaks links and nodes until `stop` fires, and then mends all of them; returns what was done, counted. */
async function breakThings(
  cluster: TestCluster,
  random: SeededRandom,
  stop: AbortSignal,
): Promise<Record<string, number>> {
  const done: Record<string, number> = { links: 0, kills: 0, pauses: 0 };
  const count = cluster.members.length;
  while (!stop.aborted) {
    const from = random.below(count);
    const to = (from + 1 + random.below(count - 1)) % count;
    cluster.proxy(from, to).set(anyFault(random));
    done.links!++;
    const member = random.pick(cluster.members);
    const dice = random.below(12);
    if (dice === 0) {
      await member.kill();
      await member.launch();
      done.kills!++;
    } else if (dice === 1) {
      member.pause();
      await pause(random.below(1_500));
      member.resume();
      done.pauses!++;
    }
    await pause(FAULT_EVERY_MS);
  }
  cluster.heal();
  return done;
}

Deno.test(`chaos for ${SECONDS} s: nothing that was answered is lost, nothing acknowledged comes back`, async () => {
  const seed = Number(Deno.env.get("TEST_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  await using cluster = await TestCluster.start({ proxied: true, flags: FLAGS });
  const writers = new Writers({ members: cluster.members, categories: CATEGORIES, restMs: REST_MS, seed });
  const reader = new Reader(cluster, new SeededRandom(seed + 1_000));
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), SECONDS * 1000);
  let healedMs = 0;
  const breaking = breakThings(cluster, new SeededRandom(seed + 2_000), stop.signal)
    .finally(() => {
      healedMs = performance.now();
      clearTimeout(timer);
      stop.abort();
    });
  const [done] = await Promise.all([breaking, writers.run(stop.signal), reader.run(stop.signal)]);
  await cluster.converged();
  const ms = Math.round(performance.now() - healedMs);
  const { chunks, bytes } = await cluster.sameBytes({ files: true });

  const left = new Set((await listingOf(cluster.at(0))).map(({ category, name }) => `${category}/${name}`));
  const { book } = writers;
  report(
    `${JSON.stringify(done)}, seed ${seed}: ${book.size} messages, ${book.count("ok")} ok, ${
      book.count("no")
    } no, ` +
      `${
        book.count("maybe")
      } maybe; ${reader.acknowledged.size} chunks acknowledged, ${chunks} left with ${bytes} ` +
      `bytes; the same ${ms} ms after the last fault`,
  );
  assertEquals(reader.wrong, [], "an acknowledgement of a complete chunk");
  assertEquals([...reader.acknowledged].filter((name) => left.has(name)), [], "acknowledged, and there");
  const read = Array.from(reader.taken, ([name, lines]) => ({ name, lines })).filter(({ name }) =>
    !left.has(name)
  );
  const complaints = book.complaints([...await linesOf(cluster.at(0)), ...read]);
  assertEquals(complaints, [], `seed ${seed}`);
  assert(book.count("ok") > SECONDS * 10, "hardly anything was written");
  assert(reader.acknowledged.size > 0, "nothing was acknowledged");
});
