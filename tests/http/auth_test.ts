/**
 * @module Tests of `lib/http/auth.ts`: who gets through to which route, and what those are told that do not.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ROUTES } from "../../lib/http/app.ts";
import { Guard } from "../../lib/http/auth.ts";
import type { Access } from "../../lib/http/rights.ts";
import { parseClusterTokens, parseTokens, type TokenList } from "../../lib/http/tokens.ts";
import type { ErrorBody } from "../../lib/protocol/errors.ts";
import { AUTHORIZATIONS_MAX, TROUBLE_LOG_INTERVAL_MS } from "../../lib/protocol/limits.ts";
import { type Log, SILENT_LOG } from "../../lib/protocol/log.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { type LocalNode, startLocalNode } from "../support/node.ts";

const READER = "reader-3b1f0c4e8a5d9276";
const WRITER = "writer-5e884898da280471";
const ADMIN = "admin-51d0e56f8dc629277";
const CLUSTER = "cluster-9f86d081884c7d65";
const FILE = `reader read logs.*,orders ${READER}\nwriter write logs.* ${WRITER}\nadmin admin * ${ADMIN}\n`;

/** What each route asks for, told once more: a route that is added without a thought is found here. */
const EXPECTED: Readonly<Record<string, Access>> = {
  "POST /write": "write",
  "PUT /write": "write",
  "GET /read": "read",
  "GET /ack": "read",
  "POST /ack": "read",
  "GET /listChunks": "read",
  "GET /listCategories": "listed",
  "GET /tail": "read",
  "GET /consume": "read",
  "POST /lease": "read",
  "GET /consumers": "read",
  "DELETE /consumers": "read",
  "POST /seek": "read",
  "GET /livez": "open",
  "GET /readyz": "open",
  "GET /status": "admin",
  "GET /metrics": "admin",
  "GET /openapi.json": "open",
  "POST /replication/changes": "cluster",
  "POST /replication/fetch": "cluster",
  "POST /replication/knows": "cluster",
};

/** Whether a caller gets through, on a category of its patterns and on another one. */
const PASSES: Readonly<Record<string, Readonly<Record<Access, readonly [own: boolean, other: boolean]>>>> = {
  none: rights([]),
  unknown: rights([]),
  reader: rights(["read", "listed"]),
  writer: rights(["write"]),
  admin: rights(["admin"]),
  cluster: rights(["cluster"]),
};

const TOKENS: Readonly<Record<string, string | undefined>> = {
  none: undefined,
  unknown: "unknown-3b1f0c4e8a5d9276",
  reader: READER,
  writer: WRITER,
  admin: ADMIN,
  cluster: CLUSTER,
};

function rights(names: readonly Access[]): Record<Access, readonly [boolean, boolean]> {
  const has = (access: Access) => names.includes(access);
  return {
    open: [true, true],
    read: [has("read"), false],
    write: [has("write"), false],
    listed: [has("listed"), has("listed")],
    admin: [has("admin"), has("admin")],
    cluster: [has("cluster"), has("cluster")],
  };
}

function source(file = FILE): { tokens: TokenList | undefined; clusterTokens: ReturnType<typeof clusterOf> } {
  return { tokens: parseTokens(file), clusterTokens: clusterOf() };
}

function clusterOf(): ReturnType<typeof parseClusterTokens> | undefined {
  return parseClusterTokens(CLUSTER);
}

function guardOf(from = source(), log: Log = SILENT_LOG, clock = new FakeClock()): Guard {
  return new Guard(from, clock, log);
}

async function ask(
  node: LocalNode,
  path: string,
  token?: string,
  init: RequestInit = {},
): Promise<{ status: number; text: string; error: ErrorBody["error"] | undefined; headers: Headers }> {
  const headers = { ...token !== undefined && { authorization: `Bearer ${token}` }, ...init.headers };
  const response = await node.fetch(path, { ...init, headers });
  const text = path.startsWith("/tail") && response.ok ? "" : await response.text();
  if (text === "") await response.body?.cancel();
  const error = response.ok || !text.startsWith("{") ? undefined : (JSON.parse(text) as ErrorBody).error;
  return { status: response.status, text, error, headers: response.headers };
}

Deno.test("every route has an access, and no other than is written here", () => {
  const found = ROUTES.flatMap(([methods, path, access]) =>
    methods.map((method) => [`${method} ${path}`, access])
  );
  for (const [route, access] of found) {
    assertEquals(access, EXPECTED[route!], `${route}: a route needs a right, here and in docs/security.md`);
  }
  for (const route of ["POST /write", "GET /read", "GET /status"]) {
    assert(found.some(([name]) => name === route));
  }
});

Deno.test("every caller gets through to every route or not, as its rights say", async (t) => {
  await using node = await startLocalNode({ guard: guardOf() });
  for (const [methods, path, access] of ROUTES) {
    for (const method of methods) {
      for (const sent of method === "GET" ? ["GET", "HEAD"] : [method]) {
        await t.step(`${sent} ${path}`, async () => {
          for (const [caller, passes] of Object.entries(PASSES)) {
            for (const [i, category] of ["logs.web", "other"].entries()) {
              const url = `${path}?category=${category}&from=latest`;
              const init = { method: sent, headers: { accept: "text/event-stream" } };
              const { status } = await ask(node, url, TOKENS[caller], init);
              const expected = passes[access][i]!;
              const told = `${caller} on ${category}: ${status}`;
              assertEquals(status !== 401 && status !== 403, expected, told);
              const known = caller !== "none" && caller !== "unknown" &&
                (access === "cluster") === (caller === "cluster");
              if (!expected) assertEquals(status, known ? 403 : 401, told);
            }
          }
        });
      }
    }
  }
});

Deno.test("a refusal says what is lacking, that nothing was written, and no token", async () => {
  await using node = await startLocalNode({ guard: guardOf() });
  const none = await ask(node, "/write?category=logs.web", undefined, { method: "POST", body: "x" });
  assertEquals([none.status, none.error?.code, none.error?.written], [401, "unauthenticated", "no"]);
  assertStringIncludes(none.error!.message, "/write: this node asks for a token: send");
  assertMatch(none.headers.get("www-authenticate")!, /^Bearer realm=.*, Basic realm="chukcha"/);
  const forbidden = await ask(node, "/write?category=logs.web", READER, { method: "POST", body: "x" });
  assertEquals([forbidden.status, forbidden.error?.code, forbidden.error?.written], [403, "forbidden", "no"]);
  assertEquals(
    forbidden.error!.message,
    `/write: the token of "reader" lacks the right write on the category "logs.web"`,
  );
  assertEquals(
    (await ask(node, "/status", READER)).error!.message,
    `/status: the token of "reader" lacks the right admin`,
  );
  const cluster = await ask(node, "/read?category=orders", CLUSTER);
  assertEquals(cluster.status, 401);
  assertStringIncludes(cluster.error!.message, "the cluster token is for nodes among themselves");
  for (const scheme of ["Digest x", "Bearer", "Basic !!", `Bearer ${"x".repeat(2000)}`]) {
    const response = await ask(node, "/status", undefined, { headers: { authorization: scheme } });
    assertStringIncludes(response.error!.message, "neither of the two that are known");
    assertEquals(response.text.includes("xxx"), false);
  }
  assertEquals(node.built.store.totals().bytes, 0);
});

Deno.test("a token is taken as Bearer or as the password of Basic, and from no address", async () => {
  await using node = await startLocalNode({ guard: guardOf() });
  const status = async (authorization: string) =>
    (await ask(node, "/listChunks?category=orders", undefined, { headers: { authorization } })).status;
  assertEquals(await status(`bearer ${READER}`), 200);
  assertEquals(await status(`Basic ${btoa(`anyone:${READER}`)}`), 200);
  assertEquals(await status(`BASIC  ${btoa(`:${READER}`)} `), 200);
  assertEquals(await status(`Basic ${btoa(READER)}`), 401);
  assertEquals(await status(`Basic ${btoa(`${READER}:`)}`), 401);
  for (const name of ["token", "access_token", "authorization"]) {
    assertEquals((await ask(node, `/listChunks?category=orders&${name}=${READER}`)).status, 401);
  }
});

Deno.test("a category that is named twice, missing or malformed opens nothing", async () => {
  await using node = await startLocalNode({ guard: guardOf() });
  const { status } = await ask(node, "/read?category=logs.a&category=secret&chunk=c", READER);
  assertEquals(status, 400);
  assertEquals((await ask(node, "/read?chunk=c", READER)).error?.code, "invalid_parameter");
  assertEquals((await ask(node, "/read?category=../logs.x&chunk=c", READER)).status, 403);
  assertEquals(
    (await ask(node, "/read?category=logs.%2e%2e%2fsecret", READER)).error?.code,
    "invalid_parameter",
  );
  assertEquals(
    (await ask(node, "/write?category=secret&x=/write?category=logs.a", WRITER, { method: "POST" })).status,
    403,
  );
});

Deno.test("listCategories tells each caller the categories that it may read", async () => {
  await using node = await startLocalNode({ guard: guardOf() });
  for (const category of ["logs.web", "logs.db", "orders", "secret"]) {
    await node.built.store.append(category, new TextEncoder().encode("x\n"), false);
  }
  assertEquals(JSON.parse((await ask(node, "/listCategories", READER)).text), [
    "logs.db",
    "logs.web",
    "orders",
  ]);
});

Deno.test("consumers tells each caller those of the categories that it may read, and moves no others", async () => {
  await using node = await startLocalNode({ guard: guardOf() });
  for (const category of ["logs.web", "secret"]) {
    await node.built.store.append(category, new TextEncoder().encode("x\n"), false);
    await node.built.store.consumers(category).begin("a", "earliest");
  }
  const told = await ask(node, "/consumers", READER);
  assertEquals(JSON.parse(told.text).map(({ category }: { category: string }) => category), ["logs.web"]);
  for (
    const [path, method] of [["/consume", "GET"], ["/consumers", "GET"], ["/consumers", "DELETE"]] as const
  ) {
    const { status, error } = await ask(node, `${path}?category=secret&consumer=a`, READER, { method });
    assertEquals([status, error?.code], [403, "forbidden"], `${method} ${path}`);
  }
});

Deno.test("readyz tells strangers whether, and a token with the right admin why", async () => {
  await using node = await startLocalNode({ guard: guardOf() });
  assertEquals((await ask(node, "/readyz?verbose")).text, "ok\n");
  assertStringIncludes((await ask(node, "/readyz?verbose", ADMIN)).text, "[+]disk ok");
  void node.built.drain();
  const stranger = await ask(node, "/readyz");
  assertEquals([stranger.status, stranger.error?.code], [503, "draining"]);
  assertStringIncludes(stranger.error!.message, "a token with the right admin is told why");
  assertStringIncludes((await ask(node, "/readyz", ADMIN)).error!.message, "shutting down");
});

Deno.test("Guard goes by the tokens that are in force now, for whoever is under way too", () => {
  const from = source();
  const guard = guardOf(from);
  const request = () =>
    new Request("http://n/listChunks?category=orders", { headers: { authorization: `Bearer ${READER}` } });
  const caller = guard.admit(request(), "read");
  assertEquals(caller.may("read", "orders"), true);
  from.tokens = parseTokens(FILE.replace("logs.*,orders", "logs.*"));
  assertEquals(caller.may("read", "orders"), false);
  assertEquals(caller.may("read", "logs.x"), true);
  assertEquals(codeOf(() => guard.admit(request(), "read")), "forbidden");
  from.tokens = parseTokens(FILE.replace(READER, "reader-another-0123456789"));
  assertEquals(caller.may("read", "logs.x"), false);
  assertEquals(codeOf(() => guard.admit(request(), "read")), "unauthenticated");
});

Deno.test("Guard remembers a bounded number of headers", () => {
  const guard = guardOf();
  const admit = (name: string) =>
    guard.admit(
      new Request("http://n/status", {
        headers: { authorization: `Basic ${btoa(`${name}:${ADMIN}`)}` },
      }),
      "admin",
    );
  const first = admit("first");
  assertEquals(admit("first"), first);
  for (let i = 0; i < AUTHORIZATIONS_MAX; i++) admit(`user ${i}`);
  assert(admit("first") !== first, "it was forgotten, and found again");
});

Deno.test("Guard lets no other node in without the cluster token, and logs that once a minute", () => {
  const logged: string[] = [];
  const clock = new FakeClock();
  const from = source();
  const guard = guardOf(from, {
    ...SILENT_LOG,
    warn: (message, fields) => logged.push(`${message} ${fields?.reason}`),
  }, clock);
  const request = (token?: string) =>
    new Request("http://n/replication/changes", {
      method: "POST",
      ...token !== undefined && { headers: { authorization: `Bearer ${token}` } },
    });
  assertEquals(codeOf(() => guard.admit(request(), "cluster")), "unauthenticated");
  assertEquals(codeOf(() => guard.admit(request(ADMIN), "cluster")), "unauthenticated");
  guard.admit(request(CLUSTER), "cluster");
  assertEquals(logged.length, 1);
  assertStringIncludes(logged[0]!, "no cluster token was sent");
  clock.advance(TROUBLE_LOG_INTERVAL_MS);
  assertEquals(codeOf(() => guard.admit(request(ADMIN), "cluster")), "unauthenticated");
  assertStringIncludes(logged[1]!, "is not the one asked for here");
  assertEquals(logged.join().includes(ADMIN), false);
});

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
}
