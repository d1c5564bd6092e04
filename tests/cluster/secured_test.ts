/**
 * Clusters whose nodes speak TLS with certificates of an authority of their own, and show one another a token.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Authority } from "../support/certificates.ts";
import { TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import type { Member } from "../support/member.ts";
import { temporaryDirectory } from "../support/node.ts";
import { testWith, tool } from "../support/skip.ts";

const OPS = "ops-3b1f0c4e8a5d92763b1f0c4e";
const CLUSTER = "cluster-c0ffee00c0ffee01";
const NEXT = "cluster-next-5e884898da28";

/** Files of a cluster's secrets, and the flags that name them. */
class Secrets {
  constructor(readonly path: string) {}

  static async make(path: string): Promise<Secrets> {
    const secrets = new Secrets(path);
    await Deno.writeTextFile(`${path}/tokens`, `ops read,write,admin * ${OPS}\n`, { mode: 0o600 });
    await secrets.clusterToken(CLUSTER);
    return secrets;
  }

  async clusterToken(...tokens: string[]): Promise<void> {
    await Deno.writeTextFile(`${this.path}/cluster`, tokens.join("\n"), { mode: 0o600 });
  }

  get flags(): string[] {
    return ["--tokens-file", `${this.path}/tokens`, "--cluster-token-file", `${this.path}/cluster`];
  }
}

async function peerErrors(member: Member): Promise<string[]> {
  return (await member.status()).peers.map(({ last_error }) => last_error ?? "");
}

testWith(
  "three nodes replicate over https, with a token among them that is replaced without a gap",
  [tool("openssl")],
  async () => {
    await using directory = await temporaryDirectory();
    const secrets = await Secrets.make(directory.path);
    const authority = await Authority.make(directory.path);
    const { cert, key } = await authority.sign("node");
    using client = Deno.createHttpClient({
      http2: false,
      caCerts: [await Deno.readTextFile(authority.cert)],
    });
    await using cluster = await TestCluster.start({
      flags: [...secrets.flags, "--tls-cert", cert, "--tls-key", key, "--tls-ca", authority.cert],
      reach: { token: OPS, client },
    });
    const [one, two, three] = cluster.members as [Member, Member, Member];
    const write = async (member: Member, text: string) => {
      const answer = await member.askWrite("web", text, "min_sync_replicas=2&timeout=20000");
      assertEquals(answer.status, 200, answer.text);
    };
    await write(one, "first");
    await write(three, "second");
    // As the documentation has it: accepted by all, then shown by all, then the only one.
    for (const tokens of [[CLUSTER, NEXT], [NEXT, CLUSTER], [NEXT]]) {
      await secrets.clusterToken(...tokens);
      for (const member of cluster.members) {
        const before = member.output.split("the cluster token was read again").length;
        member.signal("SIGHUP");
        await eventually(
          "it is read again",
          () => member.output.split("the cluster token was read again").length,
          (count) => count > before,
        );
      }
      await write(two, `with ${tokens.length}`);
    }
    await cluster.converged();
    await cluster.sameBytes();
    for (const member of cluster.members) {
      assertEquals(await peerErrors(member), ["", ""], member.output);
      assertEquals(member.output.includes("another node was refused"), false, member.output);
      for (const token of [OPS, CLUSTER, NEXT]) assertEquals(member.output.includes(token), false);
      const { checks } = await member.status();
      const found = checks.filter(({ name }) =>
        ["tokens", "cluster_token", "authorities", "certificate"].includes(name)
      );
      assertEquals(found.map(({ ok }) => ok), [true, true, true, true]);
    }

    // A node that does not trust the authority says in words what is wrong.
    await two.stop();
    two.reconfigure({ flags: [...secrets.flags, "--tls-cert", cert, "--tls-key", key] });
    await two.launch();
    const told = await eventually("it is told", () => peerErrors(two), (seen) => seen.every(Boolean));
    assertStringIncludes(told[0]!, "its certificate is from an authority that is not trusted here");
    assertStringIncludes(told[0]!, "--tls-ca");
  },
);

Deno.test("a node with another cluster token is refused, and both sides say what to do, once", async () => {
  await using directory = await temporaryDirectory();
  const secrets = await Secrets.make(directory.path);
  await Deno.mkdir(`${directory.path}/other`);
  const others = await Secrets.make(`${directory.path}/other`);
  await others.clusterToken(NEXT);
  await using cluster = await TestCluster.build({
    count: 2,
    flags: secrets.flags,
    reach: { token: OPS },
  });
  const [one, two] = cluster.members as [Member, Member];
  two.reconfigure({ flags: others.flags });
  await Promise.all([one.launch(), two.launch()]);
  for (const member of [one, two]) {
    // The first attempt may come before the other one listens.
    const refused = "it refused: /replication/changes: the cluster token that was sent is not the";
    const isTold = (seen: readonly (string | null)[]) => seen.every((error) => error?.includes(refused));
    const [told] = await eventually("it is told", () => peerErrors(member), isTold);
    assertStringIncludes(told!, "give all nodes the same --cluster-token-file");
    // Asked again and again, and told once on each side.
    await eventually("refused", () => member.output, (text) => text.includes("another node was refused"));
    const { peers } = await member.status();
    assertEquals(peers[0]!.reachable, false);
    assertEquals(member.output.split("another node was refused").length - 1, 1, member.output);
    assertEquals(member.output.split("following a peer failed").length - 1, 1, member.output);
  }
  await others.clusterToken(CLUSTER);
  await eventually("they find together", () => peerErrors(one), (seen) => !seen.some(Boolean));
  await Promise.all([one.ready(), two.ready()]);
  const answer = await one.askWrite("web", "together", "min_sync_replicas=1&timeout=20000");
  assertEquals(answer.status, 200, answer.text);
  assert(!one.output.includes(CLUSTER) && !two.output.includes(NEXT));
});
