/**
 * @module Tests of `lib/http/listener.ts`.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { parseServerCertificate, type ServerCertificate } from "../../lib/http/certificate.ts";
import { Listener } from "../../lib/http/listener.ts";
import { SILENT_LOG } from "../../lib/protocol/log.ts";
import { SystemClock } from "../../lib/storage/clock.ts";
import { Authority } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { temporaryDirectory } from "../support/node.ts";
import { testWith, tool } from "../support/skip.ts";

/** Two certificates of authorities of their own, and what trusts each. */
async function certificates(path: string) {
  return await Promise.all(["first", "second"].map(async (name) => {
    const authority = await Authority.make(path, name);
    const { cert, key } = await authority.sign(`${name}-node`);
    const certificate = parseServerCertificate(Deno.readTextFileSync(cert), Deno.readTextFileSync(key));
    return { certificate, caCerts: [Deno.readTextFileSync(authority.cert)] };
  }));
}

async function ask(port: number, caCerts: string[]): Promise<string> {
  using client = Deno.createHttpClient({ http2: false, caCerts });
  return await fetch(`https://127.0.0.1:${port}/`, { client }).then(
    (response) => response.text(),
    () => "no",
  );
}

function listen(certificate: ServerCertificate | undefined, port = 0, share?: boolean): Listener {
  return Listener.start({
    hostname: "127.0.0.1",
    port,
    fetch: () => new Response("yes"),
    onError: () => new Response("error", { status: 500 }),
    certificate,
    log: SILENT_LOG,
    clock: new SystemClock(),
    ...share !== undefined && { share },
  });
}

for (const share of [true, false]) {
  testWith(
    `Listener goes on with another certificate ${
      share ? "beside" : "after"
    } the server with the one before, and keeps what works`,
    [tool("openssl")],
    async () => {
      await using directory = await temporaryDirectory();
      const [first, second] = await certificates(directory.path);
      const listener = listen(first!.certificate, 0, share && Deno.build.os !== "windows");
      const { port } = listener.addr;
      assertEquals([await ask(port, first!.caCerts), await ask(port, second!.caCerts)], ["yes", "no"]);
      // The server with the one before has some connections left to take.
      const asked = async () => [await ask(port, first!.caCerts), await ask(port, second!.caCerts)].join();
      await listener.replace(second!.certificate);
      await eventually("the second is served", asked, (seen) => seen === "no,yes");
      await listener.replace({ ...first!.certificate, key: second!.certificate.key });
      assertEquals(await asked(), "no,yes");
      await listener.replace(first!.certificate);
      await eventually("the first is served again", asked, (seen) => seen === "yes,no");
      assertEquals(listener.addr.port, port);
      await listener.shutdown();
    },
  );
}

testWith("Listener refuses an address that another one holds, also one that would share it", [
  tool("openssl"),
], async () => {
  await using directory = await temporaryDirectory();
  const [one] = await certificates(directory.path);
  const listener = listen(one!.certificate);
  for (const certificate of [one!.certificate, undefined]) {
    assertThrows(() => listen(certificate, listener.addr.port), Deno.errors.AddrInUse);
  }
  await listener.shutdown();
});
