/**
 * The client over real connections: what it sends, and what its errors say.
 *
 * @module
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ChukchaClient, ChukchaError, isRetryable, TransportError } from "../../lib/client/mod.ts";

/** A client of a server that answers by this function. */
function serving(handler: (request: Request) => Response | Promise<Response>) {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, handler);
  const url = `http://127.0.0.1:${server.addr.port}`;
  return { url, client: new ChukchaClient({ server: url }), [Symbol.asyncDispose]: () => server.shutdown() };
}

Deno.test("write sends text, bytes, blobs and streams, with what the answer has to wait for", async () => {
  const seen: string[] = [];
  await using node = serving(async (request) => {
    seen.push(`${request.method} ${new URL(request.url).search} ${await request.text()}`);
    return Response.json({ chunk: "node-chunk000000000", offset: 0, size: 2 });
  });
  const bytes = new TextEncoder().encode("a\n");
  const options = { syncEachWrite: true, minSyncReplicas: 2, timeoutMs: 5, producer: "shop-1", sequence: 0 };
  for (const body of ["a\n", bytes, bytes.buffer, new Blob(["a\n"]), new Blob(["a\n"]).stream()]) {
    assertEquals((await node.client.write("web", body, options)).size, 2);
  }
  const query = "?category=web&sync_each_write=1&min_sync_replicas=2&timeout=5&producer=shop-1&sequence=0";
  assertEquals(seen, new Array(5).fill(`POST ${query} a\n`));
});

Deno.test("an error of the node arrives with its code and what it says about the write", async () => {
  await using node = serving(() => {
    const error = new ChukchaError("not_confirmed", "1 of 2 replicas", { written: "maybe" });
    return Response.json(error.toBody(), { status: error.status });
  });
  const error = await assertRejects(() => node.client.write("web", "a\n"), ChukchaError);
  assertEquals([error.code, error.written, error.message], ["not_confirmed", "maybe", "1 of 2 replicas"]);
  assertEquals([await node.client.ready(), isRetryable(error)], [false, true]);
});

Deno.test("a write is certainly not written where no connection came about, and maybe where one broke", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const server = `http://127.0.0.1:${listener.addr.port}`;
  const client = new ChukchaClient({ server });
  const breaking = (async () => {
    const connection = await listener.accept();
    await connection.read(new Uint8Array(1000));
    connection.close();
  })();
  const broken = await assertRejects(() => client.write("web", "a\n"), TransportError);
  await breaking;
  listener.close();
  assertEquals([broken.written, broken.neverConnected, isRetryable(broken)], ["maybe", false, true]);
  const refused = await assertRejects(() => client.write("web", "a\n"), TransportError);
  assertEquals([refused.written, refused.neverConnected], ["no", true]);
  assertEquals(refused.message, `write to category "web" at ${server}: connection refused`);
});

Deno.test("a write is maybe written where a connection was kept, though what is told is that none came about", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const client = new ChukchaClient({ server: `http://127.0.0.1:${listener.addr.port}` });
  const answer = JSON.stringify({ chunk: "node-chunk000000000", offset: 0, size: 2 });
  let got = "";
  const serving = (async () => {
    const connection = await listener.accept();
    const buffer = new Uint8Array(1000);
    await connection.read(buffer);
    const head = `HTTP/1.1 200 OK\r\ncontent-length: ${answer.length}\r\n\r\n`;
    await connection.write(new TextEncoder().encode(head + answer));
    // The second one is read to its end, and the node dies before it answers.
    const count = await connection.read(buffer);
    got = new TextDecoder().decode(buffer.subarray(0, count!));
    listener.close();
    connection.close();
  })();
  await client.write("web", "a\n");
  const error = await assertRejects(() => client.write("web", "b\n"), TransportError);
  await serving;
  assertEquals([error.written, got.endsWith("b\n")], ["maybe", true]);
  const refused = await assertRejects(() => client.write("web", "b\n"), TransportError);
  assertEquals([refused.written, refused.neverConnected], ["no", true]);
});

Deno.test("silence ends at the deadline, and an abort with its own reason", async () => {
  await using node = serving((request) =>
    new Promise((resolve) => {
      request.signal.addEventListener("abort", () => resolve(new Response()));
    })
  );
  const impatient = new ChukchaClient({ server: node.url, timeoutMs: 20 });
  const error = await assertRejects(() => impatient.listCategories(), TransportError);
  assertEquals(error.message, `list categories at ${node.url}: no answer within 20 ms`);
  const controller = new AbortController();
  const listing = node.client.listCategories({ signal: controller.signal });
  controller.abort(new RangeError("enough"));
  await assertRejects(() => listing, RangeError, "enough");
});

Deno.test("what is not a node is told from one", async () => {
  await using node = serving(({ url }) =>
    url.includes("listCategories")
      ? new Response("<h1>hello</h1>")
      : new Response("no such page", { status: 404 })
  );
  const good = await assertRejects(() => node.client.listCategories(), TransportError);
  assertEquals(good.message.endsWith("the answer is not JSON; is this the address of a Chukcha node?"), true);
  const bad = await assertRejects(() => node.client.status(), TransportError);
  assertEquals([bad.status, isRetryable(bad)], [404, false]);
  assertEquals(bad.message, `ask for the status at ${node.url}: answered 404: "no such page"`);
});

Deno.test("names and addresses are checked before anything is sent", () => {
  const client = new ChukchaClient({ fetch: () => Promise.reject(new Error("sent")) });
  assertThrows(() => client.write("a/b", ""), ChukchaError, "category");
  assertThrows(() => client.read("web", { chunk: "x" }), ChukchaError, "chunk");
  for (const server of ["", "127.0.0.1:8080", "ftp://host", "http://user:word@host"]) {
    assertThrows(() => new ChukchaClient({ server }), ChukchaError, "server: ");
  }
});

Deno.test("follow goes on at a cursor, and says why it ended", async () => {
  const asked: string[] = [];
  await using node = serving(({ url }) => {
    asked.push(new URL(url).search);
    const events = ":\n\nid: a-chunk000000000:2\ndata: x\n\nid: a-chunk000000000:9\ndata: cut o";
    return new Response(events, { headers: { "content-type": "text/event-stream" } });
  });
  const got: string[] = [];
  const error = await assertRejects(async () => {
    for await (const { bytes, cursor } of node.client.follow("web", { cursor: "a-chunk000000000:0" })) {
      got.push(new TextDecoder().decode(bytes), cursor);
    }
  }, TransportError);
  assertEquals([got, asked], [["x\n", "a-chunk000000000:2"], ["?category=web&cursor=a-chunk000000000%3A0"]]);
  assertEquals(error.message.endsWith("the server ended the stream"), true);
});
