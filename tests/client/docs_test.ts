/**
 * The program of `docs/client.md` that sends, run as it stands there: only the package's name and the node's address are
 * others.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { startLocalNode } from "../support/node.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("docs/client.md: the producer prints what the page says", async () => {
  const page = await Deno.readTextFile(new URL("docs/client.md", ROOT));
  const [, program, prints] = /^## Producers$[\s\S]*?^```ts\n([\s\S]*?)^```\n+```text\n([\s\S]*?)^```$/m.exec(
    page,
  )!;
  await using node = await startLocalNode();
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  const source = program!
    .replace('"chukcha"', JSON.stringify(new URL("lib/client/mod.ts", ROOT).href))
    .replace("http://127.0.0.1:8080", node.url)
    // Nobody is there: the program goes on at the other one.
    .replace("http://127.0.0.1:8081", "http://127.0.0.1:1");
  await Deno.writeTextFile(path, source);
  const config = new URL("deno.json", ROOT).pathname;
  const args = ["run", "--check", "--allow-net", "--config", config, path];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  await Deno.remove(path);
  assertEquals([code, new TextDecoder().decode(stdout)], [0, prints], new TextDecoder().decode(stderr));
  const orders = (await node.readText("orders")).trimEnd().split("\n").map((line) => JSON.parse(line).order);
  assertEquals(orders, Array.from({ length: 10_000 }, (_, i) => i + 1));
});
