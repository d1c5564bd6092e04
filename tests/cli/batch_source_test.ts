/**
 * Reading inputs: where lines come from, and when a batch is given.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { type Batch, BatchSource, type Input } from "../../lib/cli/batch_source.ts";
import { Failure } from "../../lib/cli/command.ts";
import { BATCH_BYTES_CEILING } from "../../lib/protocol/limits.ts";

/** An input that gives these pieces, then ends, or stays silent. */
function input(name: string, pieces: (string | Uint8Array)[], end: "ends" | "stays open" = "ends"): Input {
  const left = pieces.map((piece) => typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
  return {
    name,
    close() {},
    read(buffer) {
      const piece = left.shift();
      if (!piece) return end === "ends" ? Promise.resolve(null) : new Promise(() => {});
      buffer.set(piece);
      return Promise.resolve(piece.length);
    },
  };
}

const options = { batchBytes: 1024, lingerMs: 1, signal: new AbortController().signal };

function text({ bytes }: Batch): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("BatchSource joins inputs, ends their last lines, and knows where each line comes from", async () => {
  const source = new BatchSource(
    [input("a", ["1\n2"]), input("b", []), input("c", ["3\n", "4\n5\n"])],
    options,
  );
  const batches = await Array.fromAsync(source.batches());
  assertEquals(batches.map(text).join(""), "1\n2\n3\n4\n5\n");
  assertEquals([0, 1, 2, 4].map((line) => source.locate(line)), ["a:1", "a:2", "c:1", "c:3"]);
  assertEquals(batches.reduce((sum, { lines }) => sum + lines, 0), 5);
});

Deno.test("BatchSource gives what is there when an input falls silent, but no unfinished line", async () => {
  const batches = new BatchSource([input("", ["1\n2\nunfin"], "stays open")], options).batches();
  const { value } = await batches.next();
  assertEquals(text(value!), "1\n2\n");
});

Deno.test("BatchSource ends when it is told to, even if its input is silent", async () => {
  const controller = new AbortController();
  const endless = input("", ["1\nunfinished"], "stays open");
  const source = new BatchSource([endless], { ...options, lingerMs: 60_000, signal: controller.signal });
  const all = Array.fromAsync(source.batches());
  controller.abort();
  assertEquals((await all).map(text), ["1\n"]);
});

Deno.test("BatchSource names the line that is longer than any node takes, after the lines before it", async () => {
  const piece = new Uint8Array(200_000).fill(65);
  const pieces = new Array(Math.ceil(BATCH_BYTES_CEILING / piece.length) + 1).fill(piece);
  const batches = new BatchSource([input("f", ["1\n2\n", ...pieces])], { ...options, lingerMs: 60_000 })
    .batches();
  const lines: number[] = [];
  const error = await assertRejects(async () => {
    for await (const batch of batches) lines.push(batch.lines);
  }, Failure);
  assertEquals(lines.reduce((a, b) => a + b), 2);
  assertEquals(error.message, "f:3 is longer than 16 MiB, which no node takes");
});
