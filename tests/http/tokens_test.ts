/**
 * @module Tests of `lib/http/tokens.ts` and `lib/http/token_digest.ts`.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { allows } from "../../lib/http/rights.ts";
import { digestOf, Digests, formatDigest, parseToken } from "../../lib/http/token_digest.ts";
import { parseClusterTokens, parseTokens, TokenFileError } from "../../lib/http/tokens.ts";
import { TOKENS_MAX } from "../../lib/protocol/limits.ts";

const TOKEN = "3b1f0c4e8a5d92763b1f0c4e8a5d9276";
const OTHER = "5e884898da28047151d0e56f8dc62927";

function refused(parse: (text: string) => unknown, text: string): string {
  return assertThrows(() => parse(text), TokenFileError).message;
}

Deno.test("parseTokens takes names, rights, patterns, and tokens or their digests", () => {
  const list = parseTokens(
    `\uFEFF# who may what\r\n\r\nshipper\twrite  logs.*,orders ${TOKEN}\r\n  ops read,admin * ${
      formatDigest(OTHER)
    }`,
  );
  assertEquals(list.count, 2);
  assertEquals(list.find(digestOf(TOKEN)), {
    name: "shipper",
    rights: ["write"],
    categories: ["logs.*", "orders"],
  });
  assertEquals(list.find(digestOf(OTHER))?.name, "ops");
  assertEquals(list.find(digestOf(`${OTHER}x`)), undefined);
  assertEquals(list.secret, true);
  assertEquals(parseTokens(`a read * ${formatDigest(TOKEN).toUpperCase()}`).secret, false);
});

Deno.test("parseTokens lets one name have two tokens, and no token two lines", () => {
  assertEquals(parseTokens(`a read * ${TOKEN}\na read * ${OTHER}\n`).count, 2);
  assertEquals(
    refused(parseTokens, `a read * ${TOKEN}\n#\nb write * ${formatDigest(TOKEN)}`),
    "line 3: the same token as on line 1",
  );
});

Deno.test("parseTokens names line and rule of what it refuses, and nothing that stands there", () => {
  const wanted: [line: string, message: string][] = [
    [`a read ${TOKEN}`, "3 fields instead of the four of NAME RIGHTS CATEGORIES TOKEN"],
    [`a read * ${TOKEN} more`, "5 fields instead of the four"],
    [`${TOKEN}${TOKEN} read * shipper-of-logs-1`, "the first field is not a name: 1 to 32 of"],
    [`a reed * ${TOKEN}`, "the second field is not a list of read, write, admin, with commas between"],
    [`a read,read * ${TOKEN}`, "the second field is not"],
    [`a ${TOKEN} * read`, "the second field is not"],
    [`a read .x ${TOKEN}`, "the third field is not a pattern of categories"],
    [`a read logs,,x ${TOKEN}`, "the third field is not a pattern of categories"],
    [`a read * ${TOKEN.slice(0, 15)}`, "the token has 15 characters, the fewest are 16; make one with"],
    [`a read * ${"x".repeat(257)}`, "the token has 257 characters, the most are 256"],
    [`a read * ${"ab".repeat(16)}`, "the token has only 2 different characters, the fewest are 8"],
    [`a read * ${TOKEN}é`, "the token has characters other than visible ASCII"],
    ["a read * sha256:abc", "what follows sha256: is not 64 hexadecimal digits"],
  ];
  for (const [line, message] of wanted) {
    const told = refused(parseTokens, `\n${line}\n`);
    assertEquals(told.slice(0, message.length + 8), `line 2: ${message}`);
    for (const field of line.split(" ").filter((field) => field.length > 8)) {
      assert(!told.includes(field), told);
    }
  }
  assertEquals(refused(parseTokens, "# nothing\n").startsWith("no token in it"), true);
  const many = Array.from({ length: TOKENS_MAX + 1 }, (_, i) => `a read * ${formatDigest(String(i))}\n`);
  assertEquals(refused(parseTokens, many.join("")), "1001 tokens, the most are 1000");
});

Deno.test("parseTokens never tells what is in the file, whatever that is", () => {
  const word = fc.stringMatching(/^[g-zG-Z]{12,40}$/);
  fc.assert(fc.property(fc.array(word, { minLength: 1, maxLength: 6 }), (fields) => {
    const told = refused(parseTokens, fields.join(" "));
    return fields.every((field) => !told.includes(field));
  }));
});

Deno.test("parseClusterTokens takes one token, or two, of which the first is shown and both are accepted", () => {
  const one = parseClusterTokens(`# cluster\n${TOKEN}\n`);
  assertEquals([one.own, one.accepts(digestOf(TOKEN)), one.accepts(digestOf(OTHER))], [TOKEN, true, false]);
  const two = parseClusterTokens(`${OTHER}\n${TOKEN}`);
  assertEquals([two.own, two.accepts(digestOf(TOKEN)), two.accepts(digestOf(OTHER))], [OTHER, true, true]);
  for (const text of ["", "# none\n", `${TOKEN}\n${OTHER}\n${TOKEN}x`]) {
    assert(refused(parseClusterTokens, text).includes("lines with tokens instead of one, or two"));
  }
  assertEquals(refused(parseClusterTokens, formatDigest(TOKEN)).startsWith("line 1: a digest"), true);
  assertEquals(refused(parseClusterTokens, "short").startsWith("line 1: the token has 5"), true);
});

Deno.test("Digests.find gives the place of what is there, and -1 for what is not", () => {
  const tokens = Array.from({ length: 50 }, (_, i) => `token ${i}`);
  const digests = new Digests(tokens.map(digestOf));
  tokens.forEach((token, i) => assertEquals(digests.find(digestOf(token)), i));
  assertEquals(digests.find(digestOf("another")), -1);
  assertEquals(new Digests([]).find(digestOf("another")), -1);
  // One bit of one word is a difference, the sign bit too.
  for (let word = 0; word < 8; word++) {
    for (const bit of [0, 15, 31]) {
      const near = digestOf("token 7");
      near[word]! ^= 1 << bit;
      assertEquals(digests.find(near), -1);
    }
  }
});

Deno.test("Digests.find looks at every word of every digest, wherever the wanted one is", () => {
  const digests = new Digests(["a", "b", "c", "d"].map(digestOf));
  const readsFor = (token: string): number => {
    let reads = 0;
    const counting = new Proxy(digestOf(token), {
      get(target, key) {
        reads++;
        return Reflect.get(target, key);
      },
    });
    digests.find(counting);
    return reads;
  };
  assertEquals(["a", "d", "none"].map(readsFor), [32, 32, 32]);
});

Deno.test("parseToken takes a digest for the token that it is of", () => {
  const plain = parseToken(TOKEN);
  const digest = parseToken(formatDigest(TOKEN));
  assert("digest" in plain && "digest" in digest);
  assertEquals(plain.digest, digest.digest);
});

Deno.test("allows asks for the right and, but for admin, for the category", () => {
  const grant = { name: "a", rights: ["read", "admin"], categories: ["logs.*", "orders"] } as const;
  assertEquals(allows(grant, "read", "logs.web"), true);
  assertEquals(allows(grant, "read", "orders"), true);
  assertEquals(allows(grant, "read", "logs"), false);
  assertEquals(allows(grant, "read"), true);
  assertEquals(allows(grant, "write", "logs.web"), false);
  assertEquals(allows(grant, "admin", "other"), true);
  assertEquals(allows({ ...grant, rights: ["admin"] }, "read", "orders"), false);
});
