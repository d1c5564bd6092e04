/**
 * The simulated disk's own part: what it forgets, and the faults it plays.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type Disk, DiskError } from "../../lib/storage/disk.ts";
import { CrashError, MemoryDisk } from "../support/memory_disk.ts";
import { SeededRandom } from "../support/seeded_random.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (string: string): Uint8Array => new TextEncoder().encode(string);

/** A file whose name is durable, with these bytes synced and those written later. */
async function fileWith(disk: Disk, path: string, synced: string, later: string): Promise<void> {
  const file = disk.open(path, { write: true, create: true });
  file.write(bytes(synced), 0);
  await file.sync();
  await disk.syncDirectory("");
  file.write(bytes(later), synced.length);
  file.close();
}

Deno.test("MemoryDisk: a crash keeps what was synced, and forgets the rest", async () => {
  const disk = new MemoryDisk();
  await fileWith(disk, "a", "synced", " and not");
  disk.open("named later", { write: true, create: true }).close();
  disk.rename("a", "b");
  const left = disk.crash();
  assertEquals(left.list("").map(({ name }) => name), ["a"]);
  assertEquals(text(left.peek("a")), "synced");
});

Deno.test("MemoryDisk: a crash forgets a directory whose own name was not synced, and all in it", async () => {
  const disk = new MemoryDisk();
  disk.makeDirectory("d");
  disk.open("d/a", { write: true, create: true }).close();
  await disk.syncDirectory("d");
  assertEquals(disk.clone().list("").length, 1);
  assertEquals(disk.crash().list(""), []);
});

Deno.test("MemoryDisk: a sync covers what was written before it was called, no more", async () => {
  const disk = new MemoryDisk();
  const file = disk.open("a", { write: true, create: true });
  await disk.syncDirectory("");
  const gate = Promise.withResolvers<void>();
  disk.syncGate = gate.promise;
  file.write(bytes("before"), 0);
  const synced = file.sync();
  file.write(bytes("after!"), 0);
  gate.resolve();
  await synced;
  assertEquals(text(disk.crash().peek("a")), "before");
});

Deno.test("MemoryDisk: a kill keeps everything, frees the lock, and leaves unsynced what was", async () => {
  const disk = new MemoryDisk();
  await fileWith(disk, "a", "synced", " and not");
  disk.lock("lock");
  const killed = disk.kill();
  assertEquals(text(killed.peek("a")), "synced and not");
  assert(killed.lock("lock"));
  assertEquals(text(killed.crash().peek("a")), "synced");
});

Deno.test("MemoryDisk: after a crash nothing of the old process reaches the disk", async () => {
  const disk = new MemoryDisk();
  const file = disk.open("a", { write: true, create: true });
  await disk.syncDirectory("");
  file.write(bytes("x"), 0);
  const pending = assertRejects(() => file.sync(), CrashError);
  const left = disk.crash();
  await pending;
  assertThrows(() => file.write(bytes("y"), 0), CrashError);
  assertThrows(() => disk.remove("a"), CrashError);
  assertThrows(() => disk.list(""), CrashError);
  assertEquals(text(left.peek("a")), "");
});

Deno.test("MemoryDisk: with dice, every mixture of blocks and entries comes, and no other", async () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 300; seed++) {
    const disk = new MemoryDisk();
    await fileWith(disk, "a", "AAAA", "");
    const file = disk.open("a", { write: true });
    file.write(bytes("BBBB"), 2);
    disk.open("b", { write: true, create: true }).close();
    const left = disk.crash({ random: new SeededRandom(seed), blockBytes: 2 });
    const names = left.list("").map(({ name }) => name).sort().join("");
    seen.add(`${names} ${text(left.peek("a")).replaceAll("\0", "0")}`);
  }
  const contents = ["AAAA", "AAAA0", "AAAAB", "AAAA00", "AAAABB"]
    .concat(["AABB", "AABB0", "AABBB", "AABB00", "AABBBB"]);
  assertEquals([...seen].sort(), ["a", "ab"].flatMap((names) => contents.map((c) => `${names} ${c}`)).sort());
});

Deno.test("MemoryDisk: the n-th operation is the last, and a write may be torn by it", () => {
  const disk = new MemoryDisk();
  const file = disk.open("a", { write: true, create: true });
  disk.dieAt(2, new SeededRandom(5));
  file.write(bytes("first"), 0);
  assertThrows(() => file.write(bytes("second"), 5), CrashError);
  assert(disk.dead);
  const left = text(disk.kill().peek("a"));
  assert("firstsecond".startsWith(left) && left.startsWith("first"), left);
});

Deno.test("MemoryDisk: a full disk takes what fits, then nothing, and frees what is cut or removed", () => {
  const disk = new MemoryDisk();
  disk.faults.bytesMax = 8;
  const file = disk.open("a", { write: true, create: true });
  assertEquals(file.write(bytes("12345"), 0), 5);
  assertEquals(file.write(bytes("67890"), 5), 3);
  assertEquals(assertThrows(() => file.write(bytes("x"), 8), DiskError).kind, "full");
  assertEquals(file.write(bytes("over"), 0), 4);
  assertEquals(disk.space(), { freeBytes: 0, totalBytes: 8 });
  file.truncate(6);
  assertEquals(disk.space().freeBytes, 2);
  file.close();
  disk.remove("a");
  assertEquals(disk.space().freeBytes, 8);
});

Deno.test("MemoryDisk: faults: inodes, descriptors, reading only, short writes, chosen operations", async () => {
  const disk = new MemoryDisk();
  const kind = (call: () => unknown) => assertThrows(call, DiskError).kind;
  disk.faults.inodesMax = 2;
  const file = disk.open("a", { write: true, create: true });
  assertEquals(kind(() => disk.open("b", { write: true, create: true })), "full");
  assertEquals(kind(() => disk.makeDirectory("d")), "full");
  disk.faults.openMax = 1;
  assertEquals(kind(() => disk.open("a", {})), "too_many_open");
  disk.faults.writeBytesMax = 2;
  assertEquals(file.write(bytes("abc"), 0), 2);
  disk.faults.readOnly = true;
  assertEquals(kind(() => file.write(bytes("x"), 0)), "read_only");
  assertEquals(kind(() => disk.remove("a")), "read_only");
  disk.faults.before = (operation) => operation === "sync" ? "failed" : undefined;
  assertEquals((await assertRejects(() => file.sync(), DiskError)).kind, "failed");
});
