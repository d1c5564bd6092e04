/**
 * A disk for those who share the process's descriptors: what finds none left has idle files closed, and is tried once
 * more.
 *
 * Files that are kept open only to save an open must not be the reason that a directory cannot be synced, or a new
 * category made: with a low limit they would be that for ever, since nothing else closes them.
 *
 * Rejected: asking the system for its limit (there is no call for it here, and connections count against the same one).
 *
 * @module
 */
import { type Disk, DiskError } from "./disk.ts";

/**
 * Passes on to `disk`; where it is out of descriptors, calls `relieve`, which returns whether it has closed any, and
 * tries again if so.
 */
export function withRelief(disk: Disk, relieve: () => boolean): Disk {
  const isRelieved = (error: unknown): boolean =>
    error instanceof DiskError && error.kind === "too_many_open" && relieve();
  const attempt = <T>(call: () => T): T => {
    try {
      return call();
    } catch (error) {
      if (!isRelieved(error)) throw error;
      return call();
    }
  };
  return {
    open: (path, mode) => attempt(() => disk.open(path, mode)),
    sizeOf: (path) => disk.sizeOf(path),
    list: (path) => attempt(() => disk.list(path)),
    stampOf: (path) => disk.stampOf(path),
    makeDirectory: (path) => disk.makeDirectory(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncDirectory: (path) =>
      disk.syncDirectory(path).catch((error) => {
        if (!isRelieved(error)) throw error;
        return disk.syncDirectory(path);
      }),
    lock: (path) => disk.lock(path),
    space: () => disk.space(),
  };
}
