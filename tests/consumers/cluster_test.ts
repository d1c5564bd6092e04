/**
 * One consumer at two nodes: what one node knows of it comes to bear at the other, on a simulated network.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { Cluster, type SimulatedNode } from "../replication/world.ts";

const LEASE_MS = 20_000;

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly chunk: string;
  readonly offset: string;
  readonly next: string;
  readonly epoch: string;
}

async function ask(node: SimulatedNode, path: string, method = "GET"): Promise<Answer> {
  const [name, rest = ""] = path.split("?");
  const response = await node.fetch(`/${name}?category=c&consumer=a&${rest}`, { method });
  const header = (name: string): string => response.headers.get(`chukcha-${name}`) ?? "";
  return {
    status: response.status,
    text: await response.text(),
    chunk: header("chunk"),
    offset: header("offset"),
    next: header("next-offset"),
    epoch: header("epoch"),
  };
}

function ack(node: SimulatedNode, { chunk, offset, next, epoch }: Answer): Promise<Answer> {
  return ask(node, `ack?chunk=${chunk}&offset=${offset}&size=${next}&epoch=${epoch}`, "POST");
}

async function with2(
  run: (cluster: Cluster, a: SimulatedNode, b: SimulatedNode) => Promise<void>,
): Promise<void> {
  const cluster = new Cluster(["a", "b"]);
  await cluster.startAll();
  try {
    await run(cluster, cluster.node("a"), cluster.node("b"));
  } finally {
    await cluster.close();
  }
}

/** Lets time pass until both nodes say the same of the consumer. */
async function agreed(cluster: Cluster): Promise<number> {
  const told = async (node: SimulatedNode): Promise<string> => {
    const [info] = await (await node.fetch("/consumers?category=c")).json();
    return info ? JSON.stringify([info.epoch, info.lag_bytes, info.positions]) : "";
  };
  return await cluster.until(async () => {
    const all = await Promise.all(cluster.nodes.map(told));
    return all[0] !== "" && all[0] === all[1];
  }, "both say the same");
}

Deno.test("a consumer goes on at another node, and is given there only what is not acknowledged", () =>
  with2(async (cluster, a, b) => {
    await cluster.during(a.write("c", "one\ntwo\n"));
    await cluster.during(b.write("c", "three\n"));
    await cluster.converged("c");
    const first = await ask(a, "consume?max_size=4");
    assertEquals(first.text, "one\n");
    assertEquals((await ack(a, first)).status, 200);
    await agreed(cluster);
    const rest: string[] = [];
    for (;;) {
      const taken = await ask(b, "consume?max_size=4");
      if (taken.status === 204) break;
      if (taken.status === 400) {
        const longer = await ask(b, "consume");
        rest.push(longer.text);
        await ack(b, longer);
        continue;
      }
      rest.push(taken.text);
      await ack(b, taken);
    }
    assertEquals(rest.toSorted(), ["three\n", "two\n"]);
    await agreed(cluster);
    assertEquals((await ask(a, "consume")).status, 204);
  }));

Deno.test("what is out at one node and acknowledged at another does not come back", () =>
  with2(async (cluster, a, b) => {
    await cluster.during(a.write("c", "one\ntwo\n"));
    await cluster.converged("c");
    const out = await ask(a, `consume?lease=${LEASE_MS}&max_size=4`);
    assertEquals(out.text, "one\n");
    await agreed(cluster);
    assertEquals((await ack(b, out)).status, 200);
    await agreed(cluster);
    await cluster.pass(LEASE_MS + 1000);
    const next = await ask(a, `consume?lease=${LEASE_MS}`);
    assertEquals(next.text, "two\n");
    assertEquals((await ask(a, `consume?lease=${LEASE_MS}`)).status, 204);
  }));

Deno.test("a seek at one node wakes who waits at the other, and what was out before is refused", () =>
  with2(async (cluster, a, b) => {
    await cluster.during(a.write("c", "one\n"));
    const out = await ask(a, `consume?lease=${LEASE_MS}`);
    await agreed(cluster);
    const waits = ask(a, `consume?lease=${LEASE_MS}&wait=60000`);
    assertEquals((await ask(b, "seek?to=earliest", "POST")).status, 200);
    const again = await cluster.during(waits);
    assertEquals([again.text, again.epoch], ["one\n", "1"]);
    const old = await ack(a, out);
    assertEquals(old.status, 409);
    assertStringIncludes(old.text, "position_moved");
  }));

Deno.test("messages of another node wake who waits as soon as they are here", () =>
  with2(async (cluster, a, b) => {
    const waits = ask(a, "consume?wait=60000");
    await cluster.during(b.write("c", "one\n"));
    assertEquals((await cluster.during(waits)).text, "one\n");
  }));

Deno.test("a node that has not joined makes no consumers: it does not know which there are", async () => {
  const cluster = new Cluster(["a", "b"]);
  await cluster.start("a");
  const a = cluster.node("a");
  for (const [path, method] of [["consume?from=latest", "GET"], ["seek?to=latest", "POST"]] as const) {
    const refused = await ask(a, path, method);
    assertEquals(refused.status, 503);
    assertStringIncludes(refused.text, '"not_joined","message":"consumer: the disk is new');
  }
  await cluster.close();
});
