/**
 * The scrub: it finds what rots in complete chunks, in its time, and leaves everything else alone.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { SCRUB_BYTES_PER_S_MAX, SCRUB_IDLE_MS } from "../../lib/protocol/limits.ts";
import type { MemoryDisk } from "../support/memory_disk.ts";
import { assertWhole, CHUNK, COPIED, DATA, flipped, GOOD, OWNED, pass, ROT, SIZE, whole } from "./rotten.ts";
import { openNode } from "./two_nodes.ts";
import { bytes, openNew, openOn, type World } from "./world.ts";

const INTERVAL = { scrubIntervalMs: 10_000 };

/** What of the status the tests look at. */
function found({ store }: World): number[] {
  const { damaged, healed, unhealed } = store.scrubStatus();
  return [damaged, healed, unhealed];
}

for (const [who, base] of [["n", OWNED], ["m", COPIED]] as const) {
  Deno.test(`scrub: whatever rots in ${who === "n" ? "an own chunk" : "a copy"} is found and healed`, async (t) => {
    for (const [what, change] of ROT) {
      await t.step(what, async () => {
        const world = await openNode(who, base.clone(), INTERVAL);
        world.store.healWith(whole);
        change(world.disk);
        await pass(world, 12_000);
        assertEquals(found(world), [1, 1, 0]);
        await assertWhole(world);
        await pass(world, 12_000);
        assertEquals(found(world), [1, 1, 0]);
        await world.store.close();
        const again = await openNode(who, world.disk.crash());
        await assertWhole(again);
        assertEquals(again.log.of("error"), []);
        await again.store.close();
      });
    }
  });
}

Deno.test("scrub: what nobody has is found once, counted, and kept", async () => {
  const world = await openOn(OWNED.clone(), INTERVAL);
  world.disk.plant(DATA, flipped(9)(world.disk.peek(DATA)));
  const rotten = world.disk.peek(DATA);
  await pass(world, 60_000);
  assertEquals(found(world), [1, 0, 1]);
  assertEquals(world.disk.peek(DATA), rotten);
  assertEquals(world.store.listChunks("c"), [{ name: CHUNK, complete: true, size: SIZE, damaged: true }]);
  assertEquals(world.log.of("error").length, 2);
  await world.store.close();
});

Deno.test("scrub: an index is made anew without anybody's help", async () => {
  for (const name of ["the record that says complete", "the index, longer", "the index file, gone"]) {
    const world = await openOn(OWNED.clone(), INTERVAL);
    ROT.find(([what]) => what === name)![1](world.disk);
    await pass(world, 12_000);
    assertEquals(found(world), [1, 1, 0], name);
    assertEquals(world.log.of("error"), []);
    // One that is gone is made of larger records; otherwise it is what it was.
    const good = OWNED.peek(`${DATA}.idx`);
    if (!name.includes("gone")) assertEquals(world.disk.peek(`${DATA}.idx`), good, name);
    await world.store.close();
  }
});

Deno.test("scrub: bytes behind the end of a chunk are nothing that it minds", async () => {
  const world = await openOn(OWNED.clone(), INTERVAL);
  world.disk.plant(DATA, Uint8Array.from([...GOOD, 1, 2, 3]));
  await pass(world, 12_000);
  assertEquals([found(world), world.log.of("warn", "error")], [[0, 0, 0], []]);
  await world.store.close();
});

/** A store with ten complete chunks of one size in two categories. */
async function tenChunks(): Promise<MemoryDisk> {
  const { store, disk } = await openNew({ chunkBytesMax: 1000 });
  for (let i = 0; i < 5; i++) {
    for (const category of ["a", "b"]) await store.append(category, bytes(`${"x".repeat(899)}\n`), true);
  }
  await store.close();
  return disk.kill();
}

Deno.test("scrub: a round is spread over its interval, begins anywhere, and takes every chunk once", async () => {
  const base = await tenChunks();
  const world = await openOn(base.clone(), INTERVAL);
  const seen: number[] = [];
  for (let second = 0; second < 10; second++) {
    await pass(world, 1_000, 50);
    seen.push(world.store.scrubStatus().chunks);
  }
  // The round begins in the middle of a chunk, which is its last one.
  for (const [second, chunks] of seen.entries()) assert(Math.abs(chunks - second - 1) <= 1, seen.join());
  await pass(world, 200, 50);
  const { last_round_ms, chunks, bytes: looked } = world.store.scrubStatus();
  assertEquals([chunks, looked], [10, 10 * (900 + 64)]);
  assert(last_round_ms !== null && last_round_ms <= world.clock.now());
  await pass(world, 10_200, 50);
  assertEquals(world.store.scrubStatus().chunks, 20);
  await world.store.close();
  // One that is started again before it is round comes round to everything all the same.
  const opened = new Set<string>();
  for (let day = 0; day < 60; day++) {
    const disk = base.clone();
    const today = await openOn(disk, { ...INTERVAL, instance: "n" }, undefined, day);
    disk.faults.before = (operation, path) => {
      if (operation === "open" && /chunk\d+$/.test(path)) opened.add(path);
      return undefined;
    };
    await pass(today, 1_500, 50);
    await today.store.close();
  }
  assertEquals(opened.size, 10);
});

Deno.test("scrub: it reads no faster than it may, however short the interval is, and one chunk at a time", async () => {
  const { store, disk } = await openNew({ chunkBytesMax: 32 << 20 });
  const line = bytes(`${"x".repeat((1 << 20) - 1)}\n`);
  for (let i = 0; i < 32; i++) await store.append("c", line, false);
  await store.close();
  const world = await openOn(disk.kill(), { scrubIntervalMs: 1 });
  const before = world.store.scrubStatus().bytes;
  await pass(world, 1_000);
  const perSecond = world.store.scrubStatus().bytes - before;
  assert(perSecond > 0 && perSecond <= SCRUB_BYTES_PER_S_MAX * 1.1, `${perSecond}`);
  assert(world.disk.openFilesPeak <= 4, `${world.disk.openFilesPeak}`);
  await world.store.close();
});

Deno.test("scrub: an idle node has one timer, an empty one looks again now and then, and off is off", async () => {
  const off = await openOn(OWNED.clone());
  assertEquals(off.clock.timerCount, 0);
  await off.store.close();
  const idle = await openOn(OWNED.clone(), { scrubIntervalMs: 7 * 86_400_000 });
  await pass(idle, 1_000);
  assertEquals(idle.clock.timerCount, 1);
  await idle.store.close();
  assertEquals(idle.clock.timerCount, 0);
  const empty = await openNew({ scrubIntervalMs: 10 * SCRUB_IDLE_MS });
  await pass(empty, 1_000);
  assertEquals(empty.clock.timerCount, 1);
  await empty.store.close();
});

Deno.test("scrub: chunks that are acknowledged, or whose files are replaced while it reads, are no damage", async () => {
  const world = await openNode("n", OWNED.clone(), { scrubIntervalMs: 1 });
  world.store.healWith(whole);
  for (let round = 0; round < 5; round++) {
    world.disk.plant(DATA, flipped(round)(world.disk.peek(DATA)));
    await pass(world, 2_000);
    await assertWhole(world);
  }
  await world.store.acknowledge("c", CHUNK, SIZE);
  await pass(world, 2_000);
  assertEquals(found(world)[2], 0);
  await world.store.close();
});
