/**
 * Shippers with a token, over TLS, as `docs/shippers.md` says; and what becomes of their lines while the token is not
 * known to the node.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Authority } from "../support/certificates.ts";
import { startChildNodeWith, temporaryDirectory, until } from "../support/node.ts";
import { testWith, tool } from "../support/skip.ts";
import { Arrivals, numbered } from "./shippers_arrivals.ts";
import { blockOf, NODE_1, NODE_2, PAGE } from "./shippers_page.ts";
import { Script, startSyslogNg } from "./shippers_programs.ts";

const OPS = "ops-3b1f0c4e8a5d92763b1f0c4e";
const SHIPPER = "shipper-5e884898da28047151d0";
/** What the page says of syslog-ng and TLS, and of curl. */
const SYSLOG_NG_TLS = 'tls(ca-file("/etc/ssl/ca.pem") peer-verify(yes))';
const CURL_TOKEN = "-H @token.txt";
const CURL_TLS = "--cacert /etc/ssl/ca.pem";

testWith("syslog-ng and curl over TLS with a token: what is not let in waits until it is", [
  tool("syslog-ng"),
  tool("curl"),
  tool("bash"),
  tool("timeout"),
  tool("split"),
  tool("openssl"),
], async () => {
  const page = await Deno.readTextFile(PAGE);
  for (const said of [SYSLOG_NG_TLS, CURL_TOKEN, CURL_TLS]) assertStringIncludes(page, said);
  await using directory = await temporaryDirectory();
  const { path } = directory;
  const authority = await Authority.make(path);
  const { cert, key } = await authority.sign("node");
  using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(authority.cert)], http2: false });
  const ops = `ops read,write,admin * ${OPS}\n`;
  await Deno.writeTextFile(`${path}/tokens`, ops, { mode: 0o600 });
  await using node = await startChildNodeWith(
    { token: OPS, client },
    `${path}/data`,
    ...["--tokens-file", `${path}/tokens`, "--tls-cert", cert, "--tls-key", key],
  );

  const count = 500;
  const lines = numbered(0, count).map((line) => `${line}\n`).join("");
  await Deno.writeTextFile(`${path}/app.log`, lines);
  await Deno.writeTextFile(`${path}/token.txt`, `Authorization: Bearer ${SHIPPER}\n`);
  const block = await blockOf("# /etc/syslog-ng/conf.d/chukcha.conf", {
    [NODE_1]: node.url,
    [NODE_2]: node.url,
    TOKEN: SHIPPER,
    "reliable(yes)": `reliable(yes) dir("${path}")`,
    'persist-name("chukcha")': `persist-name("chukcha") ${
      SYSLOG_NG_TLS.replace("/etc/ssl/ca.pem", authority.cert)
    }`,
  });
  const source =
    `@version: 3.38\nsource s_src { file("${path}/app.log" flags(no-parse) follow-freq(0.1)); };\n`;
  await Deno.writeTextFile(`${path}/syslog-ng.conf`, source + block);
  await using daemon = await startSyslogNg(path);
  await daemon.said(/status_code='401'/);
  const batches = await blockOf("# Everything of a file, or of a pipe, in batches of 1 MiB of whole lines", {
    [NODE_1]: node.url,
    "--data-binary": `${CURL_TOKEN} ${CURL_TLS.replace("/etc/ssl/ca.pem", authority.cert)} --data-binary`,
  });
  await using script = new Script(batches, path);

  // Now the token is known; nothing is told to either of them.
  const shipper = `shipper write logs.* ${SHIPPER}\n`;
  await Deno.writeTextFile(`${path}/tokens.new`, ops + shipper, { mode: 0o600 });
  await Deno.rename(`${path}/tokens.new`, `${path}/tokens`);
  node.signal("SIGHUP");
  await script.succeeded();
  for (const category of ["logs.app", "logs.syslog"]) {
    const text = await until(
      category,
      () => node.readText(category),
      (text) => text.split("\n").length > count,
      60_000,
    );
    const arrivals = new Arrivals([], category);
    arrivals.takeAll(text);
    assertEquals([arrivals.missing(count), arrivals.strange], [[], []], category);
    assert(!text.includes(SHIPPER), "the token is no part of a message");
  }
});
