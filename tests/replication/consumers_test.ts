/**
 * Named consumers in a cluster: what is acknowledged at one node is known at all, soon and without waking anybody for
 * each acknowledgement, and what every consumer has passed goes.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { CONSUMER_TOLD_MS } from "../../lib/protocol/limits.ts";
import { parseCategoryChoice } from "../../lib/protocol/category_limits.ts";
import type { Settings } from "../../lib/settings.ts";
import type { Consumers } from "../../lib/storage/consumers.ts";
import { encodeUnread } from "../../lib/storage/unread.ts";
import { settle } from "../support/fake_clock.ts";
import { Cluster } from "./world.ts";

const MINUTE = 60_000;
const THREE = ["a", "b", "c"];
/** What passes in the links, and in the steps of the clock. */
const SLACK_MS = 60;

async function withCluster(
  settings: Partial<Settings>,
  test: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const cluster = new Cluster(THREE, { maxChunkSize: 10, ...settings });
  try {
    await cluster.startAll();
    await test(cluster);
  } finally {
    await cluster.close();
  }
}

function consumers(cluster: Cluster, instance: string): Consumers {
  return cluster.node(instance).store.consumers("web");
}

/** A consumer's place at a node: its epoch, and what it has not acknowledged of a's chunks. */
function place(cluster: Cluster, instance: string, name = "x"): string {
  const found = consumers(cluster, instance).get(name);
  return found ? `${found.epoch} ${JSON.stringify(encodeUnread(found.unread("a")))}` : "none";
}

/** Waits until all nodes of these say this; returns how long that took. */
function known(cluster: Cluster, expected: string, instances: readonly string[] = THREE): Promise<number> {
  return cluster.until(
    () => instances.every((instance) => place(cluster, instance) === expected),
    `everywhere ${expected}`,
  );
}

/** Chunks of a node with one message of ten bytes each, known at all nodes. */
async function write(cluster: Cluster, count: number, instance = "a"): Promise<void> {
  for (let i = 0; i < count; i++) {
    assertEquals((await cluster.during(cluster.node(instance).write("web", "123456789\n"))).status, 200);
  }
  await cluster.converged("web");
}

function ack(cluster: Cluster, instance: string, number: number, name = "x", to = 10): Promise<void> {
  return cluster.during(consumers(cluster, instance).acknowledge(name, `a-chunk00000000${number}`, 0, to));
}

Deno.test("an ack at one node is known at the others within a tenth of a second, and a second one there as well", () =>
  withCluster({}, async (cluster) => {
    await write(cluster, 3);
    await ack(cluster, "b", 0);
    assert(await known(cluster, "0 [[1,0]]") <= CONSUMER_TOLD_MS + SLACK_MS);
    await Promise.all([ack(cluster, "a", 1), ack(cluster, "c", 2, "x", 5)]);
    assert(await known(cluster, "0 [[2,5]]") <= CONSUMER_TOLD_MS + SLACK_MS);
  }));

Deno.test("a thousand acks a second wake the others ten times a second, and writes are told at once meanwhile", () =>
  withCluster({ maxChunkSize: 1 << 20 }, async (cluster) => {
    await write(cluster, 1);
    await cluster.during(cluster.node("a").write("web", `${"x".repeat(9989)}\n`));
    await cluster.converged("web");
    await cluster.pass(1000);
    const before = cluster.calls.changes;
    for (let i = 0; i < 2000; i++) {
      await consumers(cluster, "a").acknowledge("x", "a-chunk000000000", 10 + i, 11 + i);
      cluster.clock.advance(1);
      if (i % 10 === 0) await settle();
    }
    await cluster.during(Promise.resolve());
    const polls = cluster.calls.changes - before;
    // Two others are told ten times a second, and pass it on twice a second to one another.
    assert(polls >= 20 && polls < 80, `${polls} polls in 2 s`);
    assert(await known(cluster, "0 [[0,0,0,10],[0,2010]]") <= CONSUMER_TOLD_MS + SLACK_MS);
    const startMs = cluster.clock.monotonic();
    await consumers(cluster, "a").acknowledge("x", "a-chunk000000000", 5000, 5001);
    const { status } = await cluster.during(cluster.node("a").write("web", "more\n", "&min_sync_replicas=2"));
    assertEquals([status, cluster.clock.monotonic() - startMs], [200, 0]);
    assertEquals(place(cluster, "b"), "0 [[0,0,0,10],[0,2010,0,5000],[0,5001]]", "told along with the write");
  }));

Deno.test("who cannot reach the node that was acknowledged to is told by another", () =>
  withCluster({}, async (cluster) => {
    await write(cluster, 2);
    cluster.link("a", "c", "cut");
    await cluster.pass(5000);
    await ack(cluster, "a", 0);
    assert(await known(cluster, "0 [[1,0]]") <= 2 * CONSUMER_TOLD_MS + 2 * SLACK_MS);
  }));

Deno.test("what two nodes learn apart from each other is one when they meet, whatever each was told", () =>
  withCluster({}, async (cluster) => {
    await write(cluster, 4);
    for (const other of ["b", "c"]) cluster.link("a", other, "cut");
    await cluster.pass(5000);
    await ack(cluster, "a", 0);
    await ack(cluster, "b", 2);
    await known(cluster, "0 [[0,0,2,0],[3,0]]", ["b", "c"]);
    assertEquals(place(cluster, "a"), "0 [[1,0]]");
    for (const other of ["b", "c"]) cluster.link("a", other, "up");
    await known(cluster, "0 [[1,0,2,0],[3,0]]");
  }));

Deno.test("a seek, and that a consumer is forgotten, count everywhere, and watchers are told", () =>
  withCluster({}, async (cluster) => {
    await write(cluster, 3);
    await ack(cluster, "a", 0);
    await known(cluster, "0 [[1,0]]");
    const told: string[] = [];
    consumers(cluster, "c").watch((name) => told.push(name));
    await cluster.during(consumers(cluster, "b").seek("x", "latest"));
    await known(cluster, "1 [[2,10]]");
    assertEquals(told, ["x"]);
    const old = await assertRejects(
      () => consumers(cluster, "c").acknowledge("x", "a-chunk000000001", 0, 10, 0),
      ChukchaError,
    );
    assertEquals(old.code, "position_moved");
    await cluster.during(consumers(cluster, "a").forget("x"));
    await known(cluster, "none");
    assertEquals(told, ["x", "x"]);
    await cluster.during(consumers(cluster, "c").begin("x", "earliest"));
    await known(cluster, "3 [[0,0]]");
  }));

Deno.test("a node that was away, lost its power or its disk, is told what it missed", () =>
  withCluster({}, async (cluster) => {
    await write(cluster, 5);
    await ack(cluster, "a", 0);
    await known(cluster, "0 [[1,0]]");
    for (const [number, how] of (["kill", "power loss", "wipe"] as const).entries()) {
      await cluster.kill("c", how);
      await ack(cluster, "b", number + 1);
      await cluster.start("c");
      await known(cluster, `0 [[${number + 2},0]]`);
    }
    await cluster.until(() => cluster.node("c").store.joined, "c has joined");
  }));

Deno.test("a consumer goes on at another node when its own has died, and repeats what was not told yet", () =>
  withCluster({}, async (cluster) => {
    await write(cluster, 3);
    await cluster.during(consumers(cluster, "b").begin("x", "latest"));
    await known(cluster, "0 [[2,10]]");
    await write(cluster, 1);
    await ack(cluster, "b", 3, "x", 5);
    await cluster.kill("b");
    // What was begun there is not begun anew: nothing is skipped.
    assertEquals(encodeUnread((await consumers(cluster, "c").begin("x", "latest")).unread("a")), [[2, 10]]);
    await ack(cluster, "c", 3, "x", 5);
    await cluster.start("b");
    await known(cluster, "0 [[3,5]]");
  }));

const CONSUMED = { retentionConsumed: parseCategoryChoice("*") };
/** A start leaves ten minutes; then two looks. */
const LOOKS_MS = 13 * MINUTE;

/** Chunks of a that a node holds. */
function numbers(cluster: Cluster, instance: string): number[] {
  return cluster.node(instance).list("web").map(({ name }) => Number(name.slice(-9)));
}

Deno.test("what every consumer has passed goes everywhere, and not while a node cannot be asked", () =>
  withCluster({ ...CONSUMED, rotateIntervalMs: 100 * MINUTE }, async (cluster) => {
    await write(cluster, 4);
    await ack(cluster, "b", 0, "x");
    await ack(cluster, "b", 1, "x");
    await ack(cluster, "c", 0, "y");
    await cluster.pass(LOOKS_MS);
    for (const instance of THREE) assertEquals(numbers(cluster, instance), [1, 2, 3], instance);
    await cluster.kill("c");
    await ack(cluster, "b", 1, "y");
    await cluster.pass(LOOKS_MS);
    assertEquals(numbers(cluster, "b"), [1, 2, 3]);
    await cluster.start("c");
    await cluster.pass(3 * MINUTE);
    for (const instance of THREE) assertEquals(numbers(cluster, instance), [2, 3], instance);
  }));

Deno.test("a consumer that another node has just made, or has made while it was cut off, keeps what it has not read", () =>
  withCluster({ ...CONSUMED, rotateIntervalMs: 100 * MINUTE }, async (cluster) => {
    await write(cluster, 3);
    await ack(cluster, "a", 0);
    await cluster.pass(5 * MINUTE);
    cluster.link("a", "c", "hang");
    cluster.link("b", "c", "hang");
    await consumers(cluster, "c").begin("new", "earliest");
    await cluster.pass(LOOKS_MS);
    assertEquals(numbers(cluster, "a"), [0, 1, 2], "c was not asked");
    for (const other of ["a", "b"]) cluster.link(other, "c", "up");
    await cluster.pass(3 * MINUTE);
    assertEquals(numbers(cluster, "a"), [0, 1, 2], "it has not passed");
    await ack(cluster, "c", 0, "new");
    await cluster.pass(3 * MINUTE);
    assertEquals(numbers(cluster, "a"), [1, 2]);
  }));

Deno.test("a node that loses its disk does not write where a consumer has been, although nobody had a copy of that", () =>
  withCluster({}, async (cluster) => {
    for (const other of ["b", "c"]) cluster.link("a", other, "cut");
    for (let i = 0; i < 2; i++) await cluster.during(cluster.node("a").write("web", "123456789\n"));
    // Its worker read at a, and can reach b as well.
    await ack(cluster, "b", 0);
    await ack(cluster, "b", 1);
    await known(cluster, "0 [[0,10,1,0],[1,10]]", ["b", "c"]);
    await cluster.kill("a", "wipe");
    for (const other of ["b", "c"]) cluster.link("a", other, "up");
    await cluster.start("a");
    await cluster.until(() => cluster.node("a").store.joined, "a has joined");
    await write(cluster, 1);
    const [chunk] = cluster.node("a").list("web");
    const number = Number(chunk!.name.slice(-9));
    assert(number > 1, chunk!.name);
    for (const instance of THREE) {
      const unread = consumers(cluster, instance).get("x")!.unread("a");
      assertEquals(encodeUnread(unread).at(-1), [1, 10], "all of the new chunk is behind this");
    }
  }));
