/**
 * A tail over connections that break: nothing is lost, nothing comes twice, and it ends when it should.
 *
 * @module
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ChukchaError, connect, MessageError, TransportError, type Trouble } from "../../lib/client/mod.ts";
import { startLocalNode } from "../support/node.ts";

const CHUNK = "node-chunk000000000";
const MESSAGES = ["a", "b", "c", "d", "e", "f"];

/** A node that has `MESSAGES`, one byte and a `\n` each, and ends a tail after so many of them; without a number, never. */
function node(perConnection: number | undefined, size = MESSAGES.length) {
  const asked: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { pathname, search, searchParams } = new URL(request.url);
    asked.push(`${pathname}${decodeURIComponent(search)}`);
    if (pathname === "/listChunks") {
      return Response.json(size === 0 ? [] : [{ name: CHUNK, complete: false, size: 2 * size }]);
    }
    const first = Number(searchParams.get("cursor")?.split(":")[1] ?? 0) / 2;
    const events = MESSAGES.slice(first, first + (perConnection ?? MESSAGES.length)).map((message, i) =>
      `id: ${CHUNK}:${2 * (first + i + 1)}\ndata: ${message}\n\n`
    );
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(`:\n\n${events.join("")}`));
        if (perConnection !== undefined) controller.close();
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  return {
    asked,
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("a tail whose connection ends goes on behind its last message, at the next node", async () => {
  await using one = node(2);
  await using other = node(2);
  await using chukcha = connect({ servers: [one.url, other.url] });
  const troubles: Trouble[] = [];
  const got: string[] = [];
  for await (const piece of chukcha.tail("web", { onTrouble: (trouble) => troubles.push(trouble) })) {
    got.push(...piece.texts());
    assertEquals([piece.cursor, piece.count, piece.size], [`${CHUNK}:${2 * got.length}`, 2, 4]);
    if (got.length === MESSAGES.length) break;
  }
  assertEquals(got, MESSAGES);
  // The next node is asked at once; after a second end so soon, there is a pause.
  assertEquals(troubles.map(({ failures, retryMs }) => [failures, retryMs > 0]), [[1, false], [1, true]]);
  const asked = [...one.asked, ...other.asked].toSorted();
  assertEquals(asked, [
    `/tail?category=web&cursor=${CHUNK}:4`,
    `/tail?category=web&cursor=${CHUNK}:8`,
    "/tail?category=web&from=earliest",
  ]);
  assertEquals([one.asked.length, other.asked.length].toSorted(), [1, 2]);
});

Deno.test("latest is made a place before anything breaks, and everything of a category that is new comes", async () => {
  await using full = node(undefined, 4);
  await using chukcha = connect({ servers: full.url });
  for await (const piece of chukcha.tail("web", { from: "latest" })) {
    assertEquals([...piece.texts()], ["e", "f"]);
    break;
  }
  assertEquals(full.asked, ["/listChunks?category=web", `/tail?category=web&cursor=${CHUNK}:8`]);
  await using empty = node(undefined, 0);
  await using other = connect({ servers: empty.url });
  for await (const _ of other.tail("web", { from: "latest" })) break;
  assertEquals(empty.asked[1], "/tail?category=web&from=earliest");
});

Deno.test("a tail ends with the reason of its signal, with what will not pass, and after giveUpMs", async () => {
  await using quiet = node(undefined);
  await using chukcha = connect({ servers: quiet.url });
  const controller = new AbortController();
  await assertRejects(
    async () => {
      for await (const _ of chukcha.tail("web", { signal: controller.signal })) {
        controller.abort(
          new RangeError("enough"),
        );
      }
    },
    RangeError,
    "enough",
  );
  let status = 403;
  const code = () => status === 403 ? "forbidden" as const : "draining" as const;
  const refuse = () => Promise.resolve(Response.json(new ChukchaError(code(), "no").toBody(), { status }));
  await using refused = connect({ fetch: refuse });
  await assertRejects(() => refused.tail("web").next(), ChukchaError, "no");
  status = 503;
  const troubles: Trouble[] = [];
  const onTrouble = (trouble: Trouble) => void troubles.push(trouble);
  await assertRejects(() => refused.tail("web", { giveUpMs: 200, onTrouble }).next(), ChukchaError, "no");
  assertEquals([troubles.length > 0 && troubles.length < 8, troubles.every(({ retryMs }) => retryMs > 0)], [
    true,
    true,
  ]);
  await using nowhere = connect({ servers: "http://127.0.0.1:1" });
  await assertRejects(() => nowhere.tail("web", { giveUpMs: 50 }).next(), TransportError);
});

Deno.test("what is given to a tail is judged at once, and JSON that is none is named by its cursor", async () => {
  await using full = node(undefined);
  await using chukcha = connect({ servers: full.url });
  assertThrows(() => chukcha.tail("a/b"), ChukchaError, "category: ");
  assertThrows(() => chukcha.tail("web", { from: "soon" }), ChukchaError, "from: ");
  assertThrows(() => chukcha.tail("web", { cursor: "soon" }), ChukchaError, "cursor: ");
  for await (const piece of chukcha.tail("web")) {
    const error = assertThrows(() => [...piece.json()], MessageError);
    assertEquals([error.chunk, error.offset, error.beginning], [undefined, 0, "a"]);
    assertEquals(
      error.message,
      `the message at byte 0 of the piece before cursor "${CHUNK}:12" is not JSON: "a"`,
    );
    break;
  }
});

Deno.test("a tail of a real node gives what is there, and what comes", async () => {
  await using real = await startLocalNode();
  await using chukcha = connect({ servers: real.url });
  await real.write("web", '{"n":1}\n{"n":2}\n');
  const got: number[] = [];
  for await (const piece of chukcha.tail("web")) {
    got.push(...Array.from(piece.json<{ n: number }>(), ({ n }) => n));
    if (got.length === 2) await real.write("web", '{"n":3}\n');
    if (got.length === 3) break;
  }
  assertEquals(got, [1, 2, 3]);
});

Deno.test("tail: a signal ends one that waits, although all garbage was collected meanwhile", async () => {
  await using waiting = node(undefined);
  // In a process of its own, which may collect garbage when it wants to.
  const script = `
    import { ChukchaClient } from "${new URL("../../lib/client/mod.ts", import.meta.url)}";
    const client = new ChukchaClient({ server: "${waiting.url}" });
    for (const how of ["follow", "tail"]) {
      const ending = new AbortController();
      const pieces = client[how]("web", { signal: ending.signal });
      let size = 0;
      while (size < ${
    2 * MESSAGES.length
  }) size += ((value) => (value.bytes ?? value).length)((await pieces.next()).value);
      const more = pieces.next().then(() => "more", (error) => error);
      for (let i = 0; i < 5; i++) {
        gc();
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      ending.abort("over");
      console.log(await more);
    }
    Deno.exit();`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--v8-flags=--expose-gc", "-"],
    cwd: new URL("../..", import.meta.url),
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    signal: AbortSignal.timeout(10_000),
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(script));
  await writer.close();
  assertEquals(new TextDecoder().decode((await child.output()).stdout), "over\nover\n");
});
