/**
 * A whole cluster in one process: what it promises, through everything that happens to its nodes and links.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { NODE_LIVE_MS } from "../../lib/protocol/limits.ts";
import { Cluster } from "./world.ts";

async function withCluster(
  names: string[],
  test: (cluster: Cluster) => Promise<void>,
  settings: ConstructorParameters<typeof Cluster>[1] = {},
): Promise<void> {
  const cluster = new Cluster(names, settings);
  try {
    await cluster.startAll();
    await test(cluster);
  } finally {
    await cluster.close();
  }
}

const THREE = ["a", "b", "c"];

Deno.test("a cluster holds every message on every node, whoever took it", () =>
  withCluster(THREE, async (cluster) => {
    for (const { instance } of cluster.nodes) {
      const node = cluster.node(instance);
      for (let i = 0; i < 5; i++) {
        assertEquals((await cluster.during(node.write("web", `${instance}${i}\n`))).status, 200);
      }
    }
    await cluster.converged("web");
    for (const node of cluster.nodes) assertEquals((await node.messages("web")).length, 15);
    assertEquals(cluster.node("a").list("web").map(({ name }) => name), [
      "a-chunk000000000",
      "b-chunk000000000",
      "c-chunk000000000",
    ]);
  }));

Deno.test("a large backlog of large and small chunks arrives in order", () =>
  withCluster(THREE, async (cluster) => {
    cluster.link("a", "b", "cut");
    cluster.link("a", "c", "cut");
    const a = cluster.node("a");
    for (let i = 0; i < 300; i++) {
      const line = `${i} ${"x".repeat(i % 7 === 0 ? 3000 : 10)}\n`;
      assertEquals((await cluster.during(a.write("web", line))).status, 200);
    }
    cluster.link("a", "b", "up");
    cluster.link("a", "c", "up");
    await cluster.converged("web");
    assertEquals(await cluster.node("b").readAll("web"), await a.readAll("web"));
    assertEquals(await cluster.node("c").readAll("web"), await a.readAll("web"));
    assert(a.list("web").length > 50);
  }, { maxChunkSize: 1024 }));

Deno.test("min_sync_replicas is answered when that many others hold the write", () =>
  withCluster(THREE, async (cluster) => {
    const a = cluster.node("a");
    for (
      const query of [
        "&min_sync_replicas=1",
        "&min_sync_replicas=2",
        "&min_sync_replicas=2&sync_each_write=1",
      ]
    ) {
      assertEquals((await cluster.during(a.write("web", "x\n", query))).status, 200);
    }
    const held = cluster.nodes.slice(1).map((node) => node.list("web")[0]!.size);
    assertEquals(held, [6, 6]);
    const tooMany = await a.write("web", "x\n", "&min_sync_replicas=3");
    assertEquals(tooMany.status, 400);
    cluster.link("a", "c", "cut");
    assertEquals((await cluster.during(a.write("web", "x\n", "&min_sync_replicas=1"))).status, 200);
    cluster.link("b", "c", "cut");
    const late = await cluster.during(a.write("web", "x\n", "&min_sync_replicas=2&timeout=3000"));
    assertEquals(late.status, 503);
    assertMatch(late.text, /"code":"not_confirmed".*1 of 2 replicas.*"written":"maybe"/);
  }));

Deno.test("replicas that confirmed a synced write have synced it", () =>
  withCluster(["a", "b"], async (cluster) => {
    const query = "&min_sync_replicas=1&sync_each_write=1";
    assertEquals((await cluster.during(cluster.node("a").write("web", "kept\n", query))).status, 200);
    await cluster.kill("a", "wipe");
    await cluster.kill("b", "power loss");
    await cluster.start("b");
    assertEquals(await cluster.node("b").messages("web"), ["kept"]);
  }));

Deno.test("an acknowledgement given to any node reaches all, and nothing comes back", () =>
  withCluster(THREE, async (cluster) => {
    const [a, b, c] = cluster.nodes;
    for (const line of ["1234\n", "5678\n", "9\n"]) await cluster.during(a!.write("web", line));
    await cluster.converged("web");
    cluster.link("c", "a", "cut");
    cluster.link("c", "b", "cut");
    const first = a!.list("web")[0]!;
    assertEquals(first.complete, true);
    const ack = (size: number) => b!.fetch(`/ack?category=web&chunk=${first.name}&size=${size}`);
    assertEquals((await cluster.during(ack(1))).status, 409);
    assertEquals((await cluster.during(ack(first.size))).status, 200);
    await cluster.until(() => a!.list("web").length === 2, "a has deleted it");
    assertEquals((await cluster.during(ack(first.size))).status, 200);
    cluster.link("c", "a", "up");
    cluster.link("c", "b", "up");
    await cluster.until(() => c!.list("web").length === 2, "c has deleted it");
    await cluster.converged("web");
    assertEquals(await c!.messages("web"), ["5678", "9"]);
  }, { maxChunkSize: 5 }));

Deno.test("an ack to a node that is behind waits for what it needs to know", () =>
  withCluster(THREE, async (cluster) => {
    const [a, b] = cluster.nodes;
    cluster.link("a", "b", "hang");
    cluster.link("b", "c", "hang");
    for (const line of ["1234\n", "5678\n"]) await cluster.during(a!.write("web", line));
    const first = a!.list("web")[0]!;
    const ack = () => b!.fetch(`/ack?category=web&chunk=${first.name}&size=${first.size}`);
    const refused = await cluster.during(ack());
    assertEquals([refused.status, refused.headers.get("retry-after")], [503, "1"]);
    assertStringIncludes(await refused.text(), '"behind"');
    const pending = ack();
    await cluster.until(() => true, "it waits");
    cluster.link("a", "b", "up");
    cluster.link("b", "c", "up");
    assertEquals((await cluster.during(pending)).status, 200);
    await cluster.converged("web");
    assertEquals(a!.list("web").length, 1);
  }, { maxChunkSize: 5 }));

Deno.test("an owner that lost its unsynced tail takes it back from whoever holds more, and completes it then", () =>
  withCluster(THREE, async (cluster) => {
    const a = cluster.node("a");
    await cluster.during(a.write("web", "synced\n", "&sync_each_write=1"));
    await cluster.converged("web");
    cluster.link("a", "c", "cut");
    cluster.link("b", "c", "cut");
    await cluster.during(a.write("web", "unsynced\n", "&min_sync_replicas=1"));
    await cluster.kill("a", "power loss");
    await cluster.start("a");
    assertEquals(a.list("web"), [{ name: "a-chunk000000000", complete: false, size: 7 }]);
    assertEquals((await cluster.during(a.write("web", "new\n"))).status, 200);
    await cluster.until(() => a.list("web")[0]!.size === 16, "the tail is back");
    assertEquals(a.list("web")[0]!.complete, false, "c was not asked yet");
    cluster.link("a", "c", "up");
    cluster.link("b", "c", "up");
    await cluster.until(() => a.list("web")[0]!.complete, "complete");
    await cluster.converged("web");
    for (const node of cluster.nodes) assertEquals(await node.messages("web"), ["new", "synced", "unsynced"]);
  }));

Deno.test("a node with an empty disk under a known name takes no writes before it was told its numbers", () =>
  withCluster(THREE, async (cluster) => {
    const a = cluster.node("a");
    for (const line of ["1234\n", "5678\n", "9\n"]) await cluster.during(a.write("web", line));
    await cluster.converged("web");
    await cluster.kill("a", "wipe");
    cluster.link("a", "c", "cut");
    await cluster.start("a");
    await cluster.until(() => a.list("web").length === 3, "its chunks come back from b");
    const refused = await cluster.during(a.write("web", "x\n"));
    assertEquals(refused.status, 503);
    assertMatch(refused.text, /"not_joined".*c must be asked first.*"written":"no"/);
    cluster.link("a", "c", "up");
    await cluster.until(() => a.store.joined, "joined");
    const written = await cluster.during(a.write("web", "new\n"));
    assertMatch(written.text, /"chunk":"a-chunk000001003"/);
    await cluster.converged("web");
    for (const node of cluster.nodes) assertEquals(await node.messages("web"), ["1234", "5678", "9", "new"]);
    assert(a.list("web").slice(0, 3).every(({ complete }) => complete));
  }, { maxChunkSize: 5 }));

Deno.test("an owner that stays away has its chunk completed, and what it brings back is published again", () =>
  withCluster(THREE, async (cluster) => {
    const a = cluster.node("a");
    await cluster.during(a.write("web", "everywhere\n"));
    await cluster.converged("web");
    cluster.link("a", "b", "cut");
    cluster.link("a", "c", "cut");
    await cluster.during(a.write("web", "only here\n"));
    await cluster.kill("a");
    await cluster.until(() => cluster.node("b").list("web")[0]!.complete, "finalised");
    await cluster.converged("web");
    assertEquals(cluster.node("c").list("web"), [{ name: "a-chunk000000000", complete: true, size: 11 }]);
    cluster.link("a", "b", "up");
    cluster.link("a", "c", "up");
    await cluster.start("a");
    await cluster.until(() => cluster.node("b").list("web").length === 2, "published again");
    await cluster.converged("web");
    for (const node of cluster.nodes) assertEquals(await node.messages("web"), ["everywhere", "only here"]);
  }, { finalizeAfterMs: 30_000 }));

Deno.test("a chunk that was finalised and acknowledged does not take the owner's excess with it", () =>
  withCluster(THREE, async (cluster) => {
    const a = cluster.node("a");
    const b = cluster.node("b");
    await cluster.during(a.write("web", "everywhere\n"));
    await cluster.converged("web");
    cluster.link("a", "b", "cut");
    cluster.link("a", "c", "cut");
    await cluster.during(a.write("web", "only here\n"));
    await cluster.until(() => b.list("web")[0]!.complete, "finalised while a goes on alone");
    const ack = await cluster.during(b.fetch("/ack?category=web&chunk=a-chunk000000000&size=11"));
    assertEquals(ack.status, 200);
    cluster.link("a", "b", "up");
    cluster.link("a", "c", "up");
    await cluster.until(async () => (await b.messages("web")).length === 1, "published again");
    await cluster.converged("web");
    for (const node of cluster.nodes) assertEquals(await node.messages("web"), ["only here"]);
  }, { finalizeAfterMs: 30_000 }));

Deno.test("two nodes that cannot reach each other are joined by one that both reach", () =>
  withCluster(THREE, async (cluster) => {
    for (const state of ["cut", "hang"] as const) {
      cluster.link("a", "b", state);
      const a = cluster.node("a");
      const answer = await cluster.during(a.write("web", `${state}\n`, "&min_sync_replicas=2"));
      assertEquals([answer.status, answer.text.includes("chunk")], [200, true], answer.text);
      await cluster.converged("web");
      cluster.link("a", "b", "up");
      await cluster.converged("web");
    }
  }));

Deno.test("a one-way partition heals by itself", () =>
  withCluster(THREE, async (cluster) => {
    cluster.link("a", "b", "hang", false);
    await cluster.during(cluster.node("a").write("web", "from a\n", "&min_sync_replicas=2"));
    await cluster.during(cluster.node("b").write("web", "from b\n", "&min_sync_replicas=2"));
    await cluster.converged("web");
    cluster.link("a", "b", "up", false);
    await cluster.during(cluster.node("a").write("web", "again\n", "&min_sync_replicas=2"));
    await cluster.converged("web");
  }));

Deno.test("a peer that hangs keeps neither the others nor writes waiting", () =>
  withCluster(THREE, async (cluster) => {
    cluster.link("a", "c", "hang");
    cluster.link("b", "c", "hang");
    const before = cluster.clock.monotonic();
    for (let i = 0; i < 10; i++) {
      const answer = await cluster.during(cluster.node("a").write("web", `${i}\n`, "&min_sync_replicas=1"));
      assertEquals(answer.status, 200);
    }
    assert(cluster.clock.monotonic() - before < 2_000);
  }));

Deno.test("a node that was away for long resurrects nothing", () =>
  withCluster(THREE, async (cluster) => {
    const [a, b, c] = cluster.nodes;
    for (let i = 0; i < 6; i++) await cluster.during(a!.write("web", `${i}234\n`));
    await cluster.converged("web");
    await cluster.kill("c");
    for (const { name, size, complete } of a!.list("web")) {
      if (complete) await cluster.during(b!.fetch(`/ack?category=web&chunk=${name}&size=${size}`));
    }
    for (let i = 6; i < 9; i++) await cluster.during(b!.write("web", `${i}234\n`));
    await cluster.converged("web");
    await cluster.start("c");
    await cluster.converged("web");
    const expected = ["5234", "6234", "7234", "8234"];
    for (const node of [a!, b!, c!]) assertEquals(await node.messages("web"), expected);
  }, { maxChunkSize: 5 }));

Deno.test("an idle cluster asks little, however much it stores", () =>
  withCluster(THREE, async (cluster) => {
    const a = cluster.node("a");
    for (let i = 0; i < 50; i++) await cluster.during(a.write("web", `${i + 1000}\n`));
    await cluster.converged("web");
    await cluster.until(
      () =>
        cluster.nodes.every(({ running }) => running.cluster!.status().every((peer) => peer.lag_bytes === 0)),
      "quiet",
    );
    const endMs = cluster.clock.monotonic() + 60_000;
    const before = { ...cluster.calls };
    await cluster.until(() => cluster.clock.monotonic() >= endMs, "a minute");
    assertEquals(cluster.calls.fetch, before.fetch);
    assert(
      cluster.calls.changes - before.changes <= 6 * 21,
      `${cluster.calls.changes - before.changes} polls`,
    );
  }, { maxChunkSize: 5 }));

Deno.test("of two nodes with one name the one that is live stays; the other is refused, and takes no writes", () =>
  withCluster(THREE, async (cluster) => {
    const [a, b] = cluster.nodes;
    const impostor = { instance: "a", incarnation: "other", run: "other" };
    const ask = () => b!.running.cluster!.answerer.fetch(impostor, [], 1000);
    const error = await assertRejects(ask, ChukchaError);
    assertEquals(error.code, "name_in_use");
    assertStringIncludes(b!.log.of("error").join(), "two live nodes have one name");
    await cluster.kill("a");
    const until = cluster.clock.monotonic() + NODE_LIVE_MS;
    await cluster.until(() => cluster.clock.monotonic() >= until, "a is not live any more");
    await ask();
    await cluster.start("a");
    await cluster.until(() => a!.running.cluster!.refusal() !== undefined, "a is refused");
    const refused = await cluster.during(a!.write("web", "x\n"));
    assertMatch(refused.text, /"not_joined".*b refuses this node.*"written":"no"/);
    assertEquals((await a!.fetch("/readyz")).status, 503);
    await cluster.until(() => a!.running.cluster!.refusal() === undefined, "the impostor is gone");
    assertEquals((await cluster.during(a!.write("web", "x\n", "&min_sync_replicas=2"))).status, 200);
  }));
