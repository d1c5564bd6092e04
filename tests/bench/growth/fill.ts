/**
 * Prepares data directories: by the storage itself, in this process, on the real disk, but without waiting for the device.
 *
 * What is there afterwards is what a node would have left, byte for byte; only a loss of power would be another matter.
 * 100,000 categories take half a minute instead of several.
 *
 * @module
 */
import { SystemClock } from "../../../lib/storage/clock.ts";
import { DenoDisk } from "../../../lib/storage/deno_disk.ts";
import type { Disk, DiskFile } from "../../../lib/storage/disk.ts";
import { SystemRandom } from "../../../lib/storage/random.ts";
import { Store } from "../../../lib/storage/store.ts";
import { INSTANCE } from "./node.ts";

/** Appends under way at once. */
const AT_ONCE = 256;
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
/** Of each chunk that is prepared. */
export const MESSAGE_BYTES = 100;
/** With this, each batch is a chunk. */
export const ONE_BATCH_CHUNKS = 1;
const CHUNK_BYTES = 64 * 1024 * 1024;

/** One message of {@linkcode MESSAGE_BYTES}. */
export const MESSAGE = new TextEncoder().encode(`${"m".repeat(MESSAGE_BYTES - 1)}\n`);

/** The real disk, whose syncs are done at once. */
export function withoutSyncs(disk: Disk): Disk {
  return {
    open(path, mode) {
      const file = disk.open(path, mode);
      return {
        size: () => file.size(),
        read: (into, offset) => file.read(into, offset),
        write: (bytes, offset) => file.write(bytes, offset),
        truncate: (size) => file.truncate(size),
        sync: () => Promise.resolve(),
        close: () => file.close(),
      } satisfies DiskFile;
    },
    sizeOf: (path) => disk.sizeOf(path),
    list: (path) => disk.list(path),
    stampOf: (path) => disk.stampOf(path),
    makeDirectory: (path) => disk.makeDirectory(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncDirectory: () => Promise.resolve(),
    lock: (path) => disk.lock(path),
    space: () => disk.space(),
  };
}

/** Opens the store of a directory in this process, while no node runs on it. */
export function openStore(directory: string, chunkBytesMax = CHUNK_BYTES): Promise<Store> {
  return Store.open({
    instance: INSTANCE,
    chunkBytesMax,
    rotateIntervalMs: 3_600_000,
    minFreeDiskBytes: 0,
    openFilesMax: 512,
  }, {
    disk: withoutSyncs(new DenoDisk(directory)),
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: SILENT,
  });
}

/** Name of the category with this number. */
export function categoryName(number: number): string {
  return `c${String(number).padStart(6, "0")}`;
}

/** Makes categories until there are so many, each with one message in one chunk. */
export async function fillCategories(directory: string, count: number): Promise<void> {
  const store = await openStore(directory);
  const known = new Set(store.listCategories());
  const missing = Array.from({ length: count }, (_, i) => categoryName(i)).filter((name) => !known.has(name));
  await inParts(missing, (name) => store.append(name, MESSAGE, false));
  await store.close();
}

/** Makes chunks of one message in `category` until there are so many. */
export async function fillChunks(directory: string, category: string, count: number): Promise<void> {
  const store = await openStore(directory, ONE_BATCH_CHUNKS);
  const missing = Array.from({ length: Math.max(0, count - store.listChunks(category).length) });
  await inParts(missing, () => store.append(category, MESSAGE, false));
  await store.close();
}

/** Makes consumers of `category`, which get all of it, by name. */
export async function fillConsumers(
  directory: string,
  category: string,
  names: readonly string[],
): Promise<void> {
  const store = await openStore(directory);
  const consumers = store.consumers(category);
  await inParts(names, (name) => consumers.begin(name, "earliest"));
  await store.close();
}

async function inParts<T>(all: readonly T[], work: (one: T) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < all.length; at += AT_ONCE) await Promise.all(all.slice(at, at + AT_ONCE).map(work));
}
