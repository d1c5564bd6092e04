/**
 * Publishes the end of a chunk again, as new messages of this node: what is beyond the size that a chunk was complete
 * with elsewhere is never dropped silently.
 *
 * Each batch is on the device before the next one is read, so that the old place may go when this is done. A crash on the
 * way has it done again from the beginning: some messages are there twice, none is lost.
 *
 * @module
 */
import { EXCESS_BATCH_BYTES } from "../protocol/limits.ts";
import type { Chunk } from "./chunk.ts";
import type { ChunkAccess } from "./chunk_access.ts";
import type { OwnChunks } from "./own_chunks.ts";

/** Appends what `chunk` holds from `offset` on, where a message begins. Rejects with `ChukchaError`. */
export async function publishAgain(
  own: OwnChunks,
  access: ChunkAccess,
  chunk: Chunk,
  offset: number,
): Promise<void> {
  for (let at = offset; at < chunk.size;) {
    const bytes = await access.readWhole(chunk.name, at, EXCESS_BATCH_BYTES);
    await own.append(bytes, true);
    at += bytes.length;
  }
}
