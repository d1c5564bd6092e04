/**
 * Every error that a request can be answered with, provoked through a real socket: its form, its words, and that
 * `written: no` leaves the data directory as it was, to the byte.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { ErrorCode } from "../../lib/protocol/errors.ts";
import {
  APPEND_QUEUE_BYTES_MAX,
  BODY_BYTES_IN_FLIGHT_MAX,
  BODY_SMALL_RESERVED_BYTES,
  KIB,
  MIB,
} from "../../lib/protocol/limits.ts";
import { DiskError } from "../../lib/storage/disk.ts";
import { COMPLETE, decodeRecord, RECORD_BYTES } from "../../lib/storage/index_record.ts";
import { hashDirectory } from "../support/directory_hash.ts";
import { eventually } from "../support/eventually.ts";
import { type DiskHooks, faultyDisk } from "../support/faulty_disk.ts";
import { type LocalNode, type LocalOptions, startLocalNode, until } from "../support/node.ts";
import { head, RawConnection } from "../support/raw_http.ts";
import { assertError, assertRefused } from "./answers.ts";

/** A node that holds something already: a complete chunk 0 and chunk 1, which is being written to. */
async function startFilledNode(options: LocalOptions = {}): Promise<LocalNode> {
  const settings = { maxChunkSize: KIB, ...options.settings };
  // Two lives, so that chunk 0 is finished with, and the directory at rest when it is compared.
  const before = await startLocalNode();
  await before.write("web", "x".repeat(1000) + "\n");
  await before.close();
  const node = await startLocalNode({ ...options, settings, dataDir: before.dataDir });
  await node.write("web", "one\ntwo\n".repeat(8));
  const [first, second] = await node.listChunks("web");
  assertEquals([first?.complete, second?.complete], [true, false]);
  return node;
}

const CHUNK_0 = "node_1-chunk000000000";
const CHUNK_1 = "node_1-chunk000000001";

/** Values that no category has, and how they are quoted. */
const NOT_CATEGORIES: readonly (readonly [raw: string, quoted: string])[] = [
  ["", '""'],
  ["a/b", '"a/b"'],
  ["../etc", '"../etc"'],
  ["..%2F..%2Fetc%2Fpasswd", '"../../etc/passwd"'],
  [".hidden", '".hidden"'],
  ["-x", '"-x"'],
  ["a%00b", '"a\\u0000b"'],
  ["a%0Ab", '"a\\nb"'],
  ["a+b", '"a b"'],
  ["x".repeat(129), `"${"x".repeat(80)}…"`],
  ["%C3%A9", '"é"'],
];
const NOT_CHUNKS: readonly (readonly [raw: string, quoted: string])[] = [
  ["", '""'],
  ["node_1", '"node_1"'],
  ["node_1-chunk1", '"node_1-chunk1"'],
  ["node_1-chunk0000000000", '"node_1-chunk0000000000"'],
  ["..%2Fnode_1-chunk000000000", '"../node_1-chunk000000000"'],
  [`${CHUNK_0}.idx`, `"${CHUNK_0}.idx"`],
];
const NOT_NUMBERS = ["", "-1", "1.5", "1e3", "0x10", "abc", "%201", "99999999999999999999"];

interface Malformed {
  readonly methods: readonly string[];
  readonly path: string;
  readonly rest: string;
  readonly field: string;
  readonly raw: string;
  readonly quoted?: string;
}

function malformedParameters(): Malformed[] {
  const rows: Malformed[] = [];
  const add = (
    methods: readonly string[],
    path: string,
    field: string,
    rest: string,
    values: readonly (string | readonly [string, string])[],
  ): void => {
    for (const value of values) {
      const [raw, quoted] = typeof value === "string" ? [value, undefined] : value;
      rows.push({ methods, path, rest, field, raw, ...(quoted === undefined ? {} : { quoted }) });
    }
    rows.push({ methods, path, rest, field, raw: "%FF", quoted: '"%FF"' });
    rows.push({ methods, path, rest, field, raw: `0&${field}=1`, quoted: '"0"' });
  };
  const chunk = `&chunk=${CHUNK_0}`;
  add(["POST", "PUT"], "/write", "category", "", NOT_CATEGORIES);
  add(["POST", "PUT"], "/write", "sync_each_write", "&category=web", ["", "2", "yes", "TRUE"]);
  add(["POST", "PUT"], "/write", "min_sync_replicas", "&category=web", [...NOT_NUMBERS, "1000001"]);
  add(["POST", "PUT"], "/write", "timeout", "&category=web", [...NOT_NUMBERS, "3600001"]);
  add(["GET"], "/read", "category", chunk, NOT_CATEGORIES);
  add(["GET"], "/read", "chunk", "&category=web", NOT_CHUNKS);
  add(["GET"], "/read", "off", `&category=web${chunk}`, NOT_NUMBERS);
  add(["GET"], "/read", "max_size", `&category=web${chunk}`, [...NOT_NUMBERS, "0", "16777217"]);
  add(["GET", "POST"], "/ack", "category", `&size=1001${chunk}`, NOT_CATEGORIES);
  add(["GET", "POST"], "/ack", "chunk", "&category=web&size=1001", NOT_CHUNKS);
  add(["GET", "POST"], "/ack", "size", `&category=web${chunk}`, NOT_NUMBERS);
  add(["GET"], "/listChunks", "category", "", NOT_CATEGORIES);
  add(["GET"], "/tail", "category", "", NOT_CATEGORIES);
  const notStarts = ["", "yesterday", "-1", "2026-13-40", "10:00"];
  add(["GET"], "/tail", "from", "&category=web", notStarts);
  const notCursors = ["", "x", "node_1:5", `${CHUNK_0}:`, `${CHUNK_0}:-1`, `${CHUNK_0}:1,`];
  add(["GET"], "/tail", "cursor", "&category=web", notCursors);
  add(["GET"], "/tail", "from", `&category=web&cursor=${CHUNK_0}:0`, notStarts);
  return rows;
}

Deno.test("400: every malformed parameter of every route is named with its value, and nothing is written", async () => {
  await using node = await startFilledNode();
  for (const { methods, path, field, rest, raw, quoted } of malformedParameters()) {
    for (const method of methods) {
      const body = method === "GET" ? {} : { body: "must not be stored\n" };
      const says = quoted === undefined ? [field] : [field, quoted];
      const request = () => node.fetch(`${path}?${field}=${raw}${rest}`, { method, ...body });
      await assertRefused(node, request, { code: "invalid_parameter", says });
    }
  }
});

Deno.test("400: a required parameter that is missing is named", async () => {
  await using node = await startFilledNode();
  const rows = [
    ["POST", "/write", "category"],
    ["PUT", "/write?sync_each_write=1", "category"],
    ["GET", `/read?chunk=${CHUNK_0}`, "category"],
    ["GET", "/read?category=web", "chunk"],
    ["GET", `/ack?chunk=${CHUNK_0}&size=1`, "category"],
    ["POST", "/ack?category=web&size=1", "chunk"],
    ["GET", `/ack?category=web&chunk=${CHUNK_0}`, "size"],
    ["GET", "/listChunks", "category"],
    ["GET", "/tail", "category"],
    ["GET", "/tail?", "category"],
  ] as const;
  for (const [method, path, field] of rows) {
    const body = method === "GET" ? {} : { body: "must not be stored\n" };
    const expected = { code: "invalid_parameter", says: [`${field}: `, "missing"] } as const;
    await assertRefused(node, () => node.fetch(path, { method, ...body }), expected);
  }
});

Deno.test("400: replicas that nobody could be are refused, also where there are no peers", async () => {
  await using node = await startFilledNode();
  const request = () =>
    node.fetch("/write?category=web&min_sync_replicas=1", { method: "POST", body: "x\n" });
  await assertRefused(node, request, { code: "invalid_parameter", says: ["min_sync_replicas: 1"] });
});

Deno.test("400: an acknowledgement for a name that is no consumer does not acknowledge for everybody", async () => {
  await using node = await startFilledNode();
  for (const method of ["GET", "POST"]) {
    for (const consumer of ["", ".c", "a/b", "c".repeat(129)]) {
      const path = `/ack?category=web&chunk=${CHUNK_0}&size=1001&consumer=${consumer}`;
      await assertRefused(node, () => node.fetch(path, { method }), {
        code: "invalid_parameter",
        says: ["consumer: "],
      });
    }
  }
});

Deno.test("400: Last-Event-ID that is no cursor is named", async () => {
  await using node = await startFilledNode();
  for (const id of ["17", `${CHUNK_0}`, `${CHUNK_0}:x`, "../x:1"]) {
    const request = () => node.fetch("/tail?category=web", { headers: { "last-event-id": id } });
    await assertRefused(node, request, { code: "invalid_parameter", says: ["Last-Event-ID", `"${id}"`] });
  }
});

Deno.test("400: an offset inside of a message, and a max_size below a message, say which", async () => {
  await using node = await startFilledNode();
  const read = (rest: string) => () => node.fetch(`/read?category=web&chunk=${rest}`);
  await assertRefused(node, read(`${CHUNK_1}&off=1`), { code: "invalid_offset", says: ["off: 1", CHUNK_1] });
  await assertRefused(node, read(`${CHUNK_0}&max_size=1000`), {
    code: "invalid_offset",
    says: ["max_size", "1000"],
  });
});

Deno.test("400: a body that does not decode is refused whole", async () => {
  await using node = await startFilledNode();
  const good = gzipSync("one\ntwo\n");
  const cut = good.subarray(0, good.length - 4);
  const flipped = good.map((byte, i) => i === 12 ? byte ^ 0xff : byte);
  const rows: [encoding: string, body: Uint8Array][] = [
    ["gzip", cut],
    ["gzip", flipped],
    ["gzip", new TextEncoder().encode("plain\n")],
    ["deflate", new TextEncoder().encode("plain\n")],
    ["zstd", new TextEncoder().encode("plain\n")],
    ["zstd", zstdCompressSync("one\ntwo\n".repeat(100)).subarray(0, 12)],
  ];
  for (const [encoding, body] of rows) {
    const init = { method: "POST", headers: { "content-encoding": encoding }, body: plain(body) };
    await assertRefused(node, () => node.fetch("/write?category=web", init), {
      code: "invalid_body",
      says: [encoding],
    });
  }
});

Deno.test("404: chunks that never were, that are acknowledged, and their categories", async () => {
  await using node = await startFilledNode();
  await (await node.fetch(`/ack?category=web&chunk=${CHUNK_0}&size=1001`)).text();
  for (const [category, chunk] of [["web", CHUNK_0], ["web", "node_2-chunk000000000"], ["none", CHUNK_0]]) {
    await assertRefused(node, () => node.fetch(`/read?category=${category}&chunk=${chunk}`), {
      code: "chunk_not_found",
    });
  }
  for (const method of ["GET", "POST"]) {
    const path = "/ack?category=web&chunk=node_2-chunk000000000&size=1";
    await assertRefused(node, () => node.fetch(path, { method }), { code: "chunk_not_found" });
    await assertRefused(node, () => node.fetch(path.replace("web", "none"), { method }), {
      code: "chunk_not_found",
    });
  }
});

Deno.test("404: an unknown path, however long or odd it is, is quoted shortly", async () => {
  await using node = await startFilledNode();
  const paths = [
    "/",
    "/writes",
    "/write/",
    "/Write",
    "/listchunks",
    "/a%0Ab",
    `/${"x".repeat(2000)}`,
    "/%FF",
  ];
  for (const path of paths) {
    for (const method of ["GET", "POST"]) {
      const body = method === "GET" ? {} : { body: "x\n" };
      await assertRefused(node, () => node.fetch(path, { method, ...body }), { code: "not_found" });
    }
  }
});

Deno.test("405: CONNECT, whose target is no path, is refused like any other method", async () => {
  await using node = await startFilledNode();
  for (const target of ["Chunks?category=web", "x:80", "/write"]) {
    using connection = await RawConnection.open(node);
    await connection.send(`CONNECT ${target} HTTP/1.1\r\nhost: x\r\n\r\n`);
    const { status, text } = await connection.response();
    // What is no target of a CONNECT, the runtime itself refuses.
    if (target === "/write") assertEquals(status, 400);
    else assertEquals([status, JSON.parse(text).error.code], [405, "method_not_allowed"]);
  }
});

Deno.test("405: another method is refused with those that are allowed", async () => {
  await using node = await startFilledNode();
  const allowed = {
    "/write": "POST, PUT",
    "/read": "GET",
    "/ack": "GET, POST",
    "/listChunks": "GET",
    "/listCategories": "GET",
    "/tail": "GET",
    "/livez": "GET",
    "/readyz": "GET",
    "/status": "GET",
    "/openapi.json": "GET",
  };
  for (const [path, allow] of Object.entries(allowed)) {
    for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      if (allow.includes(method)) continue;
      const body = method === "GET" ? {} : { body: "x\n" };
      let seen: string | null = null;
      const request = async () => {
        const response = await node.fetch(`${path}?category=web`, { method, ...body });
        seen = response.headers.get("allow");
        return response;
      };
      await assertRefused(node, request, { code: "method_not_allowed", says: [path, method] });
      assertEquals(seen, allow);
    }
  }
});

Deno.test("409: a chunk that is written to, and less than the whole of one, are not acknowledged", async () => {
  await using node = await startFilledNode();
  for (const method of ["GET", "POST"]) {
    const ack = (chunk: string, size: number) => () =>
      node.fetch(`/ack?category=web&chunk=${chunk}&size=${size}`, { method });
    await assertRefused(node, ack(CHUNK_1, 64), { code: "not_complete", says: [CHUNK_1] });
    await assertRefused(node, ack(CHUNK_1, 1e9), { code: "not_complete", says: [CHUNK_1] });
    await assertRefused(node, ack(CHUNK_0, 1000), { code: "not_complete", says: ["size: 1000", "1001"] });
    await assertRefused(node, ack(CHUNK_0, 0), { code: "not_complete", says: ["size: 0"] });
  }
});

/** A node with small limits, so that going over them is cheap. */
function startSmallNode(): Promise<LocalNode> {
  return startFilledNode({ settings: { maxBatchSize: 256 * KIB, maxMessageSize: 64 * KIB } });
}

/** As bodies are typed. */
function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** A body that does not say how long it is. */
function streamed(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new Blob([plain(bytes)]).stream();
}

const LINES = new TextEncoder().encode(("l".repeat(1023) + "\n").repeat(1024));

Deno.test("413: a batch over the limit is refused by its declared length before it is sent", async () => {
  await using node = await startSmallNode();
  using connection = await RawConnection.open(node);
  await assertRefused(node, async () => {
    const headers = { host: "x", "content-length": String(256 * KIB + 1) };
    await connection.send(head("POST", "/write?category=web", headers));
    return await connection.response();
  }, { code: "too_large", says: ["262145", "262144"] });
});

Deno.test("413: a batch over the limit is refused while it streams, decoded, and by its added line end", async () => {
  await using node = await startSmallNode();
  const post = (body: BodyInit, headers: Record<string, string> = {}) => () =>
    node.fetch("/write?category=web", { method: "POST", body, headers });
  const over = { code: "too_large", says: ["body", "262144"] } as const;
  await assertRefused(node, post(LINES), over);
  await assertRefused(node, post(streamed(LINES)), over);
  await assertRefused(node, post(plain(gzipSync(LINES)), { "content-encoding": "gzip" }), over);
  await assertRefused(node, post(plain(zstdCompressSync(LINES)), { "content-encoding": "zstd" }), over);
  await assertRefused(node, post(streamed(gzipSync(LINES)), { "content-encoding": "gzip" }), over);
  const full = LINES.slice(0, 256 * KIB);
  full[full.length - 1] = 120;
  await assertRefused(node, post(full), { code: "too_large", says: ["262145", "262144"] });
  full[full.length - 1] = 10;
  assertEquals((await node.write("web", full)).size, 256 * KIB);
});

Deno.test("413: one message over the limit refuses the whole batch and says where it is", async () => {
  await using node = await startSmallNode();
  const post = (body: string, headers: Record<string, string> = {}) => () =>
    node.fetch("/write?category=web", { method: "POST", body, headers });
  const long = "m".repeat(64 * KIB + 1);
  const says = ["65537", "65536"];
  for (const body of [long, `${long}\n`, `ok\n${long}\n`, `ok\n${long}`, `ok\n${long}\nok\n`]) {
    await assertRefused(node, post(body), { code: "too_large", says });
  }
  const json = { "content-type": "application/json" };
  await assertRefused(node, post(JSON.stringify(["ok", "m".repeat(64 * KIB - 1)]), json), {
    code: "too_large",
    says,
  });
  assertEquals((await node.write("web", `ok\n${long.slice(1)}`)).size, 64 * KIB + 4);
});

Deno.test("415: an encoding that is not known is named", async () => {
  await using node = await startFilledNode();
  for (const encoding of ["br", "snappy", "compress", "gzip, br", "gzip, gzip, gzip"]) {
    const init = { method: "POST", headers: { "content-encoding": encoding }, body: "x\n" };
    await assertRefused(node, () => node.fetch("/write?category=web", init), {
      code: "unsupported_encoding",
      says: ["content-encoding"],
    });
  }
});

Deno.test("503 overloaded: bodies that fill the memory for all of them are refused, and it is given back", async () => {
  await using node = await startFilledNode({ settings: { maxBatchSize: 16 * MIB } });
  const declared = 16 * MIB - 1;
  const holders: RawConnection[] = [];
  try {
    const bytesMax = BODY_BYTES_IN_FLIGHT_MAX - BODY_SMALL_RESERVED_BYTES;
    const count = Math.floor(bytesMax / (declared + 1)) - 1;
    const almostAll = new Uint8Array(declared - 1).fill(10);
    for (let i = 0; i < count; i++) {
      const connection = await RawConnection.open(node);
      holders.push(connection);
      await connection.send(
        head("POST", "/write?category=web", { host: "x", "content-length": String(declared) }),
      );
      await connection.send(almostAll);
    }
    const used = async () => (await node.status()).open.body_bytes;
    await until("bytes of held bodies", used, (bytes) => bytes >= count * (declared + 1));
    const request = () =>
      node.fetch("/write?category=web", { method: "POST", body: new Uint8Array(declared) });
    await assertRefused(node, request, {
      code: "overloaded",
      says: ["body", String(bytesMax)],
    });
    const streaming = () => node.fetch("/write?category=web", { method: "POST", body: streamed(almostAll) });
    await assertRefused(node, streaming, { code: "overloaded" });
    assertEquals((await node.write("small", "is served\n")).size, 10);
    holders.splice(0).forEach((connection) => connection.close());
    await until("bytes of bodies whose clients left", used, (bytes) => bytes === 0);
  } finally {
    holders.forEach((connection) => connection.close());
  }
  assertEquals((await node.write("web", "one more\n")).size, 9);
});

/** A node on a disk with hooks. */
async function startFaultyNode(
  hooks: DiskHooks,
  settings: LocalOptions["settings"] = {},
): Promise<LocalNode> {
  return await startFilledNode({ settings, wrapDisk: (disk) => faultyDisk(disk, hooks) });
}

Deno.test("503 overloaded: a category whose disk does not keep up refuses more, and resumes", async () => {
  const hooks: DiskHooks = {};
  await using node = await startFaultyNode(hooks, { maxBatchSize: 16 * MIB, maxMessageSize: 16 * MIB });
  const post = (query: string, body: BodyInit) =>
    node.fetch(`/write?category=slow${query}`, { method: "POST", body });
  const held = Promise.withResolvers<void>();
  const syncing = Promise.withResolvers<void>();
  hooks.sync = () => {
    syncing.resolve();
    return held.promise;
  };
  const synced = post("&sync_each_write=1", "synced\n");
  const large: Promise<Response>[] = [];
  try {
    await syncing.promise;
    const body = new Uint8Array(16 * MIB - 1).fill(120);
    for (let i = 0; i <= APPEND_QUEUE_BYTES_MAX / (16 * MIB); i++) large.push(post("", body));
    // Four of them fill the queue; only the one that is refused can be answered.
    await assertError(await Promise.race(large), { code: "overloaded", says: ["67108864 bytes wait"] });
    await assertRefused(node, () => post("", "one more\n"), { code: "overloaded" });
  } finally {
    held.resolve();
  }
  hooks.sync = () => {};
  assertEquals((await drained(await synced)).status, 200);
  const answers = await Promise.all(large);
  // That of the refused one was read above.
  await Promise.all(answers.filter(({ bodyUsed }) => !bodyUsed).map(drained));
  assertEquals(answers.map(({ status }) => status).toSorted(), [200, 200, 200, 200, 503]);
  assertEquals((await node.write("slow", "one more\n")).size, 9);
});

Deno.test("503 overloaded: without descriptors nothing is written, and reads of open files go on", async () => {
  const hooks: DiskHooks = {};
  await using node = await startFaultyNode(hooks);
  hooks.open = (path) => {
    throw new DiskError("too_many_open", "open", path);
  };
  const request = () => node.fetch("/write?category=other", { method: "POST", body: "x\n" });
  await assertError(await request(), { code: "overloaded", says: ["descriptors"] });
  hooks.open = () => {};
  assertEquals((await node.write("other", "x\n")).size, 2);
  assertEquals(await node.readText("other"), "x\n");
});

/** How many chunks of a directory have no record that says that they are complete. */
function unsealed(directory: string): number {
  return Array.from(Deno.readDirSync(directory)).filter(({ name }) => {
    if (!name.endsWith(".idx")) return false;
    const index = Deno.readFileSync(`${directory}/${name}`);
    return ((decodeRecord(index, index.length - RECORD_BYTES)?.flags ?? 0) & COMPLETE) === 0;
  }).length;
}

Deno.test("503 disk_full: below the floor nothing is written, reads and acknowledgements go on", async () => {
  const hooks: DiskHooks = {};
  await using node = await startFaultyNode(hooks, { minFreeDisk: 100 * MIB });
  hooks.space = () => ({ freeBytes: 99 * MIB, totalBytes: 1000 * MIB });
  // The room is asked for again once this much was let through.
  await until(
    "a write",
    async () => {
      const response = await node.fetch("/write?category=web", { method: "POST", body: "x\n" });
      await response.text();
      return response.status;
    },
    (status) => status === 503,
  );
  // What is complete is sealed in the background, which is no doing of the requests below.
  await eventually("sealed chunks", () => unsealed(`${node.dataDir}/web`), (count) => count === 1);
  for (const category of ["web", "not_there_yet"]) {
    const request = () => node.fetch(`/write?category=${category}`, { method: "POST", body: "x\n" });
    await assertRefused(node, request, { code: "disk_full", says: ["--min-free-disk"] });
  }
  assertEquals(await node.listCategories(), ["web"]);
  assertEquals((await node.read("web", CHUNK_0)).length, 1001);
  assertEquals((await node.fetch(`/ack?category=web&chunk=${CHUNK_0}&size=1001`).then(drained)).status, 200);
  await assertError(await node.fetch("/readyz"), { code: "disk_failed", says: ["disk"] });
  hooks.space = () => ({ freeBytes: 101 * MIB, totalBytes: 1000 * MIB });
  assertEquals((await node.write("web", "y\n")).size, 2);
});

Deno.test("503 disk_full: a batch that the disk took only in part is taken back", async () => {
  const hooks: DiskHooks = {};
  await using node = await startFaultyNode(hooks);
  const request = () => node.fetch("/write?category=full", { method: "POST", body: "not to be seen\n" });
  for (const where of [CHUNK_0, `${CHUNK_0}.idx`]) {
    hooks.write = (_, bytes) => bytes;
    await node.write("full", "before\n");
    let calls = 0;
    hooks.write = (path, bytes) => {
      if (!path.endsWith(where)) return bytes;
      if (calls++ === 0) return Math.ceil(bytes / 2);
      throw new DiskError("full", "write", path);
    };
    await assertRefused(node, request, { code: "disk_full", says: ["no space"] });
    assert(calls > 1, "the fault was not met");
  }
  hooks.write = (_, bytes) => bytes;
  await node.write("full", "after\n");
  assertEquals(await node.readText("full"), "before\nbefore\nafter\n");
});

Deno.test("503 disk_failed: a file system that takes no writes still answers reads", async () => {
  const hooks: DiskHooks = {};
  await using node = await startFaultyNode(hooks);
  hooks.write = (path) => {
    throw new DiskError("read_only", "write", path);
  };
  const request = () => node.fetch("/write?category=web", { method: "POST", body: "x\n" });
  await assertRefused(node, request, { code: "disk_failed", says: ["takes no writes"] });
  assertEquals((await node.read("web", CHUNK_0)).length, 1001);
  await assertError(await node.fetch("/readyz"), { code: "disk_failed" });
  hooks.write = (_, bytes) => bytes;
  assertEquals((await node.write("web", "x\n")).size, 2);
  assertEquals((await node.fetch("/readyz").then(drained)).status, 200);
});

Deno.test("503 disk_failed, maybe: a sync that failed is never called success, and its chunk is left", async () => {
  const hooks: DiskHooks = {};
  await using node = await startFaultyNode(hooks);
  hooks.sync = (path) => {
    throw new DiskError("failed", "sync", path);
  };
  const write = (sync: 0 | 1) =>
    node.fetch(`/write?category=web&sync_each_write=${sync}`, { method: "POST", body: "perhaps\n" });
  await assertError(await write(1), { code: "disk_failed", written: "maybe", says: ["disk"] });
  // The file that the disk is tried with may stay.
  const category = { dataDir: `${node.dataDir}/web` };
  await assertRefused(category, () => write(0), { code: "disk_failed" });
  hooks.sync = () => {};
  const after: { chunk: string } = await (await write(1)).json();
  assert(after.chunk > CHUNK_1, `written to ${after.chunk} after its sync failed`);
});

Deno.test("503 not_confirmed, maybe: a sync that takes longer than timeout", async () => {
  const hooks: DiskHooks = {};
  await using node = await startFaultyNode(hooks);
  const held = Promise.withResolvers<void>();
  hooks.sync = () => held.promise;
  const request = node.fetch("/write?category=web&sync_each_write=1&timeout=1", {
    method: "POST",
    body: "x\n",
  });
  await assertError(await request, { code: "not_confirmed", written: "maybe", says: ["1 ms"] });
  held.resolve();
  await until("the write that was late", () => node.readText("web"), (text) => text.endsWith("\nx\n"));
});

Deno.test("503 damaged: bytes that rotted are never served, and intact ones are", async () => {
  await using node = await startFilledNode();
  const path = `${node.dataDir}/web/${CHUNK_0}`;
  const bytes = await Deno.readFile(path);
  bytes[500]! ^= 1;
  await Deno.writeFile(path, bytes);
  const read = () => node.fetch(`/read?category=web&chunk=${CHUNK_0}`);
  await assertRefused(node, read, { code: "damaged", says: [CHUNK_0, "checksum"] });
  assertEquals((await node.read("web", CHUNK_1)).length, 64);
  assertEquals((await node.listChunks("web"))[0]?.damaged, true);
  assertEquals((await node.status()).healthy, false);
});

Deno.test("503 draining: no new writes and tails, reads and acknowledgements go on", async () => {
  await using node = await startFilledNode();
  await node.built.drain();
  const says = ["shutting down"];
  for (const method of ["POST", "PUT"]) {
    const request = () => node.fetch("/write?category=web", { method, body: "x\n" });
    await assertRefused(node, request, { code: "draining", says });
  }
  await assertRefused(node, () => node.fetch("/tail?category=web"), { code: "draining", says });
  await assertRefused(node, () => node.fetch("/readyz"), { code: "draining", says });
  const verbose = await node.fetch("/readyz?verbose");
  assertEquals([verbose.status, verbose.headers.has("retry-after")], [503, true]);
  await verbose.text();
  assertEquals((await node.fetch("/livez").then(drained)).status, 200);
  assertEquals((await node.status()).state, "draining");
  assertEquals((await node.read("web", CHUNK_0)).length, 1001);
  assertEquals((await node.fetch(`/ack?category=web&chunk=${CHUNK_0}&size=1001`).then(drained)).status, 200);
});

Deno.test("503 internal, maybe: a defect tells the client nothing of its insides", async () => {
  const logged: string[] = [];
  const hooks: DiskHooks = {};
  const note = (message: string, fields?: object) => logged.push(`${message} ${JSON.stringify(fields)}`);
  await using node = await startFilledNode({
    wrapDisk: (disk) => faultyDisk(disk, hooks),
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: note },
  });
  hooks.read = () => {
    throw new RangeError("a secret of the insides");
  };
  const response = await node.fetch(`/read?category=web&chunk=${CHUNK_0}`);
  const text = await response.text();
  await assertError({ status: response.status, headers: response.headers, text }, {
    code: "internal",
    written: "maybe",
  });
  assertEquals(text.includes("secret"), false);
  assertEquals(logged.filter((line) => line.includes("a secret of the insides")).length, 1);
  hooks.read = () => {};
  assertEquals((await node.read("web", CHUNK_0)).length, 1001);
});

Deno.test("a client that goes away in the middle of its body leaves nothing behind", async () => {
  await using node = await startFilledNode();
  const before = hashDirectory(node.dataDir);
  const target = "/write?category=web";
  const lines = "a whole line\n".repeat(10);
  const many = "a whole line\n".repeat(100_000);
  const cut: [declared: Record<string, string>, sent: string][] = [
    [{ "content-length": "1000" }, ""],
    [{ "content-length": "1000" }, lines],
    [{ "content-length": "2000000" }, lines],
    [{ "content-length": "2000000" }, many],
    [{ "transfer-encoding": "chunked" }, ""],
    [{ "transfer-encoding": "chunked" }, `82\r\n${lines}\r\n`],
    [{ "transfer-encoding": "chunked" }, `82\r\n${lines}\r\nFF\r\na part`],
    [{ "transfer-encoding": "chunked" }, `82\r\n${lines}\r\nzz\r\n`],
  ];
  const connections: RawConnection[] = [];
  for (const [declared, sent] of cut) {
    const connection = await RawConnection.open(node);
    connections.push(connection);
    await connection.send(head("POST", target, { host: "x", ...declared }));
    await connection.send(sent);
  }
  const used = async () => (await node.status()).open.body_bytes;
  await until("bytes of bodies under way", used, (bytes) => bytes > many.length);
  connections.forEach((connection) => connection.close());
  await until("bytes of bodies whose clients left", used, (bytes) => bytes === 0);
  assertEquals(hashDirectory(node.dataDir), before);
});

Deno.test("400: a body that ends early is told so, where its client still listens", async () => {
  await using node = await startFilledNode();
  for (const declared of [1000, 200_000]) {
    using connection = await RawConnection.open(node);
    await assertRefused(node, async () => {
      const headers = { host: "x", "content-length": String(declared) };
      await connection.send(head("POST", "/write?category=web", headers) + "a whole line\n");
      await connection.closeWrite();
      return await connection.response();
    }, { code: "invalid_body", says: ["ended"] });
  }
});

Deno.test("HEAD has the status and the headers of the error, and no body", async () => {
  await using node = await startFilledNode();
  using connection = await RawConnection.open(node);
  const rows: [path: string, code: ErrorCode, status: number][] = [
    ["/read?category=web", "invalid_parameter", 400],
    [`/read?category=web&chunk=node_9-chunk000000000`, "chunk_not_found", 404],
    ["/nothing", "not_found", 404],
    ["/write?category=web", "method_not_allowed", 405],
    ["/tail", "invalid_parameter", 400],
  ];
  for (const [path, code, status] of rows) {
    const response = await connection.request("HEAD", path);
    assertEquals([response.status, response.headers.get("content-type")], [status, "application/json"], code);
  }
  assertEquals((await connection.request("GET", "/livez")).text, "ok\n");
});

/** Takes the body, so that the connection is free again. */
async function drained(response: Response): Promise<Response> {
  await response.bytes();
  return response;
}
