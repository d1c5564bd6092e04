/**
 * Replaces a small file as a whole: whoever reads it, after whatever crash, sees the old bytes or the new ones.
 *
 * @module
 */
import type { Disk } from "./disk.ts";

/** Ending of a file that is not published yet; found at start, it is removed. */
export const TEMPORARY_SUFFIX = ".tmp";

/**
 * Publishes `bytes` as `directory/name`.
 *
 * A crash before step 4 leaves the old file and a temporary one; after it the new file, on the device only once
 * step 5 is done. Rejects with `DiskError`; then the old file is in place, or the new one not yet durable.
 */
export async function publishFile(
  disk: Disk,
  directory: string,
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  const path = directory === "" ? name : `${directory}/${name}`;
  // 1. a file of its own, 2. all bytes, 3. on the device
  await writeTemporary(disk, path, bytes);
  // 4. in place of the old one
  disk.rename(path + TEMPORARY_SUFFIX, path);
  // 5. the name on the device too
  await disk.syncDirectory(directory);
}

/** Writes `bytes` into the temporary file of `path`, and puts them on the device: what is left is to rename it. */
export async function writeTemporary(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const file = disk.open(path + TEMPORARY_SUFFIX, { write: true, create: true });
  try {
    file.truncate(0);
    writeAll(file, bytes, 0);
    await file.sync();
  } finally {
    file.close();
  }
}

/** Writes all of `bytes` at `offset`, however many calls that takes. Throws `DiskError`. */
export function writeAll(
  file: { write(bytes: Uint8Array, offset: number): number },
  bytes: Uint8Array,
  offset: number,
): void {
  let done = file.write(bytes, offset);
  while (done < bytes.length) done += file.write(bytes.subarray(done), offset + done);
}

/** Reads a whole file; `undefined` if there is none. Throws `DiskError`. */
export function readFile(disk: Disk, path: string): Uint8Array | undefined {
  const size = disk.sizeOf(path);
  if (size === undefined) return undefined;
  const file = disk.open(path, {});
  try {
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, file.read(bytes, 0));
  } finally {
    file.close();
  }
}
