/**
 * The proxy does what its faults say: a test that believes in a fault that never happened proves nothing.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { eventually } from "./eventually.ts";
import { Proxy } from "./proxy.ts";

/** A server that sends back what it gets. */
class Echo implements AsyncDisposable {
  readonly listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections = new Set<Promise<void>>();
  readonly #accepting = this.#accept();

  async #accept(): Promise<void> {
    for await (const connection of this.listener) {
      const echoing = connection.readable.pipeTo(connection.writable).catch(() => {})
        .finally(() => this.#connections.delete(echoing));
      this.#connections.add(echoing);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.listener.close();
    await this.#accepting;
    await Promise.all(this.#connections);
  }
}

interface Pair extends AsyncDisposable {
  readonly proxy: Proxy;
  connect(): Promise<Deno.TcpConn>;
}

function start(): Pair {
  const echo = new Echo();
  const proxy = Proxy.start(echo.listener.addr.port);
  return {
    proxy,
    connect: () => Deno.connect({ hostname: "127.0.0.1", port: proxy.port }),
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await echo[Symbol.asyncDispose]();
    },
  };
}

async function send(connection: Deno.TcpConn, text: string): Promise<void> {
  await connection.write(new TextEncoder().encode(text));
}

/** Up to `count` bytes; fewer if the other side ends, also with a reset. */
async function receive(connection: Deno.TcpConn, count: number): Promise<string> {
  const bytes = new Uint8Array(count);
  let at = 0;
  while (at < count) {
    const read = await connection.read(bytes.subarray(at)).catch(() => null);
    if (read === null) break;
    at += read;
  }
  return new TextDecoder().decode(bytes.subarray(0, at));
}

Deno.test("proxy: passes both ways and counts", async () => {
  await using pair = start();
  using connection = await pair.connect();
  await send(connection, "hello");
  assertEquals(await receive(connection, 5), "hello");
  await connection.closeWrite();
  assertEquals(await receive(connection, 1), "", "the end passes too");
  assertEquals(pair.proxy.passed, { request: 5, response: 5, connections: 1 });
});

Deno.test("proxy: drop ends what is open and what comes, and healing lets new connections through", async () => {
  await using pair = start();
  using open = await pair.connect();
  await send(open, "a");
  assertEquals(await receive(open, 1), "a");
  pair.proxy.set({ kind: "drop" });
  assertEquals(await receive(open, 1), "");
  using refused = await pair.connect();
  assertEquals(await receive(refused, 1), "");
  pair.proxy.heal();
  using healed = await pair.connect();
  await send(healed, "b");
  assertEquals(await receive(healed, 1), "b");
});

Deno.test("proxy: hang holds bytes back in one direction or both, and loses none", async () => {
  await using pair = start();
  using connection = await pair.connect();
  pair.proxy.set({ kind: "hang", way: "response" });
  await send(connection, "one");
  await eventually("the request passes", () => pair.proxy.passed.request, (n) => n === 3);
  pair.proxy.set({ kind: "hang" });
  await send(connection, "two");
  // The echo of a later connection would come by now, if anything did.
  using another = await pair.connect();
  await send(another, "x");
  await eventually("both are held", () => pair.proxy.open, (n) => n === 2);
  assertEquals(pair.proxy.passed.response, 0);
  assertEquals(pair.proxy.passed.request, 3);
  pair.proxy.heal();
  assertEquals(await receive(connection, 6), "onetwo");
  assertEquals(await receive(another, 1), "x");
});

Deno.test("proxy: cut ends a connection behind a byte of the response", async () => {
  await using pair = start();
  pair.proxy.set({ kind: "cut", at: 4 });
  using connection = await pair.connect();
  await send(connection, "abc");
  assertEquals(await receive(connection, 3), "abc");
  await send(connection, "def");
  assertEquals(await receive(connection, 3), "d");
  assertEquals(pair.proxy.harmed, 1);
});

Deno.test("proxy: corrupt flips one bit of one byte of the response", async () => {
  await using pair = start();
  pair.proxy.set({ kind: "corrupt", at: 4 });
  using connection = await pair.connect();
  await send(connection, "abc");
  assertEquals(await receive(connection, 3), "abc");
  await send(connection, "ddd");
  assertEquals(await receive(connection, 3), "ded");
  assertEquals(pair.proxy.harmed, 1);
});

Deno.test("proxy: delay and throttle take their time, and end with the fault", async () => {
  await using pair = start();
  using connection = await pair.connect();
  pair.proxy.set({ kind: "delay", ms: 30 });
  const startMs = performance.now();
  await send(connection, "a");
  assertEquals(await receive(connection, 1), "a");
  assert(performance.now() - startMs >= 55, "both ways were delayed");
  pair.proxy.set({ kind: "throttle", bytesPerSecond: 10_000 });
  const throttledMs = performance.now();
  const length = 2_000;
  const [text] = await Promise.all([receive(connection, length), send(connection, "x".repeat(length))]);
  assertEquals(text.length, length);
  assert(performance.now() - throttledMs >= 150, "200 ms at that rate");
  pair.proxy.set({ kind: "delay", ms: 3_600_000 });
  await send(connection, "b");
  pair.proxy.heal();
  assertEquals(await receive(connection, 1), "b");
});

Deno.test("proxy: ends in the middle of everything, and where nobody listens", async () => {
  await using pair = start();
  using connection = await pair.connect();
  pair.proxy.set({ kind: "delay", ms: 3_600_000 });
  await send(connection, "never");
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using nobody = Proxy.start(listener.addr.port);
  listener.close();
  using refused = await Deno.connect({ hostname: "127.0.0.1", port: nobody.port });
  assertEquals(await receive(refused, 1), "");
});
