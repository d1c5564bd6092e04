/**
 * Tokens and TLS on the command line: what is refused, what is made, and what is shown to a node.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { openDoors } from "../../lib/cli/serve.ts";
import { digestOf } from "../../lib/http/token_digest.ts";
import { parseTokens } from "../../lib/http/tokens.ts";
import { parsePeers } from "../../lib/peers.ts";
import { DEFAULT_SETTINGS, parseListen } from "../../lib/settings.ts";
import { Authority } from "../support/certificates.ts";
import { startChildNodeWith, temporaryDirectory } from "../support/node.ts";
import { os, testWith, tool } from "../support/skip.ts";
import { run, shell } from "./program.ts";

const NOWHERE = "http://127.0.0.1:1";
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("serve refuses to leave doors open, with status 2 and the ways out", async () => {
  const open = await run(NOWHERE, ["serve", "--listen", ":0"]);
  assertEquals(open.code, 2);
  for (
    const words of [`--listen: ":0" can be reached`, "--tokens-file", "127.0.0.1:0", "--insecure-no-auth"]
  ) {
    assertStringIncludes(open.stderr, words);
  }
  const half = await run(NOWHERE, ["serve", "--tokens-file", "t", "--peers", "b=http://127.0.0.1:2"]);
  assertEquals(half.code, 2);
  assertStringIncludes(half.stderr, "--cluster-token-file FILE");
});

Deno.test("serve refuses files that it cannot use, and quotes none of them", async () => {
  await using directory = await temporaryDirectory();
  const secret = "secret-token-3b1f0c4e8a5d9276";
  const file = `${directory.path}/file`;
  await Deno.writeTextFile(file, `shipper write ${secret}\n`);
  const serve = async (...flags: string[]) => {
    const data = ["--data-dir", `${directory.path}/data`, "--listen", "127.0.0.1:0"];
    const { code, stderr } = await run(NOWHERE, ["serve", ...data, ...flags]);
    assertEquals(code, 1, stderr);
    assertEquals(stderr.includes(secret), false, stderr);
    return stderr;
  };
  assertStringIncludes(
    await serve("--tokens-file", file),
    `--tokens-file "${file}": line 1: 3 fields instead of the four of NAME RIGHTS CATEGORIES TOKEN`,
  );
  assertStringIncludes(await serve("--tokens-file", `${file}2`), `--tokens-file "${file}2": no such file`);
  assertStringIncludes(await serve("--cluster-token-file", directory.path), "it is a directory");
  assertStringIncludes(await serve("--tls-ca", file), `--tls-ca "${file}": no certificate in it`);
  assertStringIncludes(await serve("--tls-cert", file, "--tls-key", file), "no certificate in it: PEM");
});

Deno.test("token prints a line that lets the token in, and tells the token apart from it", async () => {
  await using directory = await temporaryDirectory();
  const made = await run(NOWHERE, ["token", "shipper", "write,read", "logs.*,orders"]);
  assertEquals(made.code, 0, made.stderr);
  const [, token] = /which is shown only now: ([0-9a-f]{64})\n$/.exec(made.stderr)!;
  assertEquals(parseTokens(decode(made.stdout)).find(digestOf(token!)), {
    name: "shipper",
    rights: ["read", "write"],
    categories: ["logs.*", "orders"],
  });
  assertEquals(decode(made.stdout).includes(token!), false);

  const out = `${directory.path}/ops.token`;
  const kept = await run(NOWHERE, ["token", "ops", "admin", "--out", out]);
  assertEquals([kept.code, kept.stderr], [0, ""]);
  const text = await Deno.readTextFile(out);
  assertEquals(parseTokens(decode(kept.stdout)).find(digestOf(text.trim()))?.categories, ["*"]);
  if (Deno.build.os !== "windows") assertEquals((await Deno.stat(out)).mode! & 0o777, 0o600);
  assertEquals((await run(NOWHERE, ["token", "ops", "admin", "--out", out])).code, 2);
  assertEquals(await Deno.readTextFile(out), text);

  assertMatch(decode((await run(NOWHERE, ["token"])).stdout), /^[0-9a-f]{64}\n$/);
  for (
    const [args, words] of [
      [["shipper"], "RIGHTS is missing"],
      [["shipper", "wrote"], `RIGHTS: "wrote" is not a list of`],
      [["a b", "write"], `NAME: "a b" is not`],
      [["a", "write", ".x"], `CATEGORIES: ".x" is not a pattern`],
    ] as const
  ) {
    const wrong = await run(NOWHERE, ["token", ...args]);
    assertEquals([wrong.code, wrong.stdout.length], [2, 0]);
    assertStringIncludes(wrong.stderr, words);
  }
});

testWith(
  "commands show the token of --token-file or CHUKCHA_TOKEN, and trust the authority of --ca",
  [tool("openssl"), tool("bash"), os("linux", "darwin")],
  async () => {
    await using directory = await temporaryDirectory();
    const { path } = directory;
    const authority = await Authority.make(path);
    const { cert, key } = await authority.sign("node");
    const line = await run(NOWHERE, ["token", "me", "read,write,admin", "logs.*", "--out", `${path}/token`]);
    await Deno.writeFile(`${path}/tokens`, line.stdout);
    using client = Deno.createHttpClient({
      http2: false,
      caCerts: [await Deno.readTextFile(authority.cert)],
    });
    const token = (await Deno.readTextFile(`${path}/token`)).trim();
    await using node = await startChildNodeWith(
      { client, token },
      `${path}/data`,
      ...["--tokens-file", `${path}/tokens`, "--tls-cert", cert, "--tls-key", key],
    );
    const flags = ["--token-file", `${path}/token`, "--ca", authority.cert];
    assertEquals((await run(node.url, ["write", "logs.web", ...flags], "kept\n")).code, 0);
    assertEquals(decode((await run(node.url, ["read", "logs.web", ...flags])).stdout), "kept\n");
    assertEquals((await run(node.url, ["status", ...flags])).code, 0);

    const fromEnvironment =
      `CHUKCHA_TOKEN=$(cat ${path}/token) CHUKCHA_CA=${authority.cert} chukcha categories`;
    assertEquals(decode((await shell(node.url, fromEnvironment)).stdout), "logs.web\n");
    const stranger = await run(node.url, ["categories", "--ca", authority.cert]);
    assertEquals(stranger.code, 1);
    assertStringIncludes(stranger.stderr, "this node asks for a token");
    assertStringIncludes(stranger.stderr, "--token-file or CHUKCHA_TOKEN");
    const elsewhere = await run(node.url, ["write", "secret", ...flags], "x\n");
    assertEquals(elsewhere.code, 1);
    assertStringIncludes(elsewhere.stderr, `lacks the right write on the category "secret"`);
    const untrusted = await run(node.url, ["categories"]);
    assertEquals(untrusted.code, 1);
    assertStringIncludes(
      untrusted.stderr,
      "from an authority that is not trusted here; name the file of that",
    );
    const second = await run(node.url, [
      ...["serve", "--data-dir", `${path}/data2`, "--listen", `127.0.0.1:${node.port}`],
      ...["--tls-cert", cert, "--tls-key", key],
    ]);
    assertEquals(second.code, 1);
    assertStringIncludes(second.stderr, "another program uses this address");
  },
);

Deno.test("tokens are refused on command lines and in addresses, and not repeated", async () => {
  const secret = "3b1f0c4e8a5d92763b1f0c4e8a5d9276";
  for (
    const args of [
      ["categories", "--token", secret],
      ["categories", `--token=${secret}`],
      ["categories", "--server", `http://:${secret}@127.0.0.1:1`],
      ["categories", "--server", `${secret}@127.0.0.1:1`],
      ["categories", "--server", `http://${secret}@`],
    ]
  ) {
    const { code, stderr } = await run(NOWHERE, args);
    assertEquals(code, 2, stderr);
    assertStringIncludes(stderr, "--token-file");
    assertEquals(stderr.includes(secret), false, stderr);
  }
  const missing = await run(NOWHERE, ["categories", "--token-file", "/nowhere/token"]);
  assertEquals(missing.code, 2);
  assertStringIncludes(missing.stderr, "--token-file: ");
  const noAuthority = await run(NOWHERE, ["categories", "--ca", new URL(import.meta.url).pathname]);
  assertEquals(noAuthority.code, 2);
  assertStringIncludes(noAuthority.stderr, "--ca: no certificate in");
});

Deno.test("openDoors tells what strangers could do or overhear, and nothing where they cannot", () => {
  const doors = (listen: string, more: Partial<typeof DEFAULT_SETTINGS> = {}) =>
    openDoors({ ...DEFAULT_SETTINGS, instance: "a", listen: parseListen(listen)!, ...more }).join("\n");
  const peers = parsePeers("b=http://10.0.0.2:8080");
  assertEquals(doors("127.0.0.1:8080"), "");
  assertStringIncludes(doors(":8080", { insecureNoAuth: true }), "whoever reaches this node can read, write");
  assertStringIncludes(doors(":8080", { tokensFile: "t" }), "tokens come in over plain HTTP");
  assertEquals(doors(":8080", { tokensFile: "t", tlsCert: "c" }), "");
  assertStringIncludes(
    doors(":8080", { tokensFile: "t", tlsCert: "c", clusterTokenFile: "c", peers }),
    "the cluster token goes to b over plain HTTP",
  );
  const insecure = doors("127.0.0.1:1", { tokensFile: "t", insecureNoAuth: true, peers });
  assert(insecure.includes("can do what nodes do among themselves"), insecure);
});
