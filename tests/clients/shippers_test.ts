/**
 * What log shippers send, through real sockets and byte by byte: what is stored is exactly the messages, and the answer
 * is one that they can live with.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { startLocalNode } from "../support/node.ts";
import { head, RawConnection, type RawResponse } from "../support/raw_http.ts";
import { assertError } from "../server/answers.ts";
import { type Shape, SHAPES } from "./shippers_shapes.ts";

/** Fluent Bit logs each answer, others the first part of it. */
const ANSWER_CHARS_MAX = 100;
/** Pieces of chunked bodies: short and of odd length, so that they cut messages, UTF-8 and line ends. */
const PIECE_BYTES = 37;

for (const shape of SHAPES) {
  Deno.test(`shippers: ${shape.name}`, async () => {
    await using node = await startLocalNode();
    using connection = await RawConnection.open(node);
    const stored = shape.messages.map((message) => `${message}\n`).join("");
    const { length: size } = new TextEncoder().encode(stored);
    // Twice on one connection: an answer that leaves it in disorder would cost each next batch.
    for (let round = 0; round < 2; round++) {
      const answer = await send(connection, shape);
      assertEquals(answer.status, 200, answer.text);
      assertMatch(answer.headers.get("content-type") ?? "", /^application\/json/);
      assert(answer.text.length <= ANSWER_CHARS_MAX && !answer.text.includes("\n"), answer.text);
      const { chunk, offset, size: told } = JSON.parse(answer.text);
      assertEquals(told, size);
      if (size > 0) assertEquals([chunk, offset], ["node_1-chunk000000000", round * size]);
    }
    assertEquals(await node.readText("shipped"), stored.repeat(2));
  });
}

Deno.test("shippers: Fluent Bit's snappy is a 415 that says what to use instead, and nothing is stored", async () => {
  await using node = await startLocalNode();
  using connection = await RawConnection.open(node);
  const snappy = new Uint8Array([0x04, 0x0c, 0x7b, 0x7d, 0x0a, 0x0a]);
  const shape: Shape = {
    name: "compress snappy",
    headers: { "content-type": "application/json", "content-encoding": "snappy" },
    body: snappy,
    messages: [],
  };
  const answer = await send(connection, shape);
  await assertError(answer, { code: "unsupported_encoding", says: ['"snappy"', "gzip", "zstd"] });
  assertEquals(await node.listCategories(), []);
});

Deno.test("shippers: a health check by HEAD is a 200 where docs/shippers.md sends it, on one connection", async () => {
  await using node = await startLocalNode();
  using connection = await RawConnection.open(node);
  for (const path of ["/readyz", "/livez", "/readyz?verbose", "/openapi.json"]) {
    const answer = await connection.request("HEAD", path, { headers: { accept: "*/*" } });
    assertEquals([path, answer.status], [path, 200]);
  }
  // Where a check is pointed at the URL of the sink, it is told what that takes; nothing is written.
  const answer = await connection.request("HEAD", "/write?category=shipped");
  assertEquals([answer.status, answer.headers.get("allow")], [405, "POST, PUT"]);
  assertEquals(await node.listCategories(), []);
});

Deno.test("shippers: categories may stand anywhere among other parameters, encoded as any URL builder does", async () => {
  await using node = await startLocalNode();
  using connection = await RawConnection.open(node);
  const headers = { "content-type": "text/plain" };
  for (
    const target of [
      "/write?category=logs.web-1",
      "/write?source=x&category=logs.web-1&",
      "/write?category=logs%2Eweb%2D1",
      // As proxies get it: the whole URL.
      `http://127.0.0.1:${node.port}/write?category=logs.web-1`,
    ]
  ) {
    const answer = await connection.request("POST", target, { headers, body: "x" });
    assertEquals(answer.status, 200, `${target}: ${answer.text}`);
  }
  assertEquals(await node.readText("logs.web-1"), "x\n".repeat(4));
});

/** Sends one request as its client does: with `Expect` only the head at first. */
async function send(
  connection: RawConnection,
  { method = "POST", headers, body }: Shape,
): Promise<RawResponse> {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const chunked = headers["transfer-encoding"] === "chunked";
  const length = chunked ? {} : { "content-length": String(bytes.length) };
  await connection.send(
    head(method, "/write?category=shipped", { host: "127.0.0.1", ...headers, ...length }),
  );
  if (headers.expect) assertEquals((await connection.head()).status, 100);
  if (!chunked) {
    await connection.send(bytes);
    return await connection.response(method);
  }
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const piece = bytes.subarray(at, at + PIECE_BYTES);
    await connection.send(`${piece.length.toString(16)}\r\n`);
    await connection.send(piece);
    await connection.send("\r\n");
  }
  await connection.send("0\r\n\r\n");
  return await connection.response(method);
}
