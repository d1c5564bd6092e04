/**
 * Files, as storage sees them: the contract that a real disk, and each simulated one, keeps.
 *
 * One of the four seams (`Clock`, `Random`, `Disk`, `Peer`). Small calls are synchronous, because a system call into
 * the page cache costs 2 to 4 µs and an asynchronous one 50; whatever waits for the device itself is a promise.
 *
 * Paths are relative to the data directory, with `/`, and come only from `protocol/names.ts`.
 *
 * What a crash of the machine leaves: bytes and sizes as of the last `sync` of that file, or any mixture of later
 * ones; directory entries as of the last `syncDirectory`, or any mixture of later ones. A crash of the process alone
 * leaves everything.
 *
 * @module
 */

/** Why a disk refused, in the words that matter here. */
export type DiskErrorKind =
  /** No such file or directory. */
  | "not_found"
  /** It is there already. */
  | "exists"
  /** No space, no quota or no inodes left. */
  | "full"
  /** Out of descriptors. */
  | "too_many_open"
  /** The file system, or the file, takes no writes. */
  | "read_only"
  /** Everything else, an input or output error among it. */
  | "failed";

/** A refused disk operation: the operation, the path, and the system's own error as cause. */
export class DiskError extends Error {
  override readonly name = "DiskError";
  constructor(readonly kind: DiskErrorKind, operation: string, path: string, cause?: unknown) {
    super(`${operation} ${path}: ${cause instanceof Error ? cause.message : kind}`, { cause });
  }
}

/** What passes by itself, without anything having been lost: whatever met it is tried again. */
export const PASSING: ReadonlySet<DiskErrorKind> = new Set(["full", "read_only", "too_many_open"]);

/** Size and kind of a directory's entry. */
export interface DiskEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

/** Room on the file system of the data directory. */
export interface DiskSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** An open file. */
export interface DiskFile {
  /** Current size in bytes. */
  size(): number;
  /** Reads up to `into.length` bytes at `offset`; returns how many, fewer only at the end of the file. */
  read(into: Uint8Array, offset: number): number;
  /** Writes at `offset`; returns how many bytes were taken, which may be fewer than given. Throws `full` at 0. */
  write(bytes: Uint8Array, offset: number): number;
  /** Cuts, or extends with zeros, to `size`. */
  truncate(size: number): void;
  /**
   * Resolves when data and size are on the device. Rejects with `failed`, whatever the reason, a full device too: what
   * could not be written counts as written afterwards, so nothing may be assumed of this file again.
   */
  sync(): Promise<void>;
  /** Closes; further calls throw. */
  close(): void;
}

/** The data directory's file system. Every method throws `DiskError`. */
export interface Disk {
  /** Opens a file for reading and, with `write`, for writing. `create`: makes it if missing; `createNew`: only if missing. */
  open(path: string, mode: { write?: boolean; create?: boolean; createNew?: boolean }): DiskFile;
  /** Size of a file; `undefined` if there is none. */
  sizeOf(path: string): number | undefined;
  /** Entries of a directory in no particular order. `""` is the data directory. */
  list(path: string): DiskEntry[];
  /**
   * A text that is another one once a name has come into a directory, or left it, or leads to another file; `undefined`
   * where that cannot be relied upon, as right after such a change. It stays the same from process to process.
   */
  stampOf(path: string): string | undefined;
  /** Makes one directory; its parent exists. Throws `exists`. */
  makeDirectory(path: string): void;
  /** Renames a file over whatever is there. */
  rename(from: string, to: string): void;
  /** Removes a file. Throws `not_found`. */
  remove(path: string): void;
  /** Resolves when the directory's entries are on the device. */
  syncDirectory(path: string): Promise<void>;
  /** Makes the file and holds it exclusively until `release` or the end of the process; `undefined` if another process does. */
  lock(path: string): { release(): void } | undefined;
  /** Room left. */
  space(): DiskSpace;
}
