/**
 * Acknowledged by other nodes' word, and cut to what is complete elsewhere: nothing is lost, whatever fails meanwhile.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { MIB, SEAL_DELAY_MS } from "../../lib/protocol/limits.ts";
import type { AcknowledgedOf, NumberRange } from "../../lib/storage/acknowledged.ts";
import { CopyMismatchError } from "../../lib/storage/copies.ts";
import { crc32 } from "../../lib/storage/crc32.ts";
import { settle } from "../support/fake_clock.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { carry, chunkOf, messages, openNode } from "./two_nodes.ts";
import { bodyOf, bytes, readText, type World } from "./world.ts";

function of(ranges: NumberRange[], sizes: [number, number][] = []): AcknowledgedOf {
  return { ranges, sizes: new Map(sizes) };
}

/** A node that holds chunks of another one: `a0`, `b0` in the first, `a1`, `b1` in the second, … */
async function holder(chunks: number, disk = new MemoryDisk()): Promise<World> {
  const n = await openNode("n", new MemoryDisk(), { chunkBytesMax: 6 });
  for (let i = 0; i < chunks; i++) {
    await n.store.append("c", bytes(`a${i}\n`), false);
    await n.store.append("c", bytes(`b${i}\n`), false);
  }
  const m = await openNode("m", disk);
  for (let i = 0; i < chunks; i++) await carry(n.store, m.store, "c", chunkOf(i));
  await n.store.close();
  return m;
}

Deno.test("mergeAcknowledged: removes what it covers, once; nothing of that is taken again", async () => {
  const { store, disk } = await holder(3);
  await store.prepareCopies("c", [chunkOf(3)]);
  await store.mergeAcknowledged("c", "n", of([[0, 1], [3, 3]]), "n");
  assertEquals(store.listChunks("c").map(({ name }) => name), [chunkOf(2)]);
  assertEquals(disk.list("c").map(({ name }) => name).sort(), [
    "acknowledged.json",
    chunkOf(2),
    `${chunkOf(2)}.idx`,
  ]);
  assertEquals(store.changes.since(0, 9).changes.map(({ acknowledged, source }) => [acknowledged, source]), [
    [undefined, "n"],
    ["n", "n"],
  ]);
  const operations = disk.operations;
  await store.mergeAcknowledged("c", "n", of([[0, 0]]), "o");
  await store.mergeAcknowledged("c", "n", of([]), "o");
  assertEquals(disk.operations, operations);
  await store.prepareCopies("c", [chunkOf(0)]);
  const piece = { category: "c", chunk: chunkOf(0), offset: 0, bytes: bytes("x\n"), rolling: 0, timeMs: 0 };
  assertEquals(store.appendCopy(piece, "n"), "gone");
  assertEquals([store.isAcknowledged("c", "n", 3), store.isAcknowledged("c", "n", 2)], [true, false]);
  assertEquals(store.acknowledgedOf("c", "n"), of([[0, 1], [3, 3]]));
  await store.close();
});

Deno.test("mergeAcknowledged: of a category that nobody here knows, and of chunks that come later", async () => {
  const { store, disk } = await openNode("n");
  await store.mergeAcknowledged("new", "m", of([[0, 7]], [[7, 80]]), "m");
  assertEquals(store.listCategories(), ["new"]);
  await store.close();
  const again = await openNode("n", disk.crash());
  assertEquals(again.store.acknowledgedOf("new", "m"), of([[0, 7]], [[7, 80]]));
  await again.store.close();
});

Deno.test("mergeAcknowledged: it is news to its source too, if the source does not know all of it", async () => {
  const { store } = await openNode("m");
  const sources = () => store.changes.since(0, 9).changes.map(({ source }) => source);
  await store.mergeAcknowledged("c", "n", of([[0, 1]]), "n");
  assertEquals(sources(), ["n"]);
  await store.mergeAcknowledged("c", "n", of([[5, 5]]), "o");
  assertEquals(sources(), [undefined]);
  await store.mergeAcknowledged("c", "n", of([[0, 7]], [[7, 1]]), "o");
  assertEquals(sources(), ["o"]);
  await store.mergeAcknowledged("c", "n", of([[0, 8]]), "n");
  assertEquals(sources(), [undefined]);
  await store.close();
});

Deno.test("mergeAcknowledged: what is held beyond an acknowledged size is published again", async () => {
  const { store } = await holder(3);
  await store.mergeAcknowledged("c", "n", of([[0, 2]], [[0, 3], [1, 99]]), "n");
  assertEquals(await messages(store, "c"), ["b0"]);
  assertEquals(store.listChunks("c").map(({ name }) => name), [chunkOf(0, "m")]);
  await store.close();
});

Deno.test("mergeAcknowledged: an own chunk that is being written to is finished first", async () => {
  const { store } = await openNode("n");
  await store.append("c", bytes("one\n"), false);
  const late = [store.append("c", bytes("two\n"), true), store.append("c", bytes("three\n"), false)];
  await store.mergeAcknowledged("c", "n", of([[0, 4]], [[0, 4]]), "m");
  await Promise.all(late);
  // Whatever came into the chunk before it was finished is behind the acknowledged size.
  assertEquals([...new Set(await messages(store, "c"))], ["three", "two"]);
  assert(store.listChunks("c").every(({ name }) => name >= chunkOf(5)));
  await store.close();
});

Deno.test("mergeAcknowledged: on a full disk the chunks make room", async () => {
  const { store, disk } = await holder(3);
  let refusals = 1;
  disk.faults.before = (operation, path) =>
    operation === "write" && path.includes("acknowledged") && refusals-- > 0 ? "full" : undefined;
  await store.mergeAcknowledged("c", "n", of([[0, 2]]), "n");
  assertEquals(store.listChunks("c"), []);
  await store.close();
});

Deno.test("mergeAcknowledged: the process may die, and the power go, at every operation", async () => {
  for (let at = 1;; at++) {
    const { store, disk } = await holder(3);
    for (const number of [0, 1, 2]) await store.syncCopy("c", chunkOf(number));
    disk.dieAt(at, new SeededRandom(at));
    const merged = await store.mergeAcknowledged("c", "n", of([[0, 1]], [[0, 3]]), "n").then(
      () => true,
      () => false,
    );
    const left = at % 2 === 0 ? disk.kill() : disk.crash({ random: new SeededRandom(at) });
    const again = await openNode("m", left);
    await again.store.mergeAcknowledged("c", "n", of([[0, 1]], [[0, 3]]), "n");
    assertEquals(
      [...new Set(await messages(again.store, "c"))],
      ["a2", "b0", "b2"],
      `died at operation ${at}`,
    );
    await again.store.close();
    const last = await openNode("m", again.disk.crash());
    assertEquals([...new Set(await messages(last.store, "c"))], ["a2", "b0", "b2"]);
    await last.store.close();
    if (merged) break;
  }
});

Deno.test("mergeAcknowledged: what cannot be noted publishes the excess once, however often it is tried", async () => {
  const { store, disk } = await holder(1);
  await store.append("c", bytes("zero\n"), false);
  disk.faults.before = (operation, path) =>
    operation === "open" && path.includes("acknowledged") ? "too_many_open" : undefined;
  const word = of([[0, 0]], [[0, 3]]);
  for (let i = 0; i < 5; i++) await assertRejects(() => store.mergeAcknowledged("c", "n", word, "n"));
  disk.faults.before = () => undefined;
  await store.mergeAcknowledged("c", "n", word, "n");
  assertEquals(await messages(store, "c"), ["b0", "zero"]);
  await store.close();
});

// --- cutExcess ---

const TEXT = "one\ntwo\nthree\nfour\n";

/** A node whose own chunk holds the text, in groups of one message; or a copy of it, in one group. */
async function longer(kind: "active" | "complete" | "copy"): Promise<World> {
  const n = await openNode("n");
  for (const line of TEXT.split("\n").slice(0, -1)) await n.store.append("c", bytes(`${line}\n`), true);
  if (kind === "active") return n;
  await n.store.finish();
  if (kind === "complete") return n;
  const m = await openNode("m");
  await carry(n.store, m.store, "c", chunkOf(0));
  await n.store.close();
  return m;
}

for (const kind of ["active", "complete", "copy"] as const) {
  Deno.test(`cutExcess: ${kind}: what is behind the size is there again, and the chunk ends there`, async () => {
    for (const [size, sealed] of [[4, true], [8, false], [14, true]] as const) {
      const { store, disk } = await longer(kind);
      if (sealed) await settle();
      // What was read before must not be what is served afterwards.
      await readText(store, "c", chunkOf(0));
      const rolling = crc32(bytes(TEXT.slice(0, size)));
      await store.cutExcess("c", chunkOf(0), size, rolling);
      const chunk = store.chunk("c", chunkOf(0))!;
      const { complete, finalised, synced } = chunk;
      assertEquals({ size: chunk.size, rolling: chunk.rolling, complete, finalised, synced }, {
        size,
        rolling,
        complete: true,
        finalised: true,
        synced: size,
      });
      assertEquals(await readText(store, "c", chunkOf(0)), TEXT.slice(0, size));
      assertEquals(disk.peek(`c/${chunkOf(0)}`).length, size);
      assertEquals(await messages(store, "c"), ["four", "one", "three", "two"]);
      await assertRejects(() => store.cutExcess("c", chunkOf(0), size, rolling), CopyMismatchError);
      await store.close();
      const again = await openNode(kind === "copy" ? "m" : "n", disk.kill().crash());
      assertEquals(await messages(again.store, "c"), ["four", "one", "three", "two"]);
      assertEquals(again.log.of("warn", "error"), []);
      const found = again.store.chunk("c", chunkOf(0))!;
      assertEquals([found.size, found.rolling, found.finalised, found.sealed], [size, rolling, true, true]);
      await again.store.close();
    }
  });
}

Deno.test("cutExcess: what does not begin with that, or is not longer, stays as it is", async () => {
  const { store, disk } = await longer("copy");
  const before = disk.snapshot();
  const rolling = crc32(bytes(TEXT.slice(0, 8)));
  for (
    const [size, crc] of [[8, 1], [7, crc32(bytes(TEXT.slice(0, 7)))], [19, 0], [99, 0], [0, 0]] as const
  ) {
    await assertRejects(() => store.cutExcess("c", chunkOf(0), size, crc), CopyMismatchError);
  }
  await assertRejects(() => store.cutExcess("c", chunkOf(1), 8, rolling), ChukchaError);
  assertEquals(disk.snapshot(), before);
  const { size, rolling: all } = store.chunk("c", chunkOf(0))!;
  assert(store.completeCopy("c", chunkOf(0), size, all, false, "n"));
  await store.close();
});

Deno.test("cutExcess: nothing can be appended meanwhile", async () => {
  const { store } = await longer("copy");
  const cut = store.cutExcess("c", chunkOf(0), 8, crc32(bytes(TEXT.slice(0, 8))));
  const more = bytes("five\n");
  const rolling = crc32(bytes(`${TEXT}five\n`));
  const piece = { category: "c", chunk: chunkOf(0), offset: TEXT.length, bytes: more, rolling, timeMs: 0 };
  let done: string | undefined;
  void cut.then(() => done ??= "cut");
  await Promise.resolve();
  await Promise.resolve();
  await Promise.resolve();
  assertEquals([done, store.appendCopy(piece, "n")], [undefined, "stale"]);
  await cut;
  assertEquals(await messages(store, "c"), ["four", "one", "three", "two"]);
  await store.close();
});

Deno.test("cutExcess: the process may die, and the power go, at every operation", async () => {
  for (const kind of ["active", "complete", "copy"] as const) {
    for (let at = 1;; at++) {
      const { store, disk } = await longer(kind);
      await store.syncCopy("c", chunkOf(0));
      disk.dieAt(at, new SeededRandom(at));
      const [size, rolling] = [8, crc32(bytes(TEXT.slice(0, 8)))];
      const cut = await store.cutExcess("c", chunkOf(0), size, rolling).then(() => true, () => false);
      const left = at % 2 === 0 ? disk.kill() : disk.crash({ random: new SeededRandom(at) });
      const again = await openNode(kind === "copy" ? "m" : "n", left);
      const found = again.store.chunk("c", chunkOf(0))!;
      const what = `${kind} died at operation ${at}`;
      if (cut) assertEquals(found.size, size, what);
      if (found.size > size) await again.store.cutExcess("c", chunkOf(0), size, rolling);
      assertEquals(await readText(again.store, "c", chunkOf(0)), TEXT.slice(0, size), what);
      assertEquals([...new Set(await messages(again.store, "c"))], ["four", "one", "three", "two"], what);
      assertEquals(again.disk.peek(`c/${chunkOf(0)}`).length, size, what);
      assertEquals(again.log.of("error"), [], what);
      await again.store.close();
      if (cut) break;
    }
  }
});

Deno.test("cutExcess: what cannot be finished publishes the excess once, however often it is tried", async () => {
  for (const fault of ["no inodes", "one write"] as const) {
    const { store, disk } = await longer("copy");
    const [size, rolling] = [4, crc32(bytes(TEXT.slice(0, 4)))];
    // A chunk of its own to append to is there; what replaces the index finds no room.
    await store.append("c", bytes("zero\n"), false);
    disk.faults.before = (operation, path) =>
      fault === "no inodes" && operation === "open" && /\.idx\./.test(path) ? "full" : undefined;
    if (fault === "one write") {
      let writes = 0;
      disk.faults.before = (operation) => operation === "write" && ++writes > 2 ? "full" : undefined;
    }
    for (let i = 0; i < 5; i++) await assertRejects(() => store.cutExcess("c", chunkOf(0), size, rolling));
    disk.faults.before = () => undefined;
    await store.cutExcess("c", chunkOf(0), size, rolling);
    assertEquals(await messages(store, "c"), ["four", "one", "three", "two", "zero"], fault);
    await store.close();
  }
});

Deno.test("cutExcess: a copy whose sync has failed publishes nothing, and is kept whole", async () => {
  const { store, disk } = await longer("copy");
  disk.faults.before = (operation) => operation === "sync" ? "failed" : undefined;
  await assertRejects(() => store.syncCopy("c", chunkOf(0)));
  disk.faults.before = () => undefined;
  const rolling = crc32(bytes(TEXT.slice(0, 4)));
  for (let i = 0; i < 3; i++) await assertRejects(() => store.cutExcess("c", chunkOf(0), 4, rolling));
  assertEquals(await messages(store, "c"), ["four", "one", "three", "two"]);
  assertEquals(store.chunk("c", chunkOf(0))!.size, TEXT.length);
  await store.close();
});

Deno.test("cutExcess: a read that is under way ends early, and nothing is called damaged", async () => {
  const { store, disk, clock } = await openNode("n", new MemoryDisk(), { chunkBytesMax: 64 * MIB });
  const line = bytes(`${"x".repeat(99)}\n`);
  const batch = bytes(new TextDecoder().decode(line).repeat(10_000));
  for (let i = 0; i < 10; i++) await store.append("c", batch, false);
  await store.finish();
  const size = 1_500_000;
  const rolling = crc32(disk.peek(`c/${chunkOf(0)}`).subarray(0, size));
  const before = (await store.read("c", chunkOf(0), 0, 1 << 23)).body as ReadableStream<Uint8Array>;
  const within = (await store.read("c", chunkOf(0), 0, size)).body as ReadableStream<Uint8Array>;
  await store.cutExcess("c", chunkOf(0), size, rolling);
  await assertRejects(() => new Response(before).arrayBuffer());
  assertEquals((await new Response(within).arrayBuffer()).byteLength, size);
  assertEquals(store.listChunks("c")[0], { name: chunkOf(0), complete: true, size });
  assertEquals((await bodyOf(await store.read("c", chunkOf(0), 0, 1 << 23))).length, size);
  // The sealer, which had it in its queue, has nothing more to write.
  const index = disk.peek(`c/${chunkOf(0)}.idx`);
  clock.advance(SEAL_DELAY_MS);
  await settle();
  assertEquals(disk.peek(`c/${chunkOf(0)}.idx`), index);
  await store.close();
});
