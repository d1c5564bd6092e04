/**
 * @module Tests of the option `token` of the client, and of what is told of servers that are not trusted.
 */
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { ChukchaClient, ChukchaError, TransportError } from "../../lib/client/mod.ts";
import { describeFailure, isUntrusted } from "../../lib/protocol/fetch_failure.ts";

/** What the client sends, and to where. */
function recording() {
  const sent: (string | null)[] = [];
  const fetch = (_url: string, init: RequestInit) => {
    sent.push(new Headers(init.headers).get("authorization"));
    return Promise.resolve(Response.json([]));
  };
  return { sent, fetch };
}

Deno.test("a client shows its token with each request, and asks a function for it each time", async () => {
  const { sent, fetch } = recording();
  await new ChukchaClient({ fetch }).listCategories();
  await new ChukchaClient({ fetch, token: "first" }).listCategories();
  let count = 0;
  const client = new ChukchaClient({ fetch, token: () => Promise.resolve(`token-${++count}`) });
  await client.listCategories();
  await client.listChunks("web");
  assertEquals(sent, [null, "Bearer first", "Bearer token-1", "Bearer token-2"]);
});

Deno.test("a client without the token that it was promised sends nothing, and repeats no token", async () => {
  const { sent, fetch } = recording();
  const vault = () => Promise.reject(new Error("the vault is sealed"));
  const error = await assertRejects(
    () => new ChukchaClient({ fetch, token: vault }).write("web", "x"),
    TransportError,
  );
  assertStringIncludes(error.message, "there is no token: the vault is sealed");
  assertEquals(error.written, "no");
  for (const token of ["", "two lines\nsecret", "gehéim-secret"]) {
    const refused = assertThrows(() => new ChukchaClient({ fetch, token }), ChukchaError);
    assertStringIncludes(refused.message, "token: it ");
    assertEquals(refused.message.includes("secret"), false);
    await assertRejects(
      () => new ChukchaClient({ fetch, token: () => token }).listCategories(),
      ChukchaError,
    );
  }
  assertEquals(sent, []);
});

Deno.test("a client refuses an address with a user or a password, and does not repeat it", () => {
  for (
    const server of [
      "http://u:secret@h:1",
      "http://:secret@h",
      "http://secret@h",
      "secret@h:1",
      "http://secret@",
    ]
  ) {
    const { message } = assertThrows(() => new ChukchaClient({ server }), ChukchaError);
    assertStringIncludes(message, "option token");
    assertEquals(message.includes("secret"), false, message);
  }
  new ChukchaClient({ server: "http://h/path@with/at" });
});

Deno.test("describeFailure tells in words what is wrong with TLS", () => {
  const wrap = (text: string) =>
    new TypeError("fetch failed", {
      cause: new Error(`error sending request for url (https://h:1/): client error (Connect): ${text}`),
    });
  const wanted: [said: string, words: string][] = [
    [
      "invalid peer certificate: UnknownIssuer",
      "its certificate is from an authority that is not trusted here",
    ],
    ["invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))", "marked as that of an authority"],
    ["invalid peer certificate: Expired", "its certificate has expired"],
    ["invalid peer certificate: NotValidYet", "not valid yet; are both clocks right?"],
    [
      `invalid peer certificate: certificate not valid for name "h"; certificate is only valid for DnsName("o")`,
      `its certificate is not for the name "h"`,
    ],
    ["received corrupt message of type InvalidContentType", "it does not speak TLS; is its address http://"],
    ["invalid HTTP version parsed", "it does not speak plain HTTP; is its address https://"],
  ];
  for (const [said, words] of wanted) {
    assertStringIncludes(describeFailure(wrap(said)), words);
    assertEquals(isUntrusted(wrap(said)), said.includes("UnknownIssuer"));
  }
});
