/**
 * Publishes the end of a chunk again, as new messages of this node: what is beyond the size that a chunk was complete
 * with elsewhere is never dropped silently.
 *
 * Each batch is on the device before the next one is read, so that the old place may go when this is done. What was
 * published is noted on the chunk: whatever fails afterwards is tried again and again, and must not publish it each time.
 * The note dies with the process: after a crash it is done from the beginning, some messages are there twice, none is
 * lost. Rejected: a note on the disk, one more file to sync where a crash between two steps costs a few duplicates.
 *
 * Messages that are damaged cannot be published; then all of it is set aside as a file, see `damaged_copy.ts`.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { EXCESS_BATCH_BYTES } from "../protocol/limits.ts";
import type { Chunk } from "./chunk.ts";
import type { ChunkAccess } from "./chunk_access.ts";
import { DamagedRangeError } from "./damage.ts";
import type { OwnChunks } from "./own_chunks.ts";

/** Appends what `chunk` holds from `offset` on; all of it if no message begins there. Rejects with `ChukchaError`. */
export async function publishAgain(
  own: OwnChunks,
  access: ChunkAccess,
  chunk: Chunk,
  offset: number,
): Promise<void> {
  try {
    await append(own, access, chunk, offset);
  } catch (error) {
    // Then this is not the chunk that was acknowledged elsewhere, whatever its name: nothing of it was.
    if (!(error instanceof ChukchaError) || error.code !== "invalid_offset" || offset === 0) throw error;
    await append(own, access, chunk, 0);
  }
}

async function append(own: OwnChunks, access: ChunkAccess, chunk: Chunk, offset: number): Promise<void> {
  const { published } = chunk;
  const isGoingOn = published !== undefined && published.from <= offset && offset <= published.to;
  const from = isGoingOn ? published.from : offset;
  for (let at = isGoingOn ? published.to : offset; at < chunk.size;) {
    try {
      const bytes = await access.readWhole(chunk.name, at, EXCESS_BATCH_BYTES);
      await own.append(bytes, true);
      at += bytes.length;
    } catch (error) {
      if (!(error instanceof DamagedRangeError)) throw error;
      await access.setAside(chunk, offset);
      at = error.next;
    }
    chunk.published = { from, to: at };
  }
}
