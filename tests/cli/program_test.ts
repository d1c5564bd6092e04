/**
 * The program as its users run it, against a real node.
 *
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { TextLineStream } from "@std/streams";
import { startLocalNode } from "../support/node.ts";
import { testWith, tool } from "../support/skip.ts";
import { run, shell, start } from "./program.ts";

/** Bytes that are easily spoilt: carriage returns, what is not UTF-8, empty messages. */
const ODD = new Uint8Array([97, 13, 98, 10, 255, 254, 10, 10, 13, 10, 32, 99, 10]);
const NOWHERE = "http://127.0.0.1:9";

/** Reads until this many bytes have come. */
async function take(stream: ReadableStream<Uint8Array>, bytes: number): Promise<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (text.length < bytes) {
    const { value, done } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  reader.releaseLock();
  return text;
}

Deno.test("what write takes, read and tail give back byte for byte", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: 300_000 } });
  const lines = Array.from({ length: 40_000 }, (_, i) => `line ${i} ${"x".repeat(i % 50)}\n`).join("");
  const bytes = new Uint8Array([...ODD, ...new TextEncoder().encode(lines)]);
  const written = await run(node.url, ["write", "web", "--batch-size", "100KiB", "--sync"], bytes);
  assertEquals([written.code, written.stderr], [0, ""]);
  const [read, tailed] = await Promise.all([
    run(node.url, ["read", "web", "--max-size", "64KiB"]),
    run(node.url, ["tail", "web", "-n", "40005"]),
  ]);
  for (const { code, stdout, stderr } of [read, tailed]) {
    assertEquals([code, stderr, stdout.length], [0, "", bytes.length]);
    assertEquals(stdout.every((byte, i) => byte === bytes[i]), true);
  }
});

Deno.test("write takes files in order, and tells before it sends anything that one is missing", async () => {
  await using node = await startLocalNode();
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(`${directory}/a`, "1\n2");
  await Deno.writeTextFile(`${directory}/b`, "3\n");
  const missing = await run(node.url, ["write", "web", `${directory}/a`, `${directory}/c`]);
  assertEquals(missing.code, 1);
  assertStringIncludes(missing.stderr, `chukcha write: ${directory}/c: No such file`);
  assertEquals((await run(node.url, ["write", "web", `${directory}/a`, `${directory}/b`])).code, 0);
  await Deno.remove(directory, { recursive: true });
  assertEquals(new TextDecoder().decode((await run(node.url, ["read", "web"])).stdout), "1\n2\n3\n");
});

Deno.test("write names the line that the node finds too long", async () => {
  await using node = await startLocalNode({ settings: { maxMessageSize: 10 } });
  const { code, stderr } = await run(node.url, ["write", "web"], "short\nshort\nmuch too long\nshort\n");
  assertEquals(code, 1);
  assertMatch(
    stderr,
    /^chukcha write: line 3: its 13 bytes are more than the node takes: .*; 2 messages before were/,
  );
  assertEquals(await node.readText("web"), "short\nshort\n");
});

Deno.test("write sends a slow input as it comes, and tail prints it", async () => {
  await using node = await startLocalNode();
  await using writing = start(node.url, "write", "web");
  await using tailing = start(node.url, "tail", "web");
  for (const line of ["one\n", "two\n"]) {
    await writing.stdin.write(new TextEncoder().encode(line));
    assertEquals(await take(tailing.stdout, line.length), line);
  }
  // Ctrl-C is how a tail ends; for a write it means that not all was done.
  tailing.signal("SIGINT");
  writing.signal("SIGINT");
  assertEquals([(await tailing.status).code, (await writing.status).code], [0, 130]);
});

Deno.test("read and tail end quietly when the reader of their output does", async () => {
  await using node = await startLocalNode();
  await node.write("web", `first\n${"more\n".repeat(200_000)}`);
  for (const line of ["chukcha read web | head -n 1", "chukcha tail web | head -n 1"]) {
    const { code, stdout, stderr } = await shell(node.url, line);
    assertEquals([code, new TextDecoder().decode(stdout), stderr], [0, "first\n", ""], line);
  }
  await node.write("quiet", "only\n");
  const { code, stderr } = await shell(node.url, "chukcha tail quiet | head -n 1");
  assertEquals([code, stderr], [0, ""]);
});

Deno.test("categories, chunks, status and ack tell people and programs how it stands", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: 1024 } });
  await node.write("web", "x".repeat(2000));
  await node.write("web", "y");
  const text = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(node.url, args);
    assertEquals([code, stderr], [0, ""]);
    return new TextDecoder().decode(stdout);
  };
  assertEquals(await text("categories"), "web\n");
  assertEquals(
    await text("chunks", "web"),
    "node_1-chunk000000000  2001  complete\nnode_1-chunk000000001     2  open\n",
  );
  assertEquals(JSON.parse(await text("chunks", "web", "--json")), await node.listChunks("web"));
  assertMatch(await text("status"), /^node_1 is healthy and serving\n/);
  assertEquals(JSON.parse(await text("status", "--json")).instance, "node_1");
  const open = await run(node.url, ["ack", "web", "node_1-chunk000000001"]);
  assertEquals(open.code, 1);
  assertEquals(await text("ack", "web", "--all-complete"), "node_1-chunk000000000  2 KiB\n");
  assertEquals(await text("ack", "web", "node_1-chunk000000000"), "");
  assertEquals(await text("read", "web"), "y\n");
});

Deno.test("status tells by its exit status that a node is not healthy", async () => {
  await using node = await startLocalNode();
  node.built.drain();
  const { code, stdout } = await run(node.url, ["status"]);
  assertEquals(code, 10);
  assertStringIncludes(new TextDecoder().decode(stdout), "node_1 is NOT HEALTHY and draining");
});

Deno.test("status --watch shows it again until Ctrl-C, also while the node is away", async () => {
  await using node = await startLocalNode();
  const told: string[] = [];
  await using watching = start(node.url, "status", "--watch", "--json");
  const lines = watching.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  for await (const line of lines) {
    told.push(line);
    if (told.length === 1) node.built.drain();
    if (told.length === 2) break;
  }
  watching.signal("SIGINT");
  assertEquals(told.map((line) => JSON.parse(line).state), ["serving", "draining"]);
  assertEquals((await watching.status).code, 10);
});

Deno.test("a mistaken command line ends with status 2 and a hint, a missing node with 1 and another", async () => {
  const cases: [string[], number, string][] = [
    [[], 2, "Usage: chukcha COMMAND"],
    [["wirte"], 2, `chukcha: "wirte": no such command (did you mean write?)`],
    [["tail", "a b"], 2, "chukcha tail: CATEGORY: "],
    [["serve", "--max-batch-size", "1GiB"], 2, "chukcha serve: --max-batch-size: "],
    [["read", "web", "--server", "ftp://x"], 2, "chukcha read: --server: "],
    [["write", "web", "--retry-for", "0s"], 1, "is a node running? start one with `chukcha serve`"],
    [["status"], 1, "chukcha status: "],
  ];
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const gone = `http://127.0.0.1:${listener.addr.port}`;
  listener.close();
  await Promise.all(cases.map(async ([args, wanted, message]) => {
    const { code, stderr } = await run(gone, args, "x\n");
    assertEquals(code, wanted, args.join(" "));
    assertStringIncludes(stderr, message);
    if (args.length > 0) assertEquals(stderr.trimEnd().split("\n").length, 1);
  }));
});

Deno.test("help and version work without a node", async () => {
  for (const args of [["help"], ["--help"], ["help", "tail"], ["tail", "--help"], ["--version"]]) {
    const { code, stdout, stderr } = await run(NOWHERE, args);
    assertEquals([code, stderr, stdout.length > 20], [0, "", true], args.join(" "));
  }
});

testWith("a terminal is shown how it went, a file gets the bytes alone", [tool("script")], async () => {
  await using node = await startLocalNode();
  const line = "seq 1000 | chukcha write web; chukcha read web > /dev/null; chukcha read web | cksum";
  // `script` runs $SHELL, which may be unset or a shell that knows no exported functions: bash is named.
  const { code, stdout } = await shell(
    node.url,
    `export -f chukcha; SHELL=$BASH script -qec '${line}' /dev/null`,
  );
  const shown = new TextDecoder().decode(stdout);
  assertEquals(code, 0);
  assertMatch(shown, /1,000 messages written, 3.8 KiB in \d+ms\r\n/);
  assertMatch(shown, /3.8 KiB read in \d+ms\r\n/);
  const piped = await shell(node.url, "seq 1000 | cksum");
  assertStringIncludes(shown, new TextDecoder().decode(piped.stdout).trim());
});
