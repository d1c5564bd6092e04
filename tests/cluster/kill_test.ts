/**
 * `kill -9` of one node after the other while clients write to all of them, and then the loss of whole disks.
 *
 * What `min_sync_replicas=N` promises: a message that was answered with 200 is there after the loss of any N machines
 * for good.
 *
 * `CLUSTER_SECONDS` says how long each part kills (120 is the long form), `TEST_SEED` brings a run's choices back (not
 * its timing).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { linesOf, TestCluster } from "../support/cluster.ts";
import { pause } from "../support/eventually.ts";
import { report } from "../support/report.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { percentile, Writers } from "../support/writers.ts";

const SECONDS = Number(Deno.env.get("CLUSTER_SECONDS") ?? 8);
const KILL_EVERY_MS = 1_000;
/** So that two minutes of it can still be checked, message by message. */
const REST_MS = 2;
const CATEGORIES = ["alpha", "beta", "gamma"];
/** Small chunks, so that many kills meet a rotation. */
const FLAGS = ["--max-chunk-size", "64KiB"];

for (const replicas of [1, 2]) {
  const name = `kill -9 every second for ${SECONDS} s, then the loss of ${replicas} of 3 disks: ` +
    `every message answered under min_sync_replicas=${replicas} is there`;
  Deno.test(name, async () => {
    const seed = Number(Deno.env.get("TEST_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
    const random = new SeededRandom(seed);
    await using cluster = await TestCluster.start({ flags: FLAGS });
    const writers = new Writers({
      members: cluster.members,
      categories: CATEGORIES,
      params: `min_sync_replicas=${replicas}&sync_each_write=0`,
      restMs: REST_MS,
      seed,
    });
    const stop = new AbortController();
    const writing = writers.run(stop.signal);
    const endMs = performance.now() + SECONDS * 1000;
    let kills = 0;
    while (performance.now() < endMs) {
      const nextMs = performance.now() + KILL_EVERY_MS;
      const member = random.pick(cluster.members);
      await member.kill();
      kills++;
      await member.start();
      // Not an event that is waited for: the time that the clients get.
      await pause(Math.max(0, nextMs - performance.now()));
    }
    stop.abort();
    await writing;

    const lost = cluster.members.toSorted(() => random.number() - 0.5).slice(0, replicas);
    for (const member of lost) {
      await member.kill();
      await member.wipe();
    }
    const ms = await cluster.converged();
    const { chunks, bytes } = await cluster.sameBytes({ files: true });
    const { book, okMs } = writers;
    const complaints = book.complaints(await linesOf(cluster.live[0]!));
    report(
      `${kills} kills, ${lost.map(({ instance }) => instance).join(" and ")} lost, seed ${seed}: ` +
        `${book.size} messages, ${book.count("ok")} ok, ${book.count("no")} no, ${
          book.count("maybe")
        } maybe; ` +
        `${chunks} chunks, ${bytes} bytes, the same after ${ms} ms; confirmed in ${
          percentile(okMs, 0.5)
        } ms ` +
        `(median), ${percentile(okMs, 0.99)} ms (99 %)`,
    );
    assertEquals(complaints, [], `seed ${seed}`);
    assert(book.count("ok") > kills * 10, "hardly anything was written");
  });
}
