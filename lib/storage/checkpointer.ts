/**
 * Writes the checkpoint that spares the next start a look at each sealed chunk: what it says is in `checkpoint.ts`.
 *
 * At the end of a process, and in the background once as many chunks are not in it as half of those that are: so the
 * work is a constant for each chunk that is sealed, and a process that is killed leaves one that knows most of them.
 * Below {@linkcode CHECKPOINT_CHUNKS_MIN} chunks and categories there is none; looking at so few takes no time.
 *
 * A directory's stamp counts with a list of the names in it. One is made by a start anyway; a directory that has changed
 * since is listed again only at the end, when nobody waits: until then, the next start lists it and looks at the sizes of
 * its files.
 *
 * What a crash leaves: the file is written beside, synced, and renamed, so the old one or the new one. What happens to
 * chunks while it is written makes it older, not wrong. One that cannot be written is reported, and tried again when as
 * many chunks have come once more, and at the end.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { CHECKPOINT_CHUNKS_MIN, CHECKPOINT_STEP_BYTES } from "../protocol/limits.ts";
import type { Category } from "./category.ts";
import { Checkpoint, CHECKPOINT_FILE, encodingCheckpoint, type MarkedCategory } from "./checkpoint.ts";
import { type Chunk, INDEX_SUFFIX } from "./chunk.ts";
import type { StorageContext } from "./context.ts";
import { type Disk, DiskError } from "./disk.ts";
import { breath, inSteps, type Pace } from "./in_steps.ts";
import { readFile, TEMPORARY_SUFFIX, writeAll } from "./publish_file.ts";

/** What is in a directory besides the files of sealed chunks, and the stamp that it had then. */
export interface CategoryListing {
  readonly stamp: string;
  readonly names: readonly string[];
}

/** What it is built from. */
export interface CheckpointerSeams
  extends Pick<StorageContext, "disk" | "clock" | "log" | "guard" | "options"> {
  readonly categories: ReadonlyMap<string, Category>;
}

const NO_NAMES: readonly string[] = [];

/** The process ends: what is written in the background is given up. */
class ClosedError extends Error {}

/** Whether what is known of a chunk's end can be written down: it will not change, and nothing is wrong with it. */
function isFit({ sealed, damaged, torn, poisoned }: Chunk): boolean {
  return sealed && !damaged && !torn && !poisoned;
}

/** What there is in a directory besides the files of `chunks` that can be written down. */
export function namesBesides(names: Iterable<string>, chunks: Iterable<Chunk>): readonly string[] {
  const marked = new Set<string>();
  for (const chunk of chunks) if (isFit(chunk)) marked.add(chunk.name);
  const left: string[] = [];
  for (const name of names) {
    if (!marked.has(name.endsWith(INDEX_SUFFIX) ? name.slice(0, -INDEX_SUFFIX.length) : name)) {
      left.push(name);
    }
  }
  // Most have nothing else.
  return left.length === 0 ? NO_NAMES : left;
}

/** Keeps the checkpoint of a store. */
export class Checkpointer {
  readonly #seams: CheckpointerSeams;
  readonly #min: number;
  readonly #listings = new Map<string, CategoryListing>();
  /** Chunks that the last one has, and those that were sealed, or looked at, since. */
  #marked = 0;
  #unmarked = 0;
  #isThere = false;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(seams: CheckpointerSeams) {
    this.#seams = seams;
    this.#min = seams.options.checkpointChunksMin ?? CHECKPOINT_CHUNKS_MIN;
  }

  /** Reads the last one; `undefined` if there is none that can be used. */
  load(): Checkpoint | undefined {
    const { disk, log } = this.#seams;
    try {
      const bytes = readFile(disk, CHECKPOINT_FILE);
      this.#isThere = bytes !== undefined;
      return bytes && Checkpoint.decode(bytes);
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof DiskError)) throw error;
      log.warn("the checkpoint cannot be used: this start looks at each chunk instead", {
        file: CHECKPOINT_FILE,
        error: error.message,
      });
      return undefined;
    }
  }

  /** A start has found so many sealed chunks in a category, of which the last checkpoint had `believed`. */
  found(category: string, listing: CategoryListing | undefined, sealed: number, believed: number): void {
    if (listing) this.#listings.set(category, listing);
    this.#marked += believed;
    this.#unmarked += sealed - believed;
  }

  /** A chunk was sealed. */
  sealed(): void {
    this.#unmarked++;
    this.writeIfDue();
  }

  /** Writes one in the background, if that is worth it. */
  writeIfDue(): void {
    if (this.#closed || this.#running || this.#unmarked < Math.max(this.#min, this.#marked / 2)) return;
    const pace = () => this.#closed ? Promise.reject(new ClosedError()) : breath(this.#seams.clock);
    this.#running = this.#write(pace, false).finally(() => {
      this.#running = undefined;
      // More may have come meanwhile.
      this.writeIfDue();
    });
  }

  /** Writes the last one of this process. Nothing else may be under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    let things = this.#seams.categories.size;
    for (const { chunks } of this.#seams.categories.values()) things += chunks.size;
    if (things >= this.#min) await this.#write(() => Promise.resolve(), true);
    else if (this.#isThere) this.#remove();
  }

  async #write(pace: Pace, isLast: boolean): Promise<void> {
    const { disk, log, guard } = this.#seams;
    const unmarked = this.#unmarked;
    const count = { chunks: 0 };
    // A failure is not to be repeated with each chunk.
    this.#unmarked = 0;
    try {
      const bytes = await inSteps(pace, encodingCheckpoint(this.#marks(isLast, count)));
      guard.admit(bytes.length);
      await publishInSteps(disk, bytes, pace);
      this.#isThere = true;
      this.#marked = count.chunks;
    } catch (error) {
      if (error instanceof ClosedError) {
        this.#unmarked += unmarked;
        return;
      }
      if (!(error instanceof DiskError || error instanceof ChukchaError)) throw error;
      log.warn(
        "the checkpoint could not be written: a start looks at each chunk that the last one does not have",
        {
          file: CHECKPOINT_FILE,
          error: error.message,
        },
      );
    }
  }

  *#marks(isLast: boolean, count: { chunks: number }): Generator<MarkedCategory> {
    for (const [name, category] of this.#seams.categories) {
      const { directory } = category.state;
      if (!directory.isThere) continue;
      const { path } = directory;
      // Both at once: whatever comes later makes the stamp another one.
      const listing = this.#listing(name, category, path, isLast);
      const owners = category.chunks.owners().map((owner) => {
        const chunks = category.chunks.ofOwner(owner).filter(isFit);
        count.chunks += chunks.length;
        return [owner, chunks] as const;
      });
      yield { directory: path, stamp: listing?.stamp, names: listing?.names ?? NO_NAMES, owners };
    }
  }

  /** What is known of a directory as it is now; `undefined` if it has changed, or something of it is not written down. */
  #listing(name: string, { chunks }: Category, path: string, isLast: boolean): CategoryListing | undefined {
    const { disk } = this.#seams;
    const stamp = disk.stampOf(path);
    const known = this.#listings.get(name);
    for (const chunk of chunks.all()) if (chunk.sealed && !isFit(chunk)) return undefined;
    if (stamp === undefined || stamp === known?.stamp) return stamp === undefined ? undefined : known;
    this.#listings.delete(name);
    if (!isLast) return undefined;
    const files = disk.list(path).filter((entry) => !entry.isDirectory).map((entry) => entry.name).sort();
    return { stamp, names: namesBesides(files, chunks.all()) };
  }

  #remove(): void {
    try {
      this.#seams.disk.remove(CHECKPOINT_FILE);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      // It is as true as before.
      this.#seams.log.debug("a checkpoint that is not needed could not be removed", { error: error.message });
    }
  }
}

/** As `publishFile`, for a large file: others have their turn while it is written. */
async function publishInSteps(disk: Disk, bytes: Uint8Array, pace: Pace): Promise<void> {
  const file = disk.open(CHECKPOINT_FILE + TEMPORARY_SUFFIX, { write: true, create: true });
  try {
    file.truncate(0);
    for (let at = 0; at < bytes.length; at += CHECKPOINT_STEP_BYTES) {
      const part = bytes.subarray(at, at + CHECKPOINT_STEP_BYTES);
      writeAll(file, part, at);
      await pace(part.length);
    }
    await file.sync();
  } finally {
    file.close();
  }
  disk.rename(CHECKPOINT_FILE + TEMPORARY_SUFFIX, CHECKPOINT_FILE);
  await disk.syncDirectory("");
}
