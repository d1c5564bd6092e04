/**
 * A real disk whose calls can be held up or made to fail, one by one, while a node runs on it.
 *
 * @module
 */
import type { Disk, DiskFile, DiskSpace } from "../../lib/storage/disk.ts";

/** What a test may put in front of a call; each may throw instead. */
export interface DiskHooks {
  /** Before a file is opened. */
  open?: (path: string) => void;
  /** Before a write; returns how many of `bytes` go through. */
  write?: (path: string, bytes: number) => number;
  /** Before a sync. */
  sync?: (path: string) => Promise<void> | void;
  /** Before a read. */
  read?: (path: string) => void;
  /** Instead of the real room. */
  space?: () => DiskSpace;
}

/** Puts `hooks` in front of `disk`. They may change at any time. */
export function faultyDisk(disk: Disk, hooks: DiskHooks): Disk {
  return passingOn(disk, {
    open: (path, mode) => {
      hooks.open?.(path);
      return faultyFile(disk.open(path, mode), path, hooks);
    },
    space: () => hooks.space?.() ?? disk.space(),
  });
}

/** A disk that passes on to `disk` whatever `over` does not do itself. */
export function passingOn(disk: Disk, over: Partial<Disk>): Disk {
  return {
    open: (path, mode) => disk.open(path, mode),
    sizeOf: (path) => disk.sizeOf(path),
    list: (path) => disk.list(path),
    stampOf: (path) => disk.stampOf(path),
    makeDirectory: (path) => disk.makeDirectory(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncDirectory: (path) => disk.syncDirectory(path),
    lock: (path) => disk.lock(path),
    space: () => disk.space(),
    ...over,
  };
}

function faultyFile(file: DiskFile, path: string, hooks: DiskHooks): DiskFile {
  return {
    size: () => file.size(),
    read: (into, offset) => {
      hooks.read?.(path);
      return file.read(into, offset);
    },
    write: (bytes, offset) =>
      file.write(bytes.subarray(0, hooks.write?.(path, bytes.length) ?? bytes.length), offset),
    truncate: (size) => file.truncate(size),
    sync: async () => {
      await hooks.sync?.(path);
      await file.sync();
    },
    close: () => file.close(),
  };
}
