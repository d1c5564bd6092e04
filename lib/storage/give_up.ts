/**
 * Gives up a chunk that was adopted without an index, where other nodes hold another one under its name: theirs has
 * something that vouches for it.
 *
 * All of it is set aside as `<chunk>.damaged`; then its files go, and it is fetched like any chunk that is not here.
 *
 * What a crash leaves: the chunk, or its data without an index, which is adopted again, or an index that vouches for
 * nothing, which the next copy takes over.
 *
 * @module
 */
import type { Category } from "./category.ts";
import type { Chunk } from "./chunk.ts";
import { DAMAGED_SUFFIX, setAside } from "./damaged_copy.ts";

/** Gives the chunk up, unless it is complete or gone by now. Rejects with `DiskError`; then it stays. */
export async function giveUp({ state }: Category, chunk: Chunk): Promise<void> {
  const { disk, held, log } = state.context;
  if (chunk.removed || chunk.complete || held.has(chunk)) return;
  held.add(chunk);
  try {
    await setAside(disk, chunk.dataPath, 0, chunk.size);
    state.directory.remove(chunk);
    state.lose(chunk);
  } finally {
    held.delete(chunk);
  }
  log.error(
    "a chunk that was found without its index is not what other nodes hold: it was set aside, and is fetched",
    {
      chunk: chunk.dataPath,
      file: chunk.dataPath + DAMAGED_SUFFIX,
    },
  );
}
