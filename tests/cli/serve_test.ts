/**
 * `chukcha serve`: what it says, how it ends, and that its data is there the next time.
 *
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { unreachableFor } from "../../lib/cli/serve.ts";
import { parsePeers } from "../../lib/peers.ts";
import { DEFAULT_SETTINGS, parseListen } from "../../lib/settings.ts";
import { startChildNode, temporaryDirectory } from "../support/node.ts";
import { run } from "./program.ts";

Deno.test("serve says its address, its directory and its promise, and ends with status 0 on SIGTERM", async () => {
  await using directory = await temporaryDirectory();
  await using node = await startChildNode(directory.path);
  assertEquals((await run(node.url, ["write", "web"], "kept\n")).code, 0);
  const second = await run(node.url, ["serve", "--data-dir", directory.path, "--listen", "127.0.0.1:0"]);
  assertEquals(second.code, 1);
  assertMatch(second.stderr, /^chukcha serve: the data directory is in use .*\n$/);
  const busy = await run(node.url, [
    "serve",
    "--data-dir",
    `${directory.path}2`,
    "--listen",
    `127.0.0.1:${node.port}`,
  ]);
  await Deno.remove(`${directory.path}2`, { recursive: true });
  assertEquals(busy.code, 1);
  assertStringIncludes(busy.stderr, "another program uses this address");
  for (
    const words of [`serves ${node.url}`, `data is kept in ${directory.path}`, "A write answered with 200"]
  ) {
    assertStringIncludes(node.output, words);
  }
  assertEquals(await node.stop(), 0);
  await using again = await startChildNode(directory.path);
  assertEquals(new TextDecoder().decode((await run(again.url, ["read", "web"])).stdout), "kept\n");
});

Deno.test("unreachableFor warns of an address that no other machine can reach, and of no other", () => {
  const warning = (listen: string, peers: string) =>
    unreachableFor({
      ...DEFAULT_SETTINGS,
      instance: "a",
      listen: parseListen(listen)!,
      peers: parsePeers(peers),
    });
  assertStringIncludes(
    warning("127.0.0.1:8080", "b=http://127.0.0.1:8081,c=http://10.0.0.3:8080")!,
    "this node listens on 127.0.0.1:8080, which c on another machine cannot reach",
  );
  assertEquals(warning("[::1]:8080", "b=http://[::1]:8081,c=http://localhost:8082"), undefined);
  assertEquals(warning(":8080", "b=http://10.0.0.2:8080"), undefined);
  assertEquals(warning("127.0.0.1:8080", ""), undefined);
});
