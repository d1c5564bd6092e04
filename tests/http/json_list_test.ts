/**
 * Long JSON lists: the same as short ones, in slices that nobody makes before they are taken.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { jsonList } from "../../lib/http/json_list.ts";
import { OpenStreams } from "../../lib/http/open_streams.ts";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { KIB, LIST_SLICE_ELEMENTS } from "../../lib/protocol/limits.ts";
import type { ChunkInfo } from "../../lib/protocol/types.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { startLocalNode } from "../support/node.ts";

const numbers = (length: number) => Array.from({ length }, (_, i) => i);

for (const slices of [0, 1, 2, 3.5]) {
  for (const more of [-1, 0, 1]) {
    const length = Math.max(0, slices * LIST_SLICE_ELEMENTS + more);
    Deno.test(`a JSON list of ${length} elements is all of them`, async () => {
      const streams = new OpenStreams(new FakeClock(), 1);
      const elements = numbers(length);
      const answer = jsonList(streams, { what: "numbers", elements, toJson: String });
      assertEquals(answer.headers.get("content-type"), "application/json");
      assertEquals(await answer.json(), elements);
      assertEquals(streams.count, 0);
    });
  }
}

Deno.test("slices of a JSON list that are kept are made once, whoever takes them", async () => {
  const streams = new OpenStreams(new FakeClock(), 2);
  let made = 0;
  const toJson = (n: number) => {
    made++;
    return String(n);
  };
  const list = { what: "numbers", elements: numbers(3 * LIST_SLICE_ELEMENTS + 1), toJson, slices: [] };
  const left = jsonList(streams, list).body!.getReader();
  await left.read();
  await left.cancel();
  const [one, other] = [jsonList(streams, list), jsonList(streams, list)];
  assertEquals(await one.json(), list.elements);
  assertEquals(await other.json(), list.elements);
  assertEquals([made, streams.count], [list.elements.length, 0]);
});

Deno.test("slices of a JSON list are made as they are taken, and none for a client that has left", async () => {
  const streams = new OpenStreams(new FakeClock(), 1);
  let made = 0;
  const toJson = (n: number) => {
    made++;
    return String(n);
  };
  const elements = numbers(10 * LIST_SLICE_ELEMENTS);
  const reader = jsonList(streams, { what: "numbers", elements, toJson }).body!.getReader();
  assertEquals(made, 0);
  await reader.read();
  assertEquals(made, LIST_SLICE_ELEMENTS);
  assertEquals(streams.count, 1);
  await reader.cancel();
  assertEquals([made, streams.count], [LIST_SLICE_ELEMENTS, 0]);
});

Deno.test("long JSON lists have their places as other long answers do", async () => {
  const streams = new OpenStreams(new FakeClock(), 1);
  const list = { what: "numbers", elements: numbers(LIST_SLICE_ELEMENTS + 1), toJson: String };
  const first = jsonList(streams, list);
  assertThrows(() => jsonList(streams, list), ChukchaError, "numbers: 1 large answers are under way");
  assertEquals(await jsonList(streams, { ...list, elements: [1] }).json(), [1]);
  await first.body!.cancel();
  await jsonList(streams, list).body!.cancel();
});

Deno.test("GET /listChunks and /listCategories are sorted and whole, also where they are long", async () => {
  await using node = await startLocalNode({ settings: { maxChunkSize: KIB } });
  const message = "x".repeat(KIB - 2) + "\n";
  const count = LIST_SLICE_ELEMENTS + 7;
  for (let at = 0; at < count; at += 100) {
    const part = numbers(Math.min(100, count - at));
    await Promise.all(part.map((i) => node.write(`c${at + i}`, "x\n")));
    await Promise.all(part.map(() => node.write("web", message)));
  }
  const chunks: ChunkInfo[] = await (await node.fetch("/listChunks?category=web")).json();
  assertEquals(chunks.length, count);
  const last = chunks.pop();
  const name = (i: number) => `node_1-chunk${String(i).padStart(9, "0")}`;
  assertEquals(last, { name: name(count - 1), complete: false, size: KIB - 1 });
  assertEquals(chunks, numbers(count - 1).map((i) => ({ name: name(i), complete: true, size: KIB - 1 })));
  const categories: string[] = await (await node.fetch("/listCategories")).json();
  assertEquals(categories, [...numbers(count).map((i) => `c${i}`), "web"].sort());
  for (const path of ["/listChunks?category=web", "/listCategories", "/listChunks?category=none"]) {
    const head = await node.fetch(path, { method: "HEAD" });
    assertEquals([head.status, head.headers.get("content-type"), await head.text()], [
      200,
      "application/json",
      "",
    ]);
  }
  assertEquals(await (await node.fetch("/listChunks?category=none")).text(), "[]");
});
