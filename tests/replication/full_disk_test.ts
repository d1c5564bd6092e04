/**
 * Replicas whose disk takes no copies: they say so, ask for no bytes that they could not keep, hear of everything else,
 * and catch up by themselves.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DISK_SPACE_CHECK_MS, REPLICATION_ENTRIES_MAX, RESTING_MS } from "../../lib/protocol/limits.ts";
import { Cluster, type SimulatedNode } from "./world.ts";

async function withPair(
  settings: ConstructorParameters<typeof Cluster>[1],
  test: (cluster: Cluster, a: SimulatedNode, b: SimulatedNode) => Promise<void>,
): Promise<void> {
  const cluster = new Cluster(["a", "b"], settings);
  try {
    await cluster.startAll();
    await test(cluster, cluster.node("a"), cluster.node("b"));
  } finally {
    await cluster.close();
  }
}

async function write(cluster: Cluster, node: SimulatedNode, category: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const line = `${category} ${i} ${"x".repeat(200)}\n`;
    assertEquals((await cluster.during(node.write(category, line))).status, 200);
  }
}

async function pass(cluster: Cluster, ms: number): Promise<void> {
  const endMs = cluster.clock.monotonic() + ms;
  await cluster.until(() => cluster.clock.monotonic() >= endMs, "time passes");
}

const ready = async (node: SimulatedNode): Promise<number> => (await node.fetch("/readyz")).status;

Deno.test("a replica with a full disk is not ready, fetches nothing for nothing, hears acknowledgements, and catches up", () =>
  withPair({ maxChunkSize: 1000 }, async (cluster, a, b) => {
    await write(cluster, a, "web", 12);
    await cluster.converged("web");
    b.disk.faults.bytesMax = b.disk.bytesUsed;
    await write(cluster, a, "web", 12);
    await write(cluster, a, "other", 2);
    const lastError = () => b.running.cluster!.status()[0]!.last_error ?? "";
    await cluster.until(() => lastError() !== "", "b tells of it");
    assertStringIncludes(lastError(), "free some, writes resume by themselves");
    assertEquals([await ready(a), await ready(b)], [200, 503]);
    assertStringIncludes(await (await b.fetch("/readyz")).text(), "free some");

    const fetches = cluster.calls.fetch;
    await pass(cluster, 60_000);
    assert(cluster.calls.fetch - fetches <= 1, `${cluster.calls.fetch - fetches} fetches in a minute`);
    const lines = b.log.of("warn", "error").filter((line) => /disk|no space/.test(line));
    assert(lines.length <= 6, lines.join("\n"));

    // What b holds goes, and it takes as much of what it lacks as that leaves room for.
    const [first] = a.list("web");
    const ack = a.fetch(`/ack?category=web&chunk=${first!.name}&size=${first!.size}`);
    assertEquals((await cluster.during(ack)).status, 200);
    await cluster.until(() => b.list("web")[0]!.name !== first!.name, "b has heard of it");

    b.disk.faults.bytesMax = Infinity;
    await cluster.converged("web");
    await cluster.converged("other");
    assertEquals([await ready(a), await ready(b)], [200, 200]);
  }));

Deno.test("a replica hears of acknowledgements that come behind bytes that its full disk does not take", () =>
  withPair({ maxChunkSize: 1000 }, async (cluster, a, b) => {
    await write(cluster, a, "web", 12);
    await cluster.converged("web");
    cluster.link("a", "b", "cut");
    // More than fits into one answer.
    const chunk = new TextEncoder().encode("x".repeat(999) + "\n");
    for (let i = 0; i <= REPLICATION_ENTRIES_MAX; i++) await a.store.append("more", chunk, false);
    const [first] = a.list("web");
    const ack = a.fetch(`/ack?category=web&chunk=${first!.name}&size=${first!.size}`);
    assertEquals((await cluster.during(ack)).status, 200);
    b.disk.faults.bytesMax = b.disk.bytesUsed;
    cluster.link("a", "b", "up");
    await cluster.until(() => b.list("web")[0]!.name !== first!.name, "b has heard of it");
    b.disk.faults.bytesMax = Infinity;
    await cluster.converged("more");
  }));

Deno.test("a replica below --min-free-disk takes no copies, and goes on once there is room", () =>
  withPair({ minFreeDisk: 10_000 }, async (cluster, a, b) => {
    await write(cluster, a, "web", 2);
    await cluster.converged("web");
    b.disk.faults.bytesMax = b.disk.bytesUsed + 9000;
    // Room is not asked for each time.
    await pass(cluster, DISK_SPACE_CHECK_MS);
    await write(cluster, a, "web", 2);
    await cluster.until(() => !b.store.checkDisk().ok, "b is not ready");
    await pass(cluster, 5000);
    assertEquals((await b.messages("web")).length, 2);
    b.disk.faults.bytesMax = Infinity;
    await cluster.converged("web");
    assertEquals(await ready(b), 200);
  }));

Deno.test("a copy whose sync failed keeps no other copy waiting", () =>
  withPair({ maxChunkSize: 1000 }, async (cluster, a, b) => {
    await write(cluster, a, "web", 1);
    await cluster.converged("web");
    b.disk.faults.before = (operation, path) =>
      operation === "sync" && path.startsWith("web/a-chunk") ? "failed" : undefined;
    const query = "&sync_each_write=1&min_sync_replicas=1&timeout=5000";
    const { status, text } = await cluster.during(a.write("web", "maybe\n", query));
    assertEquals([status, text.includes(`"written":"maybe"`)], [503, true], text);
    b.disk.faults.before = () => undefined;

    await write(cluster, a, "web", 12);
    await write(cluster, a, "other", 12);
    await cluster.converged("other");
    const [poisoned, ...later] = a.list("web");
    const wanted = later.filter(({ complete }) => complete);
    await cluster.until(
      () => wanted.every(({ name, size }) => b.store.chunk("web", name)?.size === size),
      "b has the later chunks",
    );
    assert(b.store.chunk("web", poisoned!.name)!.size < poisoned!.size);
    assertStringIncludes(b.store.checkDisk().message, "before a restart");
    await cluster.kill("b");
    await cluster.start("b");
    await pass(cluster, RESTING_MS);
    await cluster.converged("web");
  }));

Deno.test("a node that cannot join for want of room says so, in few lines, and joins once there is some", async () => {
  const cluster = new Cluster(["a", "b"]);
  const [a, b] = [cluster.node("a"), cluster.node("b")];
  try {
    cluster.link("a", "b", "cut");
    await cluster.start("a");
    await cluster.start("b");
    b.disk.faults.bytesMax = b.disk.bytesUsed;
    cluster.link("a", "b", "up");
    await cluster.until(() => a.store.joined, "a has joined");
    await pass(cluster, 30_000);
    assertEquals([b.store.joined, await ready(b)], [false, 503]);
    assertStringIncludes(b.store.checkDisk().message, "join: no space");
    const lines = b.log.of("error");
    assert(lines.length <= 2, lines.join("\n"));
    b.disk.faults.bytesMax = Infinity;
    await cluster.until(() => b.store.joined, "b has joined");
    assertEquals(await ready(b), 200);
  } finally {
    await cluster.close();
  }
});
