/**
 * Much data into all nodes at once: in the end every chunk has the same SHA-256 on each of them, read over HTTP and on
 * disk.
 *
 * `CLUSTER_MIB` sets how much (5120 is the long form).
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { MIB } from "../../lib/protocol/limits.ts";
import { TestCluster } from "../support/cluster.ts";
import type { Member } from "../support/member.ts";
import { report } from "../support/report.ts";

const CLUSTER_MIB = Number(Deno.env.get("CLUSTER_MIB") ?? 96);
const CLIENTS_PER_NODE = 2;
const CATEGORIES = ["web", "mail"];
const BATCH_BYTES = MIB;
const LINE_BYTES = 200;
/** Long enough for a slow machine: what it takes is printed. */
const CONVERGE_MS = 60_000 + CLUSTER_MIB * 200;

/** A batch of numbered lines that no other batch has. */
function batch(client: number, number: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(BATCH_BYTES);
  let seed = (client * 1_000_003 + number) >>> 0;
  // Bytes that do not repeat, so that a chunk that took a wrong turn cannot look right.
  for (let at = 0; at < bytes.length; at++) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = 32 + (seed >>> 24) % 95;
  }
  for (let at = LINE_BYTES - 1; at < bytes.length; at += LINE_BYTES) bytes[at] = 10;
  bytes[bytes.length - 1] = 10;
  return bytes;
}

async function writeAll(member: Member, client: number, batches: number): Promise<void> {
  const category = CATEGORIES[client % CATEGORIES.length]!;
  for (let number = 0; number < batches; number++) await member.write(category, batch(client, number));
}

Deno.test(`${CLUSTER_MIB} MiB into three nodes at once: the same SHA-256 of every chunk everywhere`, async () => {
  await using cluster = await TestCluster.start({ flags: ["--max-chunk-size", "16MiB"] });
  const clients = cluster.members.length * CLIENTS_PER_NODE;
  const batches = Math.max(1, Math.round(CLUSTER_MIB / clients));
  const startMs = performance.now();
  await Promise.all(
    Array.from({ length: clients }, (_, i) => writeAll(cluster.at(i % cluster.members.length), i, batches)),
  );
  const writtenMs = performance.now() - startMs;
  const convergedMs = await cluster.converged(CONVERGE_MS);
  const { chunks, bytes } = await cluster.sameBytes({ files: true });
  assertEquals(bytes, clients * batches * BATCH_BYTES, "every byte, once");
  const mib = (clients * batches * BATCH_BYTES) / MIB;
  report(
    `${mib} MiB in ${chunks} chunks: written at ${Math.round(mib / writtenMs * 1000)} MiB/s, ` +
      `the same everywhere ${convergedMs} ms after the last answer`,
  );
});
