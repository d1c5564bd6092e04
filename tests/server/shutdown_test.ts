/**
 * How a node ends: what is under way is finished, nothing that was answered is lost, and the directory is free again.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Book, message } from "../faults/book.ts";
import {
  type ChildNode,
  INSTANCE,
  programArgs,
  startChildNode,
  temporaryDirectory,
  until,
} from "../support/node.ts";
import { head, RawConnection } from "../support/raw_http.ts";
import { os, testWith } from "../support/skip.ts";
import { assertError } from "./answers.ts";
import { EventTail, LineTail } from "./tail_client.ts";

/** Well below the time that requests under way are given. */
const STOP_MS_MAX = 5000;

async function linesOf(node: ChildNode, category: string): Promise<{ name: string; lines: string[] }[]> {
  const chunks: { name: string; lines: string[] }[] = [];
  for (const { name } of await node.listChunks(category)) {
    const text = new TextDecoder().decode(await node.read(category, name));
    chunks.push({ name, lines: text.split("\n").slice(0, -1) });
  }
  return chunks;
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  testWith(`${signal} with tails open: they end cleanly, the exit code is 0, the lock is free`, [
    os("linux", "darwin"),
  ], async () => {
    await using directory = await temporaryDirectory();
    await using node = await startChildNode(directory.path);
    await node.write("c", "one\ntwo\n");
    await using lines = await LineTail.open(node, "c");
    await using events = await EventTail.open(node, "c");
    using raw = await RawConnection.open(node);
    await raw.send("GET /tail?category=c HTTP/1.1\r\nhost: x\r\n\r\n");
    assertEquals((await raw.head()).headers.get("transfer-encoding"), "chunked");
    using waiting = await RawConnection.open(node);
    await waiting.send("GET /tail?category=nobody_wrote HTTP/1.1\r\nhost: x\r\n\r\n");
    await until("tails", async () => (await node.status()).open.tails, (count) => count === 4);
    assertEquals((await events.take(2)).length, 2);

    const startMs = performance.now();
    node.signal(signal);
    assertEquals(await lines.rest(), ["one", "two"]);
    assertEquals((await events.rest()).length, 0);
    assertEquals(new TextDecoder().decode(await raw.chunk()), "one\ntwo\n");
    assertEquals(await raw.chunk(), undefined, "the chunked body has its end");
    assertEquals((await waiting.response()).text, "");
    assertEquals(await node.ended(), 0, node.output);
    assert(performance.now() - startMs < STOP_MS_MAX, "it took too long");
    assertStringIncludes(node.output, "stopped");

    await using again = await startChildNode(directory.path);
    assertEquals(await again.readText("c"), "one\ntwo\n");
    assertEquals((await again.write("c", "three\n")).chunk, `${INSTANCE}-chunk000000001`);
  });

  testWith(`${signal} with writes under way: each is answered or refused, and no 200 is lost`, [
    os("linux", "darwin"),
  ], async () => {
    await using directory = await temporaryDirectory();
    await using node = await startChildNode(directory.path, "--max-chunk-size", "64KiB");
    const book = new Book();
    let answers = 0;
    let refused = 0;
    const write = async (writer: number) => {
      for (let number = 0;; number++) {
        const length = number % 3 === 0 ? 20_000 : 40;
        book.sending(writer, [number], length);
        let response: Response;
        let text: string;
        try {
          response = await node.fetch(`/write?category=c&sync_each_write=${number % 2}`, {
            method: "POST",
            body: message(writer, number, length),
          });
          text = await response.text();
        } catch (error) {
          if (error instanceof TypeError) return;
          throw error;
        }
        book.answered(writer, [number], response.status === 200 ? "ok" : JSON.parse(text).error.written);
        if (response.status !== 200) {
          refused++;
          assertEquals([response.status, JSON.parse(text).error.code], [503, "draining"]);
          assertMatch(response.headers.get("retry-after") ?? "", /^\d+$/);
          return;
        }
        if (++answers === 300) node.signal(signal);
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
    assertEquals(await node.ended(), 0, node.output);
    // The listener is closed and no answer is cut: whoever was not answered had not been heard.
    assert(book.count("maybe") <= 8 - refused);

    await using again = await startChildNode(directory.path);
    assertEquals(book.complaints(await linesOf(again, "c")), []);
    assert(book.count("ok") >= 300);
    assert((await again.listChunks("c")).every(({ complete }) => complete));
  });
}

testWith("SIGTERM lets a body that is on its way arrive, and refuses what begins later", [
  os("linux", "darwin"),
], async () => {
  await using directory = await temporaryDirectory();
  await using node = await startChildNode(directory.path);
  using early = await RawConnection.open(node);
  const size = 200_000;
  await early.send(head("POST", "/write?category=c", { host: "x", "content-length": String(size) }));
  await early.send("e".repeat(1000));
  await until("the body", async () => (await node.status()).open.body_bytes, (bytes) => bytes > 0);
  using idle = await RawConnection.open(node);
  assertEquals((await idle.request("GET", "/livez")).status, 200);

  node.signal("SIGTERM");
  await untilDraining(node);
  await assertError(await idle.request("POST", "/write?category=c", { body: "late\n" }), {
    code: "draining",
  });
  await assertError(await node.fetch("/write?category=c", { method: "POST", body: "late\n" }), {
    code: "draining",
  });
  await early.send("e".repeat(size - 1000));
  const answer = await early.response();
  assertEquals(answer.status, 200, answer.text);
  assertEquals(await node.ended(), 0, node.output);

  await using again = await startChildNode(directory.path);
  assertEquals(await again.readText("c"), "e".repeat(size) + "\n");
});

testWith("SIGTERM gives up a body that does not arrive: a 503, not the 400 that shippers drop data on", [
  os("linux", "darwin"),
], async () => {
  await using directory = await temporaryDirectory();
  await using node = await startChildNode(directory.path);
  const stalled: RawConnection[] = [];
  for (const size of [1000, 200_000]) {
    const connection = await RawConnection.open(node);
    stalled.push(connection);
    await connection.send(head("POST", "/write?category=c", { host: "x", "content-length": String(size) }));
    await connection.send("a part\n");
  }
  await until("the body", async () => (await node.status()).open.body_bytes, (bytes) => bytes > 0);
  node.signal("SIGTERM");
  for (const connection of stalled) {
    await assertError(await connection.response(), { code: "draining" });
    connection.close();
  }
  assertEquals(await node.ended(), 0, node.output);
  await using again = await startChildNode(directory.path);
  assertEquals(await again.listCategories(), []);
});

testWith("a second signal ends at once", [os("linux", "darwin")], async () => {
  await using directory = await temporaryDirectory();
  await using node = await startChildNode(directory.path);
  await node.write("c", "one\n");
  using stalled = await RawConnection.open(node);
  await stalled.send(head("POST", "/write?category=c", { host: "x", "content-length": "100000" }) + "part");
  await until("the body", async () => (await node.status()).open.body_bytes, (bytes) => bytes > 0);
  node.signal("SIGTERM");
  await untilDraining(node);
  const code = await node.stop();
  assert(code !== 0, "it cannot claim to have stopped cleanly");

  await using again = await startChildNode(directory.path);
  assertEquals(await again.readText("c"), "one\n");
});

testWith("SIGTERM without anything to do ends at once, and a start after it is clean", [
  os("linux", "darwin"),
], async () => {
  await using directory = await temporaryDirectory();
  for (let i = 0; i < 3; i++) {
    await using node = await startChildNode(directory.path);
    assertEquals(await node.stop(), 0, node.output);
  }
});

/** Runs `chukcha serve` where it cannot start. */
async function failingStart(...flags: string[]): Promise<{ code: number; stderr: string; stdout: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: programArgs("serve", "--instance", INSTANCE, "--min-free-disk", "0", ...flags),
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("a second process on the same data directory says so and exits with 1, the first goes on", async () => {
  await using directory = await temporaryDirectory();
  await using node = await startChildNode(directory.path);
  await node.write("c", "one\n");
  const { code, stderr, stdout } = await failingStart(
    "--listen",
    "127.0.0.1:0",
    "--data-dir",
    directory.path,
  );
  assertEquals([code, stdout], [1, ""]);
  assertStringIncludes(stderr, "in use by another chukcha process");
  assertStringIncludes(stderr, "--data-dir");
  assertEquals(/\n\s+at /.test(stderr), false, `a stack is not for people: ${stderr}`);
  await node.write("c", "two\n");
  assertEquals(await node.readText("c"), "one\ntwo\n");
});

Deno.test("an address in use is named, the exit code is 1, and the directory is free again", async () => {
  await using directory = await temporaryDirectory();
  await using other = await temporaryDirectory();
  await using node = await startChildNode(directory.path);
  const listen = `127.0.0.1:${node.port}`;
  const { code, stderr } = await failingStart("--listen", listen, "--data-dir", other.path);
  assertEquals(code, 1);
  assertStringIncludes(stderr, listen);
  assertStringIncludes(stderr, "--listen");
  assertEquals(/\n\s+at /.test(stderr), false, `a stack is not for people: ${stderr}`);
  await using second = await startChildNode(other.path);
  await second.write("c", "one\n");
});

Deno.test("a data directory of another instance is refused by name", async () => {
  await using directory = await temporaryDirectory();
  {
    await using node = await startChildNode(directory.path);
    await node.write("c", "one\n");
  }
  const flags = ["--listen", "127.0.0.1:0", "--data-dir", directory.path, "--instance", "node_2"];
  const { code, stderr } = await failingStart(...flags);
  assertEquals(code === 0, false);
  assertStringIncludes(stderr, "node_1");
});

/** Waits until the node has heard that it is to stop. */
async function untilDraining(node: ChildNode): Promise<void> {
  await until("the word that it stops", async () => {
    const response = await node.fetch("/readyz");
    await response.text();
    return response.status;
  }, (status) => status === 503);
}
