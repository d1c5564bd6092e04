/**
 * Healing: whatever rots in a complete chunk comes back from whoever has it, and no crash on the way makes it worse.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { HEAL_RETRY_MS_MAX, KIB } from "../../lib/protocol/limits.ts";
import { crc32 } from "../../lib/storage/crc32.ts";
import { DiskError } from "../../lib/storage/disk.ts";
import { COMPLETE, decodeRecord, RECORD_BYTES } from "../../lib/storage/index_record.ts";
import { checkServed, completeImmutable, serve } from "../support/invariants.ts";
import type { MemoryDisk } from "../support/memory_disk.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import {
  assertWhole,
  BATCHES,
  CHUNK,
  COPIED,
  DATA,
  flipped,
  GOOD,
  look,
  OWNED,
  pass,
  ROT,
  SIZE,
  whole,
} from "./rotten.ts";
import { openNode } from "./two_nodes.ts";
import { bodyOf, bytes, openNew, openOn, type World } from "./world.ts";

for (const [who, base] of [["n", OWNED], ["m", COPIED]] as const) {
  Deno.test(`heal: whatever rots while ${who === "n" ? "the owner" : "a copy"} is served comes back`, async (t) => {
    for (const [what, change] of ROT) {
      // No reader meets that: it is for the scrub to find.
      if (what === "the record that says complete" || what === "the index, longer") continue;
      await t.step(what, async () => {
        const world = await openNode(who, base.clone());
        world.store.healWith(whole);
        change(world.disk);
        await look(world.store);
        await pass(world, 5_000);
        await assertWhole(world);
        await world.store.close();
        const again = await openNode(who, world.disk.crash());
        await assertWhole({ ...again });
        assertEquals(again.log.of("error"), []);
        await again.store.close();
        assertEquals(world.disk.snapshot().has(`${DATA}.tmp`), false);
      });
    }
  });
}

/** Opens a store whose files have rotted, and begins to heal it; the disk dies at the `n`-th operation, 0 for never. */
async function dyingAt(n: number, what: string, change: (disk: MemoryDisk) => void): Promise<World> {
  const world = await openNode("n", OWNED.clone());
  // What is in memory of the index hides what becomes of it: the read that finds the damage does not mend it. A file
  // that is open hides that it is gone.
  if (!what.includes("gone")) await look(world.store);
  change(world.disk);
  await look(world.store);
  if (n > 0) world.disk.dieAt(n, new SeededRandom(n));
  world.store.healWith(whole);
  await pass(world, 500);
  return world;
}

Deno.test("heal: a crash at any operation leaves the chunk healed, or as damaged as it was", async (t) => {
  // An index alone is mended by the first read that meets it, which has its own tests.
  const cases = ROT.filter(([what]) => !/record|index/.test(what) || what.startsWith("a byte"));
  for (const [what, change] of cases) {
    await t.step(what, async () => {
      for (let n = 1;; n++) {
        const { disk } = await dyingAt(n, what, change);
        if (!disk.dead) {
          assert(n > 5, `only ${n} operations`);
          break;
        }
        for (const power of ["kill", "exact", 1, 2, 3] as const) {
          const left = power === "kill"
            ? disk.kill().clone()
            : disk.crash(power === "exact" ? undefined : { random: new SeededRandom(n * 100 + power) })
              .clone();
          const data = left.snapshot().has(DATA) ? left.peek(DATA) : new Uint8Array();
          if (data.length === SIZE && data.every((byte, i) => byte === GOOD[i])) {
            const index = left.peek(`${DATA}.idx`);
            const end = decodeRecord(index, index.length - RECORD_BYTES);
            assert(
              end && (end.flags & COMPLETE) !== 0,
              "good data under an index that does not know its end",
            );
          }
          const next = await openNode("n", left);
          const [served] = await serve(next.store, "c", 32 * KIB);
          if (served) checkServed(served, BATCHES);
          next.store.healWith(whole);
          await pass(next, 5_000);
          if (served && next.store.chunk("c", CHUNK)!.sealed) await assertWhole(next);
          assert(
            ![...left.snapshot().keys()].some((path) => path.endsWith(".tmp")),
            "a temporary file is left",
          );
          await next.store.close();
        }
      }
    });
  }
});

Deno.test("heal: on a disk that fails, or is full, it is tried again until it works", async (t) => {
  for (const operation of ["write", "sync", "rename", "sync directory"] as const) {
    for (const kind of ["failed", "full"] as const) {
      await t.step(`${operation}: ${kind}`, async () => {
        const world = await openNode("n", OWNED.clone());
        ROT[3]![1](world.disk);
        await look(world.store);
        let refused = 0;
        world.disk.faults.before = (what) => what === operation && ++refused < 4 ? kind : undefined;
        world.store.healWith(whole);
        await pass(world, 30_000);
        assert(refused >= (operation === "sync directory" ? 1 : 4));
        await assertWhole(world);
        assertEquals(world.log.of("error").length, 2);
        await world.store.close();
        const again = await openNode("n", world.disk.crash());
        await assertWhole(again);
        await again.store.close();
      });
    }
  }
});

Deno.test("heal: what the device cannot read counts as damaged", async () => {
  const world = await openNode("n", OWNED.clone());
  const { disk, store } = world;
  const open = disk.open.bind(disk);
  disk.open = (path, mode) => {
    const file = open(path, mode);
    if (path !== DATA) return file;
    const read = file.read;
    file.read = (into, offset) => {
      if (offset <= 90 * KIB && offset + into.length > 90 * KIB && disk.peek(DATA)[90 * KIB] === 0) {
        throw new DiskError("failed", "read", path, new Error("input/output error"));
      }
      return read(into, offset);
    };
    return file;
  };
  disk.plant(DATA, disk.peek(DATA).fill(0, 90 * KIB, 90 * KIB + 1));
  store.healWith(whole);
  await assertRejects(() => store.read("c", CHUNK, 0, SIZE), ChukchaError, "cannot read");
  await pass(world, 1_000);
  await assertWhole(world);
  await store.close();
});

Deno.test("heal: bytes that are not those of the chunk are never taken, however often they are offered", async () => {
  const world = await openNode("n", OWNED.clone());
  let offered = 0;
  world.store.healWith((_chunk, from, to) => {
    offered++;
    return Promise.resolve(new Uint8Array(to - from).fill(10));
  });
  ROT[1]![1](world.disk);
  const rotten = world.disk.peek(DATA);
  await look(world.store);
  await pass(world, 20_000);
  assert(offered > 3);
  assertEquals(world.disk.peek(DATA), rotten);
  assert(!world.store.checkChunks().ok);
  world.store.healWith(whole);
  await pass(world, 1_000);
  await assertWhole(world);
  await world.store.close();
});

Deno.test("heal: a chunk that is acknowledged meanwhile stays gone", async () => {
  const world = await openNode("n", OWNED.clone());
  ROT[1]![1](world.disk);
  await look(world.store);
  let give = (): void => {};
  const gate = new Promise<void>((resolve) => give = resolve);
  world.store.healWith(async (_chunk, from, to) => {
    await gate;
    return GOOD.slice(from, to);
  });
  await pass(world, 500);
  await world.store.acknowledge("c", CHUNK, SIZE);
  give();
  await pass(world, 5_000);
  assertEquals(world.store.listChunks("c"), []);
  assertEquals([...world.disk.snapshot().keys()].filter((path) => path.includes("chunk")), []);
  assert(world.store.checkChunks().ok);
  await world.store.close();
});

Deno.test("heal: a chunk that is acknowledged while its new file goes to the device stays gone", async () => {
  const world = await openNode("n", OWNED.clone());
  const { disk, store } = world;
  ROT[1]![1](disk);
  await look(store);
  let acknowledged: Promise<void> | undefined;
  disk.faults.before = (operation, path) => {
    if (operation === "sync" && path === `${DATA}.tmp`) acknowledged ??= store.acknowledge("c", CHUNK, SIZE);
    return undefined;
  };
  store.healWith(whole);
  await pass(world, 5_000);
  await acknowledged!;
  assertEquals(store.listChunks("c"), []);
  assertEquals([...disk.snapshot().keys()].filter((path) => path.includes("chunk")), []);
  await store.close();
});

Deno.test("readRange: exactly what is asked for, wherever groups end, up to the first damage", async () => {
  const world = await openNode("n", OWNED.clone());
  const { store, disk } = world;
  for (const [from, length] of [[0, 1], [7, 100 * KIB], [70 * KIB, 3], [SIZE - 2, 99], [0, SIZE]] as const) {
    const { offset, bytes, rolling } = store.readRange("c", CHUNK, from, length);
    assertEquals([offset, bytes], [from, GOOD.slice(from, from + length)]);
    assertEquals(rolling, crc32(GOOD.subarray(0, from + bytes.length)));
  }
  disk.plant(DATA, flipped(140 * KIB)(disk.peek(DATA)));
  const { bytes } = store.readRange("c", CHUNK, 100 * KIB, 60 * KIB);
  assert(bytes.length > 0 && bytes.length < 40 * KIB);
  assertEquals(bytes, GOOD.slice(100 * KIB, 100 * KIB + bytes.length));
  assertThrows(() => store.readRange("c", CHUNK, 140 * KIB, 5), ChukchaError, "checksum");
  assertEquals(store.listChunks("c")[0]!.damaged, true);
  assertThrows(() => store.readRange("c", CHUNK, SIZE, 5), ChukchaError, "nothing of");
  await store.close();
});

Deno.test("heal: blocks in memory are found by the records that divide them now", async () => {
  const { store, disk, ...world } = await openNew({ chunkBytesMax: 4 << 20, scrubIntervalMs: 1_000 });
  const line = (n: number) => bytes(`${String(n).padStart(998, "x")}\n`);
  for (let n = 0; n < 3_000; n++) await store.append("c", line(n), false);
  await store.finish();
  const readAll = async (): Promise<void> => {
    for (let n = 0; n < 3_000; n += 37) {
      const range = await store.read("c", CHUNK, n * 999, 1_300_000);
      const all = await bodyOf(range);
      assertEquals(all.subarray(0, 999), line(n));
      assertEquals(all.subarray(-999), line(n + all.length / 999 - 1));
    }
  };
  await readAll();
  const index = disk.peek(`${DATA}.idx`);
  // Those around the end of the first block become one.
  disk.plant(`${DATA}.idx`, index.slice().fill(0, 1040 * RECORD_BYTES, 1060 * RECORD_BYTES));
  await pass({ store, disk, ...world }, 5_000, 50);
  assertEquals(disk.peek(`${DATA}.idx`).length, index.length - 19 * RECORD_BYTES);
  await readAll();
  await store.close();
});

Deno.test("heal: bytes behind the end of a complete chunk are kept aside", async () => {
  const world = await openNode("n", OWNED.clone());
  world.disk.plant(DATA, Uint8Array.from([...flipped(3)(world.disk.peek(DATA)), 1, 2, 3]));
  world.store.healWith(whole);
  await look(world.store);
  await pass(world, 1_000);
  await assertWhole(world);
  assertEquals(world.disk.peek(`${DATA}.damaged`), Uint8Array.of(1, 2, 3));
  await world.store.close();
});

Deno.test("heal: a node that is alone says that there is nobody to ask, once, and keeps everything", async () => {
  const world = await openOn(OWNED.clone());
  ROT[3]![1](world.disk);
  const rotten = world.disk.peek(DATA);
  await look(world.store);
  await pass(world, 2 * HEAL_RETRY_MS_MAX);
  assertEquals(world.log.of("error").filter((line) => line.includes("is alone")).length, 1);
  assertEquals(world.disk.peek(DATA), rotten);
  assert(!world.store.checkChunks().ok);
  await world.store.close();
});

Deno.test("heal: rot while it is healed is found, and healed as well", async () => {
  const world = await openNode("n", OWNED.clone());
  ROT[1]![1](world.disk);
  await look(world.store);
  let planted = false;
  world.store.healWith((_chunk, from, to) => {
    if (!planted) ROT[0]![1](world.disk);
    planted = true;
    return Promise.resolve(GOOD.slice(from, to));
  });
  await pass(world, 5_000);
  await look(world.store);
  await pass(world, 5_000);
  await assertWhole(world);
  await world.store.close();
});

Deno.test("heal: a reader that is under way when the files are replaced gets what it was promised", async () => {
  const world = await openNode("n", OWNED.clone());
  const { body } = await world.store.read("c", CHUNK, 0, SIZE);
  const before = (await serve(world.store, "c", SIZE))[0]!;
  ROT[1]![1](world.disk);
  world.store.healWith(whole);
  await assertRejects(() => world.store.read("c", CHUNK, 6 + 70 * KIB + 1, 8), ChukchaError);
  await pass(world, 1_000);
  await assertWhole(world);
  assertEquals(new Uint8Array(await new Response(body as ReadableStream).arrayBuffer()), GOOD);
  completeImmutable(before, (await serve(world.store, "c", SIZE))[0]!);
  await world.store.close();
});

/** Makes the last two records of the index unrecognisable. */
function withoutEnd(disk: MemoryDisk): MemoryDisk {
  const index = disk.peek(`${DATA}.idx`);
  disk.plant(`${DATA}.idx`, index.fill(9, index.length - 2 * RECORD_BYTES));
  return disk;
}

Deno.test("recovery: where the end of an index rotted, the bytes that it vouched for are set aside, not cut off", async () => {
  const disk = withoutEnd(OWNED.clone());
  const world = await openOn(disk.clone());
  const { size } = world.store.chunk("c", CHUNK)!;
  assert(size < SIZE);
  assertEquals(world.disk.peek(`${DATA}.damaged`), GOOD.slice(size));
  assertEquals(world.log.of("error").length, 1);
  await world.store.close();
  // What a power cut leaves is not kept: a record that was never written, and one of zeros.
  for (const tail of [[], new Array(32).fill(0)]) {
    const torn = OWNED.clone();
    const index = torn.peek(`${DATA}.idx`);
    torn.plant(`${DATA}.idx`, Uint8Array.from([...index.subarray(0, -64), ...tail]));
    const { store } = await openOn(torn);
    assertEquals([torn.snapshot().has(`${DATA}.damaged`), store.chunk("c", CHUNK)!.size], [false, size]);
    await store.close();
  }
});

Deno.test("recovery: what rotted is set aside by the start that has room for it, and nothing is cut off before", async () => {
  for (const who of ["n", "m"]) {
    const disk = withoutEnd((who === "n" ? OWNED : COPIED).clone());
    // A record in the middle as well: then the index is not only cut, but made anew.
    const index = disk.peek(`${DATA}.idx`).slice();
    for (const broken of [index, flipped(RECORD_BYTES + 3)(index.slice())]) {
      disk.plant(`${DATA}.idx`, broken);
      const full = disk.clone();
      full.faults.before = (operation, path) =>
        operation === "write" && path.includes(".damaged") ? "full" : undefined;
      const first = await openNode(who, full);
      const { size, poisoned } = first.store.chunk("c", CHUNK)!;
      assertEquals([full.peek(DATA), size < SIZE, poisoned], [GOOD, true, true]);
      assertEquals((await bodyOf(await first.store.read("c", CHUNK, 0, size))).length, size);
      await first.store.close();
      const room = full.kill();
      room.faults.before = () => undefined;
      const { store } = await openNode(who, room);
      assertEquals(room.peek(`${DATA}.damaged`), GOOD.slice(size));
      assertEquals([room.peek(DATA), store.chunk("c", CHUNK)!.size], [GOOD.slice(0, size), size]);
      await store.close();
    }
  }
});

Deno.test("recovery: a crash at any operation of a start loses nothing of what is to be set aside", async () => {
  for (const who of ["n", "m"]) {
    for (let n = 1;; n++) {
      const disk = withoutEnd((who === "n" ? OWNED : COPIED).clone());
      disk.dieAt(n, new SeededRandom(n));
      const opened = await openNode(who, disk).then(({ store }) => store, () => undefined);
      if (!disk.dead) {
        assert(n > 5, `only ${n} operations`);
        await opened?.close();
        break;
      }
      for (const left of [disk.kill().clone(), disk.crash().clone()]) {
        const { store } = await openNode(who, left);
        const { size } = store.chunk("c", CHUNK)!;
        assertEquals(left.peek(`${DATA}.damaged`), GOOD.slice(size), `operation ${n} of ${who}`);
        await store.close();
      }
    }
  }
});

Deno.test("recovery: a chunk is complete whatever flipped in the record that says so, and its data was damaged too", async () => {
  const disk = OWNED.clone();
  ROT[1]![1](disk);
  const { length } = disk.peek(`${DATA}.idx`);
  const changes: ((index: Uint8Array<ArrayBuffer>) => Uint8Array)[] = [];
  for (let at = length - RECORD_BYTES; at < length; at++) {
    for (const mask of [1, 0x11, 0x80, 0xff]) {
      changes.push((index) => index.fill(index[at]! ^ mask, at, at + 1));
      // The record before it has rotted as well.
      changes.push((index) => flipped(-60)(index.fill(index[at]! ^ mask, at, at + 1)));
    }
    changes.push((index) => index.fill(9, at, Math.min(at + 8, length)));
  }
  for (const [n, change] of changes.entries()) {
    const rotten = disk.clone();
    rotten.plant(`${DATA}.idx`, change(rotten.peek(`${DATA}.idx`)));
    const world = await openNode("n", rotten);
    const { complete, sealed, damaged, size, finalised } = world.store.chunk("c", CHUNK)!;
    assertEquals([complete, sealed, damaged, size, finalised], [true, true, true, SIZE, false], `${n}`);
    assertEquals(rotten.snapshot().has(`${DATA}.damaged`), false);
    world.store.healWith(whole);
    await pass(world, 2_000);
    await assertWhole(world);
    await world.store.close();
    const again = await openNode("n", rotten.kill());
    assertEquals([...again.log.of("warn"), ...again.log.of("error")], []);
    await again.store.close();
  }
});
