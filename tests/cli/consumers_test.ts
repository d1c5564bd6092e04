/**
 * Consumers on the command line: what was printed is acknowledged, what was not is given back, and people are told.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { ConsumerInfo } from "../../lib/protocol/types.ts";
import { eventually } from "../support/eventually.ts";
import { type NodeUnderTest, startLocalNode } from "../support/node.ts";
import { run, shell, start } from "./program.ts";

const CHUNK = "node_1-chunk000000000";
const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `${from + i}\n`).join("");

/** What a command that works prints. */
async function printed(server: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(server, args);
  assertEquals([code, stderr], [0, ""], args.join(" "));
  return new TextDecoder().decode(stdout);
}

async function consumersOf(node: NodeUnderTest): Promise<ConsumerInfo[]> {
  return await (await node.fetch("/consumers")).json();
}

/** How many wait for messages of a consumer. */
async function pollsOf(node: NodeUnderTest): Promise<number> {
  const metrics = await (await node.fetch("/metrics")).text();
  return Number(/^chukcha_consumer_polls (\d+)$/m.exec(metrics)![1]);
}

/** How far the only consumer is behind, and what it has on lease. */
async function behind(node: NodeUnderTest): Promise<[lag: number, leased: number] | undefined> {
  const [info] = await consumersOf(node);
  return info && [info.lag_bytes, info.leased_bytes];
}

Deno.test("tail --consumer -n acknowledges what it printed, and gives the rest of a batch back at once", async () => {
  await using node = await startLocalNode();
  await node.write("web", lines(1, 9));
  assertEquals(await printed(node.url, "tail", "web", "--consumer", "a", "-n", "3"), lines(1, 3));
  assertEquals(await behind(node), [12, 0]);
  assertEquals(await printed(node.url, "tail", "web", "--consumer", "a", "-n", "4"), lines(4, 7));
  assertEquals(await printed(node.url, "tail", "web", "--consumer", "a", "-n", "2"), lines(8, 9));
  assertEquals(await behind(node), [0, 0]);
  // Each consumer for itself, and --from counts for a new one alone.
  assertEquals(await printed(node.url, "tail", "web", "--consumer", "b", "-n", "1"), "1\n");
  assertEquals(
    await printed(node.url, "tail", "web", "--consumer", "b", "--from", "latest", "-n", "1"),
    "2\n",
  );
});

Deno.test("tail --consumer waits for what comes, and Ctrl-C leaves nothing on lease", async () => {
  await using node = await startLocalNode();
  await using tail = start(node.url, "tail", "web", "--consumer", "a");
  const reader = tail.stdout.getReader();
  for (const line of ["first\n", "second\n"]) {
    await node.write("web", line);
    assertEquals(new TextDecoder().decode((await reader.read()).value), line);
  }
  await eventually("both acknowledged", () => behind(node), (seen) => seen?.[0] === 0);
  tail.signal("SIGINT");
  assertEquals((await tail.status).code, 0);
  reader.releaseLock();
  await node.write("web", "third\n");
  assertEquals(await behind(node), [6, 0]);
  assertEquals(await printed(node.url, "read", "web", "--consumer", "a"), "third\n");
});

Deno.test("tail --consumer and read --consumer acknowledge nothing before the output has taken it", async () => {
  await using node = await startLocalNode();
  // More than a pipe holds: until somebody reads, the program is in the middle of its first write.
  const size = 700_000;
  await node.write("web", `${"x".repeat(size - 1)}\n`);
  for (const command of ["tail", "read"]) {
    await using blocked = start(node.url, command, "web", "--consumer", "a");
    const reader = blocked.stdout.getReader();
    assert((await reader.read()).value!.length > 0);
    assertEquals((await behind(node))?.[0], size, command);
    blocked.signal("SIGINT");
    // A tail is meant to be ended so, a read was not done.
    assertEquals((await blocked.status).code, command === "tail" ? 0 : 130);
    reader.releaseLock();
    assertEquals(await behind(node), [size, 0], command);
  }
  assertEquals((await printed(node.url, "read", "web", "--consumer", "a")).length, size);
  assertEquals(await behind(node), [0, 0]);
});

Deno.test("tail --consumer ends with the reader of its output, and what was not taken comes again", async () => {
  await using node = await startLocalNode();
  await node.write("web", `first\n${"x".repeat(700_000)}\n`);
  const cut = await shell(node.url, "chukcha tail web --consumer a | head -n 1");
  assertEquals([cut.code, new TextDecoder().decode(cut.stdout), cut.stderr], [0, "first\n", ""]);
  assertEquals(await behind(node), [700_007, 0]);
  await node.write("quiet", "only\n");
  const quiet = await shell(node.url, "chukcha tail quiet --consumer a | head -n 1");
  assertEquals([quiet.code, quiet.stderr], [0, ""]);
});

Deno.test("several that tail as one consumer share its messages, and go on at the next node if one fails", async () => {
  await using node = await startLocalNode();
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const gone = `http://127.0.0.1:${listener.addr.port}`;
  listener.close();
  const total = 40;
  const both = [`${gone},${node.url}`, node.url].map((servers) =>
    start(servers, "tail", "web", "--consumer", "a")
  );
  await using one = both[0]!;
  await using other = both[1]!;
  const seen: string[] = [];
  const collecting = [one, other].map(async ({ stdout }) => {
    for await (const text of stdout.pipeThrough(new TextDecoderStream())) seen.push(text);
  });
  // Both, or one of them may have printed all before the other has begun.
  await eventually("both wait", () => pollsOf(node), (polls) => polls === 2);
  for (let i = 1; i <= total; i++) await node.write("web", `${i}\n`);
  await eventually(
    "all printed",
    () => seen.join("").length,
    (length) => length >= lines(1, total).length,
  );
  one.signal("SIGINT");
  other.signal("SIGINT");
  assertEquals([(await one.status).code, (await other.status).code], [0, 0]);
  await Promise.all(collecting);
  const numbers = seen.join("").trimEnd().split("\n").map(Number).sort((a, b) => a - b);
  assertEquals(numbers, Array.from({ length: total }, (_, i) => i + 1));
  assertEquals(await behind(node), [0, 0]);
});

Deno.test("read --consumer prints what came since, once, and leaves to workers what they have", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: 1024 } });
  const read = (...args: string[]) => printed(node.url, "read", "web", "--consumer", "nightly", ...args);
  assertEquals(await read(), "");
  await node.write("web", lines(1, 400));
  await node.write("web", lines(401, 800));
  assertEquals(await read("-n", "3"), lines(1, 3));
  assertEquals(await read("--max-size", "1KiB"), lines(4, 800));
  assertEquals(await read(), "");
  await node.write("web", lines(801, 802));
  await (await node.fetch("/consume?category=web&consumer=nightly&lease=60000&max_size=4")).bytes();
  const { code, stdout, stderr } = await run(node.url, ["read", "web", "--consumer", "nightly"]);
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "802\n"]);
  assertStringIncludes(stderr, "4 B are on lease to workers of this consumer, and left out");
  // Without a consumer, -n counts over chunks.
  assertEquals(await printed(node.url, "read", "web", "-n", "500"), lines(1, 500));
});

Deno.test("read --consumer ends although somebody goes on writing", async () => {
  await using node = await startLocalNode();
  await node.write("web", lines(1, 9));
  // Whatever is handed out, something new is there by then.
  await using proxy = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const answer = await node.fetch(`${pathname}${search}`, { method: request.method });
    if (pathname === "/ack") await node.write("web", lines(10, 12));
    return answer;
  });
  const { code } = await run(`http://127.0.0.1:${proxy.addr.port}`, ["read", "web", "--consumer", "a"]);
  assertEquals(code, 0);
  await proxy.shutdown();
});

Deno.test("consumers, seek and ack --consumer tell people and programs where consumers are, and move them", async () => {
  await using node = await startLocalNode();
  const asked = (...args: string[]) => printed(node.url, ...args);
  assertEquals(await asked("consumers"), "");
  await node.write("web", lines(1, 9));
  await node.write("weather", "sun\n");
  const created = await run(node.url, ["seek", "web", "indexer", "latest"]);
  assertEquals(created.code, 0);
  assertStringIncludes(
    created.stderr,
    'chukcha seek: category "web" had no consumer "indexer" before; it has one now',
  );
  assertEquals(
    await asked("seek", "web", "indexer", "earliest"),
    `category  consumer  lag   chunks  leased  next\nweb       indexer   18 B  1       0 B     ${CHUNK}:0\n`,
  );
  const [moved] = [JSON.parse(await asked("seek", "web", "indexer", `${CHUNK}:4`, "--json"))];
  assertEquals([moved.lag_bytes, moved.positions], [14, [{ chunk: CHUNK, offset: 4 }]]);
  assertEquals(await asked("read", "weather", "--consumer", "x"), "sun\n");
  assertEquals((await asked("consumers")).trimEnd().split("\n").length, 3);
  assertEquals(JSON.parse(await asked("consumers", "web", "--json")), [moved]);
  // It has leases, whose pieces the node does not know any more: an ack for a person says where it begins.
  await (await node.fetch("/consume?category=web&consumer=indexer&lease=60000&max_size=4")).bytes();
  assertEquals(
    await asked("ack", "web", CHUNK, "--consumer", "indexer", "--size", "10", "--offset", "8"),
    "",
  );
  assertEquals((await consumersOf(node)).find(({ consumer }) => consumer === "indexer")!.lag_bytes, 12);
  assertEquals(await asked("ack", "web", CHUNK, "--consumer", "indexer"), "");
  assertEquals((await consumersOf(node)).find(({ consumer }) => consumer === "indexer")!.lag_bytes, 0);
  assertEquals(await asked("consumers", "web", "--forget", "indexer"), "");
  assertEquals((await consumersOf(node)).map(({ consumer }) => consumer), ["x"]);
  assertEquals(await asked("read", "web"), lines(1, 9));
});

Deno.test("commands of consumers say what is wrong with a command line, and what a node refuses", async () => {
  await using node = await startLocalNode();
  await node.write("web", "1\n");
  const cases: [args: string[], code: number, message: RegExp][] = [
    [["consumers", "--forget", "a"], 2, /--forget: say of which CATEGORY the consumer is; see/],
    [["consumers", "web", "--forget", "a b"], 2, /--forget: "a b" is not a consumer: 1 to 128/],
    [["consumers", "web", "--forget", "none"], 1, /"none" was never used, or is forgotten/],
    [["seek", "web", "a"], 2, /TO is missing/],
    [["seek", "web", "a", "yesterday"], 2, /TO: "yesterday" is not earliest, .* or a place like node-chunk/],
    [["seek", "web", "a", `${CHUNK}:x`], 2, /TO: ".*:x" is not <chunk>:<offset>, or a place/],
    [["tail", "web", "--consumer", "a/b"], 2, /--consumer: "a\/b" is not a consumer/],
    [["read", "web", "--consumer", "a", "--chunk", CHUNK], 2, /give either --chunk or --consumer/],
    [["ack", "web", CHUNK, "--offset", "3"], 2, /--offset goes with CHUNK and --consumer/],
    [["ack", "web", CHUNK, "--consumer", "a", "--size", "99"], 1, /size: 99 is more than the 2 bytes/],
    [
      ["tail", "web", "--server", "127.0.0.1:9,127.0.0.1:9", "--consumer", "a"],
      1,
      /check the address given by --server/,
    ],
  ];
  await Promise.all(cases.map(async ([args, wanted, message]) => {
    const { code, stderr } = await run(node.url, args);
    assertEquals(code, wanted, `${args.join(" ")}: ${stderr}`);
    assertMatch(stderr, message);
    assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
  }));
});
