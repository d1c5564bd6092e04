/**
 * @module Tests of `lib/http/body.ts`, with its budget and encodings: on `Request` objects, and on real sockets where
 * the connection has a say.
 */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { constants, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { ArrivingBodies } from "../../lib/http/arriving.ts";
import { type Body, type BodyOptions, takeBody } from "../../lib/http/body.ts";
import { BodyBudget } from "../../lib/http/body_budget.ts";
import { ChukchaError, type ErrorCode } from "../../lib/protocol/errors.ts";
import {
  BODY_ENCODED_SLACK_BYTES,
  BODY_WHOLE_BYTES_MAX,
  PACE_CHECK_MS,
  PACE_SILENT_MS,
  ZSTD_FRAMES_MAX,
} from "../../lib/protocol/limits.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { eventually } from "../support/eventually.ts";

const LIMIT = 256 * 1024;

/** Bounds of bodies, on a clock that stands still unless `clock` is moved. */
function options(budgetBytes = 16 * LIMIT): BodyOptions & { readonly clock: FakeClock } {
  const clock = new FakeClock();
  return { batchBytesMax: LIMIT, arriving: new ArrivingBodies(new BodyBudget(budgetBytes), clock), clock };
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Bytes that compress badly, the same in every run. */
function noise(length: number): Uint8Array<ArrayBuffer> {
  let state = 1;
  return Uint8Array.from({ length }, () => (state = Math.imul(state, 48271) >>> 0) >>> 13);
}

/** A request with a declared length; with `chunks`, one without. */
function post(body: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): Request {
  return new Request("http://x/write", {
    method: "POST",
    body,
    headers: { "content-length": String(body.length), ...headers },
  });
}

function postChunks(chunks: Iterable<Uint8Array>, headers: Record<string, string> = {}): Request {
  return new Request("http://x/write", { method: "POST", body: ReadableStream.from(chunks), headers });
}

async function refused(code: ErrorCode, request: Request, opts = options()): Promise<string> {
  const before = opts.arriving.budget.used;
  const error = await assertRejects(() => takeBody(request, opts), ChukchaError);
  assertEquals([error.code, error.written], [code, "no"], error.message);
  assertEquals(opts.arriving.budget.used, before, "a refused body keeps none of the budget");
  return error.message;
}

/** Takes the body, checks its account, and lets it go. */
async function taken(request: Request, opts = options()): Promise<Body> {
  const before = opts.arriving.budget.used;
  const body = await takeBody(request, opts);
  assert(opts.arriving.budget.used >= before + body.bytes.length, "the body is counted");
  if (body.spare) assert(body.bytes.byteOffset + body.bytes.length < body.bytes.buffer.byteLength);
  body.release();
  body.release();
  assertEquals(opts.arriving.budget.used, before, "released once, and once only");
  return body;
}

Deno.test("BodyBudget takes up to its bound, and gives back", () => {
  const budget = new BodyBudget(10);
  budget.take(4);
  budget.take(6);
  const error = assertThrows(() => budget.take(1), ChukchaError);
  assertEquals([error.code, error.status, error.written, budget.used], ["overloaded", 503, "no", 10]);
  budget.give(6);
  budget.take(0);
  budget.take(6);
  budget.give(10);
  assertEquals(budget.used, 0);
  assertThrows(() => budget.give(1), RangeError);
});

Deno.test("takeBody takes bodies of every size, declared and not", async () => {
  for (const length of [0, 1, 100, BODY_WHOLE_BYTES_MAX, BODY_WHOLE_BYTES_MAX + 1, LIMIT - 1, LIMIT]) {
    const bytes = noise(length);
    assertEquals((await taken(post(bytes))).bytes, bytes);
    const halves = [bytes.subarray(0, length >> 1), new Uint8Array(0), bytes.subarray(length >> 1)];
    assertEquals((await taken(postChunks(halves))).bytes, bytes);
  }
});

Deno.test("takeBody of a request without a body is empty", async () => {
  assertEquals((await taken(new Request("http://x/", { method: "POST" }))).bytes.length, 0);
  assertEquals((await taken(postChunks([], { "content-encoding": "gzip" }))).bytes.length, 0);
  assertEquals((await taken(post(utf8(""), { "content-encoding": "zstd" }))).bytes.length, 0);
});

Deno.test("takeBody leaves a spare byte behind large and chunked bodies", async () => {
  for (const length of [BODY_WHOLE_BYTES_MAX + 1, LIMIT]) {
    assert((await taken(post(noise(length)))).spare);
    assert((await taken(postChunks([noise(length)]))).spare);
    assert((await taken(postChunks(Array(length / 64 | 0).fill(noise(64))))).spare);
  }
});

Deno.test("takeBody ignores the Content-Type", async () => {
  for (
    const type of ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "image/png", ""]
  ) {
    assertEquals(
      (await taken(post(utf8("a=1&b=%20\n"), { "content-type": type }))).bytes,
      utf8("a=1&b=%20\n"),
    );
  }
});

Deno.test("takeBody refuses a declared length over the limit without touching the body", async () => {
  const request = post(noise(10), { "content-length": String(LIMIT + 1) });
  const message = await refused("too_large", request);
  assertEquals(message, "body: 262145 bytes are over the limit of 262144 bytes for a batch");
  assert(!request.bodyUsed);
  const slack = BODY_ENCODED_SLACK_BYTES;
  const encoded = { "content-encoding": "gzip", "content-length": String(LIMIT + slack + 1) };
  await refused("too_large", post(noise(10), encoded));
  await refused("too_large", post(noise(10), { "content-length": "9".repeat(400) }));
});

Deno.test("takeBody cancels a body that grows over the limit", async () => {
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(noise(10_000)),
    cancel: () => void (cancelled = true),
  });
  await refused("too_large", new Request("http://x/", { method: "POST", body: endless }));
  assert(cancelled);
});

Deno.test("takeBody answers 503 while other bodies fill the budget, and takes again when they are released", async () => {
  const opts = options(100_000);
  const first = await takeBody(post(noise(60_000)), opts);
  for (const request of [post(noise(60_000)), post(noise(70_000)), postChunks([noise(60_000)])]) {
    await refused("overloaded", request, opts);
  }
  first.release();
  assertEquals(opts.arriving.budget.used, 0);
  await taken(post(noise(90_000)), opts);
});

Deno.test("takeBody gives up a body of which nothing comes any more, small or large, declared or not", async () => {
  for (const headers of [{ "content-length": "1000" }, { "content-length": "100000" }, {}]) {
    const stalled = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(noise(10)),
    });
    const opts = options();
    const request = new Request("http://x/", { method: "POST", body: stalled, headers });
    const refusal = refused("overloaded", request, opts);
    await settle();
    opts.clock.advance(PACE_SILENT_MS + 2 * PACE_CHECK_MS);
    assertMatch(await refusal, /^body: too slow, (0|10) bytes in 6\d s; send it again$/);
    assertEquals(opts.arriving.count, 0);
  }
});

Deno.test("takeBody tells a defect from a connection that broke", async () => {
  const request = post(utf8("x"));
  await request.bytes();
  await assertRejects(() => takeBody(request, options()), TypeError);
  const broken = new ReadableStream({
    pull: (controller) => controller.error(new Deno.errors.BadResource("gone")),
  });
  const message = await refused("invalid_body", new Request("http://x/", { method: "POST", body: broken }));
  assertEquals(message, "body: the connection ended before the whole of it arrived");
});

const ENCODERS: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  "gzip": (bytes) => gzipSync(bytes),
  "X-GZip": (bytes) => gzipSync(bytes),
  "deflate": (bytes) => deflateSync(bytes),
  "Deflate": (bytes) => deflateRawSync(bytes),
  "zstd": (bytes) => zstdCompressSync(bytes),
  "ZSTD": (bytes) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
  "identity": (bytes) => bytes,
  "": (bytes) => bytes,
};

function encoded(bytes: Uint8Array, encoding: string): Request {
  return post(new Uint8Array(bytes), { "content-encoding": encoding });
}

Deno.test("takeBody undoes each encoding, up to the limit and not over it", async () => {
  for (const [encoding, encode] of Object.entries(ENCODERS)) {
    for (const length of [1, 100, 4095, 4096, 16_384, 65_536, LIMIT]) {
      assertEquals((await taken(encoded(encode(noise(length)), encoding))).bytes, noise(length));
      assertEquals((await taken(encoded(encode(new Uint8Array(length)), encoding))).bytes.length, length);
    }
    await refused("too_large", encoded(encode(noise(LIMIT + 1)), encoding));
    await refused("too_large", encoded(encode(new Uint8Array(64 * LIMIT)), encoding));
  }
});

Deno.test("takeBody undoes any content of any encoding", async () => {
  const encoding = fc.constantFrom(...Object.keys(ENCODERS));
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
  await fc.assert(fc.asyncProperty(bytes, encoding, encoding, async (content, inner, outer) => {
    const body = ENCODERS[outer]!(ENCODERS[inner]!(content));
    assertEquals((await taken(encoded(body, `${inner}, ${outer}`))).bytes, new Uint8Array(content));
  }));
});

Deno.test("takeBody bounds what the layers of several encodings unfold to", async () => {
  const bomb = gzipSync(gzipSync(new Uint8Array(64 * LIMIT)));
  await refused("too_large", encoded(bomb, "gzip,gzip"));
  await refused("too_large", encoded(gzipSync(zstdCompressSync(noise(2 * LIMIT))), "zstd, gzip"));
});

Deno.test("takeBody refuses encodings that it does not know", async () => {
  for (const encoding of ["br", "snappy", "compress", "gzip, br", "constructor", "gzip;q=1"]) {
    await refused("unsupported_encoding", encoded(utf8("x"), encoding));
  }
  await refused("unsupported_encoding", encoded(utf8("x"), "gzip, gzip, gzip"));
  const message = await refused("unsupported_encoding", encoded(utf8("x"), "BR"));
  assertEquals(message, 'content-encoding: "br" is not gzip, deflate, zstd or identity');
});

Deno.test("takeBody refuses encoded data that is cut short anywhere", async () => {
  for (const encoding of ["gzip", "deflate", "Deflate", "zstd", "ZSTD"]) {
    const whole = ENCODERS[encoding]!(utf8("hello, hello, hello, hello\n".repeat(3)));
    for (let length = 1; length < whole.length; length++) {
      const message = await refused("invalid_body", encoded(whole.subarray(0, length), encoding));
      assert(/^body: the \w+ data is (cut short|damaged)$/.test(message), message);
    }
  }
  const large = zstdCompressSync(noise(LIMIT));
  await refused("invalid_body", encoded(large.subarray(0, large.length >> 1), "zstd"));
});

Deno.test("takeBody refuses encoded data that is damaged or of another encoding", async () => {
  const text = utf8("hello, hello\n");
  for (const encoding of ["gzip", "deflate", "zstd"]) {
    await refused("invalid_body", encoded(utf8("[1, 2, 3] is not compressed at all"), encoding));
    await refused("invalid_body", encoded(gzipSync(text), encoding === "gzip" ? "zstd" : encoding));
  }
  for (const encoding of ["gzip", "deflate", "ZSTD"]) {
    const bytes = new Uint8Array(ENCODERS[encoding]!(text));
    bytes[bytes.length - 1]! ^= 1;
    await refused("invalid_body", encoded(bytes, encoding));
  }
});

Deno.test("takeBody joins gzip members and zstd frames, skips padding, refuses what follows", async () => {
  const [a, b] = [utf8("hello\n"), utf8("world\n")];
  const both = concat(a, b);
  assertEquals((await taken(encoded(concat(gzipSync(a), gzipSync(b)), "gzip"))).bytes, both);
  assertEquals((await taken(encoded(concat(gzipSync(a), new Uint8Array(500)), "gzip"))).bytes, a);
  const skippable = Uint8Array.of(0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3);
  const frames = concat(skippable, zstdCompressSync(a), skippable, zstdCompressSync(b));
  assertEquals((await taken(encoded(frames, "zstd"))).bytes, both);
  assertEquals((await taken(encoded(skippable, "zstd"))).bytes.length, 0);
  for (const [encoding, encode] of Object.entries(ENCODERS)) {
    if (encode(a).length === a.length) continue;
    await refused("invalid_body", encoded(concat(encode(a), utf8("tail")), encoding));
  }
  await refused("invalid_body", encoded(concat(frames, skippable.subarray(0, 10)), "zstd"));
});

Deno.test("takeBody bounds the frames of a zstd body, and what they hold together", async () => {
  const frame = zstdCompressSync(utf8("x"));
  const most = concat(...Array<Uint8Array>(ZSTD_FRAMES_MAX).fill(frame));
  assertEquals((await taken(encoded(most, "zstd"))).bytes.length, ZSTD_FRAMES_MAX);
  await refused("invalid_body", encoded(concat(most, frame), "zstd"));
  const half = zstdCompressSync(new Uint8Array(LIMIT / 2));
  assertEquals((await taken(encoded(concat(half, half), "zstd"))).bytes.length, LIMIT);
  await refused("too_large", encoded(concat(half, half, frame), "zstd"));
});

/** A server whose handler takes the body, and what became of each. */
async function withServer(
  opts: BodyOptions,
  act: (open: () => Promise<Connection>, outcome: () => Promise<Outcome>) => Promise<void>,
): Promise<void> {
  const outcomes = new Queue<Outcome>();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    try {
      const body = await takeBody(request, opts);
      body.release();
      outcomes.push(body.bytes.length);
      return new Response(`${body.bytes.length} bytes\n`);
    } catch (error) {
      assertInstanceOf(error, ChukchaError);
      outcomes.push(error);
      return Response.json(error.toBody(), { status: error.status });
    }
  });
  try {
    const { port } = server.addr;
    await act(
      async () => new Connection(await Deno.connect({ hostname: "127.0.0.1", port })),
      () => outcomes.next(),
    );
  } finally {
    await server.shutdown();
  }
  assertEquals(opts.arriving.budget.used, 0);
}

/** How many bytes were taken, or why not. */
type Outcome = number | ChukchaError;

class Queue<T> {
  readonly #items: T[] = [];
  #wake = Promise.withResolvers<void>();

  push(item: T): void {
    this.#items.push(item);
    this.#wake.resolve();
  }

  async next(): Promise<T> {
    while (this.#items.length === 0) {
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
    return this.#items.shift()!;
  }
}

/** A socket that speaks HTTP by hand. */
class Connection {
  #seen = "";

  constructor(private readonly socket: Deno.Conn) {}

  async send(data: string | Uint8Array): Promise<void> {
    let bytes = typeof data === "string" ? utf8(data) : data;
    while (bytes.length > 0) bytes = bytes.subarray(await this.socket.write(bytes));
  }

  /** What arrived until now, as soon as it contains `text`. */
  async until(text: string): Promise<string> {
    const buffer = new Uint8Array(4096);
    while (!this.#seen.includes(text)) {
      const read = await this.socket.read(buffer);
      if (read === null) throw new Error(`closed after ${JSON.stringify(this.#seen)}, before ${text}`);
      this.#seen += new TextDecoder().decode(buffer.subarray(0, read));
    }
    return this.#seen;
  }

  [Symbol.dispose](): void {
    this.socket.close();
  }
}

const HEAD = "POST /write HTTP/1.1\r\nHost: x\r\n";

Deno.test("takeBody on a socket: a client that leaves mid-body gives everything back", async () => {
  await withServer(options(), async (open, outcome) => {
    const heads = ["Content-Length: 50", "Content-Length: 100000", "Transfer-Encoding: chunked"];
    for (const head of heads) {
      const connection = await open();
      await connection.send(`${HEAD}${head}\r\n\r\n5\r\nhello\r\n`);
      connection[Symbol.dispose]();
      const error = await outcome();
      assertInstanceOf(error, ChukchaError);
      assertEquals(error.code, "invalid_body");
    }
  });
});

Deno.test("takeBody on a socket: a declared length over the limit is answered at once", async () => {
  await withServer(options(), async (open) => {
    using connection = await open();
    await connection.send(`${HEAD}Content-Length: ${LIMIT + 1}\r\n\r\n`);
    await connection.send(noise(1000));
    assert((await connection.until("too_large")).startsWith("HTTP/1.1 413"));
  });
});

Deno.test("takeBody on a socket: chunks over the limit are answered while the client still sends", async () => {
  await withServer(options(), async (open) => {
    using connection = await open();
    await connection.send(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = concat(utf8("10000\r\n"), noise(65_536), utf8("\r\n"));
    for (let sent = 0; sent <= LIMIT; sent += 65_536) await connection.send(chunk);
    assert((await connection.until("too_large")).startsWith("HTTP/1.1 413"));
  });
});

Deno.test("takeBody on a socket: a body that stalls is answered after its time", async () => {
  const opts = options();
  await withServer(opts, async (open) => {
    using connection = await open();
    await connection.send(`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
    await eventually("it is on its way", () => opts.arriving.budget.used, (used) => used > 0);
    opts.clock.advance(PACE_SILENT_MS + 2 * PACE_CHECK_MS);
    assert((await connection.until("overloaded")).startsWith("HTTP/1.1 503"));
  });
});

Deno.test("takeBody on a socket: Expect: 100-continue is answered, also where the body is refused", async () => {
  await withServer(options(), async (open) => {
    for (const length of [5, 100_000]) {
      using connection = await open();
      await connection.send(`${HEAD}Expect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`);
      await connection.until("HTTP/1.1 100 Continue\r\n\r\n");
      await connection.send(noise(length));
      await connection.until(`${length} bytes\n`);
    }
    using refusedConnection = await open();
    await refusedConnection.send(`${HEAD}Expect: 100-continue\r\nContent-Length: ${LIMIT + 1}\r\n\r\n`);
    // The server sends its 100 in front of any answer.
    assert(
      (await refusedConnection.until("too_large")).startsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413"),
    );
  });
});

Deno.test("takeBody on a socket: requests follow each other on one connection", async () => {
  await withServer(options(), async (open) => {
    using connection = await open();
    for (const text of ["one", "three", "seventeen"]) {
      await connection.send(`${HEAD}Content-Length: ${text.length}\r\n\r\n${text}`);
      await connection.until(`${text.length} bytes\n`);
    }
    await connection.send(`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`);
    await connection.until("11 bytes\n");
  });
});
