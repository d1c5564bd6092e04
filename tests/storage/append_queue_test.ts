/**
 * Group commit: what goes out together, in which order, who waits for what, and what a failure leaves.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import {
  APPEND_QUEUE_BYTES_MAX,
  DISK_SPACE_CHECK_MS,
  GROUP_BYTES_MAX,
  KIB,
  MIB,
} from "../../lib/protocol/limits.ts";
import { settle } from "../support/fake_clock.ts";
import type { MemoryDisk } from "../support/memory_disk.ts";
import { bodyOf, bytes, openNew, openOn, readText } from "./world.ts";

const CHUNK = (number: number): string => `n-chunk${String(number).padStart(9, "0")}`;

/** How often each operation is called while `run` runs. */
async function counted(disk: MemoryDisk, run: () => Promise<unknown>): Promise<Record<string, number>> {
  disk.counts.clear();
  await run();
  return Object.fromEntries(disk.counts);
}

function refusal(pending: Promise<unknown>): Promise<ChukchaError> {
  return assertRejects(() => pending, ChukchaError);
}

Deno.test("AppendQueue: what arrives together goes out in one write, in order of arrival", async () => {
  const { store, disk } = await openNew();
  await store.append("c", bytes("first\n"), false);
  const batches = Array.from({ length: 100 }, (_, i) => `message ${i}\n`);
  const results: unknown[] = [];
  const counts = await counted(
    disk,
    async () =>
      results.push(...await Promise.all(batches.map((batch) => store.append("c", bytes(batch), false)))),
  );
  assertEquals(counts, { write: 2 });
  let offset = 6;
  for (const [i, batch] of batches.entries()) {
    assertEquals(results[i], { chunk: CHUNK(0), offset, size: batch.length });
    offset += batch.length;
  }
  assertEquals(await readText(store, "c", CHUNK(0)), "first\n" + batches.join(""));
  await store.close();
});

Deno.test("AppendQueue: one sync of data and index is for all who wait, asked or not", async () => {
  const { store, disk } = await openNew();
  await store.append("c", bytes("first\n"), false);
  const counts = await counted(
    disk,
    () => Promise.all(Array.from({ length: 50 }, (_, i) => store.append("c", bytes(`${i}\n`), i % 7 === 3))),
  );
  assertEquals(counts, { write: 2, sync: 2 });
  await store.close();
});

Deno.test("AppendQueue: nothing is visible, and nobody answered, before the sync is done", async () => {
  const { store, disk } = await openNew();
  await store.append("c", bytes("first\n"), false);
  const gate = Promise.withResolvers<void>();
  disk.syncGate = gate.promise;
  let answered = 0;
  const synced = store.append("c", bytes("synced\n"), true).then(() => answered++);
  const beside = store.append("c", bytes("beside\n"), false).then(() => answered++);
  await settle();
  const behind = store.append("c", bytes("behind\n"), false).then(() => answered++);
  await settle();
  assertEquals([answered, store.listChunks("c")[0]!.size, await readText(store, "c", CHUNK(0))], [
    0,
    6,
    "first\n",
  ]);
  gate.resolve();
  await Promise.all([synced, beside, behind]);
  assertEquals(await readText(store, "c", CHUNK(0)), "first\nsynced\nbeside\nbehind\n");
  await store.close();
});

Deno.test("AppendQueue: groups are bounded; a larger batch goes alone; no byte is lost between them", async () => {
  const { store, disk } = await openNew({ chunkBytesMax: 64 * MIB });
  await store.append("c", bytes("first\n"), false);
  const batches = [GROUP_BYTES_MAX + 1, 10, MIB, 300 * KIB, 256 * KIB, 5, 6, 3 * MIB, 7].map((size, i) =>
    bytes(String.fromCharCode(97 + i).repeat(size - 1) + "\n")
  );
  const results = await Promise.all(batches.map((batch) => store.append("c", batch, false)));
  for (const [i, { chunk, offset, size }] of results.entries()) {
    const body = await bodyOf(await store.read("c", chunk, offset, size));
    assert(
      body.length === batches[i]!.length && body.every((byte, at) => byte === batches[i]![at]),
      `batch ${i}`,
    );
  }
  await store.close();
  const again = await openOn(disk.kill());
  assertEquals(again.log.of("warn", "error"), []);
  assertEquals(again.store.listChunks("c")[0]!.size, batches.reduce((sum, { length }) => sum + length, 6));
  await again.store.close();
});

Deno.test("AppendQueue: what waits is bounded, and says so", async () => {
  const { store, clock } = await openNew({ chunkBytesMax: 256 * MIB });
  clock.holdSoon();
  const batch = new Uint8Array(8 * MIB).fill(10);
  const waiting = Array.from(
    { length: APPEND_QUEUE_BYTES_MAX / batch.length },
    () => store.append("c", batch, false),
  );
  const error = await refusal(store.append("c", bytes("one more\n"), false));
  assertEquals([error.code, error.status, error.written], ["overloaded", 503, "no"]);
  const other = store.append("other", bytes("not affected\n"), false);
  clock.runSoon();
  await Promise.all([...waiting, other]);
  await store.append("c", bytes("again\n"), false);
  await store.close();
});

Deno.test("AppendQueue: a single batch larger than the bound is taken when nothing else waits", async () => {
  const { store } = await openNew({ chunkBytesMax: 256 * MIB });
  await store.append("c", new Uint8Array(APPEND_QUEUE_BYTES_MAX + 1).fill(10), false);
  await store.close();
});

for (const [what, room] of [["data", 10], ["index", 40]] as const) {
  Deno.test(`AppendQueue: a disk that is full in the middle of the ${what} leaves nothing of the group`, async () => {
    const { store, disk } = await openNew();
    await store.append("c", bytes("first\n"), true);
    const before = disk.snapshot();
    const { totalBytes, freeBytes } = disk.space();
    disk.faults.bytesMax = totalBytes - freeBytes + room;
    const group = ["1234\n", "and much longer ones\n", "56\n"];
    const errors = await Promise.all(
      group.map((batch, i) => refusal(store.append("c", bytes(batch), i === 1))),
    );
    for (const error of errors) assertEquals([error.code, error.written], ["disk_full", "no"]);
    assertEquals(disk.snapshot(), before);
    assertEquals(await readText(store, "c", CHUNK(0)), "first\n");
    assertEquals(store.checkDisk().ok, false);
    disk.faults.bytesMax = Infinity;
    assertEquals(await store.append("c", bytes("again\n"), false), { chunk: CHUNK(0), offset: 6, size: 6 });
    assertEquals([await readText(store, "c", CHUNK(0)), store.checkDisk().ok], ["first\nagain\n", true]);
    await store.close();
  });
}

Deno.test("AppendQueue: writes that are taken piece by piece are whole in the end", async () => {
  const { store, disk } = await openNew();
  disk.faults.writeBytesMax = 3;
  await Promise.all([
    store.append("c", bytes("a longer message\n"), false),
    store.append("c", bytes("b\n"), true),
  ]);
  const again = await openOn(disk.crash());
  assertEquals(await readText(again.store, "c", CHUNK(0)), "a longer message\nb\n");
  await again.store.close();
});

Deno.test("AppendQueue: what the disk does not let be cut back is cut off before the next append, and the batch never appears", async () => {
  const { store, disk } = await openNew();
  await store.append("c", bytes("first\n"), false);
  let writes = 0;
  disk.faults.before = (operation) =>
    operation === "truncate" ? "failed" : operation === "write" && ++writes === 2 ? "failed" : undefined;
  const error = await refusal(store.append("c", bytes("refused\n"), false));
  assertEquals([error.code, error.written], ["disk_failed", "no"]);
  disk.faults.before = () => undefined;
  assertEquals(await readText(store, "c", CHUNK(0)), "first\n");
  const killed = disk.clone();
  assertEquals((await store.append("c", bytes("next\n"), false)).offset, 6);
  assertEquals(await readText(store, "c", CHUNK(0)), "first\nnext\n");
  await store.close();
  for (const [found, content] of [[killed, "first\n"], [disk.kill(), "first\nnext\n"]] as const) {
    const again = await openOn(found);
    assertEquals(await readText(again.store, "c", CHUNK(0)), content);
    await again.store.close();
  }
});

Deno.test("AppendQueue: a sync that fails means maybe, and the chunk is never appended to again", async () => {
  const { store, disk, log } = await openNew();
  await store.append("c", bytes("first\n"), true);
  disk.faults.before = (operation) => operation === "sync" ? "failed" : undefined;
  const both = await Promise.all([
    refusal(store.append("c", bytes("synced\n"), true)),
    refusal(store.append("c", bytes("beside\n"), false)),
  ]);
  for (const error of both) {
    assertEquals([error.code, error.written, error.status], ["disk_failed", "maybe", 503]);
  }
  assertEquals(await readText(store, "c", CHUNK(0)), "first\n");
  assertEquals([log.of("error").length, store.checkDisk().ok], [1, false]);
  // Without proof that the disk works, no new chunk.
  const refused = await refusal(store.append("c", bytes("no\n"), false));
  assertEquals([refused.code, refused.written], ["disk_failed", "no"]);
  assertEquals((await refusal(store.append("other", bytes("no\n"), false))).written, "no");

  disk.faults.before = () => undefined;
  assertEquals((await store.append("c", bytes("next\n"), true)).chunk, CHUNK(1));
  assertEquals(store.checkDisk().ok, true);
  assertEquals([...disk.snapshot().keys()].filter((path) => !path.startsWith("c/")), ["lock", "node.json"]);
  assertEquals(store.listChunks("c").map(({ complete }) => complete), [false, false]);
  await store.close();

  const again = await openOn(disk.crash());
  assertStringIncludes("first\nsynced\nbeside\n", await readText(again.store, "c", CHUNK(0)));
  assertEquals(await readText(again.store, "c", CHUNK(1)), "next\n");
  await again.store.close();
});

Deno.test("AppendQueue: after a failed sync, categories that append at once are all proven by one probe", async () => {
  const { store, disk } = await openNew();
  disk.faults.before = (operation) => operation === "sync" ? "failed" : undefined;
  await refusal(store.append("c", bytes("maybe\n"), true));
  disk.faults.before = () => undefined;
  const gate = Promise.withResolvers<void>();
  disk.syncGate = gate.promise;
  const names = ["a", "b", "c", "d"];
  const pending = Promise.all(names.map((name) => store.append(name, bytes("x\n"), false)));
  await settle();
  gate.resolve();
  const results = await pending;
  assertEquals(results.map(({ chunk }) => chunk), [CHUNK(0), CHUNK(0), CHUNK(1), CHUNK(0)]);
  await store.close();
});

Deno.test("AppendQueue: a category called like the probe is not in its way", async () => {
  const { store, disk } = await openNew();
  await store.append("probe", bytes("x\n"), false);
  disk.faults.before = (operation) => operation === "sync" ? "failed" : undefined;
  await refusal(store.append("probe", bytes("maybe\n"), true));
  disk.faults.before = () => undefined;
  assertEquals((await store.append("probe", bytes("y\n"), true)).chunk, CHUNK(1));
  await store.close();
});

Deno.test("AppendQueue: no file is closed while it is being synced, also when the other one has failed", async () => {
  const { store, disk } = await openNew({ openFilesMax: 2 });
  await store.append("c", bytes("x\n"), false);
  const gate = Promise.withResolvers<void>();
  disk.syncGate = gate.promise;
  let syncs = 0;
  disk.faults.before = (operation) => operation === "sync" && ++syncs === 1 ? "failed" : undefined;
  let answered = false;
  const failed = refusal(store.append("c", bytes("y\n"), true)).then(() => answered = true);
  await settle();
  assertEquals([syncs, answered], [2, false]);
  gate.resolve();
  await failed;
  await store.close();
});

Deno.test("AppendQueue: the free-space floor refuses before the disk is full, and lifts by itself", async () => {
  const { store, disk, clock } = await openNew({ minFreeDiskBytes: 1000 });
  await store.append("c", bytes("first\n"), false);
  const before = disk.snapshot();
  disk.faults.bytesMax = disk.space().totalBytes - disk.space().freeBytes + 1005;
  clock.advance(DISK_SPACE_CHECK_MS);
  const error = await refusal(store.append("c", bytes("too much\n"), false));
  assertEquals([error.code, error.written], ["disk_full", "no"]);
  assertStringIncludes(error.message, "--min-free-disk");
  assertEquals(disk.snapshot(), before);
  assertEquals(store.checkDisk().ok, false);
  disk.faults.bytesMax = Infinity;
  await store.append("c", bytes("fits\n"), false);
  assertEquals(store.checkDisk().ok, true);
  await store.close();
});
