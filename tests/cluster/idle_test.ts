/**
 * A cluster that has nothing to do does next to nothing, however many chunks it holds: neither its processes nor what
 * they say to one another.
 *
 * `CLUSTER_CHUNKS` sets how many chunks every node holds (100000 is the long form).
 *
 * @module
 */
import { assert } from "@std/assert";
import { TestCluster } from "../support/cluster.ts";
import { eventually, pause } from "../support/eventually.ts";
import type { Member } from "../support/member.ts";
import { report } from "../support/report.ts";
import { os, testWith } from "../support/skip.ts";

const CHUNKS = Number(Deno.env.get("CLUSTER_CHUNKS") ?? 3_000);
/** Of one core. */
const CPU_PERCENT_MAX = 2;
/** More than two waits of a poll. */
const IDLE_MS = 6_500;
const ROUNDS_MAX = 4;
const WRITERS = 8;
/** Ticks of `/proc/<pid>/stat` a second, on every Linux. */
const TICKS_PER_SECOND = 100;
/** A chunk of this size is complete with one such message. */
const CHUNK_BYTES = 1024;

/** Milliseconds of processor time that a process has used. */
function cpuMs({ pid }: Member): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The second field is the program's name in brackets, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 1000 / TICKS_PER_SECOND;
}

interface Idle {
  readonly cpuPercent: readonly number[];
  readonly bytes: number;
  readonly connections: number;
}

/** Measures until it is as quiet as it should be, or has had the time to be: what was begun is finished first. */
async function measure(cluster: TestCluster): Promise<Idle> {
  for (let round = 1;; round++) {
    const idle = await measureOnce(cluster);
    if (round === ROUNDS_MAX || Math.max(...idle.cpuPercent) < CPU_PERCENT_MAX) return idle;
  }
}

/** What happens while nobody asks for anything. */
async function measureOnce(cluster: TestCluster): Promise<Idle> {
  const before = cluster.members.map(cpuMs);
  const traffic = cluster.traffic();
  const startMs = performance.now();
  await pause(IDLE_MS);
  const ms = performance.now() - startMs;
  const after = cluster.members.map(cpuMs);
  const now = cluster.traffic();
  return {
    cpuPercent: after.map((used, i) => Math.round((used - before[i]!) / ms * 1000) / 10),
    bytes: now.bytes - traffic.bytes,
    connections: now.connections - traffic.connections,
  };
}

/** Writes chunks at every node, each with one message. */
async function writeChunks(cluster: TestCluster, count: number): Promise<void> {
  const body = "x".repeat(CHUNK_BYTES - 1) + "\n";
  let left = count;
  await Promise.all(Array.from({ length: WRITERS }, async (_, i) => {
    const member = cluster.at(i % cluster.members.length);
    while (left-- > 0) await member.write(`category_${i}`, body);
  }));
}

async function settled(cluster: TestCluster, chunks: number): Promise<void> {
  await eventually(
    "every node has every chunk, and says so",
    () => Promise.all(cluster.members.map((member) => member.status())),
    (all) =>
      all.every((status) =>
        status.chunks === chunks &&
        status.peers.every(({ behind_bytes, lag_bytes }) => behind_bytes === 0 && lag_bytes === 0)
      ),
    60_000 + CHUNKS * 10,
  );
}

testWith(
  `${CHUNKS} chunks on each of three nodes: idle, each uses less than ${CPU_PERCENT_MAX} % of a core, and sends as little as with few`,
  [os("linux")],
  async () => {
    await using cluster = await TestCluster.start({
      proxied: true,
      flags: ["--max-chunk-size", String(CHUNK_BYTES)],
    });
    await writeChunks(cluster, 24);
    await settled(cluster, 24);
    const few = await measure(cluster);
    const startMs = performance.now();
    await writeChunks(cluster, CHUNKS - 24);
    const writtenMs = Math.round(performance.now() - startMs);
    await settled(cluster, CHUNKS);
    const settledMs = Math.round(performance.now() - startMs) - writtenMs;
    const many = await measure(cluster);
    report(
      `${CHUNKS} chunks written in ${writtenMs} ms, everywhere ${settledMs} ms later; idle for ${IDLE_MS} ms: ` +
        `CPU ${many.cpuPercent.join(", ")} % (with 24 chunks ${few.cpuPercent.join(", ")} %), ` +
        `${many.bytes} bytes sent (${few.bytes}), ${many.connections} connections (${few.connections})`,
    );
    assert(Math.max(...many.cpuPercent) < CPU_PERCENT_MAX, `CPU ${many.cpuPercent.join(", ")} %`);
    // A listing of them all would be a hundred times as much; one round of polls more or less within the time is chance.
    assert(many.bytes < few.bytes * 3, `${many.bytes} bytes, with few chunks ${few.bytes}`);
    assert(many.connections <= few.connections + 3, `${many.connections} connections`);
  },
);
