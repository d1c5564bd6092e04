/**
 * `/listChunks` and `/listCategories` through a real socket.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { KIB } from "../../lib/protocol/limits.ts";
import { startLocalNode, until } from "../support/node.ts";
import { RawConnection } from "../support/raw_http.ts";

Deno.test("/listChunks is sorted by name, and says size and complete as they are", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: KIB } });
  await node.write("c", "one\n");
  assertEquals(await node.listChunks("c"), [{ name: "node_1-chunk000000000", complete: false, size: 4 }]);
  await node.write("c", "two\n");
  assertEquals((await node.listChunks("c"))[0]?.size, 8);
  for (let i = 0; i < 11; i++) await node.write("c", "x".repeat(KIB - 1) + "\n");
  const chunks = await node.listChunks("c");
  assertEquals(
    chunks,
    Array.from({ length: 12 }, (_, i) => ({
      name: `node_1-chunk${String(i).padStart(9, "0")}`,
      complete: i < 11,
      size: i === 0 ? 8 : KIB,
    })),
  );
});

Deno.test("/listChunks completes a chunk by its age, also where nobody writes any more", async () => {
  await using node = await startLocalNode({ settings: { rotateIntervalMs: 1 } });
  await node.write("c", "one\n");
  const complete = async () => (await node.listChunks("c"))[0]?.complete;
  await until("complete", complete, (value) => value === true);
  assertEquals((await node.write("c", "two\n")).chunk, "node_1-chunk000000001");
});

Deno.test("/listChunks of an unknown category is an empty list, and makes none", async () => {
  await using node = await startLocalNode();
  const response = await node.fetch("/listChunks?category=nobody_wrote");
  assertEquals(response.headers.get("content-type"), "application/json");
  assertEquals([response.status, await response.text()], [200, "[]"]);
  assertEquals(await node.listCategories(), []);
});

Deno.test("/listCategories is sorted, and holds what was written to", async () => {
  await using node = await startLocalNode();
  assertEquals(await node.listCategories(), []);
  const names = ["b", "a.b-c_d", "_x", "B", "0", "a"];
  for (const name of names) await node.write(name, "x\n");
  assertEquals(await node.listCategories(), names.toSorted());
});

Deno.test("HEAD on lists has their status and no body", async () => {
  await using node = await startLocalNode();
  await node.write("c", "x\n");
  using connection = await RawConnection.open(node);
  for (const path of ["/listChunks?category=c", "/listCategories", "/listChunks?category=unknown"]) {
    const { status, headers } = await connection.request("HEAD", path);
    assertEquals([status, headers.get("content-type")], [200, "application/json"], path);
  }
  assertEquals((await connection.request("GET", "/listCategories")).text, '["c"]');
});
