/**
 * @module Tests of `lib/peers.ts`.
 */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatPeers, isLoopback, parsePeers } from "../lib/peers.ts";
import { ChukchaError } from "../lib/protocol/errors.ts";

Deno.test("parsePeers takes what people write, and keeps the origin", () => {
  const spellings = [
    "node_2=http://10.0.0.2:8080,node_3=https://node-3.example",
    " node_2 = http://10.0.0.2:8080/ ,\n  node_3=https://node-3.example:443/,",
    "node_2=HTTP://10.0.0.2:8080,node_3=https://NODE-3.example,node_2=http://10.0.0.2:8080/",
  ];
  for (const text of spellings) {
    assertEquals(parsePeers(text), [
      { instance: "node_2", url: "http://10.0.0.2:8080" },
      { instance: "node_3", url: "https://node-3.example" },
    ], text);
  }
  assertEquals(parsePeers("a=http://[::1]:8080,b=http://node_2:80"), [
    { instance: "a", url: "http://[::1]:8080" },
    { instance: "b", url: "http://node_2" },
  ]);
  for (const text of ["", " ", ",\n,"]) assertEquals(parsePeers(text), []);
});

Deno.test("parsePeers names the entry and the rule of what it refuses", () => {
  const rule = "name=http://host:port, or https, without path, query or credentials";
  const wanted: [text: string, message: string][] = [
    ["http://a:1", `"http://a:1" has no name before it: write name=http://host:port`],
    ["http://a:1/?x=y", `"http://a:1/?x=y" has no name before it: write name=http://host:port`],
    ["a:1", `"a:1" has no name before it: write name=http://host:port`],
    ["=http://a:1", `"=http://a:1": "" is not an instance: 1 to 64 of A-Z a-z 0-9 _ -, the first not -`],
    [
      "a.b=http://a:1",
      `"a.b=http://a:1": "a.b" is not an instance: 1 to 64 of A-Z a-z 0-9 _ -, the first not -`,
    ],
    ["a=a:8080", `"a=a:8080": "a:8080" has no http:// or https:// before it`],
    ["a=", `"a=": "" has no http:// or https:// before it`],
    ["a=http://a:1,a=http://b:1", `"a" is both "http://a:1" and "http://b:1": one node, one URL`],
    ["a=http://a:1,b=http://a:1/", `"http://a:1" is both "a" and "b": one URL, one node`],
    ...[
      "a=ftp://a:1",
      "a=http://",
      "a=http://a:70000",
      "a=http://a:1/path",
      "a=http://a:1/?x=y",
      "a=http://a:1?",
      "a=http://a:1#",
    ].map((text): [string, string] => [text, `"${text}" is not ${rule}`]),
    // Not quoted: what stands there may be a token.
    ...["a=http://u:p@a:1", "a=http://@a:1", "https://:p@a:1"].map((text): [string, string] => [
      text,
      "an entry has a user or a password in its address: nodes show each other the token of --cluster-token-file",
    ]),
  ];
  for (const [text, message] of wanted) {
    for (const list of [text, `z=http://z:1,${text}`, `${text},z=http://z:1`]) {
      assertEquals(assertThrows(() => parsePeers(list), ChukchaError).message, message);
    }
  }
});

Deno.test("formatPeers is taken back by parsePeers", () => {
  const instance = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_-]{0,10}$/);
  const url = fc.webAuthority({ withPort: true }).map((host) => `http://${host}`);
  fc.assert(fc.property(fc.array(fc.tuple(instance, url)), (pairs) => {
    const text = pairs.map(([name, address]) => `${name}=${address}`).join(",");
    try {
      const peers = parsePeers(text);
      assertEquals(parsePeers(formatPeers(peers)), peers);
    } catch (error) {
      if (!(error instanceof ChukchaError)) throw error;
    }
  }));
});

Deno.test("isLoopback knows this machine's addresses for itself", () => {
  for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"]) {
    assertEquals(isLoopback(host), true);
  }
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.example", "node_2"]) {
    assertEquals(isLoopback(host), false);
  }
});
