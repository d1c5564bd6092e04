/**
 * A cluster whose disks rot: complete chunks heal from whoever has them, and what nobody has is kept and said loudly.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { HEAL_RETRY_MS_MAX, KIB } from "../../lib/protocol/limits.ts";
import { Cluster, type SimulatedNode } from "./world.ts";

const CHUNK = "a-chunk000000000";
const DATA = `web/${CHUNK}`;
const INDEX = `${DATA}.idx`;
/** Three groups of several records each. */
const LINES = ["x", "y", "z"].map((letter) => `${letter.repeat(150 * KIB)}\n`);

/** Three nodes with the same complete chunk. */
async function withRot(test: (cluster: Cluster, good: Uint8Array) => Promise<void>): Promise<void> {
  const cluster = new Cluster(["a", "b", "c"], { maxChunkSize: 500 * KIB });
  try {
    await cluster.startAll();
    const a = cluster.node("a");
    for (const line of LINES) await cluster.during(a.write("web", line, "&min_sync_replicas=2"));
    await cluster.during(a.write("web", `${"n".repeat(100 * KIB)}\n`));
    await cluster.converged("web");
    await cluster.until(
      () => cluster.nodes.every(({ store }) => store.chunk("web", CHUNK)?.sealed),
      "all have sealed it",
    );
    await test(cluster, a.disk.peek(DATA));
  } finally {
    await cluster.close();
  }
}

function flip({ disk }: SimulatedNode, path: string, ...places: number[]): void {
  const content = disk.peek(path);
  for (const at of places) content[at]! ^= 0x40;
  disk.plant(path, content);
}

/** Reads a chunk in small steps, as far as it goes: damage is noticed by whoever meets it. */
async function look(node: SimulatedNode): Promise<number> {
  let damaged = 0;
  for (let off = 0; off < node.store.chunk("web", CHUNK)!.size;) {
    const response = await node.fetch(`/read?category=web&chunk=${CHUNK}&off=${off}&max_size=${200 * KIB}`);
    const text = await response.text();
    if (response.status === 200) off += text.length;
    else {
      damaged++;
      off = Number(/off=(\d+)/.exec(text)?.[1] ?? Infinity);
    }
  }
  return damaged;
}

function isWhole({ disk, store }: SimulatedNode, good: Uint8Array): boolean {
  const found = disk.snapshot().has(DATA) && disk.peek(DATA);
  return found !== false && found.length === good.length && found.every((byte, i) => byte === good[i]) &&
    store.checkChunks().ok;
}

for (const instance of ["a", "b"]) {
  Deno.test(`a chunk that rots on ${instance === "a" ? "its owner" : "another node"} is healed by the others`, () =>
    withRot(async (cluster, good) => {
      const node = cluster.node(instance);
      flip(node, DATA, 5, 200 * KIB);
      assert(await look(node) > 0);
      assertEquals(node.list("web")[0]!.damaged, true);
      await cluster.until(() => isWhole(node, good), "healed");
      assertEquals(await look(node), 0);
      await cluster.converged("web");
      await cluster.kill(instance, "power loss");
      await cluster.start(instance);
      assertEquals(await look(node), 0);
      assertEquals(node.log.of("error").filter((line) => line.includes("damaged")).length, 1);
    }));
}

Deno.test("copies that rotted in different places of one group heal one another", () =>
  withRot(async (cluster, good) => {
    const [a, b, c] = cluster.nodes;
    flip(a!, DATA, 10, 160 * KIB);
    flip(b!, DATA, 70 * KIB, 160 * KIB);
    flip(c!, DATA, 140 * KIB, 310 * KIB);
    for (const node of [a!, b!, c!]) assert(await look(node) > 0);
    await cluster.until(() => cluster.nodes.every((node) => isWhole(node, good)), "all are healed");
  }));

Deno.test("what rotted on every node in the same place is kept, told, and healed once somebody comes who has it", () =>
  withRot(async (cluster, good) => {
    const [a, b, c] = cluster.nodes;
    const kept = c!.disk.clone();
    await cluster.kill("c");
    for (const node of [a!, b!]) flip(node, DATA, 5);
    flip(a!, DATA, 200 * KIB);
    const [rotten] = [b!.disk.peek(DATA)];
    for (const node of [a!, b!]) assert(await look(node) > 0);
    await cluster.until(
      () => a!.log.lines.some((line) => line.includes("no node that can be reached")),
      "told",
    );
    // What others had is back, the rest is as it was.
    await cluster.until(() => a!.disk.peek(DATA)[200 * KIB] === good[200 * KIB], "healed in part");
    for (const node of [a!, b!]) {
      assertEquals(node.disk.peek(DATA), rotten);
      assert(!node.store.checkChunks().ok);
      const status = await (await node.fetch("/status", { headers: { accept: "application/json" } })).json();
      assertEquals(status.healthy, false);
      assertEquals((await node.fetch("/readyz")).status, 200);
    }
    cluster.clock.advance(HEAL_RETRY_MS_MAX);
    const { fetch } = cluster.calls;
    await cluster.until(() => cluster.calls.fetch > fetch, "tried again");
    assert(a!.log.of("error").filter((line) => line.includes("no node that can be reached")).length < 10);
    c!.disk = kept;
    await cluster.start("c");
    await cluster.until(() => [a!, b!].every((node) => isWhole(node, good)), "healed");
  }));

Deno.test("a file of a complete chunk that is gone at the start comes back", async (t) => {
  for (
    const [what, paths] of [["the data", [DATA]], ["the index", [INDEX]], ["both", [DATA, INDEX]]] as const
  ) {
    for (const instance of ["a", "b"]) {
      await t.step(`${what} at ${instance}`, () =>
        withRot(async (cluster, good) => {
          const node = cluster.node(instance);
          await cluster.kill(instance);
          for (const path of paths) node.disk.remove(path);
          await cluster.start(instance);
          await cluster.until(() => isWhole(node, good), "healed");
          await cluster.until(() => node.list("web")[0]!.complete, "complete again");
          await cluster.converged("web");
        }));
    }
  }
});

Deno.test("a chunk that lost its index, and rotted, is no rival of the good ones: it is set aside and fetched", async (t) => {
  const changes: [string, (data: Uint8Array) => Uint8Array][] = [
    ["a byte", (data) => data.fill(7, 5, 6)],
    ["cut short", (data) => data.subarray(0, 1000)],
    ["longer", (data) => Uint8Array.from([...data, 65, 10])],
  ];
  for (const [what, change] of changes) {
    for (const instance of ["a", "b"]) {
      await t.step(`${what} at ${instance}`, () =>
        withRot(async (cluster, good) => {
          const node = cluster.node(instance);
          await cluster.kill(instance);
          const rotten = change(node.disk.peek(DATA));
          node.disk.plant(DATA, rotten);
          node.disk.remove(INDEX);
          await cluster.start(instance);
          await cluster.until(() => isWhole(node, good) && node.list("web")[0]!.complete, "fetched");
          await cluster.converged("web");
          if (what === "a byte") assertEquals(node.disk.peek(`${DATA}.damaged`), rotten);
          for (const other of cluster.nodes) assertEquals(other.disk.peek(DATA), good);
        }));
    }
  }
});

Deno.test("a copy, or an own chunk, that rots while it grows is healed once it is complete", async (t) => {
  for (const instance of ["a", "b"]) {
    await t.step(instance, async () => {
      const cluster = new Cluster(["a", "b", "c"], { maxChunkSize: 500 * KIB });
      try {
        await cluster.startAll();
        const [a, node] = [cluster.node("a"), cluster.node(instance)];
        await cluster.during(a.write("web", LINES[0]!, "&min_sync_replicas=2"));
        const good = node.disk.peek(DATA);
        flip(node, DATA, 70 * KIB);
        assert(await look(node) > 0);
        assertEquals(node.disk.peek(DATA).length, good.length);
        for (const line of LINES) await cluster.during(a.write("web", line, "&min_sync_replicas=2"));
        await cluster.converged("web");
        const whole = cluster.node("c").disk.peek(DATA);
        await cluster.until(() => node.list("web")[0]!.complete && isWhole(node, whole), "healed");
      } finally {
        await cluster.close();
      }
    });
  }
});
