/**
 * `/write` through a real socket: bodies of every kind become messages, and the answer says where they are.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { KIB, MIB } from "../../lib/protocol/limits.ts";
import { type DiskHooks, faultyDisk } from "../support/faulty_disk.ts";
import { startLocalNode } from "../support/node.ts";
import { head, RawConnection } from "../support/raw_http.ts";
import { testWith, tool } from "../support/skip.ts";

const FIRST = "node_1-chunk000000000";
const text = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

Deno.test("/write answers where the batch starts and its length, for POST and for PUT", async () => {
  await using node = await startLocalNode();
  assertEquals(await node.write("c", "one\ntwo\n"), { chunk: FIRST, offset: 0, size: 8 });
  const put = await node.write("c", "three\n", { method: "PUT" });
  assertEquals(put, { chunk: FIRST, offset: 8, size: 6 });
  assertEquals(await node.readText("c"), "one\ntwo\nthree\n");
});

Deno.test("/write adds the last line end where it is missing, and stores nothing for an empty body", async () => {
  await using node = await startLocalNode();
  assertEquals((await node.write("c", "one\ntwo")).size, 8);
  assertEquals(await node.write("c", ""), { chunk: "", offset: 0, size: 0 });
  assertEquals((await node.write("c", "\n")).size, 1);
  assertEquals((await node.write("c", "\n\n")).offset, 9);
  assertEquals((await node.write("c", "end", { method: "PUT" })).size, 4);
  assertEquals(await node.readText("c"), "one\ntwo\n\n\n\nend\n");

  assertEquals(await node.write("empty", ""), { chunk: "", offset: 0, size: 0 });
  const gone = await node.fetch("/write?category=empty", { method: "POST" });
  assertEquals([gone.status, (await gone.json()).size], [200, 0]);
  assertEquals(await node.listCategories(), ["c"]);
});

Deno.test("/write never parses a form, whatever the Content-Type", async () => {
  await using node = await startLocalNode();
  const types = [
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "application/octet-stream",
    "application/x-ndjson",
    "application/x-protobuf",
    "nonsense",
  ];
  for (const type of types) {
    await node.write("form", "a=b&c=%41+d\n", { headers: { "content-type": type } });
  }
  assertEquals(await node.readText("form"), "a=b&c=%41+d\n".repeat(types.length));
});

Deno.test("/write keeps every byte: CR, NUL, what is not UTF-8, empty messages", async () => {
  await using node = await startLocalNode();
  const bytes = new Uint8Array(1024);
  bytes.forEach((_, i) => bytes[i] = i % 256);
  bytes[1023] = 10;
  await node.write("raw", bytes);
  await node.write("raw", "a\r\n\r\n\0\n\n");
  const stored = await node.readAll("raw");
  assertEquals(stored.subarray(0, 1024), bytes);
  assertEquals(new TextDecoder().decode(stored.subarray(1024)), "a\r\n\r\n\0\n\n");
});

Deno.test("/write undoes gzip, deflate and zstd, declared and streamed", async () => {
  await using node = await startLocalNode();
  const lines = "a line of the log\n".repeat(5000);
  const encodings: [name: string, bytes: Uint8Array][] = [
    ["gzip", gzipSync(lines)],
    ["x-gzip", gzipSync(lines)],
    ["GZIP", gzipSync(lines)],
    ["deflate", deflateSync(lines)],
    ["deflate", deflateRawSync(lines)],
    ["zstd", zstdCompressSync(lines)],
    ["identity", new TextEncoder().encode(lines)],
    ["gzip, zstd", zstdCompressSync(gzipSync(lines))],
  ];
  for (const [encoding, bytes] of encodings) {
    const headers = { "content-encoding": encoding };
    assertEquals((await node.write("e", text(bytes), { headers })).size, lines.length, encoding);
    const body = new Blob([text(bytes)]).stream();
    assertEquals((await node.write("e", body, { headers })).size, lines.length, encoding);
  }
  assertEquals(await node.readText("e"), lines.repeat(2 * encodings.length));
});

Deno.test("/write with application/json: elements, one object over lines, or lines", async () => {
  await using node = await startLocalNode();
  const rows: [body: string, messages: string][] = [
    ['[{"a":1},{"b":2}]', '{"a":1}\n{"b":2}\n'],
    ['[\n  {"a": 1},\n  "two, [3]",\n  null\n]\n', '{"a": 1}\n"two, [3]"\nnull\n'],
    ["[]", ""],
    ['{"a":1}', '{"a":1}\n'],
    ['{\n  "a": 1,\n  "b": [1,\n 2]\n}\n', '{"a": 1,"b": [1,2]}\n'],
    ['{"a":1}\n{"b":2}\n', '{"a":1}\n{"b":2}\n'],
    ["not json", "not json\n"],
    ['[{"a":12345678901234567890}]', '{"a":12345678901234567890}\n'],
  ];
  for (const [i, [body, messages]] of rows.entries()) {
    for (const type of ["application/json", "Application/JSON; charset=utf-8"]) {
      await node.write(`json${i}`, body, { headers: { "content-type": type } });
    }
    assertEquals(await node.readText(`json${i}`), messages.repeat(2), body);
  }
  const headers = { "content-type": "application/json", "content-encoding": "gzip" };
  await node.write("zipped", text(gzipSync('["a","b"]')), { headers });
  assertEquals(await node.readText("zipped"), '"a"\n"b"\n');
  await node.write("typed", '["a",\n"b"]', { headers: { "content-type": "application/x-ndjson" } });
  assertEquals(await node.readText("typed"), '["a",\n"b"]\n');
});

Deno.test("/write answers 100 Continue to a client that waits for it, also before a refusal", async () => {
  await using node = await startLocalNode();
  using connection = await RawConnection.open(node);
  const headers = { host: "x", "content-length": "4", expect: "100-continue" };
  await connection.send(head("POST", "/write?category=c", headers));
  assertEquals((await connection.head()).status, 100);
  await connection.send("one\n");
  assertEquals((await connection.response()).status, 200);
  assertEquals(await node.readText("c"), "one\n");

  // The runtime invites the body before anybody has looked at the request.
  await connection.send(head("POST", "/write?category=..", headers));
  assertEquals((await connection.head()).status, 100);
  await connection.send("one\n");
  assertEquals((await connection.response()).status, 400);
});

testWith("curl: --data-binary, -d, -T - and a large body with Expect", [tool("curl")], async () => {
  await using node = await startLocalNode();
  const url = `${node.url}/write?category=curl`;
  const large = "x".repeat(1023) + "\n";
  const rows: [args: string[], stdin: string, stored: string][] = [
    [["--data-binary", "a=b&c\nd"], "", "a=b&c\nd\n"],
    [["-d", "e=f"], "", "e=f\n"],
    [["-T", "-"], "g\nh\n", "g\nh\n"],
    [["-T", "-", "-H", "Content-Encoding: gzip"], "", ""],
    [["--data-binary", "@-"], large.repeat(2048), large.repeat(2048)],
    [["-H", "Expect: 100-continue", "-T", "-"], large.repeat(3000), large.repeat(3000)],
  ];
  let stored = "";
  for (const [args, stdin, lines] of rows) {
    const child = new Deno.Command("curl", {
      args: ["-sS", "--fail-with-body", ...args, url],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(stdin));
    await writer.close();
    const { code, stdout, stderr } = await child.output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assertEquals(code, 0, said);
    assertEquals(JSON.parse(said).size, lines.length);
    stored += lines;
  }
  assertEquals(await node.readText("curl"), stored);
});

Deno.test("/write takes a chunked body in pieces that cut lines and even line ends", async () => {
  await using node = await startLocalNode();
  using connection = await RawConnection.open(node);
  const send = async (pieces: readonly string[]) => {
    await connection.send(head("PUT", "/write?category=c", { host: "x", "transfer-encoding": "chunked" }));
    for (const piece of pieces) await connection.send(`${piece.length.toString(16)}\r\n${piece}\r\n`);
    await connection.send("0\r\n\r\n");
    return await connection.response();
  };
  assertEquals(JSON.parse((await send(["o", "ne\nt", "wo", "\n"])).text).size, 8);
  assertEquals(JSON.parse((await send(["three"])).text).size, 6);
  assertEquals(JSON.parse((await send([])).text).size, 0);
  const many = Array.from({ length: 2000 }, (_, i) => `${i}\n`);
  assertEquals((await send(many)).status, 200);
  assertEquals(await node.readText("c"), `one\ntwo\nthree\n${many.join("")}`);
});

Deno.test("/write takes a full batch, and a message of exactly the limit", async () => {
  await using node = await startLocalNode();
  const longest = "m".repeat(MIB) + "\n";
  assertEquals((await node.write("c", longest)).size, MIB + 1);
  assertEquals((await node.write("c", longest.slice(0, -1))).size, MIB + 1);
  const full = ("l".repeat(KIB - 1) + "\n").repeat(4 * KIB);
  assertEquals((await node.write("c", full)).size, 4 * MIB);
  assertEquals((await node.write("c", new Blob([full]).stream())).size, 4 * MIB);
  assertEquals((await node.readAll("c")).length, 2 * (MIB + 1) + 8 * MIB);
});

Deno.test("/write syncs data and index before its answer where asked to, and only there", async () => {
  const synced: string[] = [];
  const hooks: DiskHooks = { sync: (path) => void synced.push(path) };
  await using node = await startLocalNode({ wrapDisk: (disk) => faultyDisk(disk, hooks) });
  const post = (query: string) => node.write(`c${query}`, "one\n");
  await post("&sync_each_write=0");
  await post("");
  assertEquals(synced.filter((path) => path.startsWith("c/")), []);
  for (const value of ["1", "true"]) {
    synced.length = 0;
    await post(`&sync_each_write=${value}`);
    assertEquals(synced.toSorted(), [`c/${FIRST}`, `c/${FIRST}.idx`]);
  }
});

Deno.test("/write syncs by default where the setting says so, unless the request says no", async () => {
  const synced: string[] = [];
  const hooks: DiskHooks = { sync: (path) => void synced.push(path) };
  await using node = await startLocalNode({
    settings: { syncEachWrite: true },
    wrapDisk: (disk) => faultyDisk(disk, hooks),
  });
  await node.write("c", "one\n");
  assertEquals(synced.filter((path) => path.startsWith("c/")).length, 2);
  synced.length = 0;
  await node.write("c&sync_each_write=0", "two\n");
  assertEquals(synced, []);
});

Deno.test("/write ignores parameters that it does not know, and takes no replicas and any timeout", async () => {
  await using node = await startLocalNode();
  const query = "&min_sync_replicas=0&timeout=0&timeout=0&x=%FF&chunk=../..&a&&=b&sync=maybe";
  assertEquals((await node.write(`c${query}`, "one\n")).size, 4);
  assertEquals((await node.write("c&timeout=3600000&sync_each_write=1", "two\n")).size, 4);
  assertEquals(await node.readText("c"), "one\ntwo\n");
});

Deno.test("/write decodes the category's name, and a lock or a device may be a category", async () => {
  await using node = await startLocalNode();
  await node.write("%77%65b", "one\n");
  for (const name of ["lock", "node.json", "con", "NUL", "x."]) await node.write(name, `${name}\n`);
  assertEquals(await node.listCategories(), ["NUL", "con", "lock", "node.json", "web", "x."]);
  for (const name of ["lock", "node.json", "con", "NUL", "x."]) {
    assertEquals(await node.readText(name), `${name}\n`);
  }
});

Deno.test("/write rotates by size: batches are never split, and chunks are named in order", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: KIB } });
  const batch = "x".repeat(399) + "\n";
  const chunks: string[] = [];
  for (let i = 0; i < 6; i++) chunks.push((await node.write("c", batch)).chunk.slice(-1));
  assertEquals(chunks.join(""), "001122");
  const larger = await node.write("c", "y".repeat(5000));
  assertEquals([larger.chunk.slice(-1), larger.offset, larger.size], ["3", 0, 5001]);
});

Deno.test("/write from many connections at once stores every batch whole, in the order of the answers' offsets", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: 64 * KIB } });
  const writes = Array.from({ length: 400 }, async (_, i) => {
    const body = `${i} begin\n${"z".repeat(i)}\n${i} end\n`;
    return { body, ...await node.write(`c&sync_each_write=${i % 5 === 0 ? 1 : 0}`, body) };
  });
  for (const { body, chunk, offset, size } of await Promise.all(writes)) {
    const bytes = await node.read("c", chunk, offset);
    assertEquals(new TextDecoder().decode(bytes.subarray(0, size)), body);
  }
  assert((await node.listChunks("c")).length > 1);
});

Deno.test("a connection goes on after each kind of answer, or the answer says that it does not", async () => {
  await using node = await startLocalNode({ settings: { maxBatchSize: 64 * KIB, maxMessageSize: KIB } });
  let connection = await RawConnection.open(node);
  let offset = 0;
  const writes = async (after: string) => {
    const answer = await connection.request("POST", "/write?category=c", { body: "one\n" });
    assertEquals([answer.status, JSON.parse(answer.text).offset], [200, offset], after);
    offset += 4;
  };
  const gzip = { "content-encoding": "gzip" };
  const rows: [
    method: string,
    target: string,
    options: Parameters<RawConnection["request"]>[2],
    status: number,
  ][] = [
    ["POST", "/write?category=..", { body: "x\n" }, 400],
    ["POST", "/write", { body: "x\n".repeat(30_000) }, 400],
    ["POST", "/write?category=c", { body: "not gzip", headers: gzip }, 400],
    ["POST", "/write?category=c", { body: "x".repeat(KIB + 1) }, 413],
    ["POST", "/write?category=c", { body: gzipSync("x\n".repeat(64 * KIB)), headers: gzip }, 413],
    ["POST", "/write?category=c", { body: "x\n", headers: { "content-encoding": "br" } }, 415],
    ["DELETE", "/write?category=c", { body: "x\n" }, 405],
    ["POST", "/nothing", { body: "x\n" }, 404],
    ["GET", "/read?category=c&chunk=x-chunk000000000", {}, 404],
    ["POST", `/ack?category=c&chunk=${FIRST}&size=1`, { body: "ignored" }, 409],
    ["HEAD", "/nothing", {}, 404],
  ];
  await writes("nothing");
  for (const [method, target, options, status] of rows) {
    const answer = await connection.request(method, target, options);
    assertEquals(answer.status, status, `${method} ${target}`);
    // What has not arrived of a body that nobody takes is in the way of the next request.
    if (answer.headers.get("connection") === "close") {
      assert([400, 404, 405, 409, 415].includes(status), `${status} took the body`);
      assertEquals((await connection.rest()).length, 0);
      connection.close();
      connection = await RawConnection.open(node);
    }
    await writes(`${method} ${target}: ${status}`);
  }
  connection.close();
});

Deno.test("requests sent without waiting are answered in order", async () => {
  await using node = await startLocalNode();
  using connection = await RawConnection.open(node);
  const write = (body: string) =>
    head("POST", "/write?category=c", { host: "x", "content-length": String(body.length) }) + body;
  await connection.send(write("a\n") + write("bc\n") + head("GET", "/livez", { host: "x" }) + write("d\n"));
  const answers: string[] = [];
  for (let i = 0; i < 4; i++) answers.push((await connection.response()).text);
  assertEquals(answers[2], "ok\n");
  const offsets = [0, 1, 3].map((i) => JSON.parse(answers[i]!).offset);
  assertEquals(offsets, [0, 2, 5]);
});

Deno.test("a batch over the limit, sent all the same, is answered and then the connection is given up", async () => {
  await using node = await startLocalNode({ settings: { maxBatchSize: 64 * KIB, maxMessageSize: KIB } });
  for (let i = 0; i < 20; i++) {
    const response = await node.fetch("/write?category=c", { method: "POST", body: "x\n".repeat(MIB) });
    assertEquals([response.status, (await response.json()).error.code], [413, "too_large"]);
    const stream = new Blob(["x\n".repeat(MIB)]).stream();
    const streamed = await node.fetch("/write?category=c", { method: "POST", body: stream });
    assertEquals([streamed.status, (await streamed.json()).error.code], [413, "too_large"]);
  }
  assertEquals(await node.listCategories(), []);
});
