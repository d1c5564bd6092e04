/**
 * The retry rules of log shippers against what a node really answers: what passes by itself is told by a status that
 * every one of them retries, and nothing of the batch is stored; what never succeeds is told by one that no shipper
 * takes for a passing trouble.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { ErrorCode } from "../../lib/protocol/errors.ts";
import { APPEND_QUEUE_BYTES_MAX, MIB } from "../../lib/protocol/limits.ts";
import { DiskError } from "../../lib/storage/disk.ts";
import { assertError } from "../server/answers.ts";
import { type DiskHooks, faultyDisk } from "../support/faulty_disk.ts";
import {
  type LocalNode,
  startChildNode,
  startLocalNode,
  temporaryDirectory,
  until,
} from "../support/node.ts";
import { head, RawConnection } from "../support/raw_http.ts";
import { os, testWith } from "../support/skip.ts";
import { RULES } from "./shippers_rules.ts";

/** Fluent Bit writes each of them to its log, once a retry. */
const ANSWER_CHARS_MAX = 300;
const BATCH = '[{"message":"one"},{"message":"two"}]';
const JSON_TYPE = { "content-type": "application/json" };

/** Asserts that every shipper sends its batch again after this answer. */
async function assertRetried(
  node: { readonly port: number },
  code: ErrorCode,
  connection?: RawConnection,
): Promise<void> {
  using own = connection ? undefined : await RawConnection.open(node);
  const target = "/write?category=shipped";
  const answer = await (connection ?? own!).request("POST", target, { headers: JSON_TYPE, body: BATCH });
  await assertError(answer, { code });
  assert(answer.text.length <= ANSWER_CHARS_MAX, `${answer.text.length} characters: ${answer.text}`);
  for (const [name, rule] of Object.entries(RULES)) {
    assertEquals(rule(answer.status), "retry", `${name} on ${answer.status} ${code}`);
  }
  // Logged at once and again in each round: waiting is up to the node.
  assertMatch(answer.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
}

async function assertStoredOnce(node: LocalNode): Promise<void> {
  using connection = await RawConnection.open(node);
  const target = "/write?category=shipped";
  const answer = await connection.request("POST", target, { headers: JSON_TYPE, body: BATCH });
  assertEquals(answer.status, 200, answer.text);
  assertEquals(await node.readText("shipped"), '{"message":"one"}\n{"message":"two"}\n');
}

Deno.test("retry: a full disk, and a batch of a shipper that comes again when there is room", async () => {
  const hooks: DiskHooks = { space: () => ({ freeBytes: 99 * MIB, totalBytes: 1000 * MIB }) };
  await using node = await startLocalNode({
    settings: { minFreeDisk: 100 * MIB },
    wrapDisk: (disk) => faultyDisk(disk, hooks),
  });
  await assertRetried(node, "disk_full");
  hooks.space = () => ({ freeBytes: 101 * MIB, totalBytes: 1000 * MIB });
  await assertStoredOnce(node);
});

Deno.test("retry: a node that does not keep up, and a batch that comes again when it does", async () => {
  const hooks: DiskHooks = {};
  await using node = await startLocalNode({
    settings: { maxBatchSize: 16 * MIB, maxMessageSize: 16 * MIB },
    wrapDisk: (disk) => faultyDisk(disk, hooks),
  });
  const held = Promise.withResolvers<void>();
  const syncing = Promise.withResolvers<void>();
  hooks.sync = () => {
    syncing.resolve();
    return held.promise;
  };
  const post = async (query: string, body: BodyInit) => {
    const response = await node.fetch(`/write?category=shipped${query}`, { method: "POST", body });
    await response.text();
    return response.status;
  };
  const synced = post("&sync_each_write=1", "synced\n");
  await syncing.promise;
  const body = new Uint8Array(16 * MIB - 1).fill(120);
  const large = Array.from({ length: APPEND_QUEUE_BYTES_MAX / (16 * MIB) + 1 }, () => post("", body));
  try {
    // The queue is full once the last of them is refused.
    assertEquals(await Promise.race(large), 503);
    await assertRetried(node, "overloaded");
  } finally {
    held.resolve();
  }
  hooks.sync = () => {};
  assertEquals([await synced, ...await Promise.all(large)].toSorted(), [200, 200, 200, 200, 200, 503]);
  assertEquals(await post("", "one more\n"), 200);
});

Deno.test("retry: a node that has not joined yet", async () => {
  // Nobody listens where its peer is said to be.
  const peer = { instance: "node_2", url: "http://127.0.0.1:1" };
  await using node = await startLocalNode({ settings: { peers: [peer] } });
  await assertRetried(node, "not_joined");
  assertEquals(await node.listCategories(), []);
});

Deno.test("retry: a disk that refuses writes, and a batch that comes again when it takes them", async () => {
  const hooks: DiskHooks = {};
  await using node = await startLocalNode({ wrapDisk: (disk) => faultyDisk(disk, hooks) });
  hooks.write = (path) => {
    throw new DiskError("read_only", "write", path);
  };
  await assertRetried(node, "disk_failed");
  hooks.write = (_, bytes) => bytes;
  await assertStoredOnce(node);
});

Deno.test("retry: replicas that do not confirm in time, told as maybe written", async () => {
  const peer = { instance: "node_2", url: "http://127.0.0.1:1" };
  await using node = await startLocalNode({ settings: { peers: [peer], bootstrap: true } });
  const path = "/write?category=shipped&min_sync_replicas=1&timeout=20";
  const response = await node.fetch(path, { method: "POST", headers: JSON_TYPE, body: BATCH });
  const answer = { status: response.status, headers: response.headers, text: await response.text() };
  await assertError(answer, { code: "not_confirmed", written: "maybe" });
  for (const [name, rule] of Object.entries(RULES)) assertEquals(rule(answer.status), "retry", name);
});

testWith("retry: a node that is shutting down, on a connection that a shipper holds and on a new one", [
  os("linux", "darwin"),
], async () => {
  await using directory = await temporaryDirectory();
  await using node = await startChildNode(directory.path);
  using slow = await RawConnection.open(node);
  const size = 100_000;
  const length = { host: "x", "content-length": String(size) };
  await slow.send(head("POST", "/write?category=slow", length) + "s");
  await until("the body", async () => (await node.status()).open.body_bytes, (bytes) => bytes > 0);
  using held = await RawConnection.open(node);
  const first = await held.request("POST", "/write?category=shipped", { headers: JSON_TYPE, body: BATCH });
  assertEquals(first.status, 200);

  node.signal("SIGTERM");
  await until(
    "draining",
    async () => (await node.fetch("/readyz")).text(),
    (text) => text.includes("draining"),
  );
  await assertRetried(node, "draining", held);
  await assertRetried(node, "draining");
  await slow.send("s".repeat(size - 1));
  assertEquals((await slow.response()).status, 200, "what was on its way still arrives");
  assertEquals(await node.ended(), 0, node.output);
  await using again = await startChildNode(directory.path);
  assertEquals(await again.readText("shipped"), '{"message":"one"}\n{"message":"two"}\n');
});

Deno.test("retry: what never succeeds is a 400, 413 or 415, which only syslog-ng tries without end", async () => {
  await using node = await startLocalNode({ settings: { maxBatchSize: 1000, maxMessageSize: 500 } });
  const rows: [code: ErrorCode, target: string, headers: Record<string, string>, body: string][] = [
    ["too_large", "/write?category=shipped", JSON_TYPE, `[${'{"m":"x"},'.repeat(101)}{}]`],
    ["too_large", "/write?category=shipped", JSON_TYPE, JSON.stringify({ m: "x".repeat(501) })],
    ["invalid_parameter", "/write?category=a/b", JSON_TYPE, BATCH],
    ["invalid_body", "/write?category=shipped", { ...JSON_TYPE, "content-encoding": "gzip" }, BATCH],
    ["unsupported_encoding", "/write?category=shipped", { ...JSON_TYPE, "content-encoding": "br" }, BATCH],
  ];
  for (const [code, target, headers, body] of rows) {
    using connection = await RawConnection.open(node);
    const answer = await connection.request("POST", target, { headers, body });
    await assertError(answer, { code });
    assert(answer.text.length <= ANSWER_CHARS_MAX, answer.text);
    for (const [name, rule] of Object.entries(RULES)) {
      assertEquals(
        rule(answer.status),
        name === "syslog-ng" ? "block" : "drop",
        `${name} on ${answer.status}`,
      );
    }
  }
  assertEquals(await node.listCategories(), []);
});
