/**
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { toEvents } from "../../lib/http/events.ts";
import { KIB } from "../../lib/protocol/limits.ts";
import type { ChunkPosition } from "../../lib/protocol/position.ts";

const tail = { cursor: ({ chunk, offset }: ChunkPosition) => `${chunk}:${offset}` };

function parts(lines: string): string[] {
  const piece = { chunk: "c", offset: 100, bytes: new TextEncoder().encode(lines) };
  return Array.from(toEvents(tail, piece), (part) => new TextDecoder().decode(part));
}

Deno.test("toEvents makes one event of each message, its id being where the next one begins", () => {
  assertEquals(parts("one\n\na\rb\n"), [
    "id: c:104\ndata: one\n\nid: c:105\ndata: \n\nid: c:109\ndata: a\ndata: b\n\n",
  ]);
});

Deno.test("toEvents comes in bounded parts, so that a MiB of empty messages does not hold up the node", () => {
  const count = 100 * KIB;
  const all = parts("\n".repeat(count));
  assert(all.every((part) => part.length <= 256 * KIB), "a part is too long");
  assertEquals(all.join("").split("\n\n").length - 1, count);
  const long = parts(`${"x".repeat(KIB * KIB)}\nend\n`);
  assertEquals(long.length, 2);
});
