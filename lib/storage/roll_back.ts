/**
 * What is done when an append failed half-way: nothing of it is left.
 *
 * Where the disk refuses that too (it is read-only now, or out of descriptors), the chunk is *torn*: there may be bytes
 * behind what is published, in both files. They are cut off before anything else is written to the chunk, which is as
 * soon as the disk takes writes again. Until then they do no harm: nothing is served beyond the published length, and a
 * start cuts them off, since the record that would end their group is not whole.
 *
 * Rejected: giving the chunk up. A file system that was remounted read-only for a minute would leave chunks that no
 * node could complete before a restart.
 *
 * @module
 */
import type { Chunk } from "./chunk.ts";
import { DiskError } from "./disk.ts";
import type { OpenFile } from "./open_files.ts";

/** Cuts both files back to what is published, or leaves the chunk torn. */
export function rollBack(chunk: Chunk, data: OpenFile | undefined, index: OpenFile | undefined): void {
  // Not both could be opened: nothing was written.
  if (!data || !index) return;
  chunk.torn = true;
  try {
    mendTorn(chunk, data, index);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
}

/** Cuts off what an append left behind that failed before, if one did. Throws `DiskError`. */
export function mendTorn(chunk: Chunk, data: OpenFile, index: OpenFile): void {
  if (!chunk.torn) return;
  index.file.truncate(chunk.indexSize);
  data.file.truncate(chunk.size);
  chunk.torn = false;
}
