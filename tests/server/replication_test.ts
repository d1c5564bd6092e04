/**
 * @module Tests of `lib/http/replication.ts`, through a real socket.
 */
import { assert, assertEquals } from "@std/assert";
import { concatenate } from "../../lib/protocol/bytes.ts";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import {
  MIB,
  REPLICATION_REQUEST_BYTES_MAX,
  REPLICATION_WHOLE_BYTES_MAX,
} from "../../lib/protocol/limits.ts";
import type { Answerer } from "../../lib/replication/peer.ts";
import {
  encodeChangesAnswer,
  encodeChangesRequest,
  encodeFetchAnswer,
  encodeFetchRequest,
  encodeKnowledge,
  encodeKnowsRequest,
} from "../../lib/replication/wire.ts";
import { servePeer } from "../replication/peer_server.ts";
import { NEWS, NODE_1, NODE_2, pieceOf, POLL } from "../replication/wire_samples.ts";
import { assertBytes } from "../support/bytes.ts";
import { head, RawConnection } from "../support/raw_http.ts";
import { assertError } from "./answers.ts";

const CHUNK = "node_2-chunk000000007";
const REQUESTS = {
  changes: encodeChangesRequest(POLL),
  fetch: encodeFetchRequest({ from: NODE_1, wanted: [], bytesMax: 1 }),
  knows: encodeKnowsRequest({ from: NODE_1, category: "web", chunk: CHUNK }),
};

function post(server: { readonly url: string }, call: string, body: BodyInit): Promise<Response> {
  return fetch(`${server.url}/replication/${call}`, { method: "POST", body });
}

Deno.test("/replication: each call is answered as wire.ts has it, of bytes that nothing packs", async () => {
  const unreadable = [{ category: "web", chunk: CHUNK, offset: 5 }];
  const fetched = { node: NODE_2, pieces: NEWS.pieces, unreadable };
  await using server = servePeer({
    changes: () => Promise.resolve(NEWS),
    fetch: () => Promise.resolve(fetched),
    knows: () => Promise.resolve({ node: NODE_2, state: "unknown" }),
  });
  const rows = [
    ["changes", encodeChangesAnswer(NEWS)],
    ["fetch", encodeFetchAnswer(fetched)],
    ["knows", encodeKnowledge({ node: NODE_2, state: "unknown" })],
  ] as const;
  for (const [call, parts] of rows) {
    const response = await post(server, call, REQUESTS[call]);
    const expected = concatenate(parts);
    assertEquals(response.status, 200);
    assertEquals(response.headers.get("content-type"), "application/octet-stream");
    assertEquals(response.headers.get("content-length"), String(expected.length));
    assertBytes(await response.bytes(), expected, call);
  }
});

Deno.test("/replication/fetch: answers of every size are whole, and have their length", async () => {
  let size = 0;
  const fetched = () => ({
    node: NODE_2,
    pieces: [pieceOf(CHUNK, 0, "x".repeat(size) + "\n"), pieceOf(CHUNK, size + 1, "y\n")],
    unreadable: [],
  });
  await using server = servePeer({ fetch: () => Promise.resolve(fetched()) });
  const overhead = concatenate(encodeFetchAnswer(fetched())).length;
  const bound = REPLICATION_WHOLE_BYTES_MAX - overhead;
  for (size of [0, bound - 10, bound - 5, bound, bound + 1, MIB, 5 * MIB]) {
    const response = await post(server, "fetch", REQUESTS.fetch);
    const expected = concatenate(encodeFetchAnswer(fetched()));
    assertEquals(response.headers.get("content-length"), String(expected.length));
    assertBytes(await response.bytes(), expected);
  }
});

Deno.test("/replication: a node without peers has no such path", async () => {
  await using server = servePeer(undefined);
  for (const [call, body] of Object.entries(REQUESTS)) {
    const response = await post(server, call, body);
    await assertError(response, { code: "not_found", says: ["this node has no --peers"] });
  }
});

Deno.test("/replication: what is no request is a 400, and nobody is asked", async () => {
  await using server = servePeer({});
  const bodies: [call: string, body: BodyInit, says: string][] = [
    ["changes", "", 'document: "" is not JSON'],
    ["changes", "[]", "document: a list of 0 is not a JSON object"],
    ["changes", "{}", "from: undefined is not a list"],
    ["changes", REQUESTS.changes.slice(0, -1), "is not JSON"],
    ["changes", REQUESTS.changes.replace('"web"', '"../web"'), 'held.category: "../web" is not a category'],
    ["changes", Uint8Array.of(0xff), "is not JSON in UTF-8"],
    ["fetch", REQUESTS.changes, "wanted: undefined is not a list"],
    [
      "fetch",
      REQUESTS.fetch.replace('"bytes_max":1', '"bytes_max":0'),
      "bytes_max: 0 is not a whole number from 1",
    ],
    ["knows", REQUESTS.knows.replace(CHUNK, "../x"), 'chunk: "../x" is not a chunk'],
  ];
  for (const [call, body, says] of bodies) {
    await assertError(await post(server, call, body), { code: "invalid_body", says: [says] });
  }
});

Deno.test("/replication: a request over the bound is not taken", async () => {
  await using server = servePeer({});
  const response = await post(server, "changes", new Uint8Array(REPLICATION_REQUEST_BYTES_MAX + 1));
  await assertError(response, { code: "too_large" });
});

Deno.test("/replication takes POST and nothing else", async () => {
  await using server = servePeer({});
  for (const method of ["GET", "PUT", "DELETE"]) {
    const response = await fetch(`${server.url}/replication/changes`, { method });
    await assertError(response, { code: "method_not_allowed", says: ["takes POST"] });
  }
});

Deno.test("/replication: who is refused is told why", async () => {
  const refuse = () => Promise.reject(new ChukchaError("name_in_use", "instance: node_1 is another node"));
  await using server = servePeer({ changes: refuse, fetch: refuse, knows: refuse });
  for (const [call, body] of Object.entries(REQUESTS)) {
    const response = await post(server, call, body);
    await assertError(response, { code: "name_in_use", says: ["node_1 is another node"] });
  }
});

Deno.test("/replication/changes: whoever waits is told when the other side hangs up", async () => {
  const came = Promise.withResolvers<AbortSignal>();
  const left = Promise.withResolvers<void>();
  const changes: Answerer["changes"] = (_, gone) => {
    gone!.addEventListener("abort", () => left.resolve());
    came.resolve(gone!);
    return left.promise.then(() => NEWS);
  };
  await using server = servePeer({ changes });
  {
    using connection = await RawConnection.open(server);
    const headers = { host: "x", "content-length": String(REQUESTS.changes.length) };
    await connection.send(head("POST", "/replication/changes", headers) + REQUESTS.changes);
    assertEquals((await came.promise).aborted, false);
  }
  await left.promise;
  assert((await came.promise).aborted);
});

Deno.test("/replication/fetch: who hangs up in the middle of an answer does no harm", async () => {
  const pieces = [pieceOf(CHUNK, 0, "x".repeat(20 * MIB) + "\n")];
  await using server = servePeer({
    fetch: () => Promise.resolve({ node: NODE_2, pieces, unreadable: [] }),
  });
  {
    using connection = await RawConnection.open(server);
    const headers = { host: "x", "content-length": String(REQUESTS.fetch.length) };
    await connection.send(head("POST", "/replication/fetch", headers) + REQUESTS.fetch);
    assertEquals((await connection.head()).status, 200);
    await connection.take(1000);
  }
  const response = await post(server, "fetch", REQUESTS.fetch);
  assert((await response.bytes()).length > 20 * MIB);
});
