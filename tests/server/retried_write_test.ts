/**
 * `/write` with `producer` and `sequence`, through real sockets: what comes again is stored once.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { gzipSync } from "node:zlib";
import { ChukchaClient, ChukchaError, TransportError } from "../../lib/client/mod.ts";
import { startLocalNode, until } from "../support/node.ts";
import { Proxy } from "../support/proxy.ts";
import { head, RawConnection } from "../support/raw_http.ts";

const FIRST = "node_1-chunk000000000";
const P7 = "/write?category=c&producer=shop.1&sequence=7";

Deno.test("/write answers a batch that comes again with its first place, whatever it is wrapped in", async () => {
  await using node = await startLocalNode();
  const post = async (body: BodyInit, headers = {}, path = P7) => {
    const response = await node.fetch(path, { method: "POST", body, headers });
    assertEquals(response.status, 200);
    return await response.json();
  };
  const place = { chunk: FIRST, offset: 0, size: 8 };
  assertEquals(await post('{"a":1}\n'), place);
  await node.write("c", "between\n");
  assertEquals(await post('{"a":1}'), place);
  assertEquals(await post(new Uint8Array(gzipSync('{"a":1}\n')), { "content-encoding": "gzip" }), place);
  assertEquals(await post('[{"a":1}]', { "content-type": "application/json" }), place);
  assertEquals(await post('{"a":1}\n', {}, P7 + "&sync_each_write=1"), place);
  const put = await node.fetch(P7, { method: "PUT", body: '{"a":1}\n' });
  assertEquals([put.status, await put.json()], [200, place]);
  assertEquals(await node.readText("c"), '{"a":1}\nbetween\n');
  const metrics = await (await node.fetch("/metrics")).text();
  assertStringIncludes(metrics, "chukcha_recognised_batches_total 5");
  assertStringIncludes(metrics, 'chukcha_written_batches_total{category="c"} 2');
});

Deno.test("/write refuses one without the other, and what is no producer or no sequence", async () => {
  await using node = await startLocalNode();
  const cases: [query: string, message: RegExp][] = [
    ["producer=p", /^sequence: missing, producer was given/],
    ["sequence=1", /^producer: missing, sequence was given/],
    ["producer=&sequence=1", /^producer: "" is not a producer: 1 to 128 of A-Z/],
    ["producer=a/b&sequence=1", /^producer: "a\/b" is not a producer/],
    [`producer=${"p".repeat(129)}&sequence=1`, /^producer: "p+…?" is not a producer/],
    ["producer=p&sequence=", /^sequence: "" is not a whole number from 0 to 9007199254740991/],
    ["producer=p&sequence=-1", /^sequence: "-1" is not a whole number/],
    ["producer=p&sequence=1.5", /^sequence: "1.5" is not a whole number/],
    ["producer=p&sequence=9007199254740992", /^sequence: "9007199254740992" is not a whole number/],
    ["producer=p&sequence=1&sequence=2", /^sequence: given as "1" and as "2", must be given once/],
  ];
  for (const [query, message] of cases) {
    const response = await node.fetch(`/write?category=c&${query}`, { method: "POST", body: "x\n" });
    const { error } = await response.json();
    assertEquals([response.status, error.code, error.written], [400, "invalid_parameter", "no"], query);
    assert(message.test(error.message), error.message);
  }
  assertEquals(await node.listCategories(), []);
  for (const sequence of ["0", "9007199254740991"]) {
    const path = `/write?category=c&producer=${"p".repeat(128)}&sequence=${sequence}`;
    assertEquals((await (await node.fetch(path, { method: "POST", body: "x\n" })).json()).size, 2);
  }
  assertEquals(await node.readText("c"), "x\nx\n");
});

Deno.test("/write refuses another batch with a number that was used: 409, stored nowhere", async () => {
  await using node = await startLocalNode();
  const client = new ChukchaClient({ server: node.url });
  const as7 = { producer: "shop.1", sequence: 7 };
  await client.write("c", "one\n", as7);
  const error = await assertRejects(() => client.write("c", "other\n", as7), ChukchaError);
  assertEquals([error.code, error.status, error.written], ["sequence_reused", 409, "no"]);
  assertEquals(
    error.message,
    `sequence: another batch 7 of producer "shop.1" was stored with 4 bytes at ${FIRST}:0; send each batch with a ` +
      "number of its own, and after losing count take a new producer name",
  );
  // Nothing is stored of an empty batch, so there is nothing to know it by.
  const empty = { chunk: "", offset: 0, size: 0 };
  assertEquals(await client.write("c", "", { producer: "shop.1", sequence: 8 }), empty);
  assertEquals((await client.write("c", "eight\n", { producer: "shop.1", sequence: 8 })).offset, 4);
  assertEquals(await node.readText("c"), "one\neight\n");
});

Deno.test("/write knows a batch whose answer was lost with the connection, also at the next process", async () => {
  const first = await startLocalNode();
  let size: number;
  {
    await using proxy = Proxy.start(first.port);
    // The node gets the request; nothing of the answer comes through.
    proxy.set({ kind: "cut", at: 0 });
    const client = new ChukchaClient({ server: proxy.url });
    const lost = await assertRejects(
      () => client.write("c", "one\n", { producer: "p", sequence: 1 }),
      TransportError,
    );
    assertEquals(lost.written, "maybe");
    await until("it is stored", () => first.listChunks("c"), (chunks) => chunks.length === 1);
    proxy.set({ kind: "pass" });
    ({ size } = await client.write("c", "one\n", { producer: "p", sequence: 1 }));
  }
  await first.close();
  await using node = await startLocalNode({ dataDir: first.dataDir });
  const again = await node.fetch("/write?category=c&producer=p&sequence=1", {
    method: "POST",
    body: "one\n",
  });
  assertEquals([again.status, await again.json()], [200, { chunk: FIRST, offset: 0, size }]);
  const [chunk] = await node.listChunks("c");
  const acknowledged = await node.fetch(`/ack?category=c&chunk=${FIRST}&size=${chunk!.size}`, {
    method: "POST",
  });
  assertEquals(acknowledged.status, 200, await acknowledged.text());
  // Stored, processed and deleted: still not to be stored again.
  const late = await node.fetch("/write?category=c&producer=p&sequence=1", { method: "POST", body: "one\n" });
  assertEquals([late.status, await late.json()], [200, { chunk: FIRST, offset: 0, size }]);
  assertEquals(await node.listChunks("c"), []);
});

Deno.test("/write knows a batch when the first attempt arrives after the retry", async () => {
  await using node = await startLocalNode();
  using slow = await RawConnection.open(node);
  await slow.send(head("POST", P7, { host: "x", "content-length": "8" }) + "one\n");
  const retry = await node.fetch(P7, { method: "POST", body: "one\ntwo\n" });
  assertEquals((await retry.json()).offset, 0);
  await slow.send("two\n");
  const first = await slow.response("POST");
  assertEquals([first.status, JSON.parse(new TextDecoder().decode(first.body)).offset], [200, 0]);
  assertEquals(await node.readText("c"), "one\ntwo\n");
});

Deno.test("/write stores one batch that comes many times at once only once", async () => {
  await using node = await startLocalNode();
  const body = "x".repeat(5000) + "\n";
  const answers = await Promise.all(Array.from({ length: 40 }, async (_, i) => {
    const path = `/write?category=c&producer=p&sequence=${i % 4}&sync_each_write=${i % 3 === 0 ? 1 : 0}`;
    const response = await node.fetch(path, { method: "POST", body: `${i % 4}${body}` });
    return `${response.status} ${i % 4} ${(await response.json()).offset}`;
  }));
  assertEquals(new Set(answers).size, 4);
  assertEquals((await node.readText("c")).length, 4 * (body.length + 1));
});
