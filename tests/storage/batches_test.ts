/**
 * Batches that are sent again: known where they were stored, refused where another one has their number, stored as new
 * where nobody can say.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { PRODUCER_AGE_MS_MAX, PRODUCER_SEQUENCES_MAX, PRODUCERS_MAX } from "../../lib/protocol/limits.ts";
import { JOURNAL_FILE } from "../../lib/storage/batch_journal.ts";
import { eachEntry } from "../../lib/storage/batch_entry.ts";
import { BatchMemory, ProducerBound } from "../../lib/storage/batch_memory.ts";
import { crc32 } from "../../lib/storage/crc32.ts";
import { type Disk, DiskError } from "../../lib/storage/disk.ts";
import type { Store } from "../../lib/storage/store.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { passingOn } from "../support/faulty_disk.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { bytes, openNew, openOn, readText } from "./world.ts";

const FIRST = "n-chunk000000000";
const JOURNAL = `c/${JOURNAL_FILE}`;

const by = (producer: string, sequence: number) => ({ producer, sequence });

/** Everything of the category, in order. */
async function all(store: Store): Promise<string> {
  const texts: string[] = [];
  for (const { name } of store.listChunks("c")) texts.push(await readText(store, "c", name));
  return texts.join("");
}

Deno.test("Batches: a batch that comes again is answered with its place, and not stored again", async () => {
  const { store } = await openNew();
  const first = await store.append("c", bytes("one\n"), false, by("p", 1));
  assertEquals(first, { chunk: FIRST, offset: 0, size: 4 });
  await store.append("c", bytes("two\n"), false, by("p", 2));
  const again = await store.append("c", bytes("one\n"), false, by("p", 1));
  assertEquals(again, { chunk: FIRST, offset: 0, size: 4, known: "here" });
  // Another producer, another sequence, another category, and none at all are other batches.
  await store.append("c", bytes("one\n"), false, by("q", 1));
  await store.append("c", bytes("one\n"), false, by("p", 3));
  await store.append("c", bytes("one\n"), false);
  await store.append("d", bytes("one\n"), false, by("p", 1));
  assertEquals(await all(store), "one\ntwo\none\none\none\n");
  assertEquals([await readText(store, "d", FIRST), store.meter.recognisedBatches], ["one\n", 1]);
  await store.close();
});

Deno.test("Batches: another batch with the same number is refused, also while the first is being written", async () => {
  const { store, clock } = await openNew();
  await store.append("c", bytes("one\n"), false, by("p", 0));
  for (const other of ["eno\n", "longer\n"]) {
    const error = await assertRejects(
      () => store.append("c", bytes(other), false, by("p", 0)),
      ChukchaError,
    );
    assertEquals([error.code, error.status, error.written], ["sequence_reused", 409, "no"]);
    assertStringIncludes(error.message, `batch 0 of producer "p" was stored with 4 bytes at ${FIRST}:0`);
  }
  clock.holdSoon();
  const first = store.append("c", bytes("two\n"), false, by("p", 1));
  const other = assertRejects(() => store.append("c", bytes("owt\n"), false, by("p", 1)), ChukchaError);
  const again = store.append("c", bytes("two\n"), false, by("p", 1));
  clock.runSoon();
  assertStringIncludes((await other).message, "is being written");
  assertEquals([(await first).offset, (await again).offset, (await again).known], [4, 4, "here"]);
  assertEquals(await all(store), "one\ntwo\n");
  await store.close();
});

Deno.test("Batches: a retry of what is being written shares its fate", async () => {
  const { store, disk, clock } = await openNew();
  await store.append("c", bytes("one\n"), false, by("p", 0));
  clock.holdSoon();
  disk.faults.before = (operation, path) => operation === "write" && path.endsWith("0") ? "full" : undefined;
  const attempts = [1, 1, 1].map((sequence) =>
    assertRejects(() => store.append("c", bytes("two\n"), false, by("p", sequence)), ChukchaError)
  );
  clock.runSoon();
  for (const error of await Promise.all(attempts)) {
    assertEquals([error.code, error.written], ["disk_full", "no"]);
  }
  disk.faults.before = () => undefined;
  const stored = await store.append("c", bytes("two\n"), false, by("p", 1));
  assertEquals(stored, { chunk: FIRST, offset: 4, size: 4 });
  assertEquals(await all(store), "one\ntwo\n");
  await store.close();
});

for (
  const [how, next] of [
    ["kill -9", (disk: MemoryDisk) => disk.kill()],
    ["a power cut, if it was synced", (disk: MemoryDisk) => disk.crash()],
  ] as const
) {
  Deno.test(`Batches: a batch is known after ${how}`, async () => {
    const sync = how !== "kill -9";
    const first = await openNew();
    await first.store.append("c", bytes("one\n"), sync, by("p", 7));
    await first.store.append("c", bytes("two\n"), sync, by("p", Number.MAX_SAFE_INTEGER));
    const { store, disk } = await openOn(next(first.disk));
    const again = await store.append("c", bytes("two\n"), sync, by("p", Number.MAX_SAFE_INTEGER));
    assertEquals(again, { chunk: FIRST, offset: 4, size: 4, known: "here" });
    await store.append("c", bytes("three\n"), sync, by("p", 8));
    // And once more: what the second process wrote, and what it found.
    const last = await openOn(next(disk));
    assertEquals((await last.store.append("c", bytes("one\n"), false, by("p", 7))).known, "here");
    assertEquals((await last.store.append("c", bytes("three\n"), false, by("p", 8))).known, "here");
    assertEquals(await all(last.store), "one\ntwo\nthree\n");
    await last.store.close();
  });
}

Deno.test("Batches: a batch is known after a clean stop, and after its chunk was acknowledged or has expired", async () => {
  const first = await openNew();
  await first.store.append("c", bytes("one\n"), false, by("p", 1));
  await first.store.close();
  const { store, disk } = await openOn(first.disk.kill());
  assertEquals((await store.append("c", bytes("one\n"), true, by("p", 1))).known, "here");
  await store.acknowledge("c", FIRST, 4);
  const processed = { chunk: FIRST, offset: 0, size: 4, known: "processed" as const };
  assertEquals(await store.append("c", bytes("one\n"), true, by("p", 1)), processed);
  const error = await assertRejects(() => store.append("c", bytes("eno\n"), false, by("p", 1)), ChukchaError);
  assertEquals(error.code, "sequence_reused");
  const last = await openOn(disk.kill());
  assertEquals(await last.store.append("c", bytes("one\n"), false, by("p", 1)), processed);
  assertEquals(last.store.listChunks("c"), []);
  await last.store.close();
});

Deno.test("Batches: a retry that asks for a sync is answered when the bytes and the memory of them are on the device", async () => {
  const first = await openNew();
  await first.store.append("c", bytes("one\n"), false, by("p", 1));
  assertEquals(first.disk.durableSizeOf(`c/${FIRST}`), 0);
  const gate = Promise.withResolvers<void>();
  first.disk.syncGate = gate.promise;
  let answered = false;
  const again = first.store.append("c", bytes("one\n"), true, by("p", 1)).then((stored) => {
    answered = true;
    return stored;
  });
  // A write that arrives meanwhile is not held up for ever, nor lost.
  const beside = first.store.append("c", bytes("two\n"), false);
  await settle();
  assertEquals(answered, false);
  gate.resolve();
  assertEquals([(await again).known, (await beside).offset], ["here", 4]);
  const { store } = await openOn(first.disk.crash());
  assertEquals((await store.append("c", bytes("one\n"), true, by("p", 1))).known, "here");
  await store.close();
});

Deno.test("Batches: a retry that asks for a sync after kill -9 gets one that counts", async () => {
  const first = await openNew();
  await first.store.append("c", bytes("one\n"), false, by("p", 1));
  const second = await openOn(first.disk.kill());
  await second.store.append("c", bytes("one\n"), true, by("p", 1));
  const { store } = await openOn(second.disk.crash());
  assertEquals((await store.append("c", bytes("one\n"), false, by("p", 1))).known, "here");
  await store.close();
});

Deno.test("Batches: a sync that fails for a retry is said to be maybe, and nothing is believed without another file", async () => {
  const { store, disk } = await openNew();
  await store.append("c", bytes("one\n"), false, by("p", 1));
  disk.faults.before = (operation, path) => operation === "sync" && path === JOURNAL ? "failed" : undefined;
  const error = await assertRejects(() => store.append("c", bytes("one\n"), true, by("p", 1)), ChukchaError);
  assertEquals([error.code, error.written], ["disk_failed", "maybe"]);
  disk.faults.before = () => undefined;
  assertEquals((await store.append("c", bytes("one\n"), true, by("p", 1))).known, "here");
  const again = await openOn(disk.crash());
  assertEquals((await again.store.append("c", bytes("one\n"), true, by("p", 1))).known, "here");
  await again.store.close();
});

Deno.test("Batches: a sync that failed for a fresh batch leaves nothing that a retry could be mistaken for", async () => {
  const { store, disk } = await openNew();
  await store.append("c", bytes("one\n"), true, by("p", 1));
  disk.faults.before = (operation, path) =>
    operation === "sync" && path === `c/${FIRST}` ? "failed" : undefined;
  const error = await assertRejects(() => store.append("c", bytes("two\n"), true, by("p", 2)), ChukchaError);
  assertEquals([error.code, error.written], ["disk_failed", "maybe"]);
  disk.faults.before = () => undefined;
  assertEquals((await store.append("c", bytes("two\n"), true, by("p", 2))).known, undefined);
  assertEquals((await store.append("c", bytes("two\n"), true, by("p", 2))).known, "here");
  await store.close();
});

Deno.test("Batches: what damage took is stored again", async () => {
  const first = await openNew();
  await first.store.append("c", bytes("one\n"), false, by("p", 1));
  await first.store.close();
  const { store, disk } = await openOn(first.disk.kill());
  const rotten = disk.peek(`c/${FIRST}`);
  rotten[1]! ^= 1;
  disk.plant(`c/${FIRST}`, rotten);
  const stored = await store.append("c", bytes("one\n"), false, by("p", 1));
  assertEquals([stored.known, stored.chunk], [undefined, "n-chunk000000001"]);
  assertEquals((await store.append("c", bytes("one\n"), false, by("p", 1))).chunk, "n-chunk000000001");
  await store.close();
});

Deno.test("Batches: what is neither here nor acknowledged is stored again", async () => {
  const { store, disk } = await openNew();
  await store.append("c", bytes("one\n"), false, by("p", 1));
  await store.finish();
  // The chunk makes room for the list that it is acknowledged in, and even that is not enough.
  disk.faults.before = (operation, path) =>
    operation === "write" && path.endsWith(".tmp") ? "full" : undefined;
  await assertRejects(() => store.acknowledge("c", FIRST, 4), ChukchaError);
  disk.faults.before = () => undefined;
  const stored = await store.append("c", bytes("one\n"), false, by("p", 1));
  assertEquals([stored.known, stored.chunk], [undefined, "n-chunk000000001"]);
  await store.close();
});

Deno.test("Batches: bytes are compared, not only checksums", async () => {
  const { store } = await openNew();
  const [one, other] = ["plumless\n", "buckeroo\n"].map(bytes) as [Uint8Array, Uint8Array];
  assertEquals(crc32(one), crc32(other), "both have one CRC");
  await store.append("c", one, false, by("p", 1));
  const error = await assertRejects(() => store.append("c", other, false, by("p", 1)), ChukchaError);
  assertEquals(error.code, "sequence_reused");
  assertEquals((await store.append("c", one, false, by("p", 1))).known, "here");
  await store.close();
});

Deno.test("Batches: the latest ones of a producer are known in any order, what is outside of the window is new", async () => {
  const { store } = await openNew();
  // Several in flight arrive out of order, and leave numbers out.
  const sequences = Array.from({ length: PRODUCER_SEQUENCES_MAX + 1 }, (_, i) => 3 * (i ^ 5));
  for (const sequence of sequences) {
    await store.append("c", bytes(`${sequence}\n`), false, by("p", sequence));
  }
  for (const sequence of sequences.slice(1)) {
    const again = await store.append("c", bytes(`${sequence}\n`), false, by("p", sequence));
    assertEquals(again.known, "here", `sequence ${sequence}`);
  }
  const [oldest] = sequences;
  assertEquals((await store.append("c", bytes(`${oldest}\n`), false, by("p", oldest!))).known, undefined);
  await store.close();
});

Deno.test("Batches: a batch is new when it is older than the bound, in memory and in the file", async () => {
  const clock = new FakeClock();
  const first = await openOn(new MemoryDisk(), {}, clock);
  await first.store.append("c", bytes("one\n"), false, by("p", 1));
  clock.jump(PRODUCER_AGE_MS_MAX);
  assertEquals((await first.store.append("c", bytes("one\n"), false, by("p", 1))).known, "here");
  clock.jump(1);
  const { store, disk } = await openOn(first.disk.kill(), {}, clock);
  assertEquals((await store.append("c", bytes("one\n"), false, by("p", 1))).known, undefined);
  let entries = 0;
  eachEntry(disk.peek(JOURNAL), () => entries++);
  assertEquals(entries, 1, "the old entry was not left out");
  await store.close();
});

Deno.test("ProducerBound: the producer that wrote least recently is forgotten, in whatever category", () => {
  const bound = new ProducerBound();
  const clock = new FakeClock();
  const [one, other] = [new BatchMemory(bound, clock), new BatchMemory(bound, clock)];
  const place = { number: 0, offset: 0, size: 1, crc: 0, timeMs: clock.now() };
  for (let i = 0; i < PRODUCERS_MAX; i++) {
    (i % 2 === 0 ? one : other).put({ producer: `p${i}`, sequence: 1, ...place });
  }
  one.put({ producer: "p0", sequence: 2, ...place });
  one.put({ producer: "late", sequence: 1, ...place });
  assertEquals(bound.size, PRODUCERS_MAX);
  assertEquals(other.find("p1", 1), undefined, "it wrote least recently");
  assert(one.find("p0", 1) && one.find("p0", 2) && one.find("p2", 1) && other.find("p3", 1));
});

Deno.test("ProducerBound: of what a start finds, those are kept that wrote last", async () => {
  const clock = new FakeClock();
  const { store, disk } = await openOn(new MemoryDisk(), {}, clock);
  await store.append("b", bytes("x\n"), false, by("late", 1));
  const journal = disk.peek(`b/${JOURNAL_FILE}`);
  await store.append("c", bytes("x\n"), false, by("p", 1));
  await store.close();
  const bound = new ProducerBound();
  const memory = new BatchMemory(bound, clock);
  eachEntry(journal, (entry) => {
    for (let i = 0; i < PRODUCERS_MAX; i++) memory.put({ ...entry, producer: `p${i}`, timeMs: i });
  });
  disk.plant(`a/${JOURNAL_FILE}`, memory.encode());
  disk.plant(`a/${FIRST}`, bytes("x\n"));
  const again = await openOn(disk.kill(), {}, clock);
  assertEquals((await again.store.append("b", bytes("x\n"), false, by("late", 1))).known, "here");
  assertEquals((await again.store.append("c", bytes("x\n"), false, by("p", 1))).known, "here");
  await again.store.close();
});

Deno.test("BatchJournal: it is replaced by a shorter one when most of it is of no use, and stays bounded", async () => {
  const { store, disk } = await openNew();
  for (let round = 0; round < 100; round++) {
    const from = round * 200;
    await Promise.all(
      Array.from(
        { length: 200 },
        (_, i) => store.append("c", bytes("x\n"), false, by("some-producer", from + i)),
      ),
    );
  }
  const size = disk.peek(JOURNAL).length;
  assert(size < 300 * 1024, `${size} bytes for ${PRODUCER_SEQUENCES_MAX} batches`);
  assertEquals((await store.append("c", bytes("x\n"), false, by("some-producer", 19_999))).known, "here");
  const again = await openOn(disk.kill());
  for (const sequence of [19_999, 20_000 - PRODUCER_SEQUENCES_MAX]) {
    assertEquals(
      (await again.store.append("c", bytes("x\n"), false, by("some-producer", sequence))).known,
      "here",
    );
  }
  await again.store.close();
});

Deno.test("Batches: a store is not closed before its last batch is stored, and its journal in place", async () => {
  const disk = new MemoryDisk();
  const gate = Promise.withResolvers<void>();
  let replaced = 0;
  const { store } = await openOn<Disk>(passingOn(disk, {
    open: (path, mode) => {
      const file = disk.open(path, mode);
      // The first one begins it, the second one makes it shorter.
      if (path !== `${JOURNAL}.tmp` || ++replaced === 1) return file;
      return { ...file, sync: () => gate.promise.then(() => file.sync()) };
    },
  }));
  const many = Array.from({ length: 7_000 }, (_, i) => store.append("c", bytes("x\n"), false, by("p", i)));
  let isClosed = false;
  const closed = store.close().then(() => isClosed = true);
  await Promise.all(many);
  await settle();
  assertEquals([isClosed, replaced], [false, 2]);
  gate.resolve();
  await closed;
  assert(disk.peek(JOURNAL).length < 10_000, "it was not replaced by a shorter one");
  const again = await openOn(disk.kill());
  assertEquals((await again.store.append("c", bytes("x\n"), false, by("p", 6_999))).known, "here");
  await again.store.close();
});

Deno.test("BatchJournal: writes without a producer make none, and cost no call", async () => {
  const { store, disk } = await openNew();
  await store.append("c", bytes("one\n"), false);
  disk.counts.clear();
  await store.append("c", bytes("two\n"), false);
  assertEquals([Object.fromEntries(disk.counts), disk.sizeOf(JOURNAL)], [{ write: 2 }, undefined]);
  await store.append("c", bytes("three\n"), false, by("p", 1));
  disk.counts.clear();
  await store.append("c", bytes("four\n"), false, by("p", 2));
  assertEquals(Object.fromEntries(disk.counts), { write: 3 });
  disk.counts.clear();
  await Promise.all([
    store.append("c", bytes("five\n"), true, by("p", 3)),
    store.append("c", bytes("six\n"), true, by("q", 1)),
  ]);
  assertEquals(Object.fromEntries(disk.counts), { write: 3, sync: 3 });
  await store.close();
});

Deno.test("BatchJournal: an entry whose batch was not stored is not mistaken for another batch of the same bytes", async () => {
  const { store, disk } = await openNew();
  await store.append("c", bytes("first\n"), false, by("p", 0));
  // The index fails behind the entry; nobody can take the entry out of the file by cutting it.
  disk.faults.before = (operation, path) =>
    operation === "write" && path.endsWith(".idx") ? "full" : undefined;
  const error = await assertRejects(
    () => store.append("c", bytes("ping\n"), false, by("p", 1)),
    ChukchaError,
  );
  assertEquals([error.code, error.written], ["disk_full", "no"]);
  disk.faults.before = () => undefined;
  // The same bytes at the same place, by somebody else.
  assertEquals((await store.append("c", bytes("ping\n"), false)).offset, 6);
  const again = await openOn(disk.kill());
  assertEquals((await again.store.append("c", bytes("ping\n"), false, by("p", 1))).known, undefined);
  assertEquals(await all(again.store), "first\nping\nping\n");
  await again.store.close();
});

Deno.test("BatchJournal: a torn one is removed where the disk has no room for another, and writes go on", async () => {
  const { store, disk, log } = await openNew();
  await store.append("c", bytes("first\n"), false, by("p", 0));
  const isFull = (path: string) => path.endsWith(".idx") || path.endsWith(".tmp");
  disk.faults.before = (operation, path) => operation === "write" && isFull(path) ? "full" : undefined;
  await assertRejects(() => store.append("c", bytes("ping\n"), false, by("p", 1)), ChukchaError);
  disk.faults.before = (operation, path) =>
    operation === "write" && path.endsWith(".tmp") ? "full" : undefined;
  assertEquals((await store.append("c", bytes("ping\n"), false)).offset, 6);
  assertEquals(disk.sizeOf(JOURNAL), undefined);
  assertEquals(log.of("warn").length, 1);
  const error = await assertRejects(
    () => store.append("c", bytes("ping\n"), false, by("p", 1)),
    ChukchaError,
  );
  assertEquals([error.code, error.written], ["disk_full", "no"]);
  // What is in memory is known all the same, and on disk again when there is room.
  assertEquals((await store.append("c", bytes("first\n"), false, by("p", 0))).known, "here");
  disk.faults.before = () => undefined;
  assertEquals((await store.append("c", bytes("ping\n"), false, by("p", 1))).known, undefined);
  const again = await openOn(disk.kill());
  assertEquals((await again.store.append("c", bytes("first\n"), false, by("p", 0))).known, "here");
  assertEquals((await again.store.append("c", bytes("ping\n"), false, by("p", 1))).known, "here");
  await again.store.close();
});

Deno.test("BatchJournal: nothing of a batch that failed is kept with the next group, whatever came in between", async () => {
  const { store, disk } = await openNew();
  await store.append("c", bytes("first\n"), false, by("p", 0));
  // Torn, removed for want of room, and the next batch finds it missing.
  const isFull = (path: string) => path.endsWith(".idx") || path.endsWith(".tmp");
  disk.faults.before = (operation, path) => operation === "write" && isFull(path) ? "full" : undefined;
  const failed = [1, 2].map((sequence) =>
    assertRejects(
      () => store.append("c", bytes(`lost ${sequence}\n`), false, by("p", sequence)),
      ChukchaError,
    )
  );
  await Promise.all(failed);
  const more = [3, 4].map((sequence) =>
    assertRejects(
      () => store.append("c", bytes(`lost ${sequence}\n`), false, by("p", sequence)),
      ChukchaError,
    )
  );
  await Promise.all(more);
  disk.faults.before = () => undefined;
  await Promise.all(
    [5, 6].map((sequence) => store.append("c", bytes(`${sequence}\n`), false, by("p", sequence))),
  );
  for (const sequence of [1, 2, 3, 4]) {
    assertEquals(
      (await store.append("c", bytes(`lost ${sequence}\n`), false, by("p", sequence))).known,
      undefined,
    );
  }
  assertEquals(await all(store), "first\n5\n6\nlost 1\nlost 2\nlost 3\nlost 4\n");
  await store.close();
});

Deno.test("BatchJournal: a chunk is not acknowledged while an entry names what it does not hold", async () => {
  const first = await openNew();
  await first.store.append("c", bytes("first\n"), false, by("p", 0));
  first.disk.faults.before = (operation, path) =>
    operation === "write" && path.endsWith(".idx") ? "full" : undefined;
  await assertRejects(() => first.store.append("c", bytes("lost\n"), false, by("p", 1)), ChukchaError);
  first.disk.faults.before = () => undefined;
  await first.store.finish();
  await first.store.acknowledge("c", FIRST, 6);
  const { store } = await openOn(first.disk.kill());
  assertEquals((await store.append("c", bytes("first\n"), false, by("p", 0))).known, "processed");
  assertEquals((await store.append("c", bytes("lost\n"), false, by("p", 1))).known, undefined);
  assertEquals(await all(store), "lost\n");
  await store.close();
});

Deno.test("BatchJournal: an entry that a crash left alone is gone before its chunk can be acknowledged", async () => {
  for (const how of ["acknowledged by the next process", "and known to the one after"]) {
    const first = await openNew();
    await first.store.append("c", bytes("first\n"), false, by("p", 0));
    // The process dies between the entry and the index.
    first.disk.faults.before = (operation, path) => {
      if (operation === "write" && path === JOURNAL) first.disk.dieAt(1);
      return undefined;
    };
    await assertRejects(() => first.store.append("c", bytes("lost\n"), false, by("p", 1)));
    const second = await openOn(first.disk.kill());
    assertEquals(second.store.listChunks("c"), [{ name: FIRST, complete: true, size: 6 }]);
    await second.store.acknowledge("c", FIRST, 6);
    const { store } = how.startsWith("and") ? await openOn(second.disk.kill()) : second;
    assertEquals((await store.append("c", bytes("first\n"), false, by("p", 0))).known, "processed");
    assertEquals((await store.append("c", bytes("lost\n"), false, by("p", 1))).known, undefined, how);
    assertEquals(await all(store), "lost\n");
    await store.close();
  }
});

Deno.test("BatchJournal: one that the device does not give is done without", async () => {
  const { store, disk } = await openNew();
  await store.append("c", bytes("one\n"), false, by("p", 1));
  const next = disk.kill();
  const again = await openOn<Disk>(passingOn(next, {
    open: (path, mode) => {
      const file = next.open(path, mode);
      if (path !== JOURNAL || mode.write) return file;
      return {
        ...file,
        read: () => {
          throw new DiskError("failed", "read", path);
        },
      };
    },
  }));
  assertEquals([again.log.of("warn").length, next.sizeOf(JOURNAL)], [1, undefined]);
  assertEquals((await again.store.append("c", bytes("one\n"), false, by("p", 1))).known, undefined);
  assertEquals((await again.store.append("c", bytes("one\n"), false, by("p", 1))).known, "here");
  await again.store.close();
});

Deno.test("BatchJournal: the chunk numbers that it names are not used again", async () => {
  const { store, disk } = await openNew();
  await store.append("c", bytes("one\n"), false, by("p", 1));
  const next = disk.kill();
  // By hand, and the list of what is acknowledged was never made.
  for (const path of [`c/${FIRST}`, `c/${FIRST}.idx`]) next.remove(path);
  const again = await openOn(next);
  assertEquals((await again.store.append("c", bytes("one\n"), false, by("p", 1))).chunk, "n-chunk000000001");
  await again.store.close();
});
