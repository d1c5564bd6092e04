/**
 * `/tail` through a real socket: everything from the start that was asked for, then whatever comes, without loss or
 * repetition, for as long as the client stays.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { KIB, MIB } from "../../lib/protocol/limits.ts";
import { assertBytes } from "../support/bytes.ts";
import { type LocalNode, startLocalNode, until } from "../support/node.ts";
import { RawConnection } from "../support/raw_http.ts";
import { EventTail, LineTail } from "./tail_client.ts";

const CHUNK = "node_1-chunk000000000";

async function tailsOpen(node: LocalNode): Promise<number> {
  return (await node.status()).open.tails;
}

Deno.test("/tail gives what is there, then what comes, as lines or as events", async () => {
  await using node = await startLocalNode();
  await node.write("c", "one\ntwo\n");
  await using lines = await LineTail.open(node, "c");
  await using events = await EventTail.open(node, "c");
  assertEquals(await lines.take(2), ["one", "two"]);
  assertEquals((await events.take(2)).map(({ data }) => data), ["one", "two"]);
  for (const message of ["three", "", "five"]) {
    await node.write("c", `${message}\n`);
    assertEquals(await lines.take(1), [message]);
    assertEquals((await events.take(1)).map(({ data }) => data), [message]);
  }
});

Deno.test("/tail is an event stream only where that is preferred", async () => {
  await using node = await startLocalNode();
  await node.write("c", "one\n");
  const rows: [accept: string | undefined, type: string][] = [
    [undefined, "text/plain"],
    ["*/*", "text/plain"],
    ["text/plain, text/event-stream;q=0.5", "text/plain"],
    ["text/event-stream", "text/event-stream"],
    ["text/event-stream, */*;q=0.1", "text/event-stream"],
    ["text/html", "text/plain"],
  ];
  for (const [accept, type] of rows) {
    using connection = await RawConnection.open(node);
    const header = accept === undefined ? "" : `accept: ${accept}\r\n`;
    await connection.send(`GET /tail?category=c HTTP/1.1\r\nhost: x\r\n${header}\r\n`);
    const { status, headers } = await connection.head();
    assertEquals([status, headers.get("content-type")], [200, type], accept);
    assertEquals(headers.get("cache-control")?.includes("no-store"), true);
  }
  await until("tails whose clients left", () => tailsOpen(node), (count) => count === 0);
});

Deno.test("/tail from latest gives only what comes; from earliest, all chunks in order", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: KIB } });
  const all = Array.from({ length: 100 }, (_, i) => `${i} ${"x".repeat(100)}`);
  for (const message of all) await node.write("c", `${message}\n`);
  assert((await node.listChunks("c")).length > 5);
  await using latest = await EventTail.open(node, "c", "&from=latest");
  await using earliest = await LineTail.open(node, "c", "&from=earliest");
  assertEquals(await earliest.take(100), all);
  await node.write("c", "news\n");
  assertEquals((await latest.take(1)).map(({ data }) => data), ["news"]);
  assertEquals(await earliest.take(1), ["news"]);
});

Deno.test("/tail from a time gives what is not older, as milliseconds and as RFC 3339", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: KIB } });
  await node.write("c", "old\n");
  const written = Date.now();
  await until("the next millisecond", () => Promise.resolve(Date.now()), (now) => now > written);
  const timeMs = Date.now();
  await node.write("c", "new\n");
  await node.write("c", "x".repeat(KIB) + "\n");
  await node.write("c", "newest\n");
  const expected = ["new", "x".repeat(KIB), "newest"];
  const iso = new Date(timeMs).toISOString();
  for (const from of [String(timeMs), iso, iso.replace("Z", "%2B00:00"), iso.slice(0, -1)]) {
    await using tail = await LineTail.open(node, "c", `&from=${from}`);
    assertEquals(await tail.take(3), expected, from);
  }
  for (const from of ["0", "1970-01-01", "1999-12-31T23:59:59Z"]) {
    await using tail = await LineTail.open(node, "c", `&from=${from}`);
    assertEquals(await tail.take(4), ["old", ...expected], from);
  }
  await using future = await EventTail.open(node, "c", `&from=${Date.now() + 86_400_000}`);
  await node.write("c", "before its time\n");
  assertEquals((await future.take(1)).map(({ data }) => data), ["before its time"]);
});

Deno.test("/tail resumed by Last-Event-ID or cursor at every event loses and repeats nothing", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: KIB } });
  const all = Array.from({ length: 60 }, (_, i) => `${i} ${"y".repeat(i * 3)}`);
  for (let i = 0; i < all.length; i += 3) await node.write("c", all.slice(i, i + 3).join("\n") + "\n");
  await using whole = await EventTail.open(node, "c");
  const events = await whole.take(all.length);
  assertEquals(events.map(({ data }) => data), all);
  for (const [i, { id }] of events.entries()) {
    const rest = all.slice(i + 1, i + 4);
    await using byHeader = await EventTail.open(node, "c", "&from=latest", { "last-event-id": id });
    assertEquals((await byHeader.take(rest.length)).map(({ data }) => data), rest);
    if (rest.length === 0) continue;
    await using byCursor = await LineTail.open(node, "c", `&cursor=${id}`);
    assertEquals(await byCursor.take(rest.length), rest);
  }
  await node.write("c", "after\n");
  await using last = await EventTail.open(node, "c", "", { "last-event-id": events.at(-1)!.id });
  assertEquals((await last.take(1)).map(({ data }) => data), ["after"]);
});

Deno.test("/tail interrupted again and again while others write: every message once, in order", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: 4 * KIB } });
  const count = 600;
  const writing = (async () => {
    for (let i = 0; i < count; i++) await node.write("c", `${i}\n`);
  })();
  const seen: string[] = [];
  let id: string | undefined;
  for (let connection = 0; seen.length < count; connection++) {
    const headers: Record<string, string> = id === undefined ? {} : { "last-event-id": id };
    await using tail = await EventTail.open(node, "c", "", headers);
    for (const event of await tail.take(Math.min(1 + connection % 40, count - seen.length))) {
      seen.push(event.data);
      id = event.id;
    }
  }
  await writing;
  assertEquals(seen, Array.from({ length: count }, (_, i) => String(i)));
});

Deno.test("/tail of a category that nobody wrote to waits for it, whatever from is", async () => {
  await using node = await startLocalNode();
  for (const from of ["earliest", "latest", "0"]) {
    const category = `later_${from}`;
    await using events = await EventTail.open(node, category, `&from=${from}`);
    const opening = LineTail.open(node, category, `&from=${from}`);
    await until("both tails", () => tailsOpen(node), (count) => count >= 2);
    await node.write(category, "first\n");
    assertEquals((await events.take(1)).map(({ data }) => data), ["first"], from);
    await using lines = await opening;
    assertEquals(await lines.take(1), ["first"], from);
  }
  assertEquals((await node.listCategories()).length, 3);
});

Deno.test("/tail: many at once each get everything", async () => {
  await using node = await startLocalNode();
  await node.write("c", "0\n");
  const tails = await Promise.all(
    Array.from({ length: 100 }, (_, i) => i % 2 === 0 ? LineTail.open(node, "c") : EventTail.open(node, "c")),
  );
  assertEquals(await tailsOpen(node), 100);
  for (let i = 1; i < 20; i++) await node.write("c", `${i}\n`);
  for (const tail of tails) {
    const messages = (await tail.take(20)).map((got) => typeof got === "string" ? got : got.data);
    assertEquals(messages, Array.from({ length: 20 }, (_, i) => String(i)));
  }
  await Promise.all(tails.map((tail) => tail[Symbol.asyncDispose]()));
  await until("tails whose clients left", () => tailsOpen(node), (count) => count === 0);
});

Deno.test("/tail: a client that leaves frees its tail, whether it was reading, waiting or had got nothing", async () => {
  await using node = await startLocalNode();
  await node.write("c", ("z".repeat(KIB - 1) + "\n").repeat(4 * KIB));
  for (const accept of ["text/plain", "text/event-stream"]) {
    const rows: [query: string, reads: number][] = [
      ["c", 0],
      ["c", 1000],
      ["c&from=latest", 0],
      ["unknown", 0],
    ];
    for (const [query, reads] of rows) {
      const connection = await RawConnection.open(node);
      await connection.send(`GET /tail?category=${query} HTTP/1.1\r\nhost: x\r\naccept: ${accept}\r\n\r\n`);
      await until("the tail", () => tailsOpen(node), (count) => count === 1);
      if (reads > 0) await connection.take(reads);
      connection.close();
      await until(`tails after a client of ${query} left`, () => tailsOpen(node), (count) => count === 0);
    }
  }
});

Deno.test("/tail: a reader that stands still holds up neither writes nor others, and goes on later", async () => {
  await using node = await startLocalNode();
  const batch = ("s".repeat(KIB - 1) + "\n").repeat(KIB);
  using slow = await RawConnection.open(node);
  await slow.send("GET /tail?category=c HTTP/1.1\r\nhost: x\r\n\r\n");
  await node.write("c", batch);
  await slow.head();
  await using fast = await LineTail.open(node, "c");
  for (let i = 0; i < 20; i++) await node.write("c", batch);
  assertEquals((await fast.take(21 * KIB)).length, 21 * KIB);
  let bytes = 0;
  while (bytes < 21 * MIB) bytes += (await slow.chunk())!.length;
  assertEquals(bytes, 21 * MIB);
});

Deno.test("/tail gives the exact bytes as lines: CR, NUL, what is not UTF-8, empty and long messages", async () => {
  await using node = await startLocalNode();
  const bytes = new Uint8Array(3 * MIB);
  for (let i = 0; i < bytes.length; i++) bytes[i] = i < 2048 ? i % 256 : 255;
  bytes[2047] = 10;
  bytes[2048 + MIB] = 10;
  bytes[2049 + MIB] = 10;
  bytes.fill(13, 2050 + MIB, 2100 + MIB);
  bytes[2050 + 2 * MIB] = 10;
  bytes[bytes.length - 1] = 10;
  await node.write("c", bytes);
  using connection = await RawConnection.open(node);
  await connection.send("GET /tail?category=c HTTP/1.1\r\nhost: x\r\n\r\n");
  await connection.head();
  const got = new Uint8Array(bytes.length);
  for (let at = 0; at < got.length;) {
    const piece = (await connection.chunk())!;
    got.set(piece, at);
    at += piece.length;
  }
  assertBytes(got, bytes);
});

Deno.test("/tail as events: CR becomes a line break, NUL and long messages survive, what is not UTF-8 is replaced", async () => {
  await using node = await startLocalNode();
  const long = "ü".repeat(MIB / 2);
  await node.write("c", `a\rb\r\n\r\n\n\0\n${long}\n: no comment\ndata: x\nid: 7\n`);
  await node.write("c", new Uint8Array([0xff, 0xfe, 10]));
  await using tail = await EventTail.open(node, "c");
  const events = (await tail.take(9)).map(({ data }) => data);
  const expected = ["a\nb\n", "\n", "", "\0", long, ": no comment", "data: x", "id: 7", "\ufffd\ufffd"];
  assertEquals(events, expected);
});

Deno.test("/tail as events: many empty messages come through, each with its id", async () => {
  await using node = await startLocalNode();
  const count = 200_000;
  await node.write("c", "\n".repeat(count));
  await using tail = await EventTail.open(node, "c");
  const events = await tail.take(count);
  assertEquals(events.every(({ data }) => data === ""), true);
  assertEquals([events[0]!.id, events.at(-1)!.id], [`${CHUNK}:1`, `${CHUNK}:${count}`]);
});

Deno.test("/tail goes on behind chunks that are acknowledged under it", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: KIB } });
  await using tail = await EventTail.open(node, "c");
  const message = "x".repeat(KIB - 1);
  for (let i = 0; i < 3; i++) await node.write("c", `${message}\n`);
  assertEquals((await tail.take(3)).length, 3);
  for (const { name, size, complete } of await node.listChunks("c")) {
    if (complete) await (await node.fetch(`/ack?category=c&chunk=${name}&size=${size}`)).text();
  }
  await node.write("c", "after\n");
  assertEquals((await tail.take(1)).map(({ data }) => data), ["after"]);
  await using fresh = await LineTail.open(node, "c");
  assertEquals(await fresh.take(2), [message, "after"]);
  await using resumed = await LineTail.open(node, "c", `&cursor=${CHUNK}:512`);
  assertEquals(await resumed.take(2), [message, "after"]);
});

Deno.test("/tail over HTTP/1.0 and with HEAD", async () => {
  await using node = await startLocalNode();
  await node.write("c", "one\n");
  using old = await RawConnection.open(node);
  await old.send("GET /tail?category=c HTTP/1.0\r\n\r\n");
  assertEquals((await old.head()).status, 200);
  assertEquals(new TextDecoder().decode(await old.take(4)), "one\n");
  using connection = await RawConnection.open(node);
  const { status, headers } = await connection.request("HEAD", "/tail?category=c");
  assertEquals([status, headers.get("content-type")], [200, "text/plain"]);
  old.close();
  await until("tails", () => tailsOpen(node), (count) => count === 0);
});
