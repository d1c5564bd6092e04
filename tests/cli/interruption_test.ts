/**
 * Connections that break: `read` and `tail` go on where they stopped, to the byte.
 *
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startLocalNode } from "../support/node.ts";
import { run } from "./program.ts";

/** Stands before a node and cuts its first answers on a path off after some bytes. */
function cutting(node: string, path: string, cuts: number[]) {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const url = new URL(request.url);
    const answer = await fetch(`${node}${url.pathname}${url.search}`, { headers: request.headers });
    const cut = url.pathname === path ? cuts.shift() : undefined;
    if (cut === undefined) return answer;
    const reader = answer.body!.getReader();
    let left = cut;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        // What the other side sees is a connection that ends in the middle of an answer.
        if (left === 0) return controller.error("cut on purpose");
        const { value = new Uint8Array() } = await reader.read();
        const piece = value.subarray(0, left);
        left -= piece.length;
        controller.enqueue(piece);
        if (left === 0) await reader.cancel();
      },
    }, { highWaterMark: 0 });
    return new Response(body, { headers: { "content-type": answer.headers.get("content-type") ?? "" } });
  });
  return { url: `http://127.0.0.1:${server.addr.port}`, [Symbol.asyncDispose]: () => server.shutdown() };
}

const LINES = Array.from({ length: 2000 }, (_, i) => `message ${i}\n`).join("");

Deno.test("read goes on in the middle of a message after its connection broke", async () => {
  await using node = await startLocalNode();
  await node.write("web", LINES);
  await using proxy = cutting(node.url, "/read", [12_345, 7]);
  const { code, stdout, stderr } = await run(proxy.url, ["read", "web"]);
  assertEquals([code, new TextDecoder().decode(stdout) === LINES], [0, true]);
  assertStringIncludes(stderr, "the connection broke off; trying again");
});

Deno.test("tail goes on behind its last message after its connection broke", async () => {
  await using node = await startLocalNode();
  await node.write("web", LINES);
  await using proxy = cutting(node.url, "/tail", [12_345, 700]);
  const { code, stdout, stderr } = await run(proxy.url, ["tail", "web", "-n", "2000"]);
  assertEquals([code, new TextDecoder().decode(stdout) === LINES], [0, true]);
  assertMatch(stderr, /connecting again\n/);
});
