/**
 * Bits that flip in the files of real nodes while they run: the scrub finds them, and the others give back what was lost.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { NodeStatus } from "../../lib/protocol/types.ts";
import { type ListedChunk, listingOf, TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";

const LINES = 400;
/** How many chunks are damaged on each node. */
const HEALED = [2, 1, 1];

/** Flips a bit of some bytes of a file, in place. */
function flip(path: string, places: readonly number[]): void {
  using file = Deno.openSync(path, { read: true, write: true });
  for (const at of places) {
    const byte = new Uint8Array(1);
    file.seekSync(at, Deno.SeekMode.Start);
    assertEquals(file.readSync(byte), 1);
    byte[0]! ^= 0x08;
    file.seekSync(at, Deno.SeekMode.Start);
    assertEquals(file.writeSync(byte), 1);
  }
}

Deno.test("bits that flip on every node of a running cluster, in different places, are found and healed", async () => {
  await using cluster = await TestCluster.start({
    flags: ["--scrub-interval", "500ms", "--max-chunk-size", "256KiB"],
  });
  const [first] = cluster.members;
  for (let i = 0; i < LINES; i++) {
    const answer = await first!.ask("/write?category=web&min_sync_replicas=2", {
      method: "POST",
      body: `${i} ${"x".repeat(3000)}\n`,
    });
    assertEquals(answer.status, 200);
  }
  await cluster.converged();
  const before = await cluster.sameBytes({ files: true });
  const complete = (await listingOf(first!)).filter((chunk) => chunk.complete);
  assert(complete.length >= 3, `${complete.length} chunks are complete`);
  await eventually(
    "everything is sealed, and was looked at",
    () => Promise.all(cluster.members.map((member) => member.status())),
    (all) => all.every(({ scrub }) => scrub.last_round_ms !== null && scrub.chunks >= complete.length),
  );

  const path = (member: number, { name }: ListedChunk) => `${cluster.at(member).dataDir}/web/${name}`;
  const [one, two, three] = complete as [ListedChunk, ListedChunk, ListedChunk];
  // On two nodes in different places of one chunk, on the third in an index, and a data file that is gone.
  flip(path(0, one), [10, 130_000]);
  flip(path(1, one), [70_000, one.size - 2]);
  flip(`${path(2, two)}.idx`, [3, 40]);
  await Deno.remove(path(0, three));

  await eventually(
    "what was damaged is whole again",
    () => Promise.all(cluster.members.map((member) => member.status())),
    (all: NodeStatus[]) => all.every(({ scrub }, i) => scrub.healed >= HEALED[i]! && scrub.unhealed === 0),
  );
  await cluster.converged();
  assertEquals(await cluster.sameBytes({ files: true }), before);
  const all = await Promise.all(cluster.members.map((member) => member.status()));
  for (const { healthy } of all) assert(healthy);
  assertEquals(all.map(({ scrub }) => scrub.healed), HEALED);
});
