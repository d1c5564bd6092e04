/**
 * The low-level calls for consumers: what they send, and what they take for a good answer.
 *
 * @module
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ChukchaClient, ChukchaError, type ConsumedHead, TransportError } from "../../lib/client/mod.ts";

const CHUNK = "node-chunk000000000";
const HEAD = {
  "chukcha-chunk": CHUNK,
  "chukcha-offset": "4",
  "chukcha-next-offset": "6",
  "chukcha-epoch": "3",
};
const INFO = {
  category: "web",
  consumer: "c",
  epoch: 3,
  lag_bytes: 2,
  lag_chunks: 1,
  leased_bytes: 0,
  positions: [{ chunk: CHUNK, offset: 4 }],
};

/** A client whose requests are noted, and answered by this function. */
function noting(answer: (url: URL) => Response) {
  const asked: string[] = [];
  const fetch = (url: string, init: RequestInit) => {
    const { pathname, search } = new URL(url);
    asked.push(`${init.method} ${pathname}${search}`);
    return Promise.resolve(answer(new URL(url)));
  };
  return { asked, client: new ChukchaClient({ fetch }) };
}

Deno.test("consume sends what it is given, and takes messages with what the headers say", async () => {
  const { asked, client } = noting(() =>
    new Response("x\n", { headers: { ...HEAD, "chukcha-deliveries": "2", "chukcha-lease": "500" } })
  );
  const heads: ConsumedHead[] = [];
  const got = await client.consume("web", {
    consumer: "c",
    maxSize: 100,
    waitMs: 5,
    from: new Date(1000),
    leaseMs: 500,
    maxDeliveries: 3,
    worker: "w 1",
    onHead: (head) => heads.push(head),
  });
  const head = { chunk: CHUNK, offset: 4, nextOffset: 6, epoch: 3, deliveries: 2, leaseMs: 500 };
  assertEquals(got, { ...head, bytes: new Uint8Array([120, 10]) });
  assertEquals(heads, [head]);
  assertEquals(asked, [
    "GET /consume?category=web&consumer=c&max_size=100&wait=5&from=1000&lease=500&max_deliveries=3&worker=w+1",
  ]);
});

Deno.test("consume is undefined where nothing came", async () => {
  const { client } = noting(() => new Response(null, { status: 204 }));
  assertEquals(await client.consume("web", { consumer: "c" }), undefined);
});

Deno.test("consume refuses an answer that is cut short, or says nothing of itself", async () => {
  const cut = noting(() => new Response("x", { headers: HEAD }));
  const error = await assertRejects(() => cut.client.consume("web", { consumer: "c" }), TransportError);
  assertEquals(/cut off after 1 of 2 bytes/.test(error.message), true, error.message);
  for (const name of Object.keys(HEAD)) {
    const { client } = noting(() => new Response("x\n", { headers: { ...HEAD, [name]: "-" } }));
    await assertRejects(() => client.consume("web", { consumer: "c" }), TransportError, "headers");
  }
});

Deno.test("ack, lease, consumers, seek and forget send what they are given", async () => {
  const { asked, client } = noting(({ pathname }) =>
    pathname === "/seek"
      ? Response.json(INFO)
      : pathname === "/consumers"
      ? Response.json([INFO])
      : new Response()
  );
  const piece = { consumer: "c", chunk: CHUNK, offset: 4, size: 6 };
  await client.ack("web", { ...piece, epoch: 3 });
  await client.lease("web", { ...piece, leaseMs: 0 });
  await client.lease("web", { ...piece, leaseMs: 500, deliveries: 2 });
  assertEquals(await client.consumers(), [INFO]);
  assertEquals(await client.consumers("web"), [INFO]);
  assertEquals(await client.seek("web", { consumer: "c", to: "latest" }), INFO);
  await client.seek("web", { consumer: "c", to: [{ chunk: CHUNK, offset: 4 }] });
  await client.forget("web", { consumer: "c" }).catch((error) => error);
  assertEquals(asked, [
    `POST /ack?category=web&consumer=c&chunk=${CHUNK}&offset=4&size=6&epoch=3`,
    `POST /lease?category=web&consumer=c&chunk=${CHUNK}&offset=4&size=6&lease=0`,
    `POST /lease?category=web&consumer=c&chunk=${CHUNK}&offset=4&size=6&lease=500&deliveries=2`,
    "GET /consumers",
    "GET /consumers?category=web",
    "POST /seek?category=web&consumer=c&to=latest",
    `POST /seek?category=web&consumer=c&to=${CHUNK}%3A4`,
    "DELETE /consumers?category=web&consumer=c",
  ]);
});

Deno.test("names and times are checked before anything is sent", () => {
  const { asked, client } = noting(() => new Response());
  assertThrows(() => client.consume("web", { consumer: "a/b" }), ChukchaError, "consumer: ");
  assertThrows(() => client.consume("web", { consumer: "c", from: "soon" }), ChukchaError, "from: ");
  assertThrows(() => client.seek("web", { consumer: "c", to: "soon" }), ChukchaError, "to: ");
  assertThrows(() => client.forget("web", { consumer: "" }), ChukchaError, "consumer: ");
  assertEquals(asked, []);
});

Deno.test("a signal that outlives many requests keeps nothing of them, and aborts the ones under way", async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  Object.assign(signal, {
    addEventListener: (...args: Parameters<typeof add>) => (listeners++, add(...args)),
    removeEventListener: (...args: Parameters<typeof remove>) => (listeners--, remove(...args)),
  });
  const { client } = noting(() => new Response("x\n", { headers: HEAD }));
  for (let i = 0; i < 5; i++) await client.consume("web", { consumer: "c", signal });
  assertEquals(listeners, 0);
  const controller = new AbortController();
  const hanging = new ChukchaClient({
    fetch: (_url, { signal }) =>
      new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason))),
  });
  const consuming = hanging.consume("web", { consumer: "c", signal: controller.signal });
  controller.abort(new RangeError("enough"));
  await assertRejects(() => consuming, RangeError, "enough");
});

Deno.test("answerMs bounds how long a node may say nothing, and not how long its answer takes", async () => {
  const late = Promise.withResolvers<void>();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async ({ url }) => {
    if (url.includes("consumer=silent")) {
      await late.promise;
      return new Response();
    }
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array([120]));
        // The second half comes when the other request has been given up: later than the head may come.
        void late.promise.then(() => {
          controller.enqueue(new Uint8Array([10]));
          controller.close();
        });
      },
    });
    return new Response(body, { headers: HEAD });
  });
  const client = new ChukchaClient({ server: `http://127.0.0.1:${server.addr.port}` });
  const slow = client.consume("web", { consumer: "slow", answerMs: 200 });
  const silent = { consumer: "silent", waitMs: 100, answerMs: 200 };
  const error = await assertRejects(() => client.consume("web", silent), TransportError);
  assertEquals(error.message.endsWith(": no answer within 300 ms"), true, error.message);
  late.resolve();
  assertEquals((await slow)?.bytes.length, 2);
  await server.shutdown();
});
