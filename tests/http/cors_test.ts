/**
 * What browsers are told about pages of other origins.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { parseOrigins } from "../../lib/protocol/origins.ts";
import { withCors } from "../../lib/http/cors.ts";
import { resolveSettings } from "../../lib/settings.ts";
import { startLocalNode } from "../support/node.ts";

const PAGE = "https://app.example";

/** The headers of an answer that speak of pages. */
async function told(
  origins: readonly string[],
  init: RequestInit,
): Promise<Record<string, string>> {
  const answer = withCors(origins, () => Promise.resolve(new Response("x", { headers: { vary: "accept" } })));
  const response = await answer(new Request("http://127.0.0.1/read", init));
  await response.body?.cancel();
  const about = /^(access-control-|vary)/;
  return {
    status: String(response.status),
    ...Object.fromEntries([...response.headers].filter(([name]) => about.test(name))),
  };
}

Deno.test("withCors says nothing without origins, without a page, and to pages that are not named", async () => {
  const nothing = { status: "200", vary: "accept" };
  assertEquals(await told([], { headers: { origin: PAGE } }), nothing);
  assertEquals(await told([PAGE], {}), nothing);
  assertEquals(await told([PAGE], { headers: { origin: "https://other.example" } }), nothing);
  const preflight = { origin: "https://other.example", "access-control-request-method": "POST" };
  assertEquals(await told([PAGE], { method: "OPTIONS", headers: preflight }), nothing);
});

Deno.test("withCors lets a page that is named read answers and the headers of a consumer", async () => {
  const named = await told([PAGE], { headers: { origin: PAGE } });
  assertEquals([named["access-control-allow-origin"], named["vary"]], [PAGE, "accept, origin"]);
  assertEquals(named["access-control-expose-headers"]?.includes("chukcha-next-offset"), true);
  const any = await told(["*"], { headers: { origin: PAGE } });
  assertEquals([any["access-control-allow-origin"], any["vary"]], ["*", "accept"]);
});

Deno.test("withCors answers a browser that asks before it sends a token", async () => {
  const asked = {
    origin: PAGE,
    "access-control-request-method": "DELETE",
    "access-control-request-headers": "authorization",
  };
  const told1 = await told([PAGE], { method: "OPTIONS", headers: asked });
  assertEquals([told1["status"], told1["access-control-allow-origin"]], ["204", PAGE]);
  assertEquals(told1["access-control-allow-methods"]?.includes("DELETE"), true);
  assertEquals(told1["access-control-allow-headers"]?.includes("authorization"), true);
});

Deno.test("a node with --cors-origin opens errors and streams too, one without it nothing", async () => {
  const headers = { origin: PAGE };
  await using open = await startLocalNode({ settings: { corsOrigin: [PAGE] } });
  await open.write("web", "a\n");
  for (const path of ["/nowhere", "/read?category=web&chunk=none", "/livez", "/tail?category=web"]) {
    const response = await open.fetch(path, { headers });
    assertEquals(response.headers.get("access-control-allow-origin"), PAGE, path);
    await response.body?.cancel();
  }
  await using closed = await startLocalNode();
  const response = await closed.fetch("/livez", { headers });
  assertEquals(response.headers.get("access-control-allow-origin"), null);
  await response.body?.cancel();
});

Deno.test("--cors-origin takes origins, and nothing that a browser would not send", () => {
  assertEquals(parseOrigins("http://127.0.0.1:3000,https://A.example:443/"), [
    "http://127.0.0.1:3000",
    "https://a.example",
  ]);
  for (
    const bad of [
      "app.example",
      "https://",
      "https://a.example/path",
      "https://u:p@a.example",
      "ftp://a",
      "null",
    ]
  ) {
    assertThrows(
      () => resolveSettings({ flags: { "cors-origin": bad }, env: {}, hostname: "h" } as never),
      Error,
      "cors-origin",
    );
  }
});
