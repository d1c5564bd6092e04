/**
 * Following a category whose older chunks may still grow, or come back: nothing is held up, nothing is missed.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { TAIL_OPEN_CHUNKS_MAX } from "../../lib/protocol/limits.ts";
import { parseCursor } from "../../lib/protocol/position.ts";
import { Chunk } from "../../lib/storage/chunk.ts";
import { ChunkList } from "../../lib/storage/chunk_list.ts";
import { crc32 } from "../../lib/storage/crc32.ts";
import { OwnerPositions } from "../../lib/storage/owner_positions.ts";
import type { Store } from "../../lib/storage/store.ts";
import type { Tail } from "../../lib/storage/tail.ts";
import { settle } from "../support/fake_clock.ts";
import { chunkOf, openNode } from "./two_nodes.ts";
import { bytes, text } from "./world.ts";

/** Lets a copy grow to `content`. */
async function grow(store: Store, number: number, content: string): Promise<void> {
  await store.prepareCopies("c", [chunkOf(number)]);
  const offset = store.chunk("c", chunkOf(number))?.size ?? 0;
  const more = bytes(content).subarray(offset);
  const rolling = crc32(bytes(content));
  store.appendCopy({ category: "c", chunk: chunkOf(number), offset, bytes: more, rolling, timeMs: 7 }, "n");
}

/** All that is there for the tail right now. */
async function drain(tail: Tail): Promise<string> {
  let got = "";
  for (;;) {
    const pending = tail.next();
    let piece: Awaited<typeof pending> | undefined;
    void pending.then((one) => piece = one);
    await settle();
    if (!piece) {
      left.set(tail, pending);
      return got;
    }
    got += text(piece.bytes);
    cursors.set(tail, tail.cursor({ chunk: piece.chunk, offset: piece.offset + piece.bytes.length }));
  }
}

/** Calls of `next` that wait. */
const left = new Map<Tail, Promise<unknown>>();
/** Where tails stood after their last piece. */
const cursors = new Map<Tail, string>();

/** What comes to a tail that waits, in one piece. */
async function arrive(tail: Tail): Promise<string> {
  const piece = await left.get(tail) as Awaited<ReturnType<Tail["next"]>>;
  cursors.set(tail, tail.cursor({ chunk: piece!.chunk, offset: piece!.offset + piece!.bytes.length }));
  return text(piece!.bytes);
}

Deno.test("Tail: an older chunk that may still grow is passed over, and read when it does", async () => {
  const { store } = await openNode("m");
  await grow(store, 0, "a\n");
  await grow(store, 1, "x\n");
  const tail = store.tail("c", "earliest");
  assertEquals(await drain(tail), "a\nx\n");
  assertEquals(cursors.get(tail), `${chunkOf(0)}:2,${chunkOf(1)}:2`);
  await grow(store, 0, "a\nb\n");
  assertEquals(await arrive(tail), "b\n");
  assertEquals(cursors.get(tail), `${chunkOf(0)}:4,${chunkOf(1)}:2`);
  assertEquals(await drain(tail), "");
  const resumed = store.tail("c", parseCursor(cursors.get(tail)!, "cursor"));
  assertEquals(await drain(resumed), "");
  await grow(store, 0, "a\nb\nc\n");
  assertEquals([await arrive(tail), await arrive(resumed)], ["c\n", "c\n"]);
  store.finaliseCopy("c", chunkOf(0));
  await grow(store, 1, "x\ny\n");
  assertEquals([await drain(tail), await drain(resumed)], ["y\n", "y\n"]);
  assertEquals([cursors.get(tail), cursors.get(resumed)], [`${chunkOf(1)}:4`, `${chunkOf(1)}:4`]);
  tail.close();
  resumed.close();
  await store.close();
});

Deno.test("Tail: from latest and from a time, what older chunks get afterwards comes too", async () => {
  const { store } = await openNode("m");
  await grow(store, 0, "a\n");
  await grow(store, 1, "x\n");
  const tails = [store.tail("c", "latest"), store.tail("c", { timeMs: 1e15 })];
  for (const tail of tails) assertEquals(await drain(tail), "");
  await grow(store, 0, "a\nb\n");
  for (const tail of tails) assertEquals(await arrive(tail), "b\n");
  tails.forEach((tail) => tail.close());
  await store.close();
});

Deno.test("Tail: an own chunk that is not settled is passed over, and its prefix that comes back is read", async () => {
  const first = await openNode("n");
  await first.store.append("c", bytes("one\n"), true);
  await first.store.append("c", bytes("two\n"), false);
  const { store } = await openNode("n", first.disk.crash());
  await store.append("c", bytes("three\n"), false);
  const tail = store.tail("c", "earliest");
  assertEquals(await drain(tail), "one\nthree\n");
  await grow(store, 0, "one\ntwo\n");
  assertEquals(await arrive(tail), "two\n");
  tail.close();
  await store.close();
});

Deno.test("Tail: chunks that come back behind it are read; those that are acknowledged are forgotten", async () => {
  const { store } = await openNode("n");
  store.noteUsed("c", 9);
  await store.append("c", bytes("new\n"), false);
  const tail = store.tail("c", "earliest");
  assertEquals(await drain(tail), "new\n");
  await grow(store, 3, "old\n");
  assertEquals(await arrive(tail), "old\n");
  await grow(store, 1, "older\n");
  assertEquals(await drain(tail), "older\n");
  assertEquals(cursors.get(tail), `${chunkOf(1)}:6,${chunkOf(3)}:4,${chunkOf(10)}:4`);
  await store.mergeAcknowledged("c", "n", { ranges: [[0, 3]], sizes: new Map() }, "m");
  await store.append("c", bytes("last\n"), false);
  assertEquals(await drain(tail), "last\n");
  assertEquals(cursors.get(tail), `${chunkOf(10)}:9`);
  tail.close();
  await store.close();
});

Deno.test("Tail: a cursor from a node that had more waits for this one to have it", async () => {
  const { store } = await openNode("m");
  await grow(store, 1, "x\n");
  const tail = store.tail("c", [
    { chunk: chunkOf(0), offset: 2 },
    { chunk: chunkOf(1), offset: 4 },
    { chunk: chunkOf(0, "o"), offset: 3 },
  ]);
  assertEquals(await drain(tail), "");
  await grow(store, 0, "a\nb\n");
  assertEquals(await arrive(tail), "b\n");
  await grow(store, 1, "x\ny\nz\n");
  assertEquals(await drain(tail), "z\n");
  assertEquals(cursors.get(tail), `${chunkOf(0)}:4,${chunkOf(1)}:6,${chunkOf(0, "o")}:3`);
  tail.close();
  await store.close();
});

Deno.test("OwnerPositions: places are bounded; beyond that it waits for the chunk that it is at", () => {
  const chunks = new ChunkList();
  const all = Array.from({ length: TAIL_OPEN_CHUNKS_MAX + 3 }, (_, i) => new Chunk("c", "n", i, 0));
  for (const chunk of all) {
    chunk.size = 2;
    chunks.add(chunk);
  }
  const positions = new OwnerPositions("n", [{ number: 0, offset: 0 }], chunks);
  const seen: number[] = [];
  const read = (): void => {
    for (;;) {
      const next = positions.next(chunks, () => false);
      if (!next) return;
      seen.push(next.chunk.number);
      next.position.offset = next.chunk.size;
    }
  };
  read();
  assertEquals(seen.length, TAIL_OPEN_CHUNKS_MAX + 1);
  all[4]!.complete = true;
  read();
  assertEquals(seen.length, TAIL_OPEN_CHUNKS_MAX + 2);
  all[0]!.size = 4;
  read();
  assertEquals([seen.at(-1), positions.all().length], [0, TAIL_OPEN_CHUNKS_MAX + 1]);
});

Deno.test("ChunkList: sorted by name and per owner, however they come and go", () => {
  const chunks = new ChunkList();
  const all = [5, 1, 3, 2, 4].map((number) => new Chunk("c", "n", number, 0));
  for (const chunk of [...all, new Chunk("c", "m", 0, 0)]) chunks.add(chunk);
  const numbers = () => chunks.ofOwner("n").map(({ number }) => number);
  assertEquals([numbers(), chunks.owners()], [[1, 2, 3, 4, 5], ["m", "n"]]);
  assertEquals(chunks.lateOf("n").map(({ number }) => number), [1, 3, 2, 4]);
  chunks.delete(chunkOf(3));
  chunks.delete(chunkOf(0, "m"));
  chunks.delete("unknown");
  assertEquals([numbers(), chunks.owners(), chunks.size], [[1, 2, 4, 5], ["n"], 4]);
  assertEquals([chunks.firstFrom("n", 3)?.number, chunks.firstFrom("n", 6), chunks.firstFrom("m", 0)], [
    4,
    undefined,
    undefined,
  ]);
});
