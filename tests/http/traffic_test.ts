/**
 * What is counted of requests: bounds of labels, and messages in a batch.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { OTHER } from "../../lib/http/category_rows.ts";
import { countMessages } from "../../lib/http/messages.ts";
import { NO_ROUTE, Traffic } from "../../lib/http/traffic.ts";
import { MESSAGES_COUNTED_BYTES_MAX, METRICS_CATEGORIES_MAX } from "../../lib/protocol/limits.ts";
import { SeededRandom } from "../support/seeded_random.ts";

Deno.test("Traffic: the first categories have rows of their own, all others share one", () => {
  const traffic = new Traffic();
  for (let i = 0; i < METRICS_CATEGORIES_MAX + 50; i++) traffic.wrote(`c${i}`, 2, 10, 1);
  traffic.wrote("c0", 1, 5, 1);
  traffic.read("c1", 7);
  traffic.read("late", 3);
  const rows = new Map(traffic.categories.all());
  assertEquals(rows.size, METRICS_CATEGORIES_MAX + 1);
  assertEquals([rows.get("c0")!.batches, rows.get("c0")!.messages, rows.get("c0")!.writtenBytes], [2, 3, 15]);
  assertEquals(rows.get("c1")!.readBytes, 7);
  const other = rows.get(OTHER)!;
  assertEquals([other.batches, other.messages, other.writtenBytes, other.readBytes], [50, 100, 500, 3]);
  assertEquals(traffic.writeSeconds.count, METRICS_CATEGORIES_MAX + 51);
});

Deno.test("Traffic: what is refused, and what does not exist, makes no labels", () => {
  const traffic = new Traffic();
  traffic.addRoutes(["/read"]);
  traffic.wrote("known", 1, 1, 1);
  for (let i = 0; i < 1000; i++) {
    traffic.refusedAt(`http://x/write?category=new${i}`);
    traffic.refusedAt(`http://x/write?category=${"/".repeat(i % 3)}!`);
    traffic.answered(`/path${i}`, 404);
  }
  traffic.refusedAt("http://x/write?category=known");
  traffic.refusedAt("http://x/write?category=%zz");
  traffic.refusedAt("http://x/write");
  assertEquals(Array.from(traffic.categories.all(), ([label, { refusals }]) => [label, refusals]), [
    ["known", 1],
    [OTHER, 1000],
  ]);
  assertEquals([...traffic.requests()], [[NO_ROUTE, 404, 1000], ["/read", 200, 0]]);
});

Deno.test("countMessages is exact for batches up to its bound", () => {
  const random = new SeededRandom(5);
  for (let i = 0; i < 200; i++) {
    const batch = new Uint8Array(1 + random.below(MESSAGES_COUNTED_BYTES_MAX)).fill(65);
    batch[batch.length - 1] = 10;
    let messages = 1;
    for (let at = 0; at < batch.length - 1; at += 1 + random.below(300)) {
      batch[at] = 10;
      messages++;
    }
    assertEquals(countMessages(batch), messages);
  }
  assertEquals(countMessages(new Uint8Array(0)), 0);
});

Deno.test("countMessages of larger batches is right on the whole", () => {
  // Sizes of messages, among them those that a fixed distance of samples would always hit or always miss.
  for (const size of [10, 100, 1000, 16 * 1024, 128 * 1024, (1 << 20) - 1, 1 << 20]) {
    const batch = new Uint8Array(1 << 20).fill(65);
    for (let at = size - 1; at < batch.length; at += size) batch[at] = 10;
    batch[batch.length - 1] = 10;
    const messages = batch.reduce((count, byte) => count + (byte === 10 ? 1 : 0), 0);
    const rounds = 1_000;
    let counted = 0;
    for (let i = 0; i < rounds; i++) counted += countMessages(batch);
    const ratio = counted / rounds / messages;
    assert(ratio > 0.9 && ratio < 1.1, `messages of ${size}: ${ratio} of ${messages}`);
  }
});
