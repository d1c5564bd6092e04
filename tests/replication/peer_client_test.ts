/**
 * @module Tests of `lib/replication/peer_client.ts`, against real sockets.
 */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { concatenate } from "../../lib/protocol/bytes.ts";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { MIB } from "../../lib/protocol/limits.ts";
import type { FetchAnswer } from "../../lib/replication/peer.ts";
import { PeerClient, type PeerClientOptions } from "../../lib/replication/peer_client.ts";
import { PeerError } from "../../lib/replication/peer_error.ts";
import { encodeChangesAnswer, encodeFetchAnswer } from "../../lib/replication/wire.ts";
import { WireError } from "../../lib/replication/wire_fields.ts";
import { assertBytes } from "../support/bytes.ts";
import { hungUp, type PeerServer, send, servePeer, serving, servingBytes } from "./peer_server.ts";
import { copyOf, NEWS, NODE_1, NODE_2, pieceOf, POLL } from "./wire_samples.ts";

const CHUNK = "node_2-chunk000000007";
const WANTED = [{ category: "web", chunk: CHUNK, offset: 9 }];

/** A client that is closed at the end. */
function clientOf({ url }: { readonly url: string }, options?: PeerClientOptions): PeerClient & Disposable {
  const client = new PeerClient("node_2", url, options);
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

/** The error that a call to the peer ends with, its address left out. */
async function failure(call: Promise<unknown>): Promise<{ message: string; cause: unknown }> {
  const error = await assertRejects(() => call, PeerError);
  assertMatch(error.message, /^(poll|fetch from|ask) node_2 at http:\/\/127\.0\.0\.1:\d+: [^\n]{1,250}$/);
  return { message: error.message.replace(/^.* at http:\/\/127\.0\.0\.1:\d+: /, ""), cause: error.cause };
}

Deno.test("PeerClient: each call arrives as it was made, and so does its answer", async () => {
  const asked: unknown[] = [];
  const fetched: FetchAnswer = { node: NODE_2, pieces: NEWS.pieces, unreadable: WANTED };
  const known = { node: NODE_2, state: copyOf(CHUNK, { size: 5, synced: 3, complete: true }) };
  await using server = servePeer({
    changes: (request) => (asked.push(request), Promise.resolve(NEWS)),
    fetch: (...given) => (asked.push(given), Promise.resolve(fetched)),
    knows: (...given) => (asked.push(given), Promise.resolve(known)),
  });
  using client = clientOf(server);
  assertEquals(await client.changes(POLL), NEWS);
  assertEquals(await client.fetch(NODE_1, WANTED, 1000), fetched);
  assertEquals(await client.knows(NODE_1, "web", CHUNK), known);
  assertEquals(asked, [POLL, [NODE_1, WANTED, 1000], [NODE_1, "web", CHUNK]]);
});

Deno.test("PeerClient: large answers arrive whole, in one buffer", async () => {
  const bytes = new Uint8Array(3 * MIB);
  for (let i = 0; i < bytes.length; i++) bytes[i] = i * 7 + (i >> 13);
  bytes[bytes.length - 1] = 10;
  const pieces = [
    pieceOf(CHUNK, 0, bytes),
    pieceOf(CHUNK, bytes.length, "few\n"),
    pieceOf(CHUNK, bytes.length + 4, bytes),
  ];
  await using server = servePeer({
    fetch: () => Promise.resolve({ node: NODE_2, pieces, unreadable: [] }),
  });
  using client = clientOf(server);
  for (let round = 0; round < 3; round++) {
    const answer = await client.fetch(NODE_1, WANTED, 1000);
    assertEquals(answer.pieces.map(({ offset }) => offset), pieces.map(({ offset }) => offset));
    answer.pieces.forEach((piece, i) => {
      assertBytes(piece.bytes, pieces[i]!.bytes);
      assertStrictEquals(piece.bytes.buffer, answer.pieces[0]!.bytes.buffer);
    });
  }
});

Deno.test("PeerClient: an answer without a length is taken too", async () => {
  const parts = encodeFetchAnswer({
    node: NODE_2,
    pieces: [pieceOf(CHUNK, 0, "x".repeat(MIB) + "\n")],
    unreadable: [],
  });
  await using server = serving(() => new Response(ReadableStream.from(parts)));
  using client = clientOf(server);
  assertEquals((await client.fetch(NODE_1, WANTED, 1000)).pieces[0]!.bytes.length, MIB + 1);
});

Deno.test("PeerClient: what the peer refuses is its own error, and the next call goes on", async () => {
  let refusing = true;
  await using server = servePeer({
    knows: () => {
      if (!refusing) return Promise.resolve({ node: NODE_2, state: "unknown" });
      throw new ChukchaError("name_in_use", "instance: another live node is called node_1");
    },
  });
  using client = clientOf(server);
  const error = await assertRejects(() => client.knows(NODE_1, "web", CHUNK), ChukchaError);
  assertEquals(error.toBody().error, {
    code: "name_in_use",
    message: "instance: another live node is called node_1",
    written: "no",
  });
  refusing = false;
  assertEquals(await client.knows(NODE_1, "web", CHUNK), { node: NODE_2, state: "unknown" });
});

Deno.test("PeerClient: a node without peers says so", async () => {
  await using server = servePeer(undefined);
  using client = clientOf(server);
  const error = await assertRejects(() => client.changes(POLL), ChukchaError, "this node has no --peers");
  assertEquals(error.code, "not_found");
});

/** The answer of a peer, as it would be sent. */
function answerOf(
  body: Uint8Array | string,
  headers: Record<string, string> = {},
  status = "200 OK",
): Uint8Array {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const all = { "content-length": String(bytes.length), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return concatenate([new TextEncoder().encode(`HTTP/1.1 ${status}\r\n${lines.join("")}\r\n`), bytes]);
}

/** The news, with a change to its document. */
function newsWith(change: (document: Record<string, unknown>) => void): Uint8Array {
  const [head, ...bytes] = encodeChangesAnswer(NEWS);
  const document = JSON.parse(new TextDecoder().decode(head));
  change(document);
  return concatenate([new TextEncoder().encode(JSON.stringify(document) + "\n"), ...bytes]);
}

Deno.test("PeerClient: an answer that no node gives is an error that says what was wrong", async () => {
  const good = concatenate(encodeChangesAnswer(NEWS));
  const own = '{"error":{"code":"no_such_code","message":"x","written":"no"}}';
  const rows: [answer: Uint8Array | string, says: RegExp, cause?: unknown][] = [
    [
      answerOf(newsWith((d) => d.node = ["../../etc", "a", "b"])),
      /^node.instance: "\.\.\/\.\.\/etc" is not an instance$/,
      WireError,
    ],
    [
      answerOf(newsWith((d) => d.copies = [["..", "n", []]])),
      /^copies.category: "\.\." is not a category$/,
      WireError,
    ],
    [
      answerOf(newsWith((d) => d.copies = [["web", "n", [[1, -5, 0, 0, 0]]]])),
      /^copies.size: -5 is not/,
      WireError,
    ],
    [
      answerOf(newsWith((d) => d.pieces = [["web", "n", [[1, 0, 11, 0, 0]]]])),
      /^pieces.length: 11 is not the 10/,
      WireError,
    ],
    [answerOf(good.subarray(0, good.length - 1)), /^pieces.length: 10 is not the 9 bytes/, WireError],
    [answerOf(concatenate([good, good])), /^pieces.length: 10 is not the \d+ bytes/, WireError],
    [answerOf(""), /^answer: has no line/, WireError],
    [answerOf("{}\n"), /^node: undefined is not/, WireError],
    [answerOf("<html>welcome</html>\n"), /^document: "<html>welcome<\/html>" is not JSON/, WireError],
    [answerOf(good, { "content-length": String(good.length + 5) }), /./, TypeError],
    [
      answerOf(good, { "content-length": String(good.length - 5) }),
      /^pieces.length: 10 is not the 5 bytes/,
      WireError,
    ],
    [answerOf(good, { "content-length": "-1" }), /./],
    [answerOf(good, { "content-length": "1e3" }), /./],
    [answerOf(good, { "content-length": "99999999999999999999" }), /./],
    [
      answerOf(good, { "content-length": "29360129" }),
      /^answer: 29360129 bytes are over the limit of 29360128$/,
      WireError,
    ],
    [answerOf("ffffffff\r\nx", { "transfer-encoding": "chunked" }), /./, TypeError],
    [answerOf("zz\r\nx", { "transfer-encoding": "chunked" }), /./, TypeError],
    [answerOf("", {}, "204 No Content"), /^answered 204; is this the address/],
    [
      answerOf("", { location: "/livez" }, "302 Found"),
      /^answered 302; is this the address of a Chukcha node\?$/,
    ],
    [answerOf("oh no\n", {}, "500 Oh"), /^answered 500: "oh no"; is this/],
    [answerOf("x".repeat(1000), {}, "500 Oh"), /^answered 500: "x{80}…"; is this/],
    [answerOf("x".repeat(100_000), {}, "500 Oh"), /^answered 500; is this/],
    [
      answerOf("<h1>Bad\nGateway</h1>", { "content-type": "text/html" }, "502 x"),
      /^answered 502: "<h1>Bad\\nGateway<\/h1>"/,
    ],
    [answerOf(own, {}, "503 x"), /^answered 503: "{/],
    [answerOf('{"error":null}', {}, "503 x"), /^answered 503: "{/],
    ["HTTP/1.1 200 OK\r\n", /./, TypeError],
    ["SSH-2.0-OpenSSH_9.9\r\n", /./, TypeError],
    [crypto.getRandomValues(new Uint8Array(1000)), /./, TypeError],
    ["", /./, TypeError],
  ];
  let answer: Uint8Array | string = "";
  await using server = servingBytes((connection) => send(connection, answer));
  using client = clientOf(server);
  for (const [sent, says, cause] of rows) {
    answer = sent;
    const error = await failure(client.changes(POLL));
    assertMatch(error.message, says);
    if (cause) assert(error.cause instanceof (cause as ErrorConstructor), `${error.message}: ${error.cause}`);
  }
  answer = answerOf(good);
  assertEquals(await client.changes(POLL), NEWS);
});

Deno.test("PeerClient: an endless answer is cut off at the bound", async () => {
  const left = Promise.withResolvers<void>();
  await using server = servingBytes(async (connection) => {
    await send(connection, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    const line = "10000\r\n" + "x".repeat(65_536) + "\r\n";
    // Ends when the client hangs up.
    for (;;) await send(connection, line).catch((error) => (left.resolve(), Promise.reject(error)));
  });
  using client = clientOf(server, { answerBytesMax: MIB });
  const error = await failure(client.fetch(NODE_1, WANTED, 1000));
  assertEquals(error.message, "answer: goes on after the limit of 1048576 bytes");
  await left.promise;
});

Deno.test("PeerClient: an answer that is declared too long is not waited for", async () => {
  await using server = servingBytes(async (connection) => {
    await send(connection, "HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n");
    await hungUp(connection);
  });
  using client = clientOf(server, { answerBytesMax: MIB });
  const error = await failure(client.knows(NODE_1, "web", CHUNK));
  assertEquals(error.message, "answer: 1048577 bytes are over the limit of 1048576");
});

Deno.test("PeerClient: an error that goes on for ever is not waited for", async () => {
  await using server = servingBytes(async (connection) => {
    await send(connection, "HTTP/1.1 500 Oh\r\n\r\n");
    for (;;) await send(connection, "x".repeat(65_536));
  });
  using client = clientOf(server);
  assertMatch((await failure(client.knows(NODE_1, "web", CHUNK))).message, /^answered 500; is this/);
});

Deno.test("PeerClient: a redirect is not followed", async () => {
  let asked = 0;
  await using elsewhere = serving(() => (asked++, new Response("x")));
  await using server = serving(() => Response.redirect(`${elsewhere.url}/x`, 307));
  using client = clientOf(server);
  assertMatch((await failure(client.changes(POLL))).message, /^answered 307; is this/);
  assertEquals(asked, 0);
});

Deno.test("PeerClient: silence ends each call in its time", async () => {
  await using server = servingBytes(hungUp);
  using client = clientOf(server, { pollSlackMs: 30, silentMs: 40, knowsMs: 50 });
  const calls = [
    failure(client.changes({ ...POLL, waitMs: 0 })),
    failure(client.fetch(NODE_1, WANTED, 1000)),
    failure(client.knows(NODE_1, "web", CHUNK)),
    failure(client.changes({ ...POLL, waitMs: 100 })),
  ];
  assertEquals((await Promise.all(calls)).map(({ message }) => message), [
    "no answer within 30 ms",
    "no answer within 40 ms",
    "no whole answer within 50 ms",
    "no answer within 130 ms",
  ]);
});

Deno.test("PeerClient: an answer that stops in the middle, or only drips, ends in its time", async () => {
  const head = "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
  await using stops = servingBytes(async (connection) => {
    await send(connection, head + "{");
    await hungUp(connection);
  });
  using stopped = clientOf(stops, { silentMs: 50 });
  assertEquals(
    (await failure(stopped.fetch(NODE_1, WANTED, 1000))).message,
    "nothing more of the answer within 50 ms",
  );
  await using drips = servingBytes(async (connection) => {
    await send(connection, head);
    for (;;) {
      await send(connection, "x");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  using dripping = clientOf(drips, { silentMs: 60_000, transferMs: 80, pollSlackMs: 20 });
  assertEquals((await failure(dripping.fetch(NODE_1, WANTED, 1000))).message, "no whole answer within 80 ms");
  assertEquals(
    (await failure(dripping.changes({ ...POLL, waitMs: 0 }))).message,
    "no whole answer within 100 ms",
  );
});

/** A peer that lets polls wait, and says when one came, and when it was given up. */
function patientPeer(): PeerServer & { readonly came: Promise<void>; readonly left: Promise<void> } {
  const came = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  const server = servePeer({
    changes: (_, gone) => {
      came.resolve();
      return new Promise((_, reject) =>
        gone!.addEventListener("abort", () => {
          left.resolve();
          reject(new Error("nobody waits"));
        })
      );
    },
    knows: () => Promise.resolve({ node: NODE_2, state: "acknowledged" }),
  });
  return { ...server, came: came.promise, left: left.promise };
}

Deno.test("PeerClient: close ends what is under way, tells the peer, and nothing is asked any more", async () => {
  await using server = patientPeer();
  using client = clientOf(server);
  const polled = failure(client.changes(POLL));
  await server.came;
  client.close();
  assertEquals((await polled).message, "it was closed here");
  await server.left;
  assertEquals((await failure(client.changes(POLL))).message, "it was closed here");
  assertEquals((await failure(client.knows(NODE_1, "web", CHUNK))).message, "it was closed here");
  client.close();
});

Deno.test("PeerClient: close ends an answer that is half received", async () => {
  const half = Promise.withResolvers<void>();
  await using server = servingBytes(async (connection) => {
    await send(connection, "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + "x".repeat(50_000));
    half.resolve();
    await hungUp(connection);
  });
  using client = clientOf(server);
  const fetched = failure(client.fetch(NODE_1, WANTED, 1000));
  await half.promise;
  client.close();
  assertEquals((await fetched).message, "it was closed here");
});

Deno.test("PeerClient: a poll that is called off ends, tells the peer, and others go on", async () => {
  await using server = patientPeer();
  using client = clientOf(server);
  const cancel = new AbortController();
  const polled = failure(client.changes(POLL, cancel.signal));
  await server.came;
  cancel.abort();
  assertEquals((await polled).message, "it was called off here");
  await server.left;
  assertEquals((await failure(client.changes(POLL, cancel.signal))).message, "it was called off here");
  assertEquals(await client.knows(NODE_1, "web", CHUNK), { node: NODE_2, state: "acknowledged" });
});

Deno.test("PeerClient: a call that fails leaves one that is under way alone", async () => {
  const answer = Promise.withResolvers<typeof NEWS>();
  const came = Promise.withResolvers<void>();
  await using server = servePeer({
    changes: () => (came.resolve(), answer.promise),
    knows: () => answer.promise.then(() => ({ node: NODE_2, state: "unknown" })),
  });
  using client = clientOf(server, { knowsMs: 20 });
  const polled = client.changes(POLL);
  await came.promise;
  assertEquals((await failure(client.knows(NODE_1, "web", CHUNK))).message, "no whole answer within 20 ms");
  answer.resolve(NEWS);
  assertEquals(await polled, NEWS);
});

Deno.test("PeerClient: a peer that is started again on its address is asked again", async () => {
  const knows = () => Promise.resolve({ node: NODE_2, state: "unknown" as const });
  const first = servePeer({ knows });
  using client = clientOf(first);
  await client.knows(NODE_1, "web", CHUNK);
  await first[Symbol.asyncDispose]();
  assertEquals((await failure(client.knows(NODE_1, "web", CHUNK))).message, "connection refused");
  await using _second = servePeer({ knows }, first.port);
  assertEquals(await client.knows(NODE_1, "web", CHUNK), { node: NODE_2, state: "unknown" });
});

Deno.test("PeerClient: an address is judged when it is given", () => {
  for (const url of ["", "node_2:8080", "ftp://x", "//x", `http://${"x".repeat(3000)}`]) {
    assertThrows(() => new PeerClient("node_2", url), ChukchaError, "is not an address like");
  }
  assertEquals(new PeerClient("node_2", "http://x:1//").url, "http://x:1");
});

Deno.test("PeerClient: a name that leads nowhere is told", async () => {
  const client = new PeerClient("node_2", "http://nowhere.invalid:8080");
  const error = await assertRejects(() => client.changes(POLL), PeerError);
  assertMatch(error.message, /^poll node_2 at http:\/\/nowhere\.invalid:8080: failed to lookup address/);
  client.close();
});
