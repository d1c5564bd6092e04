/**
 * Retention in a cluster: what expires by the rule of its owner goes everywhere, and nothing else does.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { CategoryLimits } from "../../lib/protocol/category_limits.ts";
import type { NodeStatus } from "../../lib/protocol/types.ts";
import type { Settings } from "../../lib/settings.ts";
import { Cluster } from "./world.ts";

const MINUTE = 60_000;
const YEAR = 365 * 24 * 60 * MINUTE;
const THREE = ["a", "b", "c"];
/** Longer than the time that a start leaves for correcting a rule. */
const AGE_MS = 20 * MINUTE;
const FINALISE_AFTER_MS = 30 * MINUTE;

const every = (limit: number): CategoryLimits => [{ pattern: "*", limit, text: String(limit) }];
const AGE = { retentionAge: every(AGE_MS) };

async function withCluster(
  settings: Partial<Settings>,
  test: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const cluster = new Cluster(THREE, { maxChunkSize: 10, finalizeAfterMs: FINALISE_AFTER_MS, ...settings });
  try {
    await cluster.startAll();
    await test(cluster);
  } finally {
    await cluster.close();
  }
}

/** One chunk of each of these nodes, with one message of ten bytes. */
async function write(cluster: Cluster, message: string, names = THREE): Promise<void> {
  for (const name of names) {
    const line = `${name}${message}`.padEnd(9, "-");
    assertEquals((await cluster.during(cluster.node(name).write("web", `${line}\n`))).status, 200);
  }
}

/** What a node has, as owner and message. */
async function messages(cluster: Cluster, instance: string): Promise<string> {
  return (await cluster.node(instance).messages("web")).map((line) => line.replace(/-+$/, "")).join(" ");
}

async function assertAll(cluster: Cluster, expected: string): Promise<void> {
  for (const { instance, built } of cluster.nodes) {
    if (built) assertEquals(await messages(cluster, instance), expected, instance);
  }
}

Deno.test("what has expired goes on every node, and stays away", () =>
  withCluster(AGE, async (cluster) => {
    await write(cluster, "1");
    await cluster.pass(10 * MINUTE);
    await write(cluster, "2");
    await cluster.pass(11 * MINUTE + MINUTE / 2);
    await assertAll(cluster, "a2 b2 c2");
    const status: NodeStatus = await (await cluster.node("a").fetch("/status")).json();
    assertMatch(
      status.checks.find(({ name }) => name === "retention")!.message,
      /^1 expired chunks \(10 bytes\)/,
    );
    assertEquals(status.settings.retentionAge, `*=${AGE_MS}`);
    await cluster.kill("b", "wipe");
    await cluster.start("b");
    await cluster.converged("web");
    await assertAll(cluster, "a2 b2 c2");
  }));

Deno.test("a node's rule is for its own chunks: another setting elsewhere changes nothing", () =>
  withCluster({}, async (cluster) => {
    await cluster.kill("a");
    await cluster.start("a", AGE);
    await write(cluster, "1");
    await cluster.pass(30 * MINUTE);
    await assertAll(cluster, "b1 c1");
  }));

Deno.test("a node whose clock is set a year ahead deletes nothing of anybody for that", () =>
  withCluster(AGE, async (cluster) => {
    await write(cluster, "1");
    await cluster.pass(12 * MINUTE);
    cluster.node("a").aheadMs = YEAR;
    await cluster.pass(3 * MINUTE);
    await write(cluster, "2");
    await assertAll(cluster, "a1 a2 b1 b2 c1 c2");
    await cluster.kill("a");
    await cluster.start("a");
    await cluster.pass(4 * MINUTE);
    await assertAll(cluster, "a1 a2 b1 b2 c1 c2");
    await cluster.pass(12 * MINUTE);
    await assertAll(cluster, "a2 b2 c2");
    cluster.node("a").aheadMs = 0;
    await cluster.pass(3 * MINUTE);
    await write(cluster, "3");
    await cluster.pass(15 * MINUTE);
    await assertAll(cluster, "a3 b3 c3");
  }));

Deno.test("a node that starts under a clock a year ahead deletes nothing for that, and a new disk changes nothing", () =>
  withCluster(AGE, async (cluster) => {
    for (const how of ["kill", "wipe"] as const) {
      await write(cluster, how);
      await cluster.converged("web");
      await cluster.kill("a", how);
      cluster.node("a").aheadMs += YEAR;
      await cluster.start("a");
      await cluster.pass(15 * MINUTE);
      await assertAll(cluster, `a${how} b${how} c${how}`);
      await cluster.pass(8 * MINUTE);
      await assertAll(cluster, "");
    }
  }));

Deno.test("what an owner wrote that is gone expires by what others have not heard of it", () =>
  withCluster(AGE, async (cluster) => {
    await write(cluster, "1");
    await cluster.converged("web");
    // Its clock says nothing: all that it wrote bears a time a year behind.
    await cluster.kill("b");
    cluster.node("b").aheadMs = -YEAR;
    await cluster.start("b");
    await write(cluster, "2", ["b"]);
    await cluster.converged("web");
    await cluster.pass(12 * MINUTE);
    await assertAll(cluster, "a1 b1 b2 c1");
    await cluster.kill("b");
    await cluster.pass(FINALISE_AFTER_MS - 2 * MINUTE);
    await assertAll(cluster, "b1 b2");
    await cluster.kill("a");
    await cluster.start("a");
    await cluster.pass(4 * MINUTE);
    await assertAll(cluster, "");
    await cluster.start("b");
    await cluster.pass(MINUTE);
    await assertAll(cluster, "");
    await write(cluster, "3", ["b"]);
    await cluster.converged("web");
    await assertAll(cluster, "b3");
  }));

Deno.test("a node that others still hear of is not gone, although this one cannot reach it", () =>
  withCluster({}, async (cluster) => {
    await cluster.kill("a");
    await cluster.start("a", AGE);
    await write(cluster, "1");
    await cluster.converged("web");
    cluster.link("a", "b", "cut");
    await cluster.pass(FINALISE_AFTER_MS + 5 * MINUTE);
    await assertAll(cluster, "b1 c1");
  }));

Deno.test("three owners that lag keep the newest of a category within its size, and nothing older", () =>
  withCluster({ retentionSize: every(60) }, async (cluster) => {
    for (let i = 0; i < 3; i++) {
      await write(cluster, String(i));
      await cluster.pass(MINUTE);
    }
    cluster.link("a", "b", "cut");
    cluster.link("a", "c", "cut");
    for (let i = 3; i < 6; i++) {
      await write(cluster, String(i));
      await cluster.pass(3 * MINUTE);
    }
    // b and c see 2 × 6 chunks of their own and 3 of a; a sees 6 of its own and 3 of each of the others.
    assertEquals(await messages(cluster, "b"), await messages(cluster, "c"));
    for (const { instance } of cluster.nodes) {
      const held = await messages(cluster, instance);
      for (const newest of ["3", "4", "5"]) {
        assert(held.includes(`${instance}${newest}`), `${instance}: ${held}`);
      }
    }
    cluster.link("a", "b", "up");
    cluster.link("a", "c", "up");
    await cluster.pass(3 * MINUTE);
    await assertAll(cluster, "a4 a5 b4 b5 c4 c5");
  }));
