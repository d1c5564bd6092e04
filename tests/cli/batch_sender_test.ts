/**
 * Sending batches: what is tried again, what is cut, and what the person is told.
 *
 * @module
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BatchSender } from "../../lib/cli/batch_sender.ts";
import { Failure } from "../../lib/cli/command.ts";
import { pauseBefore } from "../../lib/cli/retry.ts";
import { ChukchaClient, ChukchaError } from "../../lib/client/mod.ts";

/** A sender to a node that answers as told, once per request; `undefined` stands for a good answer. */
function sending(answers: (size: number) => ChukchaError | Error | undefined) {
  const accepted: string[] = [];
  const notes: string[] = [];
  const pauses: number[] = [];
  const client = new ChukchaClient({
    fetch: async (_url, init) => {
      const body = await new Response(init.body).text();
      const error = answers(body.length);
      if (error instanceof ChukchaError) return Response.json(error.toBody(), { status: error.status });
      if (error) throw error;
      accepted.push(body);
      return Response.json({ chunk: "node-chunk000000000", offset: 0, size: body.length });
    },
  });
  let nowMs = 0;
  const sender = new BatchSender(client, {
    category: "web",
    write: {},
    retryForMs: 1000,
    signal: new AbortController().signal,
    note: (line) => notes.push(line),
    locate: (line) => `line ${line + 1}`,
    pause: (ms) => {
      pauses.push(ms);
      nowMs += ms;
      return Promise.resolve();
    },
    now: () => nowMs,
    random: () => 1,
  });
  const send = (text: string) => sender.send({ bytes: new TextEncoder().encode(text), firstLine: 0 });
  return { send, sender, accepted, notes, pauses };
}

Deno.test("BatchSender tries again while a node is busy, and warns of nothing if nothing was written", async () => {
  let refusals = 2;
  const { send, accepted, notes, pauses } = sending(() =>
    refusals-- > 0 ? new ChukchaError("overloaded", "too many bodies") : undefined
  );
  await send("a\n");
  assertEquals([accepted, pauses], [["a\n"], [100, 200]]);
  assertEquals(notes, ["chukcha write: too many bodies; trying again"]);
});

Deno.test("BatchSender warns of duplicates if it tries again what may have been written", async () => {
  let breaks = 1;
  const { send, notes } = sending(() => breaks-- > 0 ? new TypeError("connection reset") : undefined);
  await send("a\nb\n");
  assertEquals(notes.length, 2);
  assertEquals(notes[1], "chukcha write: warning: 2 messages from line 1 on may be written twice");
});

Deno.test("BatchSender gives up in time, and tells what became of the messages", async () => {
  const { send, pauses } = sending(() => new ChukchaError("disk_full", "disk is full"));
  const error = await assertRejects(() => send("a\n"), Failure);
  assertEquals(error.message, "disk is full; nothing from line 1 on was written");
  assertEquals(pauses.reduce((sum, ms) => sum + ms) <= 1000, true);
  const broken = sending(() => new TypeError("connection reset"));
  const maybe = await assertRejects(() => broken.send("a\nb\n"), Failure);
  assertStringIncludes(maybe.message, "the 2 messages from line 1 on may have been written");
});

Deno.test("BatchSender does not try again what will not change", async () => {
  const { send, pauses } = sending(() => new ChukchaError("forbidden", "no right to write"));
  await assertRejects(() => send("a\n"), Failure, "no right to write");
  assertEquals(pauses, []);
});

Deno.test("BatchSender cuts what a node finds too large, keeps the order, and remembers", async () => {
  const tooLarge = new ChukchaError("too_large", "over 4 bytes");
  let requests = 0;
  const { send, sender, accepted } = sending((size) => {
    requests++;
    return size > 4 ? tooLarge : undefined;
  });
  await send("a\nb\nc\nd\n");
  assertEquals([accepted.join(""), sender.messages, requests], ["a\nb\nc\nd\n", 4, 3]);
  await send("a\nb\nc\nd\n");
  assertEquals(requests, 5);
});

Deno.test("BatchSender names the line that a node finds too long", async () => {
  const { send, accepted } = sending((size) =>
    size > 4 ? new ChukchaError("too_large", "over 4 bytes") : undefined
  );
  const error = await assertRejects(() => send("a\nb\nlonger\nc\n"), Failure);
  assertEquals(accepted.join(""), "a\nb\n");
  assertEquals(
    error.message,
    "line 3: its 6 bytes are more than the node takes: over 4 bytes; 2 messages before were written; nothing from it on was written",
  );
});

Deno.test("pauseBefore grows, has a cap, and is at least half of it", () => {
  assertEquals([0, 1, 2, 9, 1000].map((retry) => pauseBefore(retry, 1)), [100, 200, 400, 5000, 5000]);
  assertEquals(pauseBefore(9, 0), 2500);
});
