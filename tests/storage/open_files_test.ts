/**
 * What is kept open and in memory stays within its bounds.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Chunk } from "../../lib/storage/chunk.ts";
import { DiskError } from "../../lib/storage/disk.ts";
import { IndexCache } from "../../lib/storage/index_cache.ts";
import { RECORD_BYTES } from "../../lib/storage/index_record.ts";
import { OpenFiles } from "../../lib/storage/open_files.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { bytes, openNew, openOn, readText } from "./world.ts";

function diskWith(...paths: string[]): MemoryDisk {
  const disk = new MemoryDisk();
  for (const path of paths) disk.plant(path, bytes(path));
  return disk;
}

Deno.test("OpenFiles: keeps files open for the next use, and closes the one unused for longest", () => {
  const disk = diskWith("a", "b", "c");
  const files = new OpenFiles(disk, 2);
  for (const path of ["a", "b", "a", "c", "a"]) files.give(files.take(path));
  assertEquals([disk.counts.get("open"), disk.openFiles], [3, 2]);
  files.give(files.take("b"));
  assertEquals(disk.counts.get("open"), 4);
  files.close();
  assertEquals([disk.openFiles, files.count], [0, 0]);
});

Deno.test("OpenFiles: what is in use is never closed; afterwards the bound holds again", () => {
  const disk = diskWith("a", "b", "c", "d");
  const files = new OpenFiles(disk, 2);
  const used = ["a", "b", "c", "d"].map((path) => files.take(path));
  assertEquals(disk.openFiles, 4);
  for (const { file } of used) assertEquals(file.size(), 1);
  used.forEach((open) => files.give(open));
  assertEquals([disk.openFiles, files.count], [2, 2]);
  files.close();
});

Deno.test("OpenFiles: a forgotten file is opened anew, and closed when its last user is done", () => {
  const disk = diskWith("a");
  const files = new OpenFiles(disk, 2);
  const before = files.take("a");
  files.forget("a");
  disk.remove("a");
  disk.plant("a", bytes("another"));
  const after = files.take("a");
  assertEquals([before.file.size(), after.file.size()], [1, 7]);
  files.give(before);
  files.give(after);
  files.close();
  assertEquals(disk.openFiles, 0);
});

Deno.test("OpenFiles: a file of a read-only file system is opened for reading", () => {
  const disk = diskWith("a");
  disk.faults.readOnly = true;
  const files = new OpenFiles(disk, 2);
  const { file } = files.take("a");
  assertEquals(file.size(), 1);
  assertEquals(assertThrows(() => files.take("b"), DiskError).kind, "not_found");
  // Also to whoever holds it still when the file system takes writes again: that is no broken disk.
  disk.faults.readOnly = false;
  assertEquals(assertThrows(() => file.write(bytes("x"), 0), DiskError).kind, "read_only");
  assertEquals(assertThrows(() => file.truncate(0), DiskError).kind, "read_only");
  const { file: again } = files.take("a");
  assertEquals(again.write(bytes("x"), 0), 1);
});

Deno.test("OpenFiles.relieve: closes half of what is open, of what nobody uses, and keeps no more from then on", () => {
  const paths = Array.from({ length: 60 }, (_, i) => `f${i}`);
  const disk = diskWith(...paths);
  const files = new OpenFiles(disk, 50);
  const [used, ...others] = paths.slice(0, 40).map((path) => files.take(path));
  others.forEach((open) => files.give(open));
  assertEquals([files.relieve(), files.count, disk.openFiles], [20, 20, 20]);
  assertEquals(used!.file.size(), 2);
  for (const path of paths) files.give(files.take(path));
  assertEquals(files.count, 20);
  assertEquals([files.relieve(), files.relieve(), files.count], [16, undefined, 16]);
  files.give(used!);
  files.close();
  assertEquals(disk.openFiles, 0);
});

Deno.test("Store: with fewer descriptors than chunks everything is written, read and acknowledged, and it is told", async () => {
  const { store, disk, log } = await openNew({ openFilesMax: 512, chunkBytesMax: 1000 });
  disk.faults.openMax = 40;
  const names = Array.from({ length: 100 }, (_, i) => `c${i}`);
  for (const name of names) await store.append(name, bytes(`${name}\n`), true);
  for (const name of names) assertEquals(await readText(store, name, "n-chunk000000000"), `${name}\n`);
  await store.finish();
  for (const name of names) await store.acknowledge(name, "n-chunk000000000", name.length + 1);
  assertEquals([store.totals().chunks, store.checkDisk().ok], [0, true]);
  assertEquals(log.of("error"), []);
  assert(log.of("warn").length > 0 && log.of("warn").length <= 3, log.lines.join("\n"));
  await store.close();
});

/** Chunks with an index of four records each, and a cache for three of them that opens a file for each load. */
function indexes(): { disk: MemoryDisk; chunks: Chunk[]; cache: IndexCache; loads: () => number } {
  const disk = new MemoryDisk();
  const chunks = Array.from({ length: 6 }, (_, i) => {
    const chunk = new Chunk("c", "n", i, 0);
    chunk.indexSize = 4 * RECORD_BYTES;
    disk.plant(chunk.indexPath, new Uint8Array(5 * RECORD_BYTES));
    return chunk;
  });
  const cache = new IndexCache(new OpenFiles(disk, 0), 3 * 4 * RECORD_BYTES);
  return { disk, chunks, cache, loads: () => disk.counts.get("open") ?? 0 };
}

Deno.test("IndexCache: is bounded by bytes; the index unused for longest goes first", () => {
  const { chunks, cache, loads } = indexes();
  for (const n of [0, 1, 2, 0, 3, 0, 2, 3]) cache.get(chunks[n]!);
  assertEquals(loads(), 4);
  cache.get(chunks[1]!);
  assertEquals(loads(), 5);
  cache.forget(chunks[1]!);
  cache.get(chunks[3]!);
  assertEquals(loads(), 5);
});

Deno.test("IndexCache: an index that cannot be read further for a moment keeps its place, and is counted once", () => {
  const { disk, chunks, cache, loads } = indexes();
  const kept = cache.get(chunks[0]!);
  chunks[0]!.indexSize = 5 * RECORD_BYTES;
  disk.faults.openMax = 0;
  for (let i = 0; i < 5; i++) assertThrows(() => cache.get(chunks[0]!), DiskError);
  chunks[0]!.indexSize = 4 * RECORD_BYTES;
  disk.faults.openMax = Infinity;
  assert(cache.get(chunks[0]!) === kept);
  const before = loads();
  for (const n of [1, 2, 0, 1, 2]) cache.get(chunks[n]!);
  assertEquals(loads() - before, 2);
});

Deno.test("Store: open files are bounded however many categories there are", async () => {
  const { store, disk } = await openNew({ openFilesMax: 20 });
  const names = Array.from({ length: 200 }, (_, i) => `category-${i}`);
  await Promise.all(names.map((name) => store.append(name, bytes(`${name}\n`), false)));
  for (const name of names) assertEquals(await readText(store, name, "n-chunk000000000"), `${name}\n`);
  await Promise.all(names.map((name) => store.append(name, bytes("synced\n"), true)));
  assert(store.totals().openFiles <= 20, `${store.totals().openFiles} files are open`);
  assert(disk.openFiles <= 20);
  await store.close();
  assertEquals(disk.openFiles, 0);
  const again = await openOn(disk.kill(), { openFilesMax: 20 });
  assertEquals(again.store.listCategories().length, 200);
  await again.store.close();
});

Deno.test("OpenFiles: what was opened while the file system took no writes is opened again once it does", () => {
  const disk = new MemoryDisk();
  disk.plant("a", new TextEncoder().encode("a"));
  const files = new OpenFiles(disk, 2);
  disk.faults.readOnly = true;
  const early = files.take("a");
  assertEquals(early.file.size(), 1);
  assertThrows(() => early.file.write(new Uint8Array(1), 0), DiskError);
  files.give(early);
  assertEquals(files.take("a"), early);
  disk.faults.readOnly = false;
  const late = files.take("a");
  assertEquals(late.file.write(new Uint8Array(1), 0), 1);
  files.give(early);
  files.give(late);
  files.close();
  assertEquals(disk.openFiles, 0);
});
