/**
 * Writes that wait for other nodes, sent again with their producer and sequence: the retry waits for the confirmations of
 * the bytes that are there, whatever has been forgotten of them, and stores nothing twice.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { linesOf, TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import type { Answered, Member } from "../support/member.ts";
import { report } from "../support/report.ts";

/** Chunks of this size are complete after few messages. */
const FLAGS = ["--max-chunk-size", "1KiB"];
const LINE = "x".repeat(99) + "\n";

function retry(member: Member, sequence: number, params: string): Promise<Answered> {
  return member.askWrite("web", `batch ${sequence}\n`, `producer=p&sequence=${sequence}&${params}`);
}

/** The place in an answer, which must be a 200. */
function placeOf({ status, text }: Answered): string {
  assertEquals(status, 200, text);
  const { chunk, offset } = JSON.parse(text);
  return `${chunk}:${offset}`;
}

Deno.test("three nodes: a write that was sent again waits for the replicas of what is there", async (t) => {
  await using cluster = await TestCluster.start({ flags: FLAGS });
  const [owner, one, other] = cluster.members as [Member, Member, Member];
  let place = "";

  await t.step(
    "not confirmed, and maybe written: the next attempt goes on waiting, and is confirmed",
    async () => {
      placeOf(await retry(owner, 0, "min_sync_replicas=2"));
      other.pause();
      for (const sync of [0, 1, 0]) {
        const { error } = await retry(owner, 1, `min_sync_replicas=2&timeout=200&sync_each_write=${sync}`);
        assertEquals([error?.code, error?.written], ["not_confirmed", "maybe"]);
      }
      place = placeOf(await retry(owner, 1, "min_sync_replicas=1&timeout=5000"));
      const pending = retry(owner, 1, "min_sync_replicas=2&timeout=30000&sync_each_write=1");
      other.resume();
      assertEquals(placeOf(await pending), place);
    },
  );

  await t.step(
    "confirmed long ago, and forgotten since the chunk is complete: asked again, and answered soon",
    async () => {
      const chunk = place.split(":")[0];
      for (let i = 0; i < 12; i++) {
        assertEquals((await owner.askWrite("web", LINE, "min_sync_replicas=2")).status, 200);
      }
      await eventually(
        `${chunk} is complete everywhere`,
        () => Promise.all(cluster.members.map((member) => member.listChunks("web"))),
        (lists) => lists.every((list) => list.find(({ name }) => name === chunk)?.complete),
      );
      await cluster.converged();
      for (const sync of [0, 1]) {
        const startMs = performance.now();
        const answer = await retry(owner, 1, `min_sync_replicas=2&timeout=10000&sync_each_write=${sync}`);
        assertEquals(placeOf(answer), place);
        const ms = Math.round(performance.now() - startMs);
        report(`a retry of what two nodes have long held, sync ${sync}: confirmed in ${ms} ms`);
        assert(ms < 5000, `${ms} ms`);
      }
    },
  );

  await t.step(
    "the owner was killed before it answered: the next process knows it, and has it confirmed",
    async () => {
      one.pause();
      other.pause();
      const lost = retry(owner, 2, "min_sync_replicas=2&timeout=60000").then(() => "answered", () => "gone");
      await eventually("it is stored", () => linesAt(owner), (lines) => lines.includes("batch 2"));
      await owner.kill();
      assertEquals(await lost, "gone");
      one.resume();
      other.resume();
      await owner.start();
      for (const sync of [0, 1]) {
        placeOf(await retry(owner, 2, `min_sync_replicas=2&timeout=20000&sync_each_write=${sync}`));
        assertEquals(
          placeOf(await retry(owner, 1, `min_sync_replicas=2&timeout=20000&sync_each_write=${sync}`)),
          place,
        );
      }
    },
  );

  await t.step("acknowledged everywhere: answered at once", async () => {
    const list = await owner.listChunks("web");
    const chunk = list.find(({ name }) => place.startsWith(name))!;
    assertEquals((await one.ack("web", chunk.name, chunk.size)).status, 200);
    await eventually(
      "it is gone at its owner",
      () => owner.listChunks("web"),
      (chunks) => !chunks.some(({ name }) => name === chunk.name),
    );
    assertEquals(placeOf(await retry(owner, 1, "min_sync_replicas=2&timeout=5000&sync_each_write=1")), place);
  });

  await t.step("at another node it is not known, and stored there", async () => {
    assert(placeOf(await retry(one, 1, "")).startsWith(one.instance));
    await cluster.converged();
    for (const member of cluster.members) {
      const lines = await linesAt(member);
      assertEquals([0, 1, 2].map((sequence) => lines.filter((line) => line === `batch ${sequence}`).length), [
        0,
        1,
        1,
      ]);
    }
  });
});

async function linesAt(member: Member): Promise<string[]> {
  return (await linesOf(member)).flatMap(({ lines }) => lines);
}
