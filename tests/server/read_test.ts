/**
 * `/read` through a real socket: whole messages, from where and as much as was asked for.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { KIB, MIB } from "../../lib/protocol/limits.ts";
import { assertBytes } from "../support/bytes.ts";
import { startLocalNode } from "../support/node.ts";
import { RawConnection } from "../support/raw_http.ts";

const CHUNK = "node_1-chunk000000000";

Deno.test("/read gives exactly whole messages, at most max_size bytes of them", async () => {
  await using node = await startLocalNode();
  await node.write("c", "one\ntwo\nthree\n");
  const read = async (rest: string) => {
    const response = await node.fetch(`/read?category=c&chunk=${CHUNK}${rest}`);
    assertEquals(response.headers.get("content-type"), "application/octet-stream");
    const text = await response.text();
    assertEquals(response.headers.get("content-length"), String(text.length));
    return [response.status, text];
  };
  const rows: [rest: string, text: string][] = [
    ["", "one\ntwo\nthree\n"],
    ["&off=0&max_size=4", "one\n"],
    ["&off=0&max_size=7", "one\n"],
    ["&off=0&max_size=8", "one\ntwo\n"],
    ["&off=4&max_size=9", "two\n"],
    ["&off=4&max_size=10", "two\nthree\n"],
    ["&off=8&max_size=16777216", "three\n"],
    ["&off=08", "three\n"],
    ["&off=14", ""],
    ["&off=14&max_size=1", ""],
    ["&off=15", ""],
    ["&off=9007199254740991", ""],
    ["&off=4&x=y&off=4", "two\nthree\n"],
  ];
  for (const [rest, text] of rows) assertEquals(await read(rest), [200, text], rest);
});

Deno.test("/read from every offset: only where a message begins, and every message once", async () => {
  await using node = await startLocalNode();
  const lines = "a\n\nbc\n\n\nd\n";
  await node.write("c", lines);
  for (let offset = 0; offset <= lines.length; offset++) {
    for (let size = 1; size <= lines.length + 1; size++) {
      const response = await node.fetch(`/read?category=c&chunk=${CHUNK}&off=${offset}&max_size=${size}`);
      const text = await response.text();
      const begins = offset === 0 || lines[offset - 1] === "\n";
      const whole = lines.slice(offset, lines.lastIndexOf("\n", offset + size - 1) + 1);
      const isAnswered = begins && (whole.length > 0 || offset === lines.length);
      assertEquals(response.status, isAnswered ? 200 : 400, `off=${offset}&max_size=${size}: ${text}`);
      if (isAnswered) assertEquals(text, whole);
    }
  }
});

Deno.test("/read is empty at the end of a chunk until more is written there", async () => {
  await using node = await startLocalNode();
  const { size } = await node.write("c", "one\n");
  assertEquals((await node.read("c", CHUNK, size)).length, 0);
  await node.write("c", "two\n");
  assertEquals(new TextDecoder().decode(await node.read("c", CHUNK, size)), "two\n");
});

Deno.test("/read streams what is more than a MiB, and a client that leaves costs nothing", async () => {
  await using node = await startLocalNode();
  const lines = Array.from({ length: 4000 }, (_, i) => `${i} ${"r".repeat(KIB)}\n`).join("");
  for (let at = 0; at < 4; at++) await node.write("c", lines);
  const { size } = (await node.listChunks("c"))[0]!;
  assert(size > 8 * MIB);
  const whole = await node.read("c", CHUNK);
  assertEquals(whole.length, size);
  for (const maxSize of [MIB - 1, MIB, MIB + 1, 5 * MIB]) {
    const response = await node.fetch(`/read?category=c&chunk=${CHUNK}&max_size=${maxSize}`);
    const part = await response.bytes();
    assertBytes(part, whole.subarray(0, whole.subarray(0, maxSize).lastIndexOf(10) + 1));
  }
  for (let i = 0; i < 50; i++) {
    using connection = await RawConnection.open(node);
    await connection.send(
      `GET /read?category=c&chunk=${CHUNK}&max_size=16777216 HTTP/1.1\r\nhost: x\r\n\r\n`,
    );
    if (i % 2 === 0) await connection.take(1000);
  }
  assertEquals((await node.read("c", CHUNK)).length, size);
});

Deno.test("HEAD /read has the length of what GET would give, and no body", async () => {
  await using node = await startLocalNode();
  await node.write("c", "one\ntwo\n");
  const lines = ("l".repeat(KIB - 1) + "\n").repeat(3 * KIB);
  await node.write("large", lines);
  using connection = await RawConnection.open(node);
  const rows: [rest: string, length: number][] = [
    [`c&chunk=${CHUNK}`, 8],
    [`c&chunk=${CHUNK}&max_size=5`, 4],
    [`c&chunk=${CHUNK}&off=8`, 0],
    [`large&chunk=${CHUNK}`, lines.length],
  ];
  for (const [rest, length] of rows) {
    const { status, headers } = await connection.request("HEAD", `/read?category=${rest}`);
    assertEquals([status, headers.get("content-length")], [200, String(length)], rest);
  }
  assertEquals((await connection.request("GET", `/read?category=c&chunk=${CHUNK}`)).text, "one\ntwo\n");
});

Deno.test("readers and writers at once: every read is whole messages that were answered or are under way", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: 64 * KIB } });
  const sent = new Set<string>();
  const write = async (writer: number) => {
    for (let i = 0; i < 100; i++) {
      const lines = Array.from({ length: 1 + i % 7 }, (_, n) => `${writer}.${i}.${n}.${"z".repeat(i)}`);
      lines.forEach((line) => sent.add(line));
      await node.write("c", lines.join("\n") + "\n");
    }
  };
  let writing = true;
  const read = async () => {
    while (writing) {
      const text = await node.readText("c");
      if (text !== "") assertEquals(text.at(-1), "\n");
      for (const line of text.split("\n").slice(0, -1)) assert(sent.has(line), `never sent: ${line}`);
    }
  };
  const writers = Promise.all([0, 1, 2, 3].map(write)).finally(() => writing = false);
  await Promise.all([writers, read(), read()]);
  const stored = (await node.readText("c")).split("\n").slice(0, -1);
  assertEquals(stored.toSorted(), [...sent].toSorted());
});
