/**
 * @module Tests of `lib/http/certificate.ts`.
 */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { checkCertificate, parseAuthorities, parseServerCertificate } from "../../lib/http/certificate.ts";
import { CERTIFICATE_LEFT_MS_MIN } from "../../lib/protocol/limits.ts";
import { Authority } from "../support/certificates.ts";
import { temporaryDirectory } from "../support/node.ts";
import { testWith, tool } from "../support/skip.ts";

testWith(
  "parseServerCertificate takes a pair that fits, and says what does not",
  [tool("openssl")],
  async () => {
    await using directory = await temporaryDirectory();
    const authority = await Authority.make(directory.path);
    const read = (path: string) => Deno.readTextFileSync(path);
    const [a, b] = await Promise.all([
      authority.sign("a", 30, "DNS:a.example,IP:10.0.0.1"),
      authority.sign("b"),
    ]);
    const chain = read(a.cert) + read(authority.cert);
    const parsed = parseServerCertificate(chain, read(a.key));
    assertEquals(parsed.subject, "a.example, 10.0.0.1");
    assertEquals(Math.round((parsed.expiresMs - Date.now()) / 86_400_000), 30);
    const refused = (cert: string, key: string) =>
      assertThrows(() => parseServerCertificate(cert, key), Error).message;
    assertEquals(refused(chain, read(b.key)), "the key is not that of the certificate");
    assertStringIncludes(refused(read(a.key), read(a.cert)), "no certificate in it: PEM is expected");
    assertStringIncludes(refused(chain, chain), "the key cannot be read: PEM is expected");
    assertStringIncludes(refused(chain, "-----BEGIN ENCRYPTED PRIVATE KEY-----"), "store it without one");
    const damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assertEquals(refused(read(a.cert) + damaged, read(a.key)), "certificate 2 in it is damaged");

    assertEquals(parseAuthorities(`text\n${read(authority.cert)}${read(a.cert)}`).length, 2);
    assertThrows(() => parseAuthorities("nothing"), Error, "no certificate in it");
    assertThrows(() => parseAuthorities(damaged), Error, "certificate 1 in it is damaged");
  },
);

Deno.test("checkCertificate fails in time for a new one", () => {
  const expiresMs = Date.UTC(2026, 11, 24);
  const check = (leftMs: number) =>
    checkCertificate({ cert: "", key: "", subject: "a.example", expiresMs }, expiresMs - leftMs);
  assertEquals(check(CERTIFICATE_LEFT_MS_MIN), {
    name: "certificate",
    ok: true,
    message: "the certificate for a.example expires in 14 days, on 2026-12-24",
  });
  const soon = check(CERTIFICATE_LEFT_MS_MIN - 1);
  assertEquals(soon.ok, false);
  assertStringIncludes(
    soon.message,
    "expires in 13 days, on 2026-12-24: put a new one into the files of --tls-cert",
  );
  assertStringIncludes(check(-86_400_000).message, "expired 1 day ago, on 2026-12-24; clients refuse it");
});
