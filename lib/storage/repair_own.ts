/**
 * What becomes of a chunk of this node's own that a power cut left with a hole, once all peers gave back what they hold.
 *
 * As it is, no other node could ever have all of it. So it ends before the hole, and what lies behind, as far as it is
 * intact, is published again as new messages; the damaged rest is set aside as a file. Where nothing lies before the
 * hole, the chunk is acknowledged with a size of 0, so that others publish again what they hold of it.
 *
 * What a crash leaves: what `cut_excess.ts` and `acknowledging.ts` say; then it is done again.
 *
 * @module
 */
import type { Category } from "./category.ts";
import type { Chunk } from "./chunk.ts";
import { lastGroupEnd } from "./piece_reader.ts";

/** Ends the chunk before its damage. Rejects with `ChukchaError`, or what the index said. */
export async function repairOwn(category: Category, chunk: Chunk): Promise<void> {
  const index = category.state.context.indexes.get(chunk);
  const good = lastGroupEnd(index, 0, chunk.damagedFrom ?? 0);
  if (good) return await category.cutExcess(chunk.name, good.end, good.rolling);
  const { instance, number } = chunk;
  const nothing = { ranges: [[number, number]] as const, sizes: new Map([[number, 0]]) };
  await category.acks.merge(instance, nothing, undefined);
}
