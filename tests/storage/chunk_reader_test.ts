/**
 * Reading: whole messages only, verified, from memory or as a stream, around damage, while the index is mended.
 *
 * @module
 */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { BLOCK_CACHE_BYTES_MAX, INDEX_SEGMENT_BYTES_MAX, KIB, MIB } from "../../lib/protocol/limits.ts";
import { RECORD_BYTES } from "../../lib/storage/index_record.ts";
import type { Store } from "../../lib/storage/store.ts";
import { checkServed, serve } from "../support/invariants.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { bodyOf, bytes, openNew, openOn, readText, text, type World } from "./world.ts";

const CHUNK = "n-chunk000000000";
const DATA = `c/${CHUNK}`;
const INDEX = `${DATA}.idx`;

/** A store whose first chunk is complete and holds these batches. */
async function completed(batches: readonly Uint8Array[], chunkBytesMax = 64 * MIB): Promise<World> {
  const { store, disk } = await openNew({ chunkBytesMax });
  for (const batch of batches) await store.append("c", batch, false);
  await store.close();
  return await openOn(disk.kill(), { chunkBytesMax });
}

/** Messages of these lengths, each different. */
function messages(lengths: readonly number[]): Uint8Array {
  return bytes(
    lengths.map((length, i) => `${i} `.padEnd(length, String.fromCharCode(97 + i % 26)) + "\n").join(""),
  );
}

/** What a read must give; `undefined` where it must be refused. */
function naive(content: Uint8Array, offset: number, sizeMax: number): string | undefined {
  if (offset >= content.length) return "";
  if (offset > 0 && content[offset - 1] !== 10) return undefined;
  const part = content.subarray(offset, offset + sizeMax);
  return text(part.subarray(0, part.lastIndexOf(10) + 1)) || undefined;
}

async function readOrRefused(store: Store, offset: number, sizeMax: number): Promise<string | undefined> {
  try {
    return await readText(store, "c", CHUNK, offset, sizeMax);
  } catch (error) {
    assertInstanceOf(error, ChukchaError);
    assertEquals(error.code, "invalid_offset");
    return undefined;
  }
}

Deno.test("read: every offset and every size of a small chunk, as a naive reader would", async () => {
  const batches = ["one\n", "\n", "two\nthree\n\nfour\n", "\0\0\n", "the last and longest message\n"].map(
    bytes,
  );
  const content = bytes(batches.map(text).join(""));
  const { store } = await completed(batches);
  for (let offset = 0; offset <= content.length + 1; offset++) {
    for (let sizeMax = 1; sizeMax <= content.length + 2; sizeMax++) {
      assertEquals(
        await readOrRefused(store, offset, sizeMax),
        naive(content, offset, sizeMax),
        `${offset}, ${sizeMax}`,
      );
    }
  }
  assertEquals(await readText(store, "c", CHUNK, 0, 0), "");
  await store.close();
});

Deno.test("read: of a chunk that is being written, all that is published and no more", async () => {
  const { store } = await openNew();
  await store.append("c", bytes("one\n"), false);
  assertEquals(await readText(store, "c", CHUNK), "one\n");
  assertEquals(await readText(store, "c", CHUNK, 4), "");
  await store.append("c", bytes("two\n"), true);
  assertEquals(await readText(store, "c", CHUNK, 4), "two\n");
  assertEquals(await readText(store, "c", CHUNK, 2 ** 40), "");
  await store.close();
});

Deno.test("read: across segments and blocks, from whole memory or as a stream, at random places", async () => {
  const random = new SeededRandom(3);
  const batches = Array.from({ length: 60 }, () =>
    messages(
      Array.from(
        { length: 1 + random.below(20) },
        () => random.below(10) === 0 ? random.below(150 * KIB) : random.below(3000),
      ),
    ));
  const content = new Uint8Array(batches.reduce((sum, { length }) => sum + length, 0));
  batches.reduce((at, batch) => (content.set(batch, at), at + batch.length), 0);
  assert(content.length > 4 * MIB, "too little to cross blocks");
  const { store } = await completed(batches);
  const starts = [...content.entries()].filter(([, byte]) => byte === 10).map(([i]) => i + 1);
  for (let i = 0; i < 150; i++) {
    const offset = random.pick([0, ...starts]);
    const sizeMax = random.pick([1, 1000, 70 * KIB, MIB, MIB + 1, 3 * MIB, 16 * MIB]) + random.below(1000);
    assertEquals(await readOrRefused(store, offset, sizeMax), naive(content, offset, sizeMax));
  }
  await store.close();
});

Deno.test("read: a message longer than max_size says so; a larger max_size gets it", async () => {
  const { store } = await completed([messages([10, 2 * MIB, 10])]);
  const first = await store.read("c", CHUNK, 0, MIB + 50_000);
  assertEquals(first.size, 11);
  const error = await assertRejects(() => store.read("c", CHUNK, 11, MIB + 50_000), ChukchaError);
  assertEquals([error.code, error.status], ["invalid_offset", 400]);
  assertStringIncludes(error.message, "max_size: the message at 11");
  assertEquals((await bodyOf(await store.read("c", CHUNK, 11, 3 * MIB))).length, 2 * MIB + 1 + 11);
  await bodyOf(first);
  await store.close();
});

Deno.test("read: a stream of a chunk that grows meanwhile ends where it was promised to", async () => {
  const { store } = await openNew({ chunkBytesMax: 64 * MIB });
  const batch = messages(Array.from({ length: 900 }, () => 5000));
  await store.append("c", batch, false);
  const { body, size } = await store.read("c", CHUNK, 0, 16 * MIB);
  assertInstanceOf(body, ReadableStream);
  assertEquals(size, batch.length);
  const reader = body.getReader();
  const parts = [(await reader.read()).value!];
  await store.append("c", batch, false);
  for (let part = await reader.read(); !part.done; part = await reader.read()) parts.push(part.value);
  assertEquals(new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer()), batch);
  await store.close();
});

Deno.test("read: a stream that nobody finishes gives its file back; an open one outlives an acknowledgement", async () => {
  const batch = messages(Array.from({ length: 500 }, () => 5000));
  const { store, disk } = await completed([batch]);
  const { body: left } = await store.read("c", CHUNK, 0, 16 * MIB);
  const { body: kept } = await store.read("c", CHUNK, 0, 16 * MIB);
  await store.acknowledge("c", CHUNK, batch.length);
  assertEquals(await bodyOf({ body: kept }), batch);
  await (left as ReadableStream).cancel();
  await store.close();
  assertEquals(disk.openFiles, 0);
});

Deno.test("read: damage costs the groups that it is in; before, behind and from there as far as can be said", async () => {
  const batches = ["one\n", "two\n", "three\n", "four\n", "five\n"].map(bytes);
  const { store, disk, log } = await completed(batches);
  const rotten = disk.peek(DATA);
  rotten[9]! ^= 1;
  disk.plant(DATA, rotten);
  assertEquals(await readText(store, "c", CHUNK), "one\ntwo\n");
  const error = await assertRejects(() => store.read("c", CHUNK, 8, 100), ChukchaError);
  assertEquals([error.code, error.status], ["damaged", 503]);
  assertStringIncludes(error.message, "bytes 8 to 14 fail their checksum");
  assertStringIncludes(error.message, "off=14");
  assertEquals(await readText(store, "c", CHUNK, 14), "four\nfive\n");
  assertEquals(store.listChunks("c"), [{ name: CHUNK, complete: true, size: 24, damaged: true }]);
  assertEquals(log.of("error").length, 1);
  assertEquals(store.checkChunks().ok, false);
  assertEquals(disk.peek(DATA), rotten);
  await store.close();
});

Deno.test("read: damage in the middle of a large group leads to the next message that is intact", async () => {
  const batch = messages(Array.from({ length: 100 }, () => 3000));
  const { store, disk } = await completed([batch]);
  const rotten = disk.peek(DATA);
  rotten[2 * INDEX_SEGMENT_BYTES_MAX + 5]! ^= 1;
  disk.plant(DATA, rotten);
  const [served] = await serve(store, "c", 100_000);
  const missed = batch.length - served!.pieces.reduce((sum, piece) => sum + piece.bytes.length, 0);
  assertEquals(served!.damage.length, 1);
  assert(
    missed > INDEX_SEGMENT_BYTES_MAX && missed <= INDEX_SEGMENT_BYTES_MAX + 2 * 3001,
    `${missed} bytes missed`,
  );
  for (const piece of served!.pieces) {
    assertEquals(piece.bytes, batch.subarray(piece.offset, piece.offset + piece.bytes.length));
    assert(piece.offset === 0 || batch[piece.offset - 1] === 10);
  }
  await store.close();
});

Deno.test("read: a large range ends before the damage that it would meet", async () => {
  const batch = messages(Array.from({ length: 1000 }, () => 3000));
  const { store, disk } = await completed([batch]);
  const rotten = disk.peek(DATA);
  rotten[2 * MIB]! ^= 1;
  disk.plant(DATA, rotten);
  const range = await store.read("c", CHUNK, 0, 16 * MIB);
  assert(range.size > MIB && range.size <= 2 * MIB, `${range.size} bytes`);
  assertEquals(await bodyOf(range), batch.subarray(0, range.size));
  assertEquals(store.checkChunks().ok, false);
  const [served] = await serve(store, "c", 2 * MIB + 500_000);
  assertEquals(served!.damage.length, 1);
  for (const piece of served!.pieces) {
    assertEquals(piece.bytes, batch.subarray(piece.offset, piece.offset + piece.bytes.length));
  }
  await store.close();
  assertEquals(disk.openFiles, 0);
});

Deno.test("read: damage that appears while a range is sent, to a block no longer in memory, cuts the transfer off", async () => {
  const batch = messages(Array.from({ length: 4000 }, () => 1000));
  const { store, disk, log } = await completed([batch]);
  const { body } = await store.read("c", CHUNK, 0, 16 * MIB);
  // Other chunks push its middle blocks out.
  const other = messages(Array.from({ length: 16_000 }, () => 1000));
  for (let i = 0; i * other.length <= BLOCK_CACHE_BYTES_MAX; i++) {
    const { chunk, offset } = await store.append("other", other, false);
    await bodyOf(await store.read("other", chunk, offset, 16 * MIB));
  }
  const rotten = disk.peek(DATA);
  rotten[2 * MIB]! ^= 1;
  disk.plant(DATA, rotten);
  const got: Uint8Array[] = [];
  await assertRejects(async () => {
    for await (const part of body as ReadableStream<Uint8Array>) got.push(part);
  });
  let at = 0;
  for (const part of got) {
    assertEquals(part, batch.subarray(at, at + part.length));
    at += part.length;
  }
  assert(at >= MIB, `${at} bytes came before it`);
  assertEquals(log.lines.filter((line) => line.includes("a transfer was cut off")).length, 1);
  await store.close();
  assertEquals(disk.openFiles, 0);
});

Deno.test("read: each record of the index lost while the chunk is served is made anew", async () => {
  for (const count of [1, 2, 3, 9]) {
    const batches = Array.from({ length: count }, (_, i) => messages([5 + i, 3]));
    const base = (await completed(batches)).disk.kill().clone();
    for (let record = 0; record <= count; record++) {
      for (const garbage of [0, 0xa5]) {
        const { store, disk, log } = await openOn(base.clone());
        disk.plant(INDEX, disk.peek(INDEX).fill(garbage, record * RECORD_BYTES, (record + 1) * RECORD_BYTES));
        const [served] = await serve(store, "c", 20);
        checkServed(served!, batches);
        assertEquals(served!.damage, [], log.lines.join("\n"));
        await store.close();
      }
    }
  }
});

Deno.test("read: an index cut short, or gone, while the chunk is served is made anew", async () => {
  const batches = Array.from({ length: 9 }, (_, i) => messages([5 + i, 3]));
  const base = (await completed(batches)).disk.kill().clone();
  for (const size of [0, 1, 33, 8 * RECORD_BYTES, 9 * RECORD_BYTES]) {
    const { store, disk } = await openOn(base.clone());
    disk.plant(INDEX, disk.peek(INDEX).subarray(0, size));
    const [served] = await serve(store, "c", 20);
    checkServed(served!, batches);
    assertEquals(served!.damage, []);
    await store.close();
  }
});

Deno.test("read: several readers of a chunk whose index is being made anew all get their messages", async () => {
  const batches = Array.from({ length: 20 }, (_, i) => messages([5 + i, 3]));
  const { store, disk } = await completed(batches);
  const rotten = disk.peek(INDEX);
  rotten.fill(0, 5 * RECORD_BYTES, 12 * RECORD_BYTES);
  disk.plant(INDEX, rotten);
  const all = batches.map(text).join("");
  assertEquals(
    await Promise.all(Array.from({ length: 5 }, () => readText(store, "c", CHUNK))),
    Array.from({ length: 5 }, () => all),
  );
  await store.close();
});

Deno.test("read: an index that was mended stays so, also for the next start", async () => {
  const batches = Array.from({ length: 9 }, (_, i) => messages([5 + i, 3]));
  const { store, disk } = await completed(batches);
  const good = disk.peek(INDEX);
  disk.plant(INDEX, disk.peek(INDEX).fill(0, 64, 96));
  assertEquals(await readText(store, "c", CHUNK), batches.map(text).join(""));
  assertEquals(disk.peek(INDEX).length, good.length);
  await store.close();
  const again = await openOn(disk.crash());
  assertEquals(await readText(again.store, "c", CHUNK), batches.map(text).join(""));
  assertEquals(again.log.of("warn", "error"), []);
  await again.store.close();
});

Deno.test("read: a data file that is gone is damage, not an empty chunk", async () => {
  const { store, disk } = await completed([bytes("one\n")]);
  disk.remove(DATA);
  const error = await assertRejects(() => store.read("c", CHUNK, 0, 10), ChukchaError);
  assertEquals([error.code, error.status], ["damaged", 503]);
  const damaged = [{ name: CHUNK, complete: true, size: 4, damaged: true as const }];
  assertEquals(store.listChunks("c"), damaged);
  await store.close();
  const again = await openOn(disk.kill());
  assertEquals(again.store.listChunks("c"), damaged);
  assertEquals(again.log.of("error").length, 2);
  assertEquals((await again.store.append("c", bytes("next\n"), false)).chunk, "n-chunk000000001");
  await again.store.close();
});

Deno.test("read: on a disk that is read-only, or out of descriptors", async () => {
  const { store, disk } = await completed([bytes("one\n")]);
  disk.faults.openMax = 0;
  const error = await assertRejects(() => store.read("c", CHUNK, 0, 10), ChukchaError);
  assertEquals([error.code, error.status], ["overloaded", 503]);
  disk.faults.openMax = Infinity;
  disk.faults.readOnly = true;
  assertEquals(await readText(store, "c", CHUNK), "one\n");
  const refused = await assertRejects(() => store.append("c", bytes("x\n"), false), ChukchaError);
  assertEquals([refused.code, refused.written], ["disk_failed", "no"]);
  assertEquals(store.checkDisk().ok, false);
  disk.faults.readOnly = false;
  await store.append("c", bytes("x\n"), false);
  assertEquals(store.checkDisk().ok, true);
  await store.close();
  assert(disk instanceof MemoryDisk);
});
