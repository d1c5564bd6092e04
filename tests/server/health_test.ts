/**
 * `/livez`, `/readyz`, `/status` and `/openapi.json` through a real socket: for probes, people and tools.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ROUTES } from "../../lib/http/app.ts";
import { STATUS_CONSUMERS_MAX } from "../../lib/protocol/limits.ts";
import { DiskError } from "../../lib/storage/disk.ts";
import { type DiskHooks, faultyDisk } from "../support/faulty_disk.ts";
import { startLocalNode } from "../support/node.ts";
import { RawConnection } from "../support/raw_http.ts";

Deno.test("/livez and /readyz answer 200 and a word", async () => {
  await using node = await startLocalNode();
  for (const path of ["/livez", "/readyz", "/livez?x=%FF"]) {
    const response = await node.fetch(path);
    assertEquals([response.status, await response.text()], [200, "ok\n"], path);
  }
});

Deno.test("/readyz?verbose lists each check", async () => {
  await using node = await startLocalNode();
  const response = await node.fetch("/readyz?verbose");
  const lines = (await response.text()).trimEnd().split("\n");
  assertEquals([response.status, response.headers.get("retry-after")], [200, null]);
  assertEquals(lines.map((line) => line.split(" ")[0]), ["[+]serving", "[+]disk", "readyz"]);
  assertEquals(lines.at(-1), "readyz check passed");
});

Deno.test("/status tells what the node is, holds and promises", async () => {
  await using node = await startLocalNode();
  await node.write("a", "one\n");
  await node.write("b", "one\ntwo\n");
  const status = await node.status();
  assertEquals([status.instance, status.state, status.healthy], ["node_1", "serving", true]);
  assertEquals([status.categories, status.chunks, status.bytes], [2, 2, 12]);
  assertEquals([status.open.tails, status.open.body_bytes, status.open.files], [0, 0, 4]);
  assert(status.checks.every(({ ok }) => ok));
  assert(status.disk.free_bytes > 0 && status.disk.total_bytes >= status.disk.free_bytes);
  assertStringIncludes(status.promise, "survives");
});

Deno.test("/status tells the consumers that are furthest behind, at most so many", async () => {
  await using node = await startLocalNode();
  assertEquals((await node.status()).consumers, { count: 0, behind: [] });
  await node.write("web", "one\n".repeat(20));
  for (let i = 0; i < STATUS_CONSUMERS_MAX + 2; i++) {
    const chunk = `node_1-chunk000000000`;
    const path = `/ack?category=web&consumer=c${String(i).padStart(2, "0")}&chunk=${chunk}&size=${4 * i}`;
    assertEquals((await (await node.fetch(path, { method: "POST" })).json()).error, undefined);
  }
  await (await node.fetch("/consume?category=web&consumer=c01&max_size=8&lease=60000")).bytes();
  const { count, behind } = (await node.status()).consumers;
  assertEquals([count, behind.length], [STATUS_CONSUMERS_MAX + 2, STATUS_CONSUMERS_MAX]);
  assertEquals(behind.map(({ consumer }) => consumer), Array.from(behind, (_, i) => `c0${i}`));
  assertEquals(behind[1], {
    category: "web",
    consumer: "c01",
    lag_bytes: 76,
    lag_chunks: 1,
    leased_bytes: 8,
  });
});

Deno.test("/status is a page for a browser, and JSON for everybody else", async () => {
  await using node = await startLocalNode();
  const type = async (accept: string | undefined) => {
    const headers: HeadersInit = accept === undefined ? {} : { accept };
    const response = await node.fetch("/status", { headers });
    assertEquals(response.status, 200);
    await response.text();
    return response.headers.get("content-type")?.split(";")[0];
  };
  assertEquals(await type("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), "text/html");
  for (
    const accept of [undefined, "*/*", "application/json", "application/json, text/html;q=0.5", "nonsense"]
  ) {
    assertEquals(await type(accept), "application/json", accept);
  }
});

Deno.test("/status answers where the disk does not even say how much room there is", async () => {
  const hooks: DiskHooks = {};
  await using node = await startLocalNode({ wrapDisk: (disk) => faultyDisk(disk, hooks) });
  hooks.space = () => {
    throw new DiskError("failed", "statfs", "");
  };
  const { healthy, checks, disk } = await node.status();
  assertEquals([healthy, disk.free_bytes], [false, 0]);
  assertEquals(checks.filter(({ ok }) => !ok).map(({ name }) => name), ["disk"]);
});

Deno.test("/openapi.json names every route but those between nodes", async () => {
  await using node = await startLocalNode();
  const document = await (await node.fetch("/openapi.json")).json();
  const published = ROUTES.filter(([, path]) => !path.startsWith("/replication/"));
  for (const [, path] of published) assert(path in document.paths, path);
});

Deno.test("HEAD on every path that takes GET is a 200 without a body", async () => {
  await using node = await startLocalNode();
  await node.write("c", "one\n");
  using connection = await RawConnection.open(node);
  const query = "?category=c&chunk=node_1-chunk000000000&size=4&consumer=a";
  for (const [methods, path] of ROUTES) {
    if (!methods.includes("GET")) continue;
    assertEquals((await connection.request("HEAD", path + query)).status, 200, path);
  }
  assertEquals((await connection.request("GET", "/livez")).text, "ok\n");
  assertEquals((await node.status()).open.tails, 0);
});

Deno.test("odd requests are answered, and the node goes on", async () => {
  await using node = await startLocalNode();
  const requests = [
    "GET /livez HTTP/1.0\r\n\r\n",
    "GET http://elsewhere.example/livez HTTP/1.1\r\nhost: elsewhere.example\r\n\r\n",
    "GET /livez HTTP/1.1\r\nhost: a b c\r\n\r\n",
    "GET /livez HTTP/1.1\r\nhost: [\r\n\r\n",
    "GET /livez HTTP/1.1\r\nhost:\r\n\r\n",
    "GET /livez HTTP/1.1\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET //livez HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET /livez?%zz&&&=&==& HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET /%zz HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n",
    "BREW /livez HTTP/1.1\r\nhost: x\r\n\r\n",
    "CONNECT x:1 HTTP/1.1\r\nhost: x:1\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    `GET /${"x".repeat(100_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
    `GET / HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(500_000)}\r\n\r\n`,
  ];
  for (const request of requests) {
    using connection = await RawConnection.open(node);
    await connection.send(request).catch(() => {});
    await connection.closeWrite().catch(() => {});
    const answer = new TextDecoder().decode(await connection.rest().catch(() => new Uint8Array()));
    const status = /^HTTP\/1\.[01] (\d+)/.exec(answer)?.[1] ?? "nothing";
    assert(/^(200|4\d\d|nothing)$/.test(status), `${request.slice(0, 60)}: ${answer.slice(0, 300)}`);
  }
  assertEquals(await (await node.fetch("/livez")).text(), "ok\n");
});
