/**
 * What a user of three nodes relies on while nothing is broken, or a little: writes and acknowledgements at any node,
 * reads at every node, and the answers that tell how far a write got.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { linesOf, listingOf, TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import type { Member } from "../support/member.ts";
import { report } from "../support/report.ts";

/** Chunks of this size are complete after few messages. */
const FLAGS = ["--max-chunk-size", "1KiB"];
const LINE = "x".repeat(99) + "\n";

/** Writes until the chunk of the first write is complete there; returns it. */
async function completeChunk(member: Member, category: string): Promise<{ name: string; size: number }> {
  const { chunk } = await member.write(category, LINE);
  for (;;) {
    await member.write(category, LINE);
    const found = (await member.listChunks(category)).find(({ name }) => name === chunk)!;
    if (found.complete) return found;
  }
}

Deno.test("three nodes: what is written or acknowledged at one is so at all", async (t) => {
  await using cluster = await TestCluster.start({ flags: FLAGS });
  const { members } = cluster;

  await t.step("a write at each node is readable at every node, and the listings are the same", async () => {
    for (const member of members) {
      for (let i = 0; i < 30; i++) await member.write("web", `${member.instance} ${i} ${LINE}`);
      await member.write("own-" + member.instance, "once\n");
    }
    const ms = await cluster.converged();
    const listing = await listingOf(cluster.at(0));
    for (const { instance } of members) {
      const own = listing.filter(({ name }) => name.startsWith(`${instance}-chunk`));
      assert(own.filter(({ complete }) => complete).length >= 2, "chunks were completed");
      assertEquals(
        own.filter(({ complete }) => !complete).length,
        2,
        "the last one of each category is open",
      );
    }
    for (const member of members) {
      const lines = (await linesOf(member)).flatMap(({ lines }) => lines);
      assertEquals(lines.length, 3 * 31);
    }
    const { chunks } = await cluster.sameBytes({ files: true });
    report(`three nodes: ${chunks} chunks the same everywhere ${ms} ms after the last write`);
  });

  await t.step(
    "an acknowledgement at a node that is not the owner deletes everywhere, and twice is 200",
    async () => {
      const [owner, ...others] = members;
      const { name, size } = await completeChunk(owner!, "acked");
      await cluster.converged();
      for (const other of others) {
        const answer = await other.ack("acked", name, size);
        assertEquals(answer.status, 200, answer.text);
      }
      for (const member of members) {
        await eventually(
          `${name} is gone at ${member.instance}`,
          () => member.listChunks("acked"),
          (chunks) => !chunks.some((chunk) => chunk.name === name),
        );
        const read = await member.ask(`/read?category=acked&chunk=${name}&off=0`);
        assertEquals(read.status, 404, read.text);
        assertEquals((await member.ack("acked", name, size)).status, 200, "acknowledged is acknowledged");
        const paths = Array.from(Deno.readDirSync(`${member.dataDir}/acked`), (entry) => entry.name);
        assertEquals(paths.filter((path) => path.startsWith(name)), [], "its files are removed");
      }
    },
  );

  await t.step(
    "an acknowledgement of an open chunk, or of less than the whole, is 409 at every node",
    async () => {
      const open = await cluster.at(0).write("open", LINE);
      const whole = await completeChunk(cluster.at(1), "open");
      await cluster.converged();
      for (const member of members) {
        const early = await member.ack("open", open.chunk, open.size);
        assertEquals([early.status, early.error?.code], [409, "not_complete"], early.text);
        const short = await member.ack("open", whole.name, whole.size - 1);
        assertEquals([short.status, short.error?.code], [409, "not_complete"], short.text);
        const unknown = await member.ack("open", "node_1-chunk000000999", 1);
        assertEquals([unknown.status, unknown.error?.code], [404, "chunk_not_found"], unknown.text);
      }
      assert((await cluster.at(2).listChunks("open")).length >= 2, "nothing was deleted");
    },
  );

  await t.step(
    "min_sync_replicas waits for that many, and more than there are is refused at once",
    async () => {
      for (const [replicas, sync] of [[1, 0], [2, 0], [1, 1], [2, 1]]) {
        const result = await cluster.at(0).askWrite(
          "synced",
          `${replicas} ${sync}\n`,
          `min_sync_replicas=${replicas}&sync_each_write=${sync}`,
        );
        assertEquals(result.status, 200, result.text);
        const { chunk, offset, size } = JSON.parse(result.text);
        const holders = await Promise.all(
          members.slice(1).map(async (member) => {
            const held = (await member.listChunks("synced")).find(({ name }) => name === chunk);
            return held !== undefined && held.size >= offset + size;
          }),
        );
        assert(holders.filter((holds) => holds).length >= replicas!, `${replicas} hold it at the answer`);
      }
      const startMs = performance.now();
      const refused = await cluster.at(0).askWrite("synced", "never\n", "min_sync_replicas=3");
      assertEquals([refused.status, refused.error?.code, refused.error?.written], [
        400,
        "invalid_parameter",
        "no",
      ]);
      assert(performance.now() - startMs < 5_000, "at once");
    },
  );

  await t.step("/status tells of each peer", async () => {
    await cluster.converged();
    for (const member of members) {
      const status = await eventually(
        `${member.instance} sees that nobody lacks anything`,
        () => member.status(),
        ({ peers }) => peers.every((peer) => peer.behind_bytes === 0 && peer.lag_bytes === 0),
      );
      assertEquals([status.state, status.healthy], ["serving", true]);
      const others = members.filter((other) => other !== member);
      assertEquals(
        status.peers.map(({ instance, url }) => [instance, url]),
        others.map(({ instance, url }) => [
          instance,
          url,
        ]),
      );
      for (const peer of status.peers) {
        assertEquals(Object.keys(peer).toSorted(), [
          "behind_bytes",
          "behind_chunks",
          "instance",
          "lag_bytes",
          "last_error",
          "reachable",
          "since_ms",
          "url",
        ]);
        assertEquals([peer.reachable, peer.behind_chunks, peer.last_error], [true, 0, null]);
        assert(peer.since_ms >= 0);
      }
    }
  });

  await t.step(
    "SIGTERM leaves its last messages with the others, and the others say that it is gone",
    async () => {
      const last = cluster.at(2);
      for (let i = 0; i < 20; i++) await last.write("last", `${i} ${LINE}`);
      await last.stop();
      // What it finished while it ended is with the others before its process has gone.
      const held = await cluster.at(0).listChunks("last");
      assertEquals(held.reduce((sum, { size }) => sum + size, 0), 10 * 102 + 10 * 103, "every byte");
      assert(held.every(({ complete }) => complete), `its last chunk is complete: ${JSON.stringify(held)}`);
      const [, peer] = (await eventually(
        "node_1 notices",
        () => cluster.at(0).status(),
        ({ peers }) => peers.some((peer) => peer.instance === "node_3" && !peer.reachable),
      )).peers;
      assert(peer!.last_error !== null, "there is a reason");
      await last.start();
      const ms = await cluster.converged();
      report(`SIGTERM and start again: the same everywhere ${ms} ms after it was ready`);
      await cluster.sameBytes();
    },
  );
});

Deno.test("replicas that do not confirm in time: 503, maybe written, and how many did", async () => {
  await using cluster = await TestCluster.start({ proxied: true });
  const [writer] = cluster.members;
  await cluster.at(2).kill();
  const params = (replicas: number) => `min_sync_replicas=${replicas}&timeout=300`;
  const one = await writer!.askWrite("late", "one\n", params(1));
  assertEquals(one.status, 200, one.text);
  const two = await writer!.askWrite("late", "two\n", params(2));
  assertEquals([two.status, two.error?.code, two.error?.written], [503, "not_confirmed", "maybe"]);
  assertStringIncludes(two.error!.message, "1 of 2");
  // Nobody can ask node_1 any more.
  cluster.proxy(1, 0).set({ kind: "drop" });
  const none = await writer!.askWrite("late", "three\n", params(1));
  assertEquals([none.status, none.error?.code, none.error?.written], [503, "not_confirmed", "maybe"]);
  assertStringIncludes(none.error!.message, "0 of 1");
  cluster.heal();
  const again = await writer!.askWrite("late", "four\n", "min_sync_replicas=1&timeout=20000");
  assertEquals(again.status, 200, again.text);
  assertEquals(await cluster.at(1).readText("late"), "one\ntwo\nthree\nfour\n");
});

Deno.test("an acknowledgement at a node whose copy is behind is 200 or 503, never that it is not there", async () => {
  await using cluster = await TestCluster.start({ proxied: true, flags: FLAGS });
  const [owner, , behind] = cluster.members;
  const statuses: number[] = [];
  // What node_3 learns, it learns late; what it asks the owner about is answered late.
  for (const ms of [20, 300]) {
    cluster.proxy(2, 0).set({ kind: "delay", ms });
    cluster.proxy(2, 1).set({ kind: "delay", ms });
    for (let i = 0; i < 3; i++) {
      const { name, size } = await completeChunk(owner!, "behind");
      const answer = await behind!.ack("behind", name, size);
      assert([200, 503].includes(answer.status), `${answer.status} ${answer.text}`);
      if (answer.status === 503) assertEquals(answer.error?.written, "no");
      else assertEquals((await behind!.ack("behind", name, size)).status, 200);
      statuses.push(answer.status);
    }
  }
  assert(statuses.includes(200), "an owner that can be asked is asked");
  // It has never heard of the next one, and cannot ask anyone.
  cluster.proxy(2, 0).set({ kind: "drop" });
  cluster.proxy(2, 1).set({ kind: "drop" });
  const { name, size } = await completeChunk(owner!, "behind");
  const alone = await behind!.ack("behind", name, size);
  assertEquals([alone.status, alone.error?.code], [503, "behind"], alone.text);
  cluster.heal();
  await cluster.converged();
  assertEquals((await behind!.ack("behind", name, size)).status, 200);
  const ms = await cluster.converged();
  const left = await owner!.listChunks("behind");
  assertEquals(left.some((chunk) => chunk.name === name), false);
  report(`acknowledged at a node that was behind: gone everywhere ${ms} ms later`);
});
