/**
 * The client in a browser: a page of another origin writes, consumes, tails and acknowledges at a node, which lets it by
 * `--cors-origin`; and is refused by one that does not.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { buildPackage } from "../../.build/npm.ts";
import { startLocalNode } from "../support/node.ts";
import { testWith, tool } from "../support/skip.ts";

const REPORT_MS_MAX = 60_000;

/** What the page does; it tells what came of it. */
const PAGE = `<!doctype html><title>chukcha</title><script type="module">
import { connect, isRetryable } from "/chukcha.js";
const tell = (text) => fetch("/report", { method: "POST", body: text });
const server = new URLSearchParams(location.search).get("server");
try {
  const chukcha = connect({ servers: [server], token: "an-example-token-of-a-page-0123456789" });
  await chukcha.node.listCategories();
  const producer = chukcha.producer("web");
  await Promise.all(["a", "b", "c"].map((text) => producer.send({ text })));
  await producer.close();
  const seen = [];
  const consumer = chukcha.consumer("web", { name: "page" });
  for await (const batch of consumer) {
    seen.push(...Array.from(batch.json(), ({ text }) => text));
    await batch.ack();
    if (seen.length === 3) break;
  }
  await consumer.close();
  for await (const piece of chukcha.tail("web")) {
    seen.push(...Array.from(piece.json(), ({ text }) => text.toUpperCase()));
    if (seen.length === 6) break;
  }
  const [{ lag_bytes }] = await chukcha.node.consumers("web");
  await chukcha.node.forget("web", { consumer: "page" });
  await tell(seen.join("") + " lag " + lag_bytes);
} catch (error) {
  await tell(error.message);
}
</script>`;

/** Serves the page and the client, and collects what the page tells. */
async function site() {
  const directory = await Deno.makeTempDir({ prefix: "chukcha-page-" });
  await buildPackage(`${directory}/package`);
  const code = await Deno.readTextFile(`${directory}/package/chukcha.js`);
  const report = Promise.withResolvers<string>();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/chukcha.js") {
      return new Response(code, { headers: { "content-type": "text/javascript" } });
    }
    if (pathname === "/report") report.resolve(await request.text());
    return new Response(pathname === "/" ? PAGE : "", { headers: { "content-type": "text/html" } });
  });
  return {
    origin: `http://127.0.0.1:${server.addr.port}`,
    report: report.promise,
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

/** Opens the page in a browser of its own, and returns what it told. */
async function reportOf(url: string, report: Promise<string>): Promise<string> {
  const profile = await Deno.makeTempDir({ prefix: "chukcha-chromium-" });
  const args = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    `--user-data-dir=${profile}`,
    url,
  ];
  const command = new Deno.Command("chromium", { args, stdin: "null", stdout: "null", stderr: "null" });
  await using browser = command.spawn();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("the page told nothing")), REPORT_MS_MAX);
  try {
    return await Promise.race([report, late.promise]);
  } finally {
    clearTimeout(timer);
    browser.kill();
    await browser.status;
    await Deno.remove(profile, { recursive: true }).catch(() => {});
  }
}

testWith("a page of an origin that the node names uses the client", [tool("chromium")], async () => {
  await using page = await site();
  await using node = await startLocalNode({ settings: { corsOrigin: [page.origin] } });
  const report = await reportOf(`${page.origin}/?server=${encodeURIComponent(node.url)}`, page.report);
  assertEquals(report, "abcABC lag 0");
});

testWith("a page of any other origin is kept from it by the browser", [tool("chromium")], async () => {
  await using page = await site();
  await using node = await startLocalNode({ settings: { corsOrigin: ["https://app.example"] } });
  const report = await reportOf(`${page.origin}/?server=${encodeURIComponent(node.url)}`, page.report);
  const why = "it cannot be reached, or lets no page of this origin use it: see --cors-origin";
  assertEquals(report, `list categories at ${node.url}: ${why}`);
});
