/**
 * What a node of a cluster knows of its own past: whether it may write, into which chunks, and which of its old ones
 * peers may hold more of.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { NODE_FILE, WrongDirectoryError } from "../../lib/storage/node_file.ts";
import { settle } from "../support/fake_clock.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { carry, chunkOf, openNode } from "./two_nodes.ts";
import { bytes, openOn, readText } from "./world.ts";

const PEERS = { peers: ["m"], bootstrap: false };

async function refusal(pending: Promise<unknown>): Promise<string> {
  const error = await assertRejects(() => pending, ChukchaError);
  return `${error.code} ${error.written}`;
}

Deno.test("Store.join: an empty disk in a cluster takes no writes before it, also after a restart", async () => {
  const first = await openNode("n", new MemoryDisk(), PEERS);
  assertEquals(first.store.joined, false);
  assertEquals(await refusal(first.store.append("c", bytes("a\n"), false)), "not_joined no");
  assertEquals(first.store.listCategories(), []);
  const second = await openNode("n", first.disk.kill().crash(), PEERS);
  assertEquals([second.store.joined, second.store.identity], [false, first.store.identity]);
  await second.store.prepareCopies("c", [chunkOf(0, "m")]);
  await second.store.join(1042);
  assertEquals(second.store.joined, true);
  assertEquals((await second.store.append("c", bytes("a\n"), false)).chunk, chunkOf(1042));
  const third = await openNode("n", second.disk.crash(), PEERS);
  assertEquals([third.store.joined, third.store.identity], [true, first.store.identity]);
  assertEquals((await third.store.append("new", bytes("a\n"), false)).chunk, chunkOf(1042));
  await third.store.close();
});

Deno.test("Store.join: the process may die, and the power go, at every operation", async () => {
  for (let at = 1;; at++) {
    const { store, disk } = await openNode("n", new MemoryDisk(), PEERS);
    disk.dieAt(at);
    const joined = await store.join(7).then(() => true, () => false);
    const left = at % 2 === 0 ? disk.kill() : disk.crash({ random: new SeededRandom(at) });
    const again = await openNode("n", left, PEERS);
    if (joined) assert(again.store.joined);
    if (!again.store.joined) await again.store.join(7);
    assertEquals((await again.store.append("c", bytes("a\n"), false)).chunk, chunkOf(7));
    await again.store.close();
    if (joined) break;
  }
});

Deno.test("Store.join: alone, with --bootstrap, and in a directory of before, it has joined", async () => {
  for (const options of [{}, { peers: ["m"], bootstrap: true }]) {
    const { store, disk } = await openOn(new MemoryDisk(), options);
    assertEquals((await store.append("c", bytes("a\n"), false)).chunk, chunkOf(0));
    await store.close();
    const later = await openOn(disk.kill(), PEERS);
    assertEquals(later.store.joined, true);
    await later.store.close();
  }
  const waiting = await openNode("n", new MemoryDisk(), PEERS);
  await waiting.store.close();
  const alone = await openOn(waiting.disk.kill());
  assertEquals([alone.store.joined, alone.store.identity], [true, waiting.store.identity]);
  await alone.store.close();
});

Deno.test("Store: a node.json with a join that is none refuses the start", async () => {
  for (const more of ['"joined":1', '"first":-1', '"first":"0"', '"first":1.5']) {
    const disk = new MemoryDisk();
    disk.plant(NODE_FILE, bytes(`{"format":1,"instance":"n","incarnation":"x",${more}}`));
    await assertRejects(() => openOn(disk), WrongDirectoryError);
  }
});

Deno.test("Store.noteUsed: the next chunk has a larger number; the one being written to goes on", async () => {
  const { store } = await openNode("n", new MemoryDisk(), { chunkBytesMax: 4 });
  store.noteUsed("c", 5);
  assertEquals(store.listCategories(), []);
  assertEquals((await store.append("c", bytes("a\n"), false)).chunk, chunkOf(6));
  store.noteUsed("c", 9);
  store.noteUsed("c", 3);
  assertEquals((await store.append("c", bytes("b\n"), false)).chunk, chunkOf(6));
  assertEquals((await store.append("c", bytes("c\n"), false)).chunk, chunkOf(10));
  await store.close();
});

Deno.test("settle: after a crash an own chunk is open until then, and a longer prefix can come back", async () => {
  const n = await openNode("n");
  await n.store.append("c", bytes("one\n"), true);
  await n.store.append("c", bytes("two\n"), false);
  const m = await openNode("m");
  await carry(n.store, m.store, "c", chunkOf(0));

  const again = await openNode("n", n.disk.crash());
  const chunk = again.store.chunk("c", chunkOf(0))!;
  assertEquals([chunk.size, chunk.complete, chunk.settled, chunk.synced], [4, false, false, 0]);
  assertEquals([...again.store.unsettled()].map(({ category, chunk }) => [category, chunk.name]), [
    ["c", chunkOf(0)],
  ]);
  assertEquals((await again.store.append("c", bytes("three\n"), false)).chunk, chunkOf(1));
  await carry(m.store, again.store, "c", chunkOf(0));
  assertEquals(await readText(again.store, "c", chunkOf(0)), "one\ntwo\n");
  assert(again.store.settle("c", chunkOf(0), false));
  assert(!again.store.settle("c", chunkOf(0), false));
  await settle();
  assertEquals([chunk.complete, chunk.finalised, chunk.settled, chunk.sealed], [true, false, true, true]);
  assertEquals([...again.store.unsettled(), ...again.store.incompleteCopies()], []);
  await again.store.close();
  await m.store.close();
});

Deno.test("settle: alone, an own chunk is settled at once, and marked as not asked about", async () => {
  const first = await openOn(new MemoryDisk());
  await first.store.append("c", bytes("a\n"), false);
  const { store, disk } = await openOn(first.disk.kill());
  const { complete, finalised, settled } = store.chunk("c", chunkOf(0))!;
  assertEquals([complete, finalised, settled, [...store.unsettled()]], [true, true, true, []]);
  await store.acknowledge("c", chunkOf(0), 2);
  assertEquals(
    new TextDecoder().decode(disk.peek("c/acknowledged.json")),
    '{"n":{"ranges":[[0,0]],"sizes":{"0":2}},"#crc32":"e6938e51"}\n',
  );
  await store.close();
});

Deno.test("copies: own chunks of former times come back, and are settled like one after a crash", async () => {
  const n = await openNode("n", new MemoryDisk(), { chunkBytesMax: 4 });
  for (const text of ["a\n", "b\n", "c\n"]) await n.store.append("c", bytes(text), false);
  const m = await openNode("m");
  for (const number of [0, 1]) await carry(n.store, m.store, "c", chunkOf(number));
  await n.store.close();

  const empty = await openNode("n", new MemoryDisk(), PEERS);
  await empty.store.prepareCopies("c", [chunkOf(0), chunkOf(1)]);
  await carry(m.store, empty.store, "c", chunkOf(0));
  await carry(m.store, empty.store, "c", chunkOf(1));
  assertEquals([...empty.store.incompleteCopies()], []);
  assertEquals([...empty.store.unsettled()].length, 2);
  await empty.store.join(0);
  assertEquals((await empty.store.append("c", bytes("d\n"), false)).chunk, chunkOf(2));
  await empty.store.close();
  await m.store.close();
});

Deno.test("finish: completes what is being written to, and is news", async () => {
  const { store } = await openNode("n");
  void store.append("c", bytes("a\n"), false);
  void store.append("d", bytes("b\n"), false);
  await store.finish();
  assertEquals([...store.listChunks("c"), ...store.listChunks("d")].map(({ complete }) => complete), [
    true,
    true,
  ]);
  assertEquals(store.changes.since(0, 9).changes.map(({ category, source }) => [category, source]), [
    ["c", undefined],
    ["d", undefined],
  ]);
  assertEquals((await store.append("c", bytes("c\n"), false)).chunk, chunkOf(1));
  await store.close();
});

Deno.test("Store.changes: what recovery found is in it, and tells where changes came from", async () => {
  const n = await openNode("n");
  await n.store.append("c", bytes("a\n"), true);
  await n.store.finish();
  const m = await openNode("m");
  await carry(n.store, m.store, "c", chunkOf(0));
  assertEquals(m.store.changes.since(0, 9).changes.map(({ source }) => source), ["n"]);
  await n.store.acknowledge("c", chunkOf(0), 2);
  assertEquals(
    n.store.changes.since(0, 9).changes.map((
      { category, chunk, acknowledged },
    ) => [category, chunk, acknowledged]),
    [["c", undefined, "n"]],
  );
  await m.store.close();
  const again = await openNode("m", m.disk.kill());
  assertEquals(
    again.store.changes.since(0, 9).changes.map(({ chunk, source }) => [chunk?.name, source]),
    [[chunkOf(0), undefined]],
  );
  await again.store.close();
  await n.store.close();
});

Deno.test("Chunk.synced: what a synced append and sealing put on the device, and no more", async () => {
  const { store } = await openNode("n");
  const synced = (): number => store.chunk("c", chunkOf(0))!.synced;
  const seen: number[] = [];
  for (const [text, sync] of [["a\n", false], ["b\n", true], ["c\n", false]] as const) {
    await store.append("c", bytes(text), sync);
    seen.push(synced());
  }
  assertEquals(seen, [0, 4, 4]);
  await store.finish();
  await settle();
  assertEquals(synced(), 6);
  await store.close();
});
