/**
 * What tests of clusters rely on: ports, processes that come and go, and the comparison that notices a difference.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { freePorts } from "./member.ts";

Deno.test("freePorts are different ones on which nobody listens", () => {
  const ports = freePorts(20);
  assertEquals(new Set(ports).size, 20);
  for (const port of ports) Deno.listen({ hostname: "127.0.0.1", port }).close();
});

Deno.test("eventually looks again, and tells what it saw last", async () => {
  let looks = 0;
  assertEquals(await eventually("three", () => ++looks, (seen) => seen === 3), 3);
  await assertRejects(
    () => eventually("never", () => ({ a: 1 }), () => false, 0),
    Error,
    `never: not within 0 ms; last seen {\n "a": 1`,
  );
});

Deno.test("TestCluster: nodes that do not know each other differ, and that is told", async () => {
  await using cluster = await TestCluster.build({ count: 2 });
  for (const member of cluster.members) {
    member.reconfigure({ peers: "" });
    await member.start();
  }
  const one = cluster.at(0);
  const other = cluster.at(1);
  assert(await cluster.converged() >= 0, "two empty nodes are the same");
  await one.write("a", "hello\n");
  const { message } = await assertRejects(() => cluster.converged(0), Error);
  assert(message.includes("only node_1: a/node_1-chunk000000000 6 open"), message);

  await one.kill();
  assertEquals(cluster.live, [other]);
  await cluster.converged();
  await one.start();
  await one.stop();
  await one.wipe();
  await one.start();
  assertEquals(await one.listCategories(), []);
  one.pause();
  assertEquals(cluster.live, [other]);
  one.resume();
  assertEquals(await one.listCategories(), []);
});
