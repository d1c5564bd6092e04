/**
 * `/ack` through a real socket: a complete chunk that its readers are done with goes, and stays gone.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { KIB } from "../../lib/protocol/limits.ts";
import { type LocalNode, startChildNode, startLocalNode, temporaryDirectory } from "../support/node.ts";
import { RawConnection } from "../support/raw_http.ts";

const chunk = (number: number): string => `node_1-chunk00000000${number}`;
const FULL = "x".repeat(1000) + "\n";

/** A node whose category `c` has the complete chunks 0 to 2, and chunk 3, which is being written to. */
async function startWithChunks(): Promise<LocalNode> {
  const node = await startLocalNode({ settings: { maxChunkSize: KIB } });
  for (let i = 0; i < 4; i++) await node.write("c", FULL);
  return node;
}

async function names(node: LocalNode): Promise<string[]> {
  return (await node.listChunks("c")).map(({ name }) => name);
}

Deno.test("/ack deletes a complete chunk, by GET and by POST, and leaves the others", async () => {
  await using node = await startWithChunks();
  for (const [number, method] of [[1, "GET"], [0, "POST"]] as const) {
    const response = await node.fetch(`/ack?category=c&chunk=${chunk(number)}&size=1001`, { method });
    assertEquals([response.status, await response.json()], [200, {
      chunk: chunk(number),
      acknowledged: true,
    }]);
  }
  assertEquals(await names(node), [chunk(2), chunk(3)]);
  const files = Array.from(Deno.readDirSync(`${node.dataDir}/c`), ({ name }) => name);
  assertEquals(files.filter((name) => name.startsWith(chunk(0)) || name.startsWith(chunk(1))), []);
  assertEquals(await node.readText("c"), FULL + FULL);
});

Deno.test("/ack again is a 200, whatever its size, and reading is a 404", async () => {
  await using node = await startWithChunks();
  for (const size of [1001, 1001, 0, 5_000_000]) {
    const response = await node.fetch(`/ack?category=c&chunk=${chunk(0)}&size=${size}`);
    assertEquals(response.status, 200);
    await response.text();
  }
  const read = await node.fetch(`/read?category=c&chunk=${chunk(0)}`);
  assertEquals([read.status, (await read.json()).error.code], [404, "chunk_not_found"]);
});

Deno.test("/ack with a larger size than the chunk's is taken", async () => {
  await using node = await startWithChunks();
  const response = await node.fetch(`/ack?category=c&chunk=${chunk(0)}&size=1002`);
  assertEquals(response.status, 200);
  await response.text();
});

Deno.test("/ack of many chunks at once, each several times", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: KIB } });
  for (let i = 0; i < 10; i++) await node.write("c", FULL);
  const acks = Array.from({ length: 27 }, async (_, i) => {
    const response = await node.fetch(`/ack?category=c&chunk=${chunk(i % 9)}&size=1001`, { method: "POST" });
    await response.text();
    return response.status;
  });
  assertEquals(new Set(await Promise.all(acks)), new Set([200]));
  assertEquals(await names(node), [chunk(9)]);
});

Deno.test("HEAD /ack acknowledges nothing", async () => {
  await using node = await startWithChunks();
  using connection = await RawConnection.open(node);
  const head = await connection.request("HEAD", `/ack?category=c&chunk=${chunk(0)}&size=1001`);
  assertEquals([head.status, (await names(node)).length], [200, 4]);
});

Deno.test("/ack while the chunk is being read: that read ends whole, the next is a 404", async () => {
  const half = ("l".repeat(KIB - 1) + "\n").repeat(4 * KIB);
  await using node = await startLocalNode({ settings: { maxChunkSize: 2 * half.length } });
  for (let i = 0; i < 3; i++) await node.write("c", half);
  const size = 2 * half.length;
  using connection = await RawConnection.open(node);
  await connection.send(
    `GET /read?category=c&chunk=${chunk(0)}&max_size=${size} HTTP/1.1\r\nhost: x\r\n\r\n`,
  );
  assertEquals((await connection.head()).headers.get("content-length"), String(size));
  await connection.take(1000);
  const ack = await node.fetch(`/ack?category=c&chunk=${chunk(0)}&size=${size}`);
  assertEquals([ack.status, (await ack.json()).acknowledged], [200, true]);
  assertEquals(await names(node), [chunk(1)]);
  const rest = await connection.take(size - 1000);
  assertEquals(new TextDecoder().decode(rest), (half + half).slice(1000));
  const again = await connection.request("GET", `/read?category=c&chunk=${chunk(0)}`);
  assertEquals(again.status, 404);
});

Deno.test("/ack is remembered over a restart: nothing comes back, and no number is used again", async () => {
  await using directory = await temporaryDirectory();
  {
    await using node = await startChildNode(directory.path, "--max-chunk-size", "1KiB");
    for (let i = 0; i < 3; i++) await node.write("c", FULL);
    for (const number of [0, 1]) {
      await (await node.fetch(`/ack?category=c&chunk=${chunk(number)}&size=1001`)).text();
    }
    await node.kill();
  }
  await using node = await startChildNode(directory.path, "--max-chunk-size", "1KiB");
  assertEquals((await node.listChunks("c")).map(({ name }) => name), [chunk(2)]);
  const last = await node.fetch(`/ack?category=c&chunk=${chunk(2)}&size=1001`);
  assertEquals(last.status, 200);
  await last.text();
  assertEquals(await node.listChunks("c"), []);
  assertEquals(await node.listCategories(), ["c"]);
  assertEquals((await node.write("c", FULL)).chunk, chunk(3));
});
