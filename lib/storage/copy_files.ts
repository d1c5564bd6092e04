/**
 * Makes the files of copies, many at a time, before the first byte of them comes.
 *
 * What a crash leaves: both files of a chunk, or one of them, or none, and no byte in either; the next attempt takes
 * them over. Files that hold something are somebody's: they stay, and that chunk is not copied before a restart.
 *
 * Rejected: a file made only with its first bytes (its directory would be synced once for each chunk, and not once for
 * many).
 *
 * @module
 */
import { parseChunkName } from "../protocol/names.ts";
import type { CategoryState } from "./category_state.ts";
import { Chunk } from "./chunk.ts";
import { DiskError } from "./disk.ts";
import { toChukchaError } from "./failure.ts";
import type { OwnChunks } from "./own_chunks.ts";

/** The files of one category's copies. */
export class CopyFiles {
  readonly #state: CategoryState;
  readonly #own: OwnChunks;
  #last: Promise<unknown> | undefined;

  constructor(state: CategoryState, own: OwnChunks) {
    this.#state = state;
    this.#own = own;
  }

  /** Makes the files of those of these chunks that are not here. Rejects with `ChukchaError`, having made none. */
  prepare(names: readonly string[]): Promise<void> {
    const done = (this.#last ?? Promise.resolve()).then(() => this.#prepare(names)).catch((error) => {
      if (error instanceof DiskError && error.kind === "failed") {
        this.#state.context.guard.distrust(error.message);
      }
      const refused = toChukchaError(error, "make files for copies");
      this.#state.context.guard.refused(refused, 0);
      throw refused;
    });
    this.#last = done.catch(() => {});
    return done;
  }

  /** Resolves when no files are being made. */
  async ended(): Promise<void> {
    await this.#last;
  }

  async #prepare(names: readonly string[]): Promise<void> {
    const { directory, context } = this.#state;
    await directory.ensure();
    await context.guard.prove();
    const made: Chunk[] = [];
    try {
      for (const name of new Set(names)) {
        const chunk = await this.#makeFiles(name);
        if (chunk) made.push(chunk);
      }
      if (made.length > 0) await directory.sync();
    } catch (error) {
      for (const chunk of made) directory.remove(chunk);
      throw error;
    }
    for (const chunk of made) {
      // Other nodes' word may have come while the names were being synced.
      if (this.#state.acknowledged.has(chunk.instance, chunk.number)) directory.remove(chunk);
      else context.prepared.set(chunk.dataPath, chunk);
    }
  }

  async #makeFiles(name: string): Promise<Chunk | undefined> {
    const { chunks, acknowledged, context, directory } = this.#state;
    const id = parseChunkName(name);
    if (!id || chunks.get(name) || this.#own.isChunk(id)) return undefined;
    if (context.prepared.has(`${directory.path}/${name}`)) return undefined;
    if (acknowledged.has(id.instance, id.number)) return undefined;
    const chunk = new Chunk(this.#state.name, id.instance, id.number, context.clock.monotonic());
    if (this.#state.isOwn(chunk)) {
      this.#own.noteUsed(id.number);
      chunk.settled = false;
    }
    try {
      directory.create(chunk);
    } catch (error) {
      if (!(error instanceof DiskError) || error.kind !== "exists") throw error;
      if (!await this.#takeOver(chunk)) return undefined;
    }
    chunk.removed = false;
    return chunk;
  }

  /** Takes the files that a crash left, if nothing is in them; makes the one that is missing. */
  async #takeOver(chunk: Chunk): Promise<boolean> {
    const { disk, files, log } = this.#state.context;
    if ((disk.sizeOf(chunk.dataPath) ?? 0) > 0) {
      log.error("files are in the way of a copy; restart to take them over", { chunk: chunk.dataPath });
      return false;
    }
    files.forget(chunk.indexPath);
    files.forget(chunk.dataPath);
    // An index whose data was lost: it must not vouch for anything once there is a data file again.
    const index = disk.open(chunk.indexPath, { write: true, create: true });
    try {
      if (index.size() > 0) {
        index.truncate(0);
        await index.sync();
      }
    } finally {
      index.close();
    }
    disk.open(chunk.dataPath, { write: true, create: true }).close();
    return true;
  }
}
