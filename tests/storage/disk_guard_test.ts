/**
 * What a node says of its disk, and when it stops saying so.
 *
 * @module
 */
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { DISK_SPACE_CHECK_MS, KIB, TROUBLE_LOG_INTERVAL_MS } from "../../lib/protocol/limits.ts";
import { crc32 } from "../../lib/storage/crc32.ts";
import { settle } from "../support/fake_clock.ts";
import type { MemoryDisk } from "../support/memory_disk.ts";
import { bytes, openNew, type World } from "./world.ts";

const CHUNK = "n-chunk000000000";
const refused = ({ store }: World, category = "c", text = "refused\n"): Promise<ChukchaError> =>
  assertRejects(() => store.append(category, bytes(text), false), ChukchaError);

function leaveRoom(disk: MemoryDisk, room: number): void {
  const { totalBytes, freeBytes } = disk.space();
  disk.faults.bytesMax = totalBytes - freeBytes + room;
}

const CAUSES: readonly (readonly [name: string, code: string, (disk: MemoryDisk) => void])[] = [
  ["is full", "disk_full", (disk) => leaveRoom(disk, 0)],
  ["has no inodes", "disk_full", (disk) => disk.faults.inodesMax = 0],
  ["is read-only", "disk_failed", (disk) => disk.faults.readOnly = true],
  ["gives no descriptors", "overloaded", (disk) => disk.faults.openMax = 0],
];

for (const [name, code, set] of CAUSES) {
  Deno.test(`DiskGuard: a disk that ${name} refuses writes; it is well again by itself, told once each`, async () => {
    const world = await openNew({ openFilesMax: 0 });
    const { store, disk, log, clock } = world;
    await store.append("c", bytes("first\n"), false);
    const before = { ...disk.faults };
    set(disk);
    for (let i = 0; i < 100; i++) {
      const error = await refused(world, "new");
      assertEquals([error.code, error.written, error.status], [code, "no", 503]);
      clock.advance(10);
    }
    assertEquals(store.checkDisk().ok, false);
    assertEquals(log.of("error").length, 1);
    assertStringIncludes(log.of("error")[0]!, "the disk takes no writes");

    Object.assign(disk.faults, before);
    // Nobody has written: whoever asks learns it all the same.
    assertEquals(store.checkDisk().ok, true);
    assertEquals(log.lines.filter((line) => line.includes("takes writes again")).length, 1);
    await store.append("new", bytes("taken\n"), false);
    assertEquals([...disk.snapshot().keys()].filter((path) => path.startsWith(".")), []);
    await store.close();
  });
}

Deno.test("DiskGuard: a disk that is full, well and full again all the time is not told each time", async () => {
  const world = await openNew();
  const { disk, log, clock, store } = world;
  await store.append("c", bytes("first\n"), false);
  for (let i = 0; i < 50; i++) {
    leaveRoom(disk, 3);
    await refused(world);
    disk.faults.bytesMax = Infinity;
    clock.advance(DISK_SPACE_CHECK_MS);
    assertEquals(store.checkDisk().ok, true);
  }
  const told = Math.ceil(50 * DISK_SPACE_CHECK_MS / TROUBLE_LOG_INTERVAL_MS);
  assertEquals(log.of("error").length, told);
  await store.close();
});

Deno.test("DiskGuard: what was refused is ready again only where it would fit", async () => {
  const world = await openNew();
  const { disk, store } = world;
  await store.append("c", bytes("first\n"), false);
  leaveRoom(disk, 10);
  await refused(world, "c", "x".repeat(100 * KIB) + "\n");
  leaveRoom(disk, 50 * KIB);
  assertEquals(store.checkDisk().ok, false);
  await store.append("c", bytes("small ones are taken\n"), false);
  assertEquals(store.checkDisk().ok, false);
  leaveRoom(disk, 200 * KIB);
  assertEquals(store.checkDisk().ok, true);
  await store.close();
});

Deno.test("DiskGuard: without inodes the last chunk goes on beyond its size, and the disk is not called well", async () => {
  const { store, disk } = await openNew({ chunkBytesMax: 8 });
  await store.append("c", bytes("first\n"), false);
  disk.faults.inodesMax = 0;
  for (const text of ["second\n", "third\n"]) {
    assertEquals((await store.append("c", bytes(text), false)).chunk, CHUNK);
  }
  assertEquals(store.checkDisk().ok, false);
  disk.faults.inodesMax = Infinity;
  assertEquals(store.checkDisk().ok, true);
  assertEquals((await store.append("c", bytes("fourth\n"), false)).chunk, "n-chunk000000001");
  await store.close();
});

Deno.test("DiskGuard: below --min-free-disk it says so, and a disk without a byte is full whatever that is", async () => {
  const world = await openNew({ minFreeDiskBytes: 1000 });
  const { disk, store } = world;
  leaveRoom(disk, 900);
  assertStringIncludes(store.checkDisk().message, "fewer than --min-free-disk 1000");
  assertStringIncludes((await refused(world)).message, "--min-free-disk");
  await store.close();

  const other = await openNew({ minFreeDiskBytes: 0 });
  leaveRoom(other.disk, 0);
  assertEquals(other.store.checkDisk().ok, false);
  assertStringIncludes(
    (await refused(other)).message,
    "0 bytes are free on the disk, which is not enough for 8 more",
  );
  await other.store.close();
});

Deno.test("DiskGuard: after a failed sync whoever asks has it proven, and chunks that stay open are told", async () => {
  const { store, disk, log } = await openNew();
  await store.append("c", bytes("first\n"), true);
  disk.faults.before = (operation) => operation === "sync" ? "failed" : undefined;
  await assertRejects(() => store.append("c", bytes("maybe\n"), true), ChukchaError);
  assertEquals(store.checkDisk().ok, false);
  await settle();
  assertEquals(store.checkDisk().ok, false);
  await settle();
  disk.faults.before = () => undefined;
  assertEquals(store.checkDisk().ok, false);
  await settle();
  const { ok, message } = store.checkDisk();
  assertEquals(ok, true);
  assertStringIncludes(message, "a sync of one chunk has failed");
  assertEquals(log.of("error").length, 1);
  assertEquals((await store.append("c", bytes("next\n"), true)).chunk, "n-chunk000000001");
  await store.close();
});

Deno.test("DiskGuard: a copy that cannot be stored is told like a write, and taken once there is room", async () => {
  const { store, disk, log } = await openNew({ instance: "m", peers: ["n"], bootstrap: true });
  await store.prepareCopies("c", [CHUNK]);
  leaveRoom(disk, 0);
  const content = bytes("one\n");
  const piece = {
    category: "c",
    chunk: CHUNK,
    offset: 0,
    bytes: content,
    rolling: crc32(content),
    timeMs: 1,
  };
  const error = assertThrows(() => store.appendCopy(piece, "n"), ChukchaError);
  assertEquals(error.code, "disk_full");
  const { ok, message } = store.checkDisk();
  assertEquals([ok, message], [false, error.message]);
  assertEquals(log.of("error").length, 1);
  assertThrows(() => store.admitCopies(), ChukchaError);
  disk.faults.bytesMax = Infinity;
  store.admitCopies();
  assertEquals(store.checkDisk().ok, true);
  await store.close();
});
