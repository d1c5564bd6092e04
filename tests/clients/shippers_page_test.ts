/**
 * What `docs/shippers.md` says, as far as it can be checked without the programs: its files are well-formed, its URLs
 * are ones that a node takes, its batches fit, and its loop for reading does what it says.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { parse } from "@std/yaml";
import { ROUTES } from "../../lib/http/app.ts";
import { BATCH_BYTES_MAX_DEFAULT } from "../../lib/protocol/limits.ts";
import { checkCategory } from "../../lib/protocol/names.ts";
import { eventually } from "../support/eventually.ts";
import { temporaryDirectory } from "../support/node.ts";
import { testWith, tool } from "../support/skip.ts";
import { Arrivals, numbered } from "./shippers_arrivals.ts";
import { blockOf, NODE_1, PAGE } from "./shippers_page.ts";
import { Script, startNodes } from "./shippers_programs.ts";
import { RULES } from "./shippers_rules.ts";

const page = await Deno.readTextFile(PAGE);

Deno.test("docs/shippers.md: YAML is YAML, and links lead somewhere", async () => {
  const blocks = Array.from(page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm), ([, text]) => text!);
  assertEquals(blocks.length, 3);
  for (const block of blocks) assertEquals(typeof parse(block), "object");
  for (const [, link] of page.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
    assert((await Deno.stat(new URL(link!, PAGE))).isFile, link);
  }
});

Deno.test("docs/shippers.md: each URL is a route, with a category that may be", () => {
  const targets = Array.from(page.matchAll(/(?:example:8080|uri: )(\/[^\s"'`]*)/g), ([, target]) => target!);
  assert(targets.length > 10, `${targets.length} URLs`);
  for (const target of targets) {
    const { pathname, searchParams } = new URL(target, "http://x");
    assert(ROUTES.some(([, path]) => path === pathname), target);
    if (searchParams.has("category")) checkCategory(searchParams.get("category")!);
  }
});

Deno.test("docs/shippers.md: sizes of batches in bytes fit in a node's by half", () => {
  const said = page.matchAll(/(?:max_bytes: |batch-bytes\(|batch\.maxbytes=")(\d+)/g);
  const sizes = Array.from(said, ([, bytes]) => Number(bytes));
  assert(sizes.length >= 3);
  for (const bytes of sizes) assert(bytes <= BATCH_BYTES_MAX_DEFAULT / 2, String(bytes));
});

Deno.test("docs/shippers.md: the table has a row for each program whose rules are tested", () => {
  for (const name of Object.keys(RULES)) {
    const plain = page.replaceAll("`", "");
    assert(new RegExp(`^\\| ${name} +\\|`, "m").test(plain), name);
  }
});

testWith("docs/shippers.md: the loop hands over every message, also after a failure and a killed node", [
  tool("bash"),
  tool("curl"),
  tool("timeout"),
], async () => {
  await using directory = await temporaryDirectory();
  const { path } = directory;
  await using nodes = await startNodes(path, 1);
  const [node] = nodes.members;
  const count = 3_000;
  const lines = numbered(0, count).map((line) => `${line}\n`);
  await node!.write("logs.app", lines.slice(0, count / 2).join(""));
  // Takes nothing at first.
  const handle = "#!/bin/sh\n[ -e taken ] || { touch taken; exit 1; }\ncat >>out\n";
  await Deno.writeTextFile(`${path}/handle`, handle, { mode: 0o755 });
  await Deno.writeTextFile(`${path}/out`, "");
  const commands = await blockOf("# Everything of a category into a program, batch by batch", {
    [NODE_1]: node!.url,
    "sleep 1": "sleep 0.1",
  });
  await using _script = new Script(commands, path);
  const out = async () => (await Deno.readTextFile(`${path}/out`)).split("\n").length - 1;
  await eventually("the first half", out, (seen) => seen >= count / 2);
  await node!.kill();
  await node!.start();
  await node!.write("logs.app", lines.slice(count / 2).join(""));
  await eventually("all", out, (seen) => seen >= count);
  const arrivals = new Arrivals([], "logs.app");
  arrivals.takeAll(await Deno.readTextFile(`${path}/out`));
  assertEquals([arrivals.missing(count), arrivals.strange], [[], []]);
  const lag = async () => (await (await node!.fetch("/consumers?category=logs.app")).json())[0].lag_bytes;
  await eventually("everything is acknowledged", lag, (bytes) => bytes === 0);
});
