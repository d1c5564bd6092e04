/**
 * The directory of one category: made when it is first needed, and the files that are made and removed in it.
 *
 * What a crash leaves when a chunk's files are made: the two names, or one of them, or none, and no byte in either: both
 * names are on the device before the first append.
 *
 * @module
 */
import { ChukchaError, quote } from "../protocol/errors.ts";
import { categoryDirectory } from "../protocol/names.ts";
import type { Chunk } from "./chunk.ts";
import type { StorageContext } from "./context.ts";
import { DiskError } from "./disk.ts";
import { SharedSync } from "./shared_sync.ts";

/** What it needs of the context. */
type DirectoryContext = Pick<StorageContext, "disk" | "files" | "indexes" | "log" | "rootSync">;

const DONE = Promise.resolve();

/** One category's directory. */
export class CategoryDirectory {
  readonly #category: string;
  readonly #path: string;
  readonly #context: DirectoryContext;
  #sync: SharedSync | undefined;
  /** Resolves when it is there for good; `undefined` if nobody asked yet, or it failed. */
  #made: Promise<void> | undefined;
  #isThere: boolean;

  /** @param exists whether it was found at the start */
  constructor(category: string, context: DirectoryContext, exists: boolean) {
    this.#category = category;
    this.#path = categoryDirectory(category);
    this.#context = context;
    this.#isThere = exists;
    if (exists) this.#made = DONE;
  }

  /** Below the data directory. */
  get path(): string {
    return this.#path;
  }

  /** Whether it was found, or made. */
  get isThere(): boolean {
    return this.#isThere;
  }

  /** Makes the directory unless it is there. Rejects with `DiskError`, or `ChukchaError` if something is in the way. */
  ensure(): Promise<void> {
    this.#made ??= this.#make().catch((error) => {
      this.#made = undefined;
      throw error;
    });
    return this.#made;
  }

  /** Puts the names that were made in it on the device. */
  sync(): Promise<void> {
    this.#sync ??= new SharedSync(() => this.#context.disk.syncDirectory(this.#path));
    return this.#sync.run();
  }

  /** Makes both files of a chunk, the index first; neither may exist. Throws `DiskError`, having made none. */
  create(chunk: Chunk): void {
    const made: string[] = [];
    try {
      for (const path of [chunk.indexPath, chunk.dataPath]) {
        this.#context.files.give(this.#context.files.create(path));
        made.push(path);
      }
    } catch (error) {
      this.remove(chunk, made);
      throw error;
    }
  }

  /** Removes a chunk's files. One that resists is left for the next start. */
  remove(chunk: Chunk, paths: readonly string[] = [chunk.dataPath, chunk.indexPath]): void {
    chunk.removed = true;
    this.#context.indexes.forget(chunk);
    for (const path of paths) {
      this.#context.files.forget(path);
      try {
        this.#context.disk.remove(path);
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        if (error.kind === "not_found") continue;
        this.#context.log.warn("an acknowledged file could not be removed; the next start tries again", {
          path,
          error: error.message,
        });
      }
    }
  }

  async #make(): Promise<void> {
    const { disk, rootSync } = this.#context;
    try {
      disk.makeDirectory(this.#path);
      this.#isThere = true;
    } catch (error) {
      if (!(error instanceof DiskError) || error.kind !== "exists") throw error;
      const names = disk.list("").map((entry) => entry.name);
      if (!names.includes(this.#path)) {
        throw new ChukchaError(
          "invalid_parameter",
          `category: ${
            quote(this.#category)
          } differs only in case from an existing one, which this file system cannot tell apart`,
        );
      }
      if (disk.list(this.#path).length > 0) {
        throw new ChukchaError(
          "disk_failed",
          `category: a directory for ${
            quote(this.#category)
          } was put into the data directory; restart to take it over`,
        );
      }
    }
    await rootSync.run();
  }
}
