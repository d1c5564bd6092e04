/**
 * What a node measures of its peers: bytes and time that it is behind, what it took, what failed.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Cluster } from "./world.ts";

Deno.test("Cluster.meters: a node that cannot store what a peer holds is behind, by bytes and by time", async () => {
  const cluster = new Cluster(["a", "b"]);
  await cluster.startAll();
  const of = (node: string) => cluster.node(node).running.cluster!.meters()[0]!;
  await cluster.node("a").write("web", "one\n");
  await cluster.converged("web");
  await cluster.until(() => of("a").lagBytes === 0 && of("b").behindMs === 0, "nothing is lacked");
  assertEquals([of("b").instance, of("b").reachable, of("b").receivedBytes], ["a", true, 4]);
  assertEquals([of("a").receivedBytes, of("b").behindBytes.size, of("b").failures], [0, 0, 0]);

  const { disk } = cluster.node("b");
  disk.faults.before = (operation) => operation === "write" ? "full" : undefined;
  await cluster.node("a").write("web", "two two\n");
  await cluster.node("a").write("logs", "three\n");
  await cluster.until(
    () => of("b").behindBytes.size === 2 && of("a").lagBytes === 14,
    "b is known to be behind",
  );
  assertEquals([...of("b").behindBytes].sort(), [["logs", 6], ["web", 8]]);
  assert(of("b").failures > 0 && of("b").reachable);
  const before = of("b").behindMs;
  cluster.clock.advance(60_000);
  assert(of("b").behindMs >= before + 60_000, `${of("b").behindMs}`);

  disk.faults.before = () => undefined;
  await cluster.converged("web", "logs");
  await cluster.until(() => of("b").behindMs === 0, "b knows that it lacks nothing");
  assertEquals([of("b").behindBytes.size, of("b").receivedBytes], [0, 18]);
  await cluster.close();
});

Deno.test("Cluster.meters: of a peer that cannot be reached it is known when it was heard last", async () => {
  const cluster = new Cluster(["a", "b"]);
  await cluster.startAll();
  const meter = () => cluster.node("b").running.cluster!.meters()[0]!;
  await cluster.until(() => meter().behindMs === 0, "b has seen what a holds");
  cluster.link("a", "b", "cut");
  await cluster.until(() => !meter().reachable, "b misses a");
  const { behindMs, failures } = meter();
  assert(behindMs > 0 && failures > 0);
  cluster.clock.advance(300_000);
  assert(meter().behindMs >= behindMs + 300_000);
  cluster.link("a", "b", "up");
  await cluster.until(() => meter().reachable && meter().behindMs === 0, "b has heard of a");
  await cluster.close();
});

Deno.test("Cluster.meters: a copy that does not fit is a conflict, and left alone for a while", async () => {
  const cluster = new Cluster(["a", "b"]);
  await cluster.startAll();
  await cluster.node("a").write("web", "one\n");
  await cluster.converged("web");
  const [chunk] = cluster.node("a").list("web");
  // What b remembers of the copy is not what it holds.
  cluster.node("b").store.chunk("web", chunk!.name)!.rolling = 1;
  await cluster.node("a").write("web", "two\n");
  const meter = () => cluster.node("b").running.cluster!.meters()[0]!;
  await cluster.until(() => meter().conflicts > 0, "the conflict is seen");
  const { changes } = cluster.calls;
  const startMs = cluster.clock.monotonic();
  await cluster.until(() => cluster.clock.monotonic() - startMs >= 5_000, "five seconds pass");
  assertEquals([meter().conflicts, [...meter().behindBytes]], [1, [["web", 4]]]);
  assert(cluster.calls.changes - changes < 20, `${cluster.calls.changes - changes} polls in 5 s`);
  await cluster.close();
});
