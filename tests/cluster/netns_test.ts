/**
 * Whole hosts: cables that are pulled, packets that are lost in one direction, and an address that changes behind a name.
 *
 * Unlike behind a proxy, nobody closes a connection here: what is lost is found out by its silence.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { linesOf, TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { canMakeHosts, type Host, Hosts } from "../support/hosts.ts";
import { Member } from "../support/member.ts";
import { report } from "../support/report.ts";
import { lacking, linuxRoot, type Need, testWith, tool } from "../support/skip.ts";

const PAD = "p".repeat(60);

/** Whether one sees another as it should by now. */
function reaches(member: Member, instance: string, wanted: boolean): Promise<unknown> {
  return eventually(
    `${member.instance} ${wanted ? "reaches" : "misses"} ${instance}`,
    () => member.status(),
    ({ peers }) => peers.some((peer) => peer.instance === instance && peer.reachable === wanted),
  );
}

/** Writes to a node from its own host, wherever that is. */
async function writeAt(hosts: Hosts, host: Host, member: Member, lines: readonly string[]): Promise<void> {
  const [program = "", ...before] = [...hosts.prefix(host), Deno.execPath()];
  const code = `const { status } = await fetch("${member.url}/write?category=web", { method: "POST", body: ${
    JSON.stringify(lines.join("\n"))
  } }); if (status !== 200) Deno.exit(1);`;
  const { success, stderr } = await new Deno.Command(program, { args: [...before, "eval", code] }).output();
  assert(success, new TextDecoder().decode(stderr));
}

function linesFor(name: string): string[] {
  return Array.from({ length: 10 }, (_, i) => `${name} ${i} ${PAD}`);
}

async function write(member: Member, lines: readonly string[], params = ""): Promise<number> {
  const startMs = performance.now();
  const answer = await member.askWrite("web", lines.join("\n"), params);
  assertEquals(answer.status, 200, answer.text);
  return Math.round(performance.now() - startMs);
}

/** Waits until all live nodes have the same, and these messages; returns how long that took. */
async function converged(cluster: TestCluster, lines: readonly string[]): Promise<number> {
  const expected = lines.toSorted();
  const startMs = performance.now();
  await eventually("every node has every message", async () => {
    const counts = await Promise.all(cluster.live.map(async (member) => {
      const chunks = await member.listChunks("web").catch(() => []);
      return chunks.reduce((sum, { size }) => sum + size, 0);
    }));
    return counts;
  }, (counts) => counts.every((count) => count === expected.reduce((sum, line) => sum + line.length + 1, 0)));
  const ms = Math.round(performance.now() - startMs);
  await cluster.converged();
  for (const member of cluster.live) {
    assertEquals((await linesOf(member)).flatMap(({ lines }) => lines).toSorted(), expected, member.instance);
  }
  await cluster.sameBytes();
  return ms;
}

/** Namespaces are tried out only where there is a point in it: that costs some processes. */
function needs(): Need[] {
  const first = [linuxRoot(), tool("ip")];
  return lacking(first) === undefined ? [...first, canMakeHosts()] : first;
}

const wanted = needs();
const unprivileged = wanted.find(({ what, present }) => !present && what.startsWith("network namespaces"));

/** A machine that denies namespaces to root cannot be given them by whoever prepares it: skipped under CI too. */
function testHosts(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  if (unprivileged) Deno.test({ name: `${name} (skipped: needs ${unprivileged.what})`, ignore: true, fn });
  else testWith(name, wanted, fn);
}

testHosts(
  "hosts: a pulled cable, packets lost in one direction or both, and an address that changes",
  async (t) => {
    await using hosts = await Hosts.make(3);
    await using directory = await temporary();
    const peers = hosts.hosts.map(({ index, name }) => `node_${index + 1}=http://${name}:${hosts.port}`).join(
      ",",
    );
    const memberOn = (host: Host) =>
      new Member({
        instance: `node_${host.index + 1}`,
        dataDir: `${directory.path}/node_${host.index + 1}`,
        hostname: host.address,
        port: hosts.port,
        peers,
        flags: ["--insecure-no-auth"],
        prefix: hosts.prefix(host),
      });
    await using cluster = TestCluster.of(hosts.hosts.map(memberOn));
    const [a, b, c] = hosts.hosts as [Host, Host, Host];
    const [one, two, three] = cluster.members as [Member, Member, Member];
    await Promise.all(cluster.members.map((member) => member.launch()));
    await Promise.all(cluster.members.map((member) => member.ready()));
    const lines: string[] = [];
    const more = (name: string): string[] => {
      const made = linesFor(name);
      lines.push(...made);
      return made;
    };
    await write(one, more("first"), "min_sync_replicas=2");
    await converged(cluster, lines);

    await t.step("a host whose cable is pulled takes writes alone, and so do the others", async () => {
      await hosts.link(c, "down");
      const pulledMs = performance.now();
      await writeAt(hosts, c, three, more("three alone"));
      await write(one, more("one without three"), "min_sync_replicas=1");
      await write(two, more("two without three"), "min_sync_replicas=1");
      await Promise.all([reaches(one, "node_3", false), reaches(two, "node_3", false)]);
      const noticedMs = Math.round(performance.now() - pulledMs);
      await hosts.link(c, "up");
      const ms = await converged(cluster, lines);
      report(`cable pulled: noticed after ${noticedMs} ms; put back: the same everywhere after ${ms} ms`);
    });

    for (
      const [name, ways] of [
        ["node_1's packets to node_2 are lost", [[a, b]]],
        ["packets between node_1 and node_2 are lost both ways", [[a, b], [b, a]]],
      ] as const
    ) {
      await t.step(name, async () => {
        await Promise.all([...cluster.members].map((member) =>
          Promise.all(
            cluster.members.filter((other) => other !== member).map(({ instance }) =>
              reaches(member, instance, true)
            ),
          )
        ));
        for (const [from, to] of ways) {
          await hosts.lose(from, to);
        }
        const lostMs = performance.now();
        const firstMs = await write(one, more(`${name}, one`), "min_sync_replicas=2&timeout=25000");
        const secondMs = await write(two, more(`${name}, two`), "min_sync_replicas=2&timeout=25000");
        await Promise.all([reaches(one, "node_2", false), reaches(two, "node_1", false)]);
        const noticedMs = Math.round(performance.now() - lostMs);
        const thirdMs = await write(one, more(`${name}, one again`), "min_sync_replicas=2&timeout=25000");
        const relayedMs = await converged(cluster, lines);
        for (const [from, to] of ways) await hosts.find(from, to);
        const foundMs = performance.now();
        await Promise.all([reaches(one, "node_2", true), reaches(two, "node_1", true)]);
        report(
          `${name}: two replicas confirmed in ${firstMs} and ${secondMs} ms at first, noticed after ${noticedMs} ms, ` +
            `then in ${thirdMs} ms; the same through the relay ${relayedMs} ms later; they reach each other ` +
            `${Math.round(performance.now() - foundMs)} ms after that was possible`,
        );
      });
    }

    await t.step("a node that restarts at another address is found by its name", async () => {
      await two.kill();
      await hosts.move(b);
      const moved = memberOn(b);
      cluster.replace(1, moved);
      await write(one, more("while it moved"), "min_sync_replicas=1");
      const startMs = performance.now();
      await moved.launch();
      await write(moved, more("at the new address"));
      await Promise.all([reaches(one, "node_2", true), reaches(three, "node_2", true)]);
      const reachedMs = Math.round(performance.now() - startMs);
      const ms = await converged(cluster, lines);
      report(`another address: reached ${reachedMs} ms after the start, the same everywhere ${ms} ms later`);
    });
  },
);

async function temporary(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "chukcha-cluster-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
