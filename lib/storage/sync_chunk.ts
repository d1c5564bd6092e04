/**
 * Puts both files of a chunk on the device.
 *
 * After a sync that failed the kernel takes what it could not write for written, and the next sync succeeds without
 * having written it. Within one process such a chunk is poisoned; the next process knows nothing of that. So what a
 * start found unsealed, and read from the kernel's memory, is written once more in its place before the first sync of
 * it: then the kernel has to write it. The bytes are the same, so that a crash in the middle changes nothing.
 *
 * One sync of a chunk runs at a time, and none after one that failed: of two that run side by side the kernel tells only
 * one that they failed, and the other would vouch for what was lost.
 *
 * It costs a copy of what an unclean start had to read anyway, before it is sealed in the background.
 *
 * @module
 */
import { MIB } from "../protocol/limits.ts";
import type { Chunk } from "./chunk.ts";
import { DiskError } from "./disk.ts";
import { type OpenFile, syncAll } from "./open_files.ts";
import { writeAll } from "./publish_file.ts";

/** Syncs that are under way: fulfilled when they have ended, however they ended. */
const running = new WeakMap<Chunk, Promise<void>>();

/** Resolves when what is published of the chunk is on the device. Rejects with `DiskError`. */
export async function syncChunk(chunk: Chunk, data: OpenFile, index: OpenFile): Promise<void> {
  for (let before = running.get(chunk); before; before = running.get(chunk)) await before;
  if (chunk.poisoned) {
    throw new DiskError("failed", "sync", chunk.dataPath, new Error("a sync of it has failed before"));
  }
  const done = sync(chunk, data, index);
  const ended = done.catch(() => {});
  running.set(chunk, ended);
  try {
    await done;
  } finally {
    if (running.get(chunk) === ended) running.delete(chunk);
  }
}

async function sync(chunk: Chunk, data: OpenFile, index: OpenFile): Promise<void> {
  try {
    if (chunk.unproven) {
      writeAgain(data, chunk.size);
      writeAgain(index, chunk.indexSize);
    }
    await syncAll([data, index]);
    chunk.unproven = false;
  } catch (error) {
    // At once, before anybody who waits goes on; whoever called tells of it.
    if (error instanceof DiskError && error.kind === "failed" && !chunk.removed) chunk.poisoned = true;
    throw error;
  }
}

function writeAgain({ file }: OpenFile, size: number): void {
  const buffer = new Uint8Array(Math.min(MIB, size));
  for (let at = 0; at < size;) {
    const filled = file.read(buffer.subarray(0, Math.min(buffer.length, size - at)), at);
    if (filled === 0) return;
    writeAll(file, buffer.subarray(0, filled), at);
    at += filled;
  }
}
