/**
 * More connections than a node holds, and more than its process has descriptors for: who asks is answered, what is
 * under way goes on, files can be opened, and when they are gone the node is as before.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { type ChildNode, startChildNode, temporaryDirectory } from "../support/node.ts";
import { RawConnection } from "../support/raw_http.ts";
import { report } from "../support/report.ts";
import { Crowd, descriptors, isConnectionFailure, startLimitedNode } from "../support/rude_clients.ts";
import { os, testWith } from "../support/skip.ts";

const MAX = 40;
const FLOOD_MS = 2_000;
const GET = "GET /listCategories HTTP/1.1\r\nhost: x\r\n\r\n";

/** Whether a connection was refused, reset, or closed without a word. */
function isCut(error: unknown): boolean {
  return isConnectionFailure(error) || /the server closed/.test(String(error));
}

/** Connections, as the node itself counts them; asked through a connection that is closed behind the answer. */
async function connections(node: ChildNode): Promise<number> {
  try {
    using connection = await RawConnection.open(node);
    const { status, text } = await connection.request("GET", "/status", { headers: { connection: "close" } });
    return status === 200 ? JSON.parse(text).open.connections : Infinity;
  } catch (error) {
    // The listener was just renewed.
    if (!isCut(error)) throw error;
    return Infinity;
  }
}

testWith(
  "more idle connections than --max-connections are closed, what is under way goes on",
  [os("linux")],
  async () => {
    await using directory = await temporaryDirectory();
    await using node = await startChildNode(directory.path, "--max-connections", String(MAX));
    await node.write("c", "first\n");
    using tail = await RawConnection.open(node);
    await tail.send("GET /tail?category=c HTTP/1.1\r\nhost: x\r\n\r\n");
    await tail.head();
    assertEquals(new TextDecoder().decode(await tail.chunk()), "first\n");
    using sending = await RawConnection.open(node);
    await sending.send("POST /write?category=c HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345");
    using silent = new Crowd(node);
    await silent.open(MAX);
    using slowHeads = new Crowd(node);
    await slowHeads.open(MAX, "GET /livez HT");
    using kept = new Crowd(node);
    await kept.open(MAX, "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n");
    assert((await kept.answers()).every((text) => text.startsWith("HTTP/1.1 200")));
    await eventually("they are fewer", () => connections(node), (count) => count <= MAX);
    for (const crowd of [silent, slowHeads, kept]) {
      assert((await crowd.answers()).every((text) => text === ""), "closed without a word");
    }
    // What was half sent is told to come again.
    const cut = await sending.response();
    assertEquals([cut.status, cut.headers.get("retry-after"), JSON.parse(cut.text).error.written], [
      503,
      "1",
      "no",
    ]);
    await node.write("c", "second\n");
    assertEquals(new TextDecoder().decode(await tail.chunk()), "second\n");
    assertEquals(await node.readText("c"), "first\nsecond\n");
    assertStringIncludes(node.output, "more connections than there may be");
  },
);

testWith(
  "busy connections over --max-connections are refused with a 503, as many as are too many, others are served",
  [
    os("linux"),
  ],
  async () => {
    await using directory = await temporaryDirectory();
    await using node = await startChildNode(directory.path, "--max-connections", String(MAX));
    using crowd = new Crowd(node);
    await crowd.open(MAX + 20);
    let refused = 0;
    let served = 0;
    const endMs = performance.now() + 5_000;
    while (refused < 20 && performance.now() < endMs) {
      await crowd.send(new TextEncoder().encode(GET));
      const answers = await crowd.answers();
      const leaving: Deno.TcpConn[] = [];
      answers.forEach((text, i) => {
        if (text.startsWith("HTTP/1.1 200")) served++;
        if (!text.startsWith("HTTP/1.1 503")) return;
        refused++;
        assert(/connection: close/i.test(text) && /retry-after: 1/i.test(text), text);
        assertStringIncludes(text, '{"error":{"code":"overloaded","message":"connections: more than the 40');
        leaving.push(crowd.connections[i]!);
      });
      for (const connection of leaving) {
        crowd.connections.splice(crowd.connections.indexOf(connection), 1);
        connection.close();
      }
    }
    assert(refused >= 19 && refused <= 25, `${refused} were refused`);
    assert(served > refused, `${served} were served, ${refused} refused`);
    // Those that remain are no longer too many.
    await eventually("they are fewer", () => connections(node), (count) => count <= MAX + 1);
    await crowd.send(new TextEncoder().encode(GET));
    const rest = await crowd.answers();
    assert(rest.length >= MAX - 6 && rest.every((text) => text.startsWith("HTTP/1.1 200")), rest.join("\n"));
  },
);

testWith(
  "at the limit of descriptors files are opened, what is under way goes on, and the node recovers by itself",
  [
    os("linux"),
  ],
  async () => {
    const DESCRIPTORS = 600;
    await using directory = await temporaryDirectory();
    await using node = await startLimitedNode(directory.path, DESCRIPTORS);
    assertStringIncludes(node.output, "the system's limit of descriptors allows no more");
    await node.write("tailed", "first\n");
    using tail = await RawConnection.open(node);
    await tail.send("GET /tail?category=tailed HTTP/1.1\r\nhost: x\r\n\r\n");
    await tail.head();
    await tail.chunk();
    const before = descriptors(node.pid);
    const body = "x".repeat(9) + "\n";
    using crowd = new Crowd(node);
    let most = 0;
    let stop = false;
    const flooding = (async () => {
      const endMs = performance.now() + FLOOD_MS;
      for (let round = 0; performance.now() < endMs; round++) {
        await crowd.open(500);
        most = Math.max(most, descriptors(node.pid));
        if (round % 2 === 1) crowd.close();
      }
      stop = true;
    })();
    const stored: string[] = [];
    let failed = 0;
    for (let i = 0; !stop || i < 20; i++) {
      try {
        using connection = await RawConnection.open(node);
        const { status } = await connection.request("POST", `/write?category=c${i}`, { body });
        if (status === 200) stored.push(`c${i}`);
        else failed++;
      } catch (error) {
        if (!isCut(error)) throw error;
        failed++;
      }
    }
    await flooding;
    crowd.close();
    await eventually(
      "its descriptors are as before",
      () => descriptors(node.pid),
      (count) => count < before + 200,
    );
    // The listener may be renewed once more, until what came last is gone.
    const orError = <T>(asked: Promise<T>) => asked.catch((error) => String(error));
    for (const category of stored) {
      await eventually(
        `what was stored in ${category}`,
        () => orError(node.readText(category)),
        (text) => text === body,
      );
    }
    await eventually(
      "a write",
      () => orError(node.write("tailed", "second\n")),
      (done) => typeof done !== "string",
    );
    assertEquals(new TextDecoder().decode(await tail.chunk()), "second\n");
    assert(!/panicked|internal/.test(node.output), node.output);
    assert(stored.length > 0);
    report(
      `${most} descriptors of ${DESCRIPTORS} at the most, ${stored.length} writes stored, ${failed} not`,
    );
  },
);
