/**
 * Following a category: from every kind of start, over chunks and owners, while chunks come, go and are completed.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { MIB } from "../../lib/protocol/limits.ts";
import { parseCursor } from "../../lib/protocol/position.ts";
import type { Tail } from "../../lib/storage/tail.ts";
import { settle } from "../support/fake_clock.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { bytes, openNew, openOn, text } from "./world.ts";

/** The next `count` messages, as one text. */
async function take(tail: Tail, count: number): Promise<string> {
  let got = "";
  while (got.split("\n").length <= count) got += text((await tail.next())!.bytes);
  return got;
}

/** A disk with chunks of two owners, laid down by hand. */
function twoOwners(): MemoryDisk {
  const disk = new MemoryDisk();
  disk.plant("c/m-chunk000000000", bytes("m0\n"));
  disk.plant("c/m-chunk000000003", bytes("m3\n"));
  disk.plant("c/n-chunk000000000", bytes("n0\n"));
  return disk;
}

Deno.test("Tail: from earliest, over chunks, then what is published as it comes", async () => {
  const { store } = await openNew({ chunkBytesMax: 8 });
  for (const batch of ["one\n", "two\n", "three\n", "four\n"]) await store.append("c", bytes(batch), false);
  const tail = store.tail("c", "earliest");
  assertEquals(await take(tail, 4), "one\ntwo\nthree\nfour\n");
  const waiting = tail.next();
  await settle();
  await store.append("c", bytes("five\n"), false);
  assertEquals(text((await waiting)!.bytes), "five\n");
  tail.close();
  await store.close();
});

Deno.test("Tail: from latest, only what comes after, also where the category does not exist yet", async () => {
  const { store } = await openNew();
  await store.append("c", bytes("before\n"), false);
  const tail = store.tail("c", "latest");
  const future = store.tail("not yet", "latest");
  const waiting = [tail.next(), future.next()];
  await settle();
  await store.append("c", bytes("after\n"), true);
  await store.append("not yet", bytes("first\n"), false);
  assertEquals((await Promise.all(waiting)).map((piece) => text(piece!.bytes)), ["after\n", "first\n"]);
  tail.close();
  future.close();
  await store.close();
});

Deno.test("Tail: from a time, from the first batch that is not older, in whichever chunk", async () => {
  const { store, clock } = await openNew({ chunkBytesMax: 12 });
  const times: number[] = [];
  const batches = ["a\n", "b1\nb2\n", "c\n", "d\n", "e\n", "f\n", "g\n", "h\n", "i\n"];
  for (const batch of batches) {
    clock.advance(1000);
    times.push(clock.now());
    await store.append("c", bytes(batch), false);
  }
  for (const [i, timeMs] of times.entries()) {
    for (const earlier of [0, 999]) {
      const tail = store.tail("c", { timeMs: timeMs - earlier });
      const expected = batches.slice(i).join("");
      assertEquals(await take(tail, expected.split("\n").length - 1), expected);
      tail.close();
    }
  }
  const later = store.tail("c", { timeMs: clock.now() + 1 });
  const waiting = later.next();
  await settle();
  await store.append("c", bytes("late\n"), false);
  assertEquals(text((await waiting)!.bytes), "late\n");
  later.close();
  await store.close();
});

Deno.test("Tail: from a time, a wall clock that jumped back hides nothing", async () => {
  const { store, clock } = await openNew();
  const timeMs = clock.now();
  await store.append("c", bytes("before\n"), false);
  clock.jump(-3_600_000);
  await store.append("c", bytes("after\n"), false);
  const tail = store.tail("c", { timeMs });
  assertEquals(await take(tail, 2), "before\nafter\n");
  tail.close();
  await store.close();
});

Deno.test("Tail: from a time, a batch of several segments is not begun in its middle", async () => {
  const { store, clock } = await openNew();
  await store.append("c", bytes("old\n"), false);
  clock.advance(1000);
  const large = `${"x".repeat(50_000)}\n`.repeat(6);
  await store.append("c", bytes(large), false);
  const tail = store.tail("c", { timeMs: clock.now() });
  assertEquals((await tail.next())!.offset, 4);
  tail.close();
  await store.close();
});

Deno.test("Tail: several owners, each in order; the cursor resumes behind all of them", async () => {
  const { store } = await openOn(twoOwners());
  await store.append("c", bytes("n1\n"), false);
  const tail = store.tail("c", "earliest");
  const got: string[] = [];
  const cursors: string[] = [];
  for (let i = 0; i < 4; i++) {
    const piece = (await tail.next())!;
    got.push(text(piece.bytes));
    cursors.push(tail.cursor({ chunk: piece.chunk, offset: piece.offset + piece.bytes.length }));
  }
  tail.close();
  assertEquals(got.toSorted(), ["m0\n", "m3\n", "n0\n", "n1\n"]);
  assertEquals(got.filter((line) => line.startsWith("m")), ["m0\n", "m3\n"]);
  assertEquals(got.filter((line) => line.startsWith("n")), ["n0\n", "n1\n"]);
  for (const [i, cursor] of cursors.entries()) {
    const resumed = store.tail("c", parseCursor(cursor, "cursor"));
    const rest: string[] = [];
    for (let n = i + 1; n < 4; n++) rest.push(text((await resumed.next())!.bytes));
    assertEquals(rest.toSorted(), got.slice(i + 1).toSorted(), `behind ${cursor}`);
    const waiting = resumed.next();
    resumed.close();
    assertEquals(await waiting, undefined);
  }
  await store.close();
});

Deno.test("Tail: an owner that is called like a chunk of another one is not in its way", async () => {
  const disk = new MemoryDisk();
  disk.plant("c/n-chunk000000000", bytes("n0\n"));
  disk.plant("c/n-chunk000000001-chunk000000000", bytes("other\n"));
  disk.plant("c/n-chunk000000002", bytes("n2\n"));
  const { store } = await openOn(disk);
  const tail = store.tail("c", "earliest");
  const got = [await tail.next(), await tail.next(), await tail.next()].map((piece) => text(piece!.bytes));
  assertEquals(got.toSorted(), ["n0\n", "n2\n", "other\n"]);
  tail.close();
  await store.close();
});

Deno.test("Tail: chunks that are acknowledged meanwhile are passed over", async () => {
  const { store } = await openNew({ chunkBytesMax: 4 });
  for (const batch of ["one\n", "two\n", "thr\n", "fou\n"]) await store.append("c", bytes(batch), false);
  const tail = store.tail("c", "earliest");
  assertEquals(text((await tail.next())!.bytes), "one\n");
  await store.acknowledge("c", "n-chunk000000000", 4);
  await store.acknowledge("c", "n-chunk000000001", 4);
  assertEquals(text((await tail.next())!.bytes), "thr\n");
  const cursor = store.tail("c", [{ chunk: "n-chunk000000001", offset: 4 }]);
  assertEquals(text((await cursor.next())!.bytes), "thr\n");
  tail.close();
  cursor.close();
  await store.close();
});

Deno.test("Tail: a chunk that is completed while it is waited for leads on to the next one", async () => {
  const { store, clock } = await openNew({ rotateIntervalMs: 1000 });
  await store.append("c", bytes("one\n"), false);
  const tail = store.tail("c", "earliest");
  assertEquals(text((await tail.next())!.bytes), "one\n");
  const waiting = tail.next();
  clock.advance(1000);
  await settle();
  await store.append("c", bytes("two\n"), false);
  const piece = (await waiting)!;
  assertEquals([piece.chunk, piece.offset, text(piece.bytes)], ["n-chunk000000001", 0, "two\n"]);
  tail.close();
  await store.close();
});

Deno.test("Tail: a message longer than its usual step comes whole", async () => {
  const { store } = await openNew({ chunkBytesMax: 64 * MIB });
  const long = bytes("x".repeat(3 * MIB) + "\n");
  await store.append("c", bytes("short\n"), false);
  await store.append("c", long, false);
  await store.append("c", bytes("behind\n"), false);
  const tail = store.tail("c", "earliest");
  let size = 0;
  while (size < 6 + long.length + 7) {
    const piece = (await tail.next())!;
    assert(piece.bytes.at(-1) === 10 && piece.offset === size);
    size += piece.bytes.length;
  }
  tail.close();
  await store.close();
});

Deno.test("Tail: damage ends it with an error that says where it is", async () => {
  const { store, disk } = await openNew();
  await store.append("c", bytes("one\n"), false);
  await store.append("c", bytes("two\n"), false);
  const rotten = disk.peek("c/n-chunk000000000");
  rotten[5]! ^= 1;
  disk.plant("c/n-chunk000000000", rotten);
  const tail = store.tail("c", "earliest");
  assertEquals(text((await tail.next())!.bytes), "one\n");
  assertEquals((await assertRejects(() => tail.next(), ChukchaError)).code, "damaged");
  tail.close();
  await store.close();
});

Deno.test("Tail: closed while it waits, or before, it ends", async () => {
  const { store } = await openNew();
  const tail = store.tail("c", "earliest");
  const waiting = tail.next();
  await settle();
  tail.close();
  assertEquals([await waiting, await tail.next()], [undefined, undefined]);
  tail.close();
  await store.close();
});
