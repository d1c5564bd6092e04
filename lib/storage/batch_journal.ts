/**
 * `producers.journal` of a category: which batch of which producer was stored where, so that the next process knows a
 * retry too. A retry after `kill -9` is the main case.
 *
 * **Order.** Data, then the entries of the group's batches, then the index records, then, if anyone asked, one sync of
 * all three files. The index record is what commits a group, as ever; an entry counts only if the chunk reaches to the
 * end of what it names. So after the death of the process a batch is there with its entry, or neither is.
 *
 * | the process dies, or the power goes | what is on disk                    | what the next start does                     |
 * | ----------------------------------- | ---------------------------------- | -------------------------------------------- |
 * | within the entries                  | a torn one, bytes nobody vouches for | passes over it, cuts the bytes off          |
 * | between entries and index           | entries of what is not there       | drops them, before anything else, for good   |
 * | after the index                     | both                               | knows the batch                              |
 * | power loss, group not synced        | any mixture                        | knows what is there with its entry           |
 * | while it is replaced                | the old file or the new one        | knows the same                               |
 *
 * **No entry is ever mistaken.** One that names bytes which were not stored could be taken for true by a retry only if
 * other bytes came to lie there, or if the chunk was acknowledged, when nobody can look any more. Neither can happen while
 * it exists. A place in a chunk is written to again only by the same process, after a failure; before that, this file is
 * replaced by one without the entry (`torn`), and on the device. After a crash the chunk never grows by this node's own
 * appends. And no chunk of this node is acknowledged while the file is torn.
 *
 * **Replaced** as a whole from memory, on the device with its name: before the first entry of each process (what an
 * earlier one could not sync, the kernel takes for written), when it is twice as long as what it holds, and when it is
 * torn. Where a full disk has no room for that, a torn one is removed: then retries may be stored twice after the next
 * start, which is what a full disk costs, and writes go on.
 *
 * Rejected: entries behind the index (a kill between the two writes would store a retry twice), or as records of the
 * index (gone with the chunk, which may be acknowledged before the retry comes; and healing replaces indexes); headers
 * within messages (they are the user's, byte for byte); sequences replicated to other nodes (a retry there would have to
 * wait for all of them). A start does not compare bytes: whoever retries has them, and the comparison is made then.
 *
 * @module
 */
import { KIB } from "../protocol/limits.ts";
import { type BatchEntry, entryBytes, EntryWriter } from "./batch_entry.ts";
import type { BatchMemory } from "./batch_memory.ts";
import type { CategoryDirectory } from "./category_directory.ts";
import type { Chunk } from "./chunk.ts";
import type { StorageContext } from "./context.ts";
import { crc32 } from "./crc32.ts";
import { type Disk, DiskError } from "./disk.ts";
import type { OpenFile } from "./open_files.ts";
import { TEMPORARY_SUFFIX, writeAll, writeTemporary } from "./publish_file.ts";

/** Name of the file in a category's directory. */
export const JOURNAL_FILE = "producers.journal";

/** A journal up to this size is never replaced for its size: each time costs two syncs, and 5,000 batches fit in. */
const COMPACT_BYTES_MIN = 256 * KIB;

/** Who sent a batch, and with which number. */
export interface BatchSource {
  readonly producer: string;
  readonly sequence: number;
}

/** A batch of a group. */
export interface SourcedBatch {
  readonly bytes: Uint8Array;
  readonly source: BatchSource | undefined;
}

/** The journal of one category. Whatever changes the file runs between groups, or within one. */
export class BatchJournal {
  readonly #directory: CategoryDirectory;
  readonly #context: Pick<StorageContext, "disk" | "files" | "log">;
  readonly #memory: BatchMemory;
  /** The file is of this process, and takes entries. */
  #begun = false;
  /** There may be entries in the file of what was not stored. */
  #torn = false;
  /** Bytes of entries whose batches are stored. */
  #size = 0;
  #synced = 0;
  /** Size at which it is replaced by a shorter one. */
  #compactAt = 0;
  #staged: BatchEntry[] = [];
  #stagedBytes = 0;

  constructor(
    directory: CategoryDirectory,
    context: Pick<StorageContext, "disk" | "files" | "log">,
    memory: BatchMemory,
  ) {
    this.#directory = directory;
    this.#context = context;
    this.#memory = memory;
  }

  /** Whether it takes entries; otherwise `begin` comes first. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Whether `settle` must come before the next group, and before a chunk is acknowledged. True within a group, too. */
  get torn(): boolean {
    return this.#torn;
  }

  /** Whether most of it is of no use any more. */
  get isDue(): boolean {
    return this.#begun && this.#size >= this.#compactAt;
  }

  /** Makes it take entries. Rejects with `DiskError`, or what the category's directory says. */
  async begin(): Promise<void> {
    if (this.#begun) return;
    await this.#directory.ensure();
    await this.#replace();
  }

  /** Makes it short again. Where that fails it goes on as it is. Rejects with `DiskError` if it is not even that. */
  async compact(): Promise<void> {
    if (!this.isDue) return;
    try {
      await this.#replace();
    } catch (error) {
      if (!this.#begun || !(error instanceof DiskError)) throw error;
      this.#compactAt = 2 * this.#size;
      this.#context.log.warn("a list of producers could not be made shorter; it grows until that succeeds", {
        path: this.#path,
        error: error.message,
      });
    }
  }

  /**
   * Adds the batches of a group that have a producer; they lie one behind the other at the end of `chunk`. Returns the
   * file, to be synced and given back; `undefined` if none has one. Throws `DiskError`.
   */
  write(chunk: Chunk, group: readonly SourcedBatch[], timeMs: number): OpenFile | undefined {
    let offset = chunk.size;
    let length = 0;
    for (const { bytes, source } of group) {
      if (source) {
        this.#staged.push({
          producer: source.producer,
          sequence: source.sequence,
          number: chunk.number,
          offset,
          size: bytes.length,
          crc: crc32(bytes),
          timeMs,
        });
        length += entryBytes(source.producer);
      }
      offset += bytes.length;
    }
    if (length === 0) return undefined;
    this.#torn = true;
    // It was removed since, because the disk is full.
    if (!this.#begun) throw new DiskError("full", "write", this.#path);
    const entries = new EntryWriter(length);
    for (const entry of this.#staged) entries.add(entry.producer, entry.sequence, entry);
    const open = this.#context.files.take(this.#path);
    try {
      writeAll(open.file, entries.written, this.#size);
    } catch (error) {
      this.#context.files.give(open);
      throw error;
    }
    this.#stagedBytes = length;
    return open;
  }

  /** The group of the last `write` is stored, and on the device if `synced`. */
  keep(synced: boolean): void {
    if (this.#staged.length === 0) return;
    this.#staged.forEach((entry) => this.#memory.put(entry));
    this.#size += this.#stagedBytes;
    if (synced) this.#synced = this.#size;
    this.#staged = [];
    this.#torn = false;
  }

  /** Takes back what `keep` was not called for. Rejects with `DiskError`; then it is still torn. */
  async settle(): Promise<void> {
    if (!this.#torn) return;
    try {
      await this.#replace();
    } catch (error) {
      if (!(error instanceof DiskError) || error.kind !== "full") throw error;
      this.#begun = false;
      this.#context.files.forget(this.#path);
      await removeJournal(this.#context, this.#directory.path, NO_ROOM);
      this.#torn = false;
      this.#staged = [];
    }
  }

  /** Puts what it holds on the device. Rejects with `DiskError`; then it is replaced before it is used again. */
  async sync(): Promise<void> {
    await this.settle();
    if (!this.#begun) return await this.begin();
    if (this.#synced === this.#size) return;
    const size = this.#size;
    const open = this.#context.files.take(this.#path);
    try {
      await open.file.sync();
      this.#synced = size;
    } catch (error) {
      this.#torn = true;
      throw error;
    } finally {
      this.#context.files.give(open);
    }
  }

  get #path(): string {
    return `${this.#directory.path}/${JOURNAL_FILE}`;
  }

  /** As `publishFile`, but up to its third step nothing is changed if it fails. */
  async #replace(): Promise<void> {
    const { disk, files } = this.#context;
    const bytes = this.#memory.encode();
    await writeTemporary(disk, this.#path, bytes);
    this.#begun = false;
    disk.rename(this.#path + TEMPORARY_SUFFIX, this.#path);
    files.forget(this.#path);
    await disk.syncDirectory(this.#directory.path);
    this.#size = this.#synced = bytes.length;
    this.#compactAt = Math.max(COMPACT_BYTES_MIN, 2 * bytes.length);
    this.#begun = true;
    this.#torn = false;
    // Of a group that failed: whatever had the file replaced, nothing of it may be kept with the next one.
    this.#staged = [];
  }
}

/** Why a journal is removed that should be replaced. */
export const NO_ROOM = "the disk is too full to keep in mind which batches were stored";

/** Removes a journal for good, since what it says must not be believed. Rejects with `DiskError`. */
export async function removeJournal(
  { disk, log }: { readonly disk: Disk; readonly log: StorageContext["log"] },
  directory: string,
  why: string,
): Promise<void> {
  const path = `${directory}/${JOURNAL_FILE}`;
  for (const name of [path, path + TEMPORARY_SUFFIX]) {
    try {
      disk.remove(name);
    } catch (error) {
      if (!(error instanceof DiskError) || error.kind !== "not_found") throw error;
    }
  }
  await disk.syncDirectory(directory);
  log.warn(`${why}: after the next start, retries of them are stored again`, { path });
}
