/**
 * @module Tests of the consumers of a store: `lib/storage/category_consumers.ts` and what it is built from.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ChukchaError, type ErrorCode } from "../../lib/protocol/errors.ts";
import {
  CONSUMER_INTERVALS_MAX,
  CONSUMERS_FORGOTTEN_MAX,
  CONSUMERS_MAX,
  CONSUMERS_SYNC_MS,
} from "../../lib/protocol/limits.ts";
import { forgottenConsumer, NEW_CONSUMER } from "../../lib/storage/consumer_record.ts";
import { CONSUMERS_FILE, CONSUMERS_RECENT_FILES } from "../../lib/storage/consumers_file.ts";
import type { Consumers } from "../../lib/storage/consumers.ts";
import { WrongDirectoryError } from "../../lib/storage/node_file.ts";
import { decodeUnread, encodeUnread } from "../../lib/storage/unread.ts";
import { settle } from "../support/fake_clock.ts";
import { carry, carryEnd, chunkOf, openNode } from "./two_nodes.ts";
import { bytes, openNew, openOn, type World } from "./world.ts";

const C = "web";
const SYNCED = `${C}/${CONSUMERS_FILE}`;
const [RECENT, OTHER] = CONSUMERS_RECENT_FILES.map((name) => `${C}/${name}`) as [string, string];

/** What a consumer has not acknowledged of an owner's chunks. */
function unread(consumers: Consumers, name: string, owner = "n"): number[][] | undefined {
  const place = consumers.get(name);
  return place && encodeUnread(place.unread(owner));
}

async function refused(promise: Promise<unknown>, code: ErrorCode): Promise<string> {
  const error = await assertRejects(() => promise, ChukchaError);
  assertEquals(error.code, code, error.message);
  return error.message;
}

/** Writes chunks of these sizes, all but the last one complete. */
async function written(sizes: readonly number[], options = {}): Promise<World> {
  const world = await openNew({ chunkBytesMax: 1, ...options });
  for (const size of sizes) await world.store.append(C, bytes(`${"x".repeat(size - 1)}\n`), false);
  return world;
}

Deno.test("consumers: a new one begins at the earliest, is there after a restart, and others are not concerned", async () => {
  const { store, disk } = await written([10, 20]);
  const consumers = store.consumers(C);
  assertEquals([consumers.list(), consumers.get("x")], [[], undefined]);
  const place = await consumers.begin("x", "earliest");
  assertEquals([place.name, place.epoch, place.leases, encodeUnread(place.unread("n"))], ["x", 0, false, [[
    0,
    0,
  ]]]);
  await consumers.begin("a", "earliest");
  await consumers.acknowledge("x", chunkOf(0), 0, 10);
  assertEquals([unread(consumers, "x"), unread(consumers, "a")], [[[1, 0]], [[0, 0]]]);
  const { store: again } = await openOn(disk.kill());
  assertEquals(again.consumers(C).list().map(({ name }) => name), ["a", "x"]);
  assertEquals(unread(again.consumers(C), "x"), [[1, 0]]);
  assertEquals(again.listCategories(), [C]);
  await again.close();
});

Deno.test("consumers: begin does not move one that is there", async () => {
  const { store } = await written([10]);
  const consumers = store.consumers(C);
  await consumers.begin("x", "earliest");
  await Promise.all([
    consumers.begin("x", "latest"),
    consumers.begin("y", "latest"),
    consumers.begin("y", "earliest"),
  ]);
  assertEquals([unread(consumers, "x"), unread(consumers, "y")], [[[0, 0]], [[0, 10]]]);
  await store.close();
});

Deno.test("consumers: acknowledge takes exactly these bytes, and the rest of a complete chunk with its end", async () => {
  const { store } = await written([10, 20, 30]);
  const consumers = store.consumers(C);
  const steps: [number, number, number, number[][]][] = [
    [1, 5, 9, [[0, 0, 1, 5], [1, 9]]],
    [1, 9, 20, [[0, 0, 1, 5], [2, 0]]],
    [0, 0, 99, [[1, 0, 1, 5], [2, 0]]],
    [2, 0, 30, [[1, 0, 1, 5], [2, 30]]],
    [1, 0, 5, [[2, 30]]],
    [1, 0, 5, [[2, 30]]],
    [2, 7, 7, [[2, 30]]],
  ];
  for (const [number, from, to, left] of steps) {
    await consumers.acknowledge("x", chunkOf(number), from, to);
    assertEquals(unread(consumers, "x"), left, `${number} ${from}..${to}`);
  }
  await store.close();
});

Deno.test("consumers: what was acknowledged of a chunk before it was complete is no interval afterwards", async () => {
  const { store } = await written([10]);
  const consumers = store.consumers(C);
  await consumers.acknowledge("x", chunkOf(0), 0, 10);
  assertEquals(unread(consumers, "x"), [[0, 10]]);
  await store.append(C, bytes("second\n"), false);
  await consumers.acknowledge("x", chunkOf(1), 0, 7);
  assertEquals(unread(consumers, "x"), [[1, 7]]);
  await store.close();
});

Deno.test("consumers: chunks that are deleted on every node are passed over", async () => {
  const { store } = await written([10, 20, 30]);
  const consumers = store.consumers(C);
  await consumers.begin("x", "earliest");
  await store.acknowledge(C, chunkOf(0), 10);
  await store.acknowledge(C, chunkOf(1), 20);
  await consumers.acknowledge("x", chunkOf(0), 0, 5);
  assertEquals(unread(consumers, "x"), [[0, 0]]);
  await consumers.acknowledge("x", chunkOf(2), 0, 5);
  assertEquals(unread(consumers, "x"), [[2, 5]]);
  await store.close();
});

Deno.test("consumers: acknowledge refuses what nobody can have read", async () => {
  const { store } = await written([10]);
  const consumers = store.consumers(C);
  await refused(consumers.acknowledge("x", chunkOf(0), 0, 11), "not_complete");
  await refused(consumers.acknowledge("x", chunkOf(7), 0, 1), "chunk_not_found");
  await refused(consumers.acknowledge("x", chunkOf(0, "stranger"), 0, 1), "chunk_not_found");
  await refused(consumers.acknowledge("x", "nonsense", 0, 1), "chunk_not_found");
  assertEquals(consumers.list(), []);
  await store.close();
});

Deno.test("consumers: a copy that is behind takes an acknowledgement of what was read elsewhere", async () => {
  const n = await openNode("n");
  const m = await openNode("m");
  for (const line of ["one\n", "two\n"]) await n.store.append(C, bytes(line), false);
  await carry(n.store, m.store, C, chunkOf(0), () => 4, 4);
  const consumers = m.store.consumers(C);
  await consumers.acknowledge("x", chunkOf(0), 0, 8);
  await consumers.acknowledge("x", chunkOf(5, "o"), 0, 8);
  await refused(consumers.acknowledge("x", chunkOf(1_000_000, "o"), 0, 8), "behind");
  await refused(consumers.seek("x", [{ chunk: chunkOf(1_000_000, "o"), offset: 0 }]), "behind");
  assertEquals([unread(consumers, "x"), unread(consumers, "x", "o")], [[[0, 8]], [[0, 0, 5, 0], [5, 8]]]);
  await n.store.finish();
  await carry(n.store, m.store, C, chunkOf(0));
  carryEnd(n.store, m.store, C, chunkOf(0));
  await consumers.acknowledge("x", chunkOf(0), 0, 8);
  assertEquals(unread(consumers, "x"), [[1, 0]]);
  await Promise.all([n.store.close(), m.store.close()]);
});

Deno.test("consumers: an epoch that has passed is a position that moved, one to come is one not known yet", async () => {
  const { store } = await written([10]);
  const consumers = store.consumers(C);
  await consumers.acknowledge("x", chunkOf(0), 0, 5, 0);
  assertEquals((await consumers.seek("x", "earliest")).epoch, 1);
  assertEquals(unread(consumers, "x"), [[0, 0]]);
  const message = await refused(consumers.acknowledge("x", chunkOf(0), 0, 5, 0), "position_moved");
  assertStringIncludes(message, "the present one of x, which is 1");
  await refused(consumers.acknowledge("x", chunkOf(0), 0, 5, 2), "behind");
  await consumers.acknowledge("x", chunkOf(0), 0, 5, 1);
  assertEquals(unread(consumers, "x"), [[0, 5]]);
  await store.close();
});

Deno.test("consumers: seek moves to the earliest, the latest, a time, and places; leases stay", async () => {
  const { store, clock } = await openNew({ chunkBytesMax: 1, peers: ["m"], bootstrap: true });
  const times: number[] = [];
  for (let i = 0; i < 4; i++) {
    times.push(clock.now());
    await store.append(C, bytes("0123456789\n"), false);
    clock.advance(1000);
  }
  const consumers = store.consumers(C);
  await consumers.begin("x", "earliest");
  await consumers.useLeases("x");
  const sought = async (to: Parameters<Consumers["seek"]>[1]) => {
    const place = await consumers.seek("x", to);
    assert(place.leases);
    return encodeUnread(place.unread("n"));
  };
  assertEquals(await sought("latest"), [[3, 11]]);
  assertEquals(await sought("earliest"), [[0, 0]]);
  assertEquals(await sought({ timeMs: times[2]! }), [[2, 0]]);
  assertEquals(await sought({ timeMs: times[3]! + 1 }), [[3, 11]]);
  assertEquals(await sought([{ chunk: chunkOf(2), offset: 5 }, { chunk: chunkOf(0), offset: 3 }]), [
    [0, 3, 1, 0],
    [2, 5],
  ]);
  await refused(consumers.seek("x", [{ chunk: chunkOf(1, "stranger"), offset: 5 }]), "chunk_not_found");
  assertEquals(await sought([{ chunk: chunkOf(1, "m"), offset: 5 }]), [[0, 3, 1, 0], [2, 5]]);
  assertEquals(unread(consumers, "x", "m"), [[1, 5]]);
  assertEquals(consumers.get("x")?.epoch, 6);
  assertEquals((await consumers.seek("new", "latest")).epoch, 0);
  await store.close();
});

Deno.test("consumers: seek passes over nothing that this node writes later, wherever the place is", async () => {
  const { store } = await written([10, 20]);
  const consumers = store.consumers(C);
  const sought = async (chunk: string, offset: number) => {
    return encodeUnread((await consumers.seek("x", [{ chunk, offset }])).unread("n"));
  };
  assertEquals(await sought(chunkOf(1), 20), [[1, 20]]);
  assertEquals(await sought(chunkOf(1), 1000), [[1, 20]]);
  assertEquals(await sought(chunkOf(7), 0), [[1, 20]]);
  await store.finish();
  assertEquals(await sought(chunkOf(2), 0), [[2, 0]]);
  assertEquals(await sought(chunkOf(2), 5), [[2, 0]]);
  await store.acknowledge(C, chunkOf(1), 20);
  await store.acknowledge(C, chunkOf(0), 10);
  assertEquals(await sought(chunkOf(5), 5), [[2, 0]]);
  await store.close();
});

Deno.test("consumers: a time is within a chunk, where a group begins, and for owners that are met later", async () => {
  const n = await openNode("n");
  const m = await openNode("m");
  const times: number[] = [];
  for (const line of ["one\n", "two\n", "three\n"]) {
    times.push(n.clock.now());
    await n.store.append(C, bytes(line), false);
    n.clock.advance(1000);
  }
  const consumers = m.store.consumers(C);
  const place = await consumers.begin("x", { timeMs: times[1]! });
  assertEquals(encodeUnread(place.unread("n")), [[0, 0]], "nothing of this owner is here");
  await carry(n.store, m.store, C, chunkOf(0), () => 4);
  assertEquals(unread(consumers, "x"), [[0, 4]]);
  await consumers.acknowledge("x", chunkOf(0), 4, 8);
  assertEquals(unread(consumers, "x"), [[0, 8]]);
  assertEquals(encodeUnread((await n.store.consumers(C).begin("x", { timeMs: times[2]! })).unread("n")), [[
    0,
    8,
  ]]);
  const { store: again } = await openNode("m", m.disk.kill());
  assertEquals(unread(again.consumers(C), "x"), [[0, 8]]);
  await Promise.all([n.store.close(), again.close()]);
});

Deno.test("consumers: a forgotten one is not there, takes no acks, and begins anew in another epoch", async () => {
  const { store, disk } = await written([10]);
  const consumers = store.consumers(C);
  await refused(consumers.forget("x"), "consumer_not_found");
  await refused(store.consumers("nothing").forget("x"), "consumer_not_found");
  await refused(consumers.useLeases("x"), "consumer_not_found");
  await consumers.acknowledge("x", chunkOf(0), 0, 10);
  await consumers.forget("x");
  assertEquals([consumers.list(), consumers.get("x")], [[], undefined]);
  await refused(consumers.forget("x"), "consumer_not_found");
  await refused(consumers.acknowledge("x", chunkOf(0), 0, 10), "consumer_not_found");
  const { store: again } = await openOn(disk.kill());
  const after = again.consumers(C);
  assertEquals(after.list(), []);
  assertEquals((await after.begin("x", "earliest")).epoch, 2);
  assertEquals(unread(after, "x"), [[0, 0]]);
  await again.close();
});

Deno.test("consumers: watch tells of what did not come from an acknowledge here", async () => {
  const { store } = await written([10]);
  const consumers = store.consumers(C);
  const told: string[] = [];
  const unwatch = consumers.watch((name) => told.push(name));
  store.consumers("other").watch(() => told.push("other"));
  await consumers.begin("x", "earliest");
  await consumers.acknowledge("x", chunkOf(0), 0, 5);
  assertEquals(told, []);
  await consumers.seek("x", "earliest");
  store.mergeConsumer(C, "y", NEW_CONSUMER, "run");
  store.mergeConsumer(C, "y", NEW_CONSUMER, "run");
  await consumers.forget("x");
  assertEquals(told, ["x", "y", "x"]);
  unwatch();
  await consumers.forget("y");
  assertEquals(told.length, 3);
  await store.close();
});

Deno.test("consumers: what other nodes tell is merged, told on, and saved within a second", async () => {
  const { store, disk, clock } = await written([10, 20]);
  const consumers = store.consumers(C);
  await consumers.acknowledge("x", chunkOf(0), 0, 5);
  const seq = store.changes.latest;
  const told = { ...NEW_CONSUMER, owners: new Map([["n", decodeUnread([[0, 0, 1, 0], [1, 9]])!]]) };
  store.mergeConsumer(C, "x", told, "their_run");
  assertEquals(unread(consumers, "x"), [[0, 5, 1, 0], [1, 9]]);
  // They know less: they are told as well.
  assertEquals(store.changes.since(seq, 9).changes.map(({ consumer, source }) => [consumer, source]), [[
    "x",
    undefined,
  ]]);
  store.mergeConsumer(C, "y", told, "their_run");
  assertEquals(store.changes.since(seq, 9).changes.at(-1)?.source, "their_run");
  const latest = store.changes.latest;
  store.mergeConsumer(C, "x", told, "their_run");
  assertEquals(store.changes.latest, latest, "there was nothing new in it");
  clock.advance(CONSUMERS_SYNC_MS);
  await settle();
  const { store: again } = await openOn(disk.crash());
  assertEquals(again.consumers(C).list().map(({ name }) => name), ["x", "y"]);
  assertEquals(unread(again.consumers(C), "x"), [[0, 5, 1, 0], [1, 9]]);
  await again.close();
});

Deno.test("consumers: what was forgotten elsewhere is forgotten, unless it began anew since", async () => {
  const { store } = await written([10]);
  const consumers = store.consumers(C);
  await consumers.begin("x", "earliest");
  store.mergeConsumer(C, "x", forgottenConsumer(1), "run");
  assertEquals(consumers.get("x"), undefined);
  assertEquals((await consumers.begin("x", "earliest")).epoch, 2);
  store.mergeConsumer(C, "x", forgottenConsumer(1), "run");
  assertEquals(consumers.get("x")?.epoch, 2);
  await store.close();
});

Deno.test("consumers: acks of one moment are one file, and the device is not waited for", async () => {
  const { store, disk, clock } = await written([100]);
  const consumers = store.consumers(C);
  await consumers.begin("x", "earliest");
  let writes = 0;
  let syncs = 0;
  disk.faults.before = (operation) => {
    if (operation === "write") writes++;
    if (operation === "sync" || operation === "sync directory") syncs++;
    return undefined;
  };
  await Promise.all(
    Array.from({ length: 50 }, (_, i) => consumers.acknowledge("x", chunkOf(0), 2 * i, 2 * i + 1)),
  );
  assertEquals([writes, syncs], [1, 0]);
  assertEquals(unread(consumers, "x")?.length, 50);
  await consumers.acknowledge("x", chunkOf(0), 0, 1);
  assertEquals(writes, 1, "nothing has changed");
  clock.advance(CONSUMERS_SYNC_MS);
  await settle();
  assertEquals([writes, syncs], [2, 2]);
  clock.advance(10 * CONSUMERS_SYNC_MS);
  await settle();
  assertEquals(writes, 2, "all of it is on the device");
  await store.close();
});

Deno.test("consumers: with syncEachWrite an ack is on the device when it is answered", async () => {
  const { store, disk } = await written([10], { syncEachWrite: true });
  await store.consumers(C).acknowledge("x", chunkOf(0), 0, 5);
  const { store: again } = await openOn(disk.crash());
  assertEquals(unread(again.consumers(C), "x"), [[0, 5]]);
  await again.close();
});

Deno.test("consumers: where one begins, a seek and that one is forgotten are on the device when they are answered", async () => {
  const { store, disk } = await written([10]);
  const consumers = store.consumers(C);
  await consumers.begin("x", "latest");
  await consumers.begin("y", "earliest");
  await consumers.useLeases("y");
  await consumers.begin("z", "latest");
  await consumers.seek("x", "earliest");
  await consumers.forget("z");
  const { store: again } = await openOn(disk.crash());
  const after = again.consumers(C);
  assertEquals(after.list().map(({ name, epoch, leases }) => [name, epoch, leases]), [["x", 1, false], [
    "y",
    0,
    true,
  ]]);
  await again.close();
});

Deno.test("consumers: on a full disk nothing changes, and it goes on by itself", async () => {
  const { store, disk, clock, log } = await written([10]);
  const consumers = store.consumers(C);
  await consumers.acknowledge("x", chunkOf(0), 0, 2);
  disk.faults.bytesMax = disk.bytesUsed;
  await refused(consumers.acknowledge("x", chunkOf(0), 0, 5), "disk_full");
  await refused(consumers.begin("y", "earliest"), "disk_full");
  await refused(consumers.seek("x", "earliest"), "disk_full");
  await refused(consumers.forget("x"), "disk_full");
  assertEquals([consumers.list().length, unread(consumers, "x"), consumers.get("x")?.epoch], [
    1,
    [[0, 2]],
    0,
  ]);
  clock.advance(CONSUMERS_SYNC_MS);
  await settle();
  assertEquals(log.of("error").length, 1);
  store.mergeConsumer(C, "z", NEW_CONSUMER, "run");
  assertEquals(consumers.list().length, 2, "what others tell needs no room");
  disk.faults.bytesMax = Infinity;
  await consumers.acknowledge("x", chunkOf(0), 0, 5);
  clock.advance(CONSUMERS_SYNC_MS);
  await settle();
  const { store: again } = await openOn(disk.crash());
  assertEquals([again.consumers(C).list().length, unread(again.consumers(C), "x")], [2, [[0, 5]]]);
  await again.close();
});

Deno.test("consumers: a store that closes has put all of them on the device, and takes no more", async () => {
  const { store, disk } = await written([10]);
  const consumers = store.consumers(C);
  await consumers.acknowledge("x", chunkOf(0), 0, 1);
  assertEquals([disk.sizeOf(RECENT) !== undefined, disk.sizeOf(OTHER)], [true, undefined]);
  await consumers.acknowledge("x", chunkOf(0), 1, 2);
  assertEquals([disk.sizeOf(RECENT), disk.sizeOf(OTHER)].includes(undefined), false);
  const acked = consumers.acknowledge("x", chunkOf(0), 2, 3);
  store.mergeConsumer(C, "y", NEW_CONSUMER, "run");
  await store.close();
  await acked;
  await refused(consumers.acknowledge("x", chunkOf(0), 3, 5), "draining");
  const next = disk.crash();
  const { store: again } = await openOn(next);
  assertEquals([again.consumers(C).list().length, next.sizeOf(RECENT), next.sizeOf(OTHER)], [
    2,
    undefined,
    undefined,
  ]);
  await again.close();
});

Deno.test("consumers: those that are too many are refused, until one is forgotten", async () => {
  const { store } = await written([10]);
  const consumers = store.consumers(C);
  await Promise.all(Array.from({ length: CONSUMERS_MAX }, (_, i) => consumers.begin(`c${i}`, "earliest")));
  await refused(consumers.begin("x", "earliest"), "overloaded");
  await refused(consumers.acknowledge("x", chunkOf(0), 0, 5), "overloaded");
  await consumers.acknowledge("c1", chunkOf(0), 0, 5);
  await consumers.forget("c0");
  await consumers.begin("x", "earliest");
  assertEquals(consumers.list().length, CONSUMERS_MAX);
  await store.close();
});

Deno.test("consumers: of those that are forgotten, the first go when they are too many", async () => {
  const { store, disk } = await written([10]);
  const consumers = store.consumers(C);
  const names = Array.from({ length: CONSUMERS_FORGOTTEN_MAX + 1 }, (_, i) => `c${i}`);
  for (const name of names) {
    await consumers.begin(name, "earliest");
    await consumers.forget(name);
  }
  const epochOf = async (of: Consumers, name: string) => (await of.begin(name, "earliest")).epoch;
  const { store: again } = await openOn(disk.kill());
  assertEquals([await epochOf(again.consumers(C), "c1"), await epochOf(again.consumers(C), "c0")], [2, 0]);
  await again.close();
});

Deno.test("consumers: an ack that would make too many intervals is refused, one that makes fewer is not", async () => {
  const { store } = await written([2 * CONSUMER_INTERVALS_MAX + 10]);
  const consumers = store.consumers(C);
  await Promise.all(Array.from({ length: CONSUMER_INTERVALS_MAX - 1 }, (_, i) => {
    return consumers.acknowledge("x", chunkOf(0), 2 * i + 1, 2 * i + 2);
  }));
  assertEquals(unread(consumers, "x")?.length, CONSUMER_INTERVALS_MAX);
  const end = 2 * CONSUMER_INTERVALS_MAX;
  await refused(consumers.acknowledge("x", chunkOf(0), end, end + 1), "overloaded");
  await consumers.acknowledge("x", chunkOf(0), 0, 1);
  await consumers.acknowledge("x", chunkOf(0), end, end + 1);
  assertEquals(unread(consumers, "x")?.length, CONSUMER_INTERVALS_MAX);
  await store.close();
});

Deno.test("consumers: a place of another node with too many intervals is not taken over, and nothing has passed", async () => {
  const { store, log } = await written([10, 20]);
  const consumers = store.consumers(C);
  const long = Array.from({ length: 2 * CONSUMER_INTERVALS_MAX + 1 }, (_, i) => [0, 2 * i, 0, 2 * i + 1]);
  store.mergeConsumer(C, "x", { ...NEW_CONSUMER, owners: new Map([["n", decodeUnread(long)!]]) }, "run");
  assertEquals([consumers.list(), log.of("warn").length], [[], 1]);
  await store.close();
});

Deno.test("consumers: a damaged consumers.json refuses the start, and says what to do", async () => {
  const { store, disk } = await written([10]);
  await store.consumers(C).begin("x", "earliest");
  await store.close();
  const damaged = disk.kill();
  damaged.plant(SYNCED, damaged.peek(SYNCED).subarray(0, 9));
  const error = await assertRejects(() => openOn(damaged), WrongDirectoryError);
  assertStringIncludes(error.message, "web/consumers.json cannot be read");
  assertStringIncludes(error.message, "restore it, or remove it");
});

Deno.test("consumers: a recent file that is torn is left aside with a warning, and replaced", async () => {
  const { store, disk } = await written([10]);
  await store.consumers(C).begin("x", "earliest");
  await store.consumers(C).acknowledge("x", chunkOf(0), 0, 5);
  for (const content of ["", `{"x":{"epoch":0,"unread":{"n":[[0,7]]}},"#crc32":"00000000"}`, "\0\0\0"]) {
    const torn = disk.clone();
    torn.plant(RECENT, bytes(content));
    const { store: again, log } = await openOn(torn);
    assertEquals(unread(again.consumers(C), "x"), [[0, 0]]);
    assertStringIncludes(log.of("warn").join(), "what it alone held is handed out again");
    await again.consumers(C).acknowledge("x", chunkOf(0), 0, 5);
    const { store: third, log: quiet } = await openOn(torn.kill());
    assertEquals([unread(third.consumers(C), "x"), quiet.of("warn")], [[[0, 5]], []]);
    await third.close();
    assertEquals(torn.kill().sizeOf(RECENT), undefined);
  }
});

Deno.test("consumers: an older recent file than what is on the device changes nothing", async () => {
  const { store, disk } = await written([10]);
  const consumers = store.consumers(C);
  await consumers.acknowledge("x", chunkOf(0), 0, 5);
  const older = disk.peek(RECENT);
  await consumers.seek("x", "earliest");
  await consumers.begin("y", "earliest");
  await consumers.forget("y");
  const next = disk.kill();
  next.plant(RECENT, older);
  const { store: again } = await openOn(next);
  assertEquals([unread(again.consumers(C), "x"), again.consumers(C).get("y")], [[[0, 0]], undefined]);
  await again.close();
});
