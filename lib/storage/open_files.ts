/**
 * Keeps the number of open files bounded, however many categories there are.
 *
 * A file is opened on first use, kept open while anything uses it and for as long afterwards as there is room; the
 * one unused for longest is closed first. Closing a file that was written and not synced loses nothing: the bytes are
 * the kernel's, and syncing it through a new descriptor writes them out.
 *
 * @module
 */
import { OPEN_FILES_MIN } from "../protocol/limits.ts";
import { type Disk, DiskError, type DiskFile } from "./disk.ts";

interface Entry {
  readonly path: string;
  readonly file: DiskFile;
  /** The file system took no writes when it was opened. */
  readonly readOnly: boolean;
  users: number;
  /** Gone from the directory: closed as soon as nobody uses it. */
  forgotten: boolean;
}

/** A file in use; whoever took it gives it back with `OpenFiles.give`. */
export type OpenFile = Readonly<Pick<Entry, "file" | "path">>;

/** The open files of one data directory. */
export class OpenFiles {
  readonly #disk: Disk;
  #max: number;
  /** In order of last use, the oldest first. */
  readonly #entries = new Map<string, Entry>();

  constructor(disk: Disk, max: number) {
    this.#disk = disk;
    this.#max = max;
  }

  /** How many are open. */
  get count(): number {
    return this.#entries.size;
  }

  /** Opens, or finds open, the existing file at `path`, for reading and writing. Throws `DiskError`. */
  take(path: string): OpenFile {
    const known = this.#entries.get(path);
    if (known?.readOnly && this.#isWritable(path)) {
      // Opened again, or nothing could be written to it for as long as it stays open.
      this.forget(path);
    } else if (known) {
      known.users++;
      this.#entries.delete(path);
      this.#entries.set(path, known);
      return known;
    }
    this.#makeRoom();
    return this.#add(path, this.#open(path));
  }

  /** Makes the file at `path`, which must not exist. Throws `DiskError`. */
  create(path: string): OpenFile {
    this.#makeRoom();
    return this.#add(path, {
      file: this.#disk.open(path, { write: true, createNew: true }),
      readOnly: false,
    });
  }

  /** Gives back what `take` or `create` returned. */
  give(open: OpenFile): void {
    const entry = open as Entry;
    entry.users--;
    if (entry.users > 0) return;
    if (entry.forgotten) entry.file.close();
    // More were in use at once than may be open: this one is over the bound.
    else if (this.#entries.size > this.#max) this.forget(entry.path);
  }

  /** Says that the file at `path` was removed or replaced: the next `take` opens what is there then. */
  forget(path: string): void {
    const entry = this.#entries.get(path);
    if (!entry) return;
    this.#entries.delete(path);
    entry.forgotten = true;
    if (entry.users === 0) entry.file.close();
  }

  /** Closes all that nobody uses, and the rest as soon as it is given back. */
  close(): void {
    for (const path of [...this.#entries.keys()]) this.forget(path);
  }

  /**
   * The process is out of descriptors: closes files that nobody uses, down to half of what is open, and keeps no more
   * than that from now on. Returns the new bound; `undefined` if there was nothing to close.
   */
  relieve(): number | undefined {
    const max = Math.max(OPEN_FILES_MIN, this.#entries.size >> 1);
    const before = this.#entries.size;
    for (const [path, { users }] of [...this.#entries]) {
      if (this.#entries.size <= max) break;
      if (users === 0) this.forget(path);
    }
    if (this.#entries.size === before) return undefined;
    return this.#max = Math.min(this.#max, max);
  }

  #open(path: string): { file: DiskFile; readOnly: boolean } {
    try {
      return { file: this.#disk.open(path, { write: true }), readOnly: false };
    } catch (error) {
      // On a read-only file system, reads must go on.
      if (!(error instanceof DiskError) || error.kind !== "read_only") throw error;
      return { file: readOnlyFile(this.#disk.open(path, {}), path), readOnly: true };
    }
  }

  #isWritable(path: string): boolean {
    try {
      this.#disk.open(path, { write: true }).close();
      return true;
    } catch (error) {
      if (error instanceof DiskError) return false;
      throw error;
    }
  }

  #add(path: string, { file, readOnly }: { file: DiskFile; readOnly: boolean }): OpenFile {
    const entry: Entry = { path, file, readOnly, users: 1, forgotten: false };
    this.#entries.set(path, entry);
    return entry;
  }

  #makeRoom(): void {
    if (this.#entries.size < this.#max) return;
    for (const [path, entry] of this.#entries) {
      if (entry.users > 0) continue;
      this.#entries.delete(path);
      entry.file.close();
      return;
    }
  }
}

/**
 * A file that could be opened for reading alone, since its file system takes no writes: says so to whoever writes to it.
 * The system would call it a bad descriptor, which looks like a broken disk and not like something that passes.
 */
function readOnlyFile(file: DiskFile, path: string): DiskFile {
  const refuse = (operation: string) => (): never => {
    throw new DiskError("read_only", operation, path);
  };
  return {
    size: () => file.size(),
    read: (into, offset) => file.read(into, offset),
    write: refuse("write"),
    truncate: refuse("truncate"),
    sync: () => file.sync(),
    close: () => file.close(),
  };
}

/** Syncs all of them, and waits for all even if one fails: none may be closed while it is still being synced. */
export async function syncAll(files: readonly OpenFile[]): Promise<void> {
  const ended = await Promise.allSettled(files.map(({ file }) => file.sync()));
  for (const one of ended) if (one.status === "rejected") throw one.reason;
}
