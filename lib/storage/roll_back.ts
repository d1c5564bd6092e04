/**
 * What is done when an append failed half-way: nothing of it is left.
 *
 * @module
 */
import type { Chunk } from "./chunk.ts";
import { DiskError } from "./disk.ts";
import type { OpenFile } from "./open_files.ts";

/**
 * Cuts both files back to what is published. If that fails too, the chunk is poisoned: what is left behind in it must
 * never end up between later records.
 */
export function rollBack(chunk: Chunk, data: OpenFile | undefined, index: OpenFile | undefined): void {
  try {
    index?.file.truncate(chunk.indexSize);
    data?.file.truncate(chunk.size);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    chunk.poisoned = true;
  }
}
