/**
 * Tokens and TLS of a node in a process of its own: files that change under load, doors that close, and that no token
 * is ever told.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { RELOAD_INTERVAL_MS } from "../../lib/protocol/limits.ts";
import type { NodeStatus } from "../../lib/protocol/types.ts";
import { Authority, type CertificateFiles } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { type ChildNode, startChildNodeWith, temporaryDirectory } from "../support/node.ts";
import { report } from "../support/report.ts";
import { os, testWith, tool } from "../support/skip.ts";

const OPS = "ops-3b1f0c4e8a5d92763b1f0c4e";
const SHIPPER = "shipper-5e884898da28047151d0";
const READER = "reader-9f86d081884c7d659a2f";
const LINES = {
  ops: `ops read,write,admin * ${OPS}\n`,
  shipper: `shipper write logs.* ${SHIPPER}\n`,
  reader: `reader read logs.* ${READER}\n`,
};
const UNIX = os("linux", "darwin");

/** Writes the whole file, or nothing, as careful people do. */
async function put(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(`${path}.new`, text, { mode: 0o600 });
  await Deno.rename(`${path}.new`, path);
}

function bearer(token: string): RequestInit {
  return { headers: { authorization: `Bearer ${token}` } };
}

async function check(node: ChildNode, name: string): Promise<NodeStatus["checks"][number] | undefined> {
  return (await node.status()).checks.find((found) => found.name === name);
}

Deno.test("tokens are read again when their file changes: revoked ones end their tails, and nobody else notices", async () => {
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/tokens`;
  await put(file, LINES.ops + LINES.shipper + LINES.reader);
  await using node = await startChildNodeWith(
    { token: OPS },
    `${directory.path}/data`,
    ...["--tokens-file", file],
  );
  await node.write("logs.web", "first\n", bearer(SHIPPER));
  const tail = await node.fetch("/tail?category=logs.web", bearer(READER));
  const reader = tail.body!.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await reader.read()).value, "first\n");

  let going = true;
  let writes = 0;
  const writer = (async () => {
    for (; going; writes++) await node.write("logs.web", "more\n", bearer(SHIPPER));
  })();
  let ended = false;
  const drained = (async () => {
    while (!(await reader.read()).done);
    ended = true;
  })();
  await put(file, LINES.ops + LINES.shipper);
  const startMs = performance.now();
  await eventually("the tail has ended", () => ended, Boolean).finally(() => going = false);
  await drained;
  const tookMs = performance.now() - startMs;
  going = false;
  await writer;
  assert(writes > 0);
  const refused = await node.fetch("/listCategories", bearer(READER));
  assertEquals(refused.status, 401, await refused.text());
  report(`a revoked token's tail ended after ${Math.round(tookMs)} ms, ${writes} writes of another went on`);
  assert(tookMs < 2 * RELOAD_INTERVAL_MS + 5_000, `${tookMs} ms`);
});

testWith("SIGHUP reads tokens again at once, and what cannot be read changes nothing", [UNIX], async () => {
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/tokens`;
  await put(file, LINES.ops);
  await using node = await startChildNodeWith(
    { token: OPS },
    `${directory.path}/data`,
    ...["--tokens-file", file],
  );
  assertEquals((await check(node, "tokens"))?.message, "1 token");
  await put(file, LINES.ops + LINES.reader);
  node.signal("SIGHUP");
  const status = () =>
    node.fetch("/listCategories", bearer(READER)).then(({ status, body }) => {
      return body!.cancel().then(() => status);
    });
  await eventually("the new token is known", status, (seen) => seen === 200);

  await put(file, `${LINES.ops}reader read ${READER}\n`);
  node.signal("SIGHUP");
  const bad = await eventually("the check fails", () => check(node, "tokens"), (seen) => seen?.ok === false);
  assertStringIncludes(bad!.message, "line 2: 3 fields instead of the four");
  assertStringIncludes(bad!.message, "what was read before is in use: 2 tokens");
  assertEquals(await status(), 200);
  await Deno.remove(file);
  const gone = () => check(node, "tokens").then((found) => found?.message ?? "");
  await eventually("it is gone", gone, (message) => message.includes("no such file"));
  assertEquals(await status(), 200);
  assertStringIncludes(node.output, "cannot be used as it is now; what was read before stays in force");
  await put(file, LINES.ops + LINES.reader);
  await eventually("it is back", () => check(node, "tokens"), (seen) => seen?.ok === true);
  assertEquals(node.output.includes(READER) || node.output.includes(OPS), false);
});

testWith(
  "a certificate is replaced under load without a failed request, and a bad one is not taken",
  [tool("openssl"), UNIX],
  async () => {
    await using directory = await temporaryDirectory();
    const [first, second] = await Promise.all([
      Authority.make(directory.path, "first"),
      Authority.make(directory.path, "second"),
    ]);
    const [before, after] = await Promise.all([first.sign("before", 60), second.sign("after", 10)]);
    const used: CertificateFiles = { cert: `${directory.path}/cert.pem`, key: `${directory.path}/key.pem` };
    const use = async ({ cert, key }: CertificateFiles) => {
      await put(used.cert, await Deno.readTextFile(cert));
      await put(used.key, await Deno.readTextFile(key));
    };
    await use(before);
    const trust = async (...all: Authority[]) =>
      Deno.createHttpClient({
        http2: false,
        caCerts: await Promise.all(all.map(({ cert }) => Deno.readTextFile(cert))),
      });
    using both = await trust(first, second);
    await using node = await startChildNodeWith(
      { client: both },
      `${directory.path}/data`,
      ...["--tls-cert", used.cert, "--tls-key", used.key],
    );
    assertMatch(node.url, /^https:/);
    assertMatch(
      (await check(node, "certificate"))!.message,
      /127\.0\.0\.1, localhost expires in (59|60) days/,
    );

    let going = true;
    let writes = 0;
    const writers = Array.from({ length: 8 }, async () => {
      for (; going; writes++) await node.write("web", "message\n");
    });
    // A server that ends cuts off what is still arriving.
    const large = "x".repeat(1_000_000 - 1);
    let largeWrites = 0;
    writers.push((async () => {
      for (; going; largeWrites++) await node.write("large", `${large}\n`);
    })());
    await use(after);
    const ask = async () => {
      // Only a new connection is shown the new certificate.
      using client = await trust(second);
      return await fetch(`${node.url}/livez`, { client }).then((response) => response.text(), String);
    };
    await eventually("the new certificate is served", ask, (seen) => seen === "ok\n");
    const duringMs = performance.now() + 300;
    const more = writes + 100;
    await eventually("writes go on", () => writes, (seen) => seen > more && performance.now() > duringMs);
    going = false;
    await Promise.all(writers);
    assert(largeWrites > 0);
    report(
      `a certificate was replaced during ${writes} small and ${largeWrites} large writes, none of which failed`,
    );

    const short = await check(node, "certificate");
    assertEquals(short?.ok, false);
    assertMatch(short!.message, /expires in (9|10) days, on .*: put a new one into the files/);
    await Deno.copyFile(before.key, used.key);
    node.signal("SIGHUP");
    const bad = () => check(node, "certificate").then((found) => found?.message ?? "");
    await eventually("the check says so", bad, (message) => message.includes("not that of the certificate"));
    // For as long as both servers hold the port, a connection may still meet the former one.
    await eventually("the new certificate goes on", ask, (seen) => seen === "ok\n");
    assertStringIncludes(node.output, "the certificate or its key cannot be used as it is now");
  },
);

Deno.test("no token is in anything that a node logs or answers", async () => {
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/tokens`;
  const cluster = "cluster-c0ffee00c0ffee01";
  await put(file, LINES.ops + LINES.shipper + LINES.reader);
  await put(`${directory.path}/cluster`, `${cluster}\n`);
  await Deno.chmod(file, 0o644);
  await using node = await startChildNodeWith(
    { token: OPS },
    `${directory.path}/data`,
    ...["--tokens-file", file, "--cluster-token-file", `${directory.path}/cluster`, "--log-level", "debug"],
  );
  const answers: string[] = [];
  const ask = async (path: string, token: string, init: RequestInit = {}) => {
    const response = await node.fetch(path, { ...init, ...bearer(token) });
    answers.push(JSON.stringify([...response.headers]), await response.text());
  };
  for (const token of [OPS, SHIPPER, READER, cluster, `${OPS}x`, "short", `${READER} ${READER}`]) {
    for (
      const path of [
        "/status",
        "/readyz?verbose",
        "/openapi.json",
        "/listCategories",
        "/metrics",
        "/read?category=logs.web&chunk=x",
        "/write?category=secret",
        "/nothing",
      ]
    ) await ask(path, token);
    await ask("/write?category=logs.web", token, { method: "POST", body: "x\n" });
    await ask("/replication/changes", token, { method: "POST", body: "{}" });
  }
  answers.push(
    await (await node.fetch("/status", { headers: { accept: "text/html", authorization: `Bearer ${OPS}` } }))
      .text(),
  );
  await put(file, `${LINES.ops}bad ${READER}\n`);
  await eventually("the bad file is told", () => check(node, "tokens"), (seen) => seen?.ok === false);
  answers.push(JSON.stringify(await node.status()));
  await node.stop();
  const all = answers.join("\n") + node.output;
  assertStringIncludes(all, file);
  assertStringIncludes(node.output, "every user of this machine can read the tokens file: chmod 600 it");
  for (const token of [OPS, SHIPPER, READER, cluster]) assertEquals(all.includes(token), false, token);
});
