/**
 * The `Disk` of a real machine, below one directory.
 *
 * Positional reads and writes go through `node:fs`, whose synchronous calls cost 2 to 4 µs here. Positions are always
 * given, never kept by the descriptor, so that a rolled-back append is simply written over.
 *
 * Some descriptors are kept open for nothing. When the system has no other left, because connections took them all, one
 * of these is closed and what must be opened is opened in its place; nothing comes in between, since both are calls
 * without a pause. A file that is closed fills the place again. So writes, reads and what they record go on while the
 * process is at its limit.
 *
 * What came into a directory or left it is known by the directory's time of change, which no program can set: neither a
 * restored backup nor a copied directory has the one that was noted, whatever else of it was kept.
 *
 * Rejected: append mode (after a short write the position is wherever the kernel left it), and asynchronous file calls
 * for small records (50 µs each, and they duplicate the descriptor).
 *
 * @module
 */
import fs from "node:fs";
import { DESCRIPTORS_SPARE, DIRECTORY_SETTLED_MS } from "../protocol/limits.ts";
import {
  type Disk,
  type DiskEntry,
  DiskError,
  type DiskErrorKind,
  type DiskFile,
  type DiskSpace,
} from "./disk.ts";

const KINDS: Readonly<Record<string, DiskErrorKind>> = {
  ENOENT: "not_found",
  EEXIST: "exists",
  ENOSPC: "full",
  EDQUOT: "full",
  EMFILE: "too_many_open",
  ENFILE: "too_many_open",
  EROFS: "read_only",
  EACCES: "read_only",
  EPERM: "read_only",
};

/** Runs `call` and turns what the system throws into a `DiskError`. */
function attempt<T>(operation: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw toDiskError(operation, path, cause);
  }
}

function toDiskError(operation: string, path: string, cause: unknown): DiskError {
  if (cause instanceof DiskError) return cause;
  const code = (cause as { code?: unknown } | null)?.code;
  return new DiskError(KINDS[String(code)] ?? "failed", operation, path, cause);
}

/** Descriptors that are open for nothing, until there are no others. */
class SpareDescriptors {
  readonly #open: number[] = [];
  #max = 0;

  /** From now on some are kept. Windows knows no such limit, and has no file for it. */
  keep(): void {
    this.#max = Deno.build.os === "windows" ? 0 : DESCRIPTORS_SPARE;
    this.fill();
  }

  /** Fills up what was used, as far as the system allows. */
  fill(): void {
    try {
      while (this.#open.length < this.#max) this.#open.push(fs.openSync("/dev/null", "r"));
    } catch (cause) {
      if (toDiskError("open", "/dev/null", cause).kind !== "too_many_open") throw cause;
    }
  }

  /** Runs `call`; if it finds no descriptor, once more with one of these. */
  lend<T>(call: () => T): T {
    try {
      return call();
    } catch (cause) {
      const spare = toDiskError("open", "", cause).kind === "too_many_open" ? this.#open.pop() : undefined;
      if (spare === undefined) throw cause;
      fs.closeSync(spare);
      return call();
    }
  }

  /** From now on none are kept. */
  drop(): void {
    this.#max = 0;
    this.#open.splice(0).forEach((fd) => fs.closeSync(fd));
  }
}

class DenoDiskFile implements DiskFile {
  readonly #fd: number;
  readonly #path: string;
  readonly #spare: SpareDescriptors;

  constructor(fd: number, path: string, spare: SpareDescriptors) {
    this.#fd = fd;
    this.#path = path;
    this.#spare = spare;
  }

  size(): number {
    return attempt("stat", this.#path, () => fs.fstatSync(this.#fd).size);
  }

  read(into: Uint8Array, offset: number): number {
    try {
      let done = 0;
      while (done < into.length) {
        const n = fs.readSync(this.#fd, into, done, into.length - done, offset + done);
        if (n === 0) break;
        done += n;
      }
      return done;
    } catch (cause) {
      throw toDiskError("read", this.#path, cause);
    }
  }

  write(bytes: Uint8Array, offset: number): number {
    try {
      const n = fs.writeSync(this.#fd, bytes, 0, bytes.length, offset);
      if (n === 0 && bytes.length > 0) throw new DiskError("full", "write", this.#path);
      return n;
    } catch (cause) {
      throw toDiskError("write", this.#path, cause);
    }
  }

  truncate(size: number): void {
    attempt("truncate", this.#path, () => fs.ftruncateSync(this.#fd, size));
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(
        this.#fd,
        (cause) => cause ? reject(new DiskError("failed", "sync", this.#path, cause)) : resolve(),
      );
    });
  }

  close(): void {
    attempt("close", this.#path, () => fs.closeSync(this.#fd));
    this.#spare.fill();
  }
}

/** Files below one directory of this machine. */
export class DenoDisk implements Disk {
  readonly #root: string;
  readonly #settledMs: number;
  readonly #spare = new SpareDescriptors();

  /**
   * @param root the data directory; made, with its parents, if missing
   * @param settledMs so long after its last change a directory's time is relied upon
   */
  constructor(root: string, settledMs: number = DIRECTORY_SETTLED_MS) {
    this.#root = root;
    this.#settledMs = settledMs;
    attempt("make directory", root, () => Deno.mkdirSync(root, { recursive: true }));
  }

  open(path: string, mode: { write?: boolean; create?: boolean; createNew?: boolean }): DiskFile {
    const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = fs.constants;
    const flags = (mode.write ? O_RDWR : O_RDONLY) |
      (mode.create || mode.createNew ? O_CREAT : 0) | (mode.createNew ? O_EXCL : 0);
    const open = (): number => fs.openSync(this.#full(path), flags, 0o644);
    return attempt("open", path, () => new DenoDiskFile(this.#spare.lend(open), path, this.#spare));
  }

  sizeOf(path: string): number | undefined {
    try {
      return Deno.statSync(this.#full(path)).size;
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return undefined;
      throw toDiskError("stat", path, cause);
    }
  }

  list(path: string): DiskEntry[] {
    return attempt("list", path, () =>
      Array.from(
        this.#spare.lend(() => Array.from(Deno.readDirSync(this.#full(path)))),
        // A symbolic link to a directory counts as one: a category may live on another disk.
        ({ name, isDirectory, isSymlink }) => ({
          name,
          isDirectory: isDirectory || isSymlink && leadsToDirectory(this.#full(`${path}/${name}`)),
        }),
      ));
  }

  stampOf(path: string): string | undefined {
    const { ino, ctime, mtime } = attempt("stat", path, () => Deno.statSync(this.#full(path)));
    // Where there are no such numbers, nothing can be said.
    if (!ino || !ctime || !mtime) return undefined;
    // Two changes within one tick of the file system's clock leave the same time, and the runtime tells `ctime` in seconds.
    if (Math.abs(Date.now() - ctime.getTime()) < this.#settledMs) return undefined;
    return `${ino}:${ctime.getTime()}:${mtime.getTime()}`;
  }

  makeDirectory(path: string): void {
    attempt("make directory", path, () => Deno.mkdirSync(this.#full(path)));
  }

  rename(from: string, to: string): void {
    attempt("rename", from, () => Deno.renameSync(this.#full(from), this.#full(to)));
  }

  remove(path: string): void {
    attempt("remove", path, () => Deno.removeSync(this.#full(path)));
  }

  async syncDirectory(path: string): Promise<void> {
    // Windows can neither open nor sync a directory; its file systems journal the entries themselves.
    if (Deno.build.os === "windows") return;
    try {
      using directory = this.#spare.lend(() => Deno.openSync(this.#full(path)));
      await directory.sync();
    } catch (cause) {
      throw toDiskError("sync directory", path, cause);
    } finally {
      this.#spare.fill();
    }
  }

  lock(path: string): { release(): void } | undefined {
    return attempt("lock", path, () => {
      const file = Deno.openSync(this.#full(path), { write: true, create: true });
      if (!file.tryLockSync(true)) {
        file.close();
        return undefined;
      }
      this.#spare.keep();
      return {
        release: () => {
          this.#spare.drop();
          // Closing is not enough: a child that another thread has forked and that has not yet called exec holds the
          // descriptor too, and the lock with it.
          file.unlockSync();
          file.close();
        },
      };
    });
  }

  space(): DiskSpace {
    const { bavail, blocks, bsize } = attempt("statfs", this.#root, () => fs.statfsSync(this.#root));
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  }

  #full(path: string): string {
    return path === "" ? this.#root : `${this.#root}/${path}`;
  }
}

/** A link that leads nowhere is no directory. */
function leadsToDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
