/**
 * What a start does with a copy of another node's chunk that has a hole: it becomes a prefix again, and the rest is
 * fetched again from where the copy came from.
 *
 * A power cut may leave holes in what was not synced. In a chunk of this node's own there is nobody who has those bytes,
 * so both sides of the hole are served and it is reported. A copy can be had again; kept with a hole it would differ
 * from the other copies for ever. What lies behind the hole is set aside as `<chunk>.damaged`, in case that the other
 * copies are lost: nothing reads it, nothing removes it.
 *
 * The same is done with what lies behind an index whose end has rotted: bytes that may be good, and that nothing vouches
 * for any more.
 *
 * What a crash leaves: the file that is set aside, or not, and the copy as it was; then this is done again.
 *
 * @module
 */
import { MIB } from "../protocol/limits.ts";
import type { Log } from "../protocol/log.ts";
import type { Chunk } from "./chunk.ts";
import { type Disk, DiskError } from "./disk.ts";
import type { Examined } from "./examine.ts";
import { COMMIT, DAMAGED, decodeRecord, RECORD_BYTES } from "./index_record.ts";
import { TEMPORARY_SUFFIX, writeAll } from "./publish_file.ts";

/** Ending of the name of a file that nothing reads any more. */
export const DAMAGED_SUFFIX = ".damaged";

/** The part of a copy before its damage, the rest having been set aside; all of it where that is not possible. */
export async function prefixBeforeDamage(
  { disk, log }: { readonly disk: Disk; readonly log: Log },
  chunk: Chunk,
  found: Examined,
): Promise<Examined> {
  const [hole] = found.damaged;
  if (!hole || found.complete) return found;
  const prefix = prefixUpTo(found, hole.from);
  try {
    await setAside(disk, chunk.dataPath, prefix.size, found.size);
  } catch (error) {
    if (!(error instanceof DiskError) || error.kind !== "full") throw error;
    return found;
  }
  log.error("a copy is damaged: it is fetched again from there; what lies behind was set aside", {
    chunk: chunk.dataPath,
    from: hole.from,
    to: hole.to,
    file: chunk.dataPath + DAMAGED_SUFFIX,
  });
  return prefix;
}

/**
 * Whether what lies behind the last good group may be cut off. A crash leaves records that are whole, missing, or zero; one
 * that is neither has rotted, and the bytes that it vouched for may be good: they are set aside first.
 */
export async function isExpendable(
  { disk, log }: { readonly disk: Disk; readonly log: Log },
  chunk: Chunk,
  found: Examined,
  index: Uint8Array,
  dataSize: number,
): Promise<boolean> {
  if (!hasRotted(index, found.index.length)) return true;
  try {
    await setAside(disk, chunk.dataPath, found.size, dataSize);
  } catch (error) {
    if (!(error instanceof DiskError) || error.kind !== "full") throw error;
    // Nothing is served beyond the size. Whoever asked leaves both files alone, so that the next start can try again.
    log.error(
      "the end of an index is damaged, and there is no room to set aside what it vouched for: restart with room",
      {
        chunk: chunk.dataPath,
        from: found.size,
      },
    );
    return false;
  }
  log.error("the end of an index is damaged: the bytes that nothing vouches for now were set aside", {
    chunk: chunk.dataPath,
    from: found.size,
    file: chunk.dataPath + DAMAGED_SUFFIX,
  });
  return true;
}

/** Whether a record at or behind `from` is neither whole nor zero. */
export function hasRotted(index: Uint8Array, from: number): boolean {
  for (let at = from; at + RECORD_BYTES <= index.length; at += RECORD_BYTES) {
    if (!decodeRecord(index, at) && index.subarray(at, at + RECORD_BYTES).some((byte) => byte !== 0)) {
      return true;
    }
  }
  return false;
}

/** Whole groups that end at or before `end`. */
function prefixUpTo(found: Examined, end: number): Examined {
  let size = 0;
  let count = 0;
  let [rolling, timeMs] = [0, 0];
  for (let n = 0; n * RECORD_BYTES < found.index.length; n++) {
    const record = decodeRecord(found.index, n * RECORD_BYTES)!;
    if (record.end > end || (record.flags & DAMAGED) !== 0) break;
    if ((record.flags & COMMIT) === 0) continue;
    ({ end: size, rolling, timeMs } = record);
    count = n + 1;
  }
  const index = found.index.subarray(0, count * RECORD_BYTES);
  return { ...found, size, index, rolling, timeMs, damaged: [] };
}

/** Copies bytes of a file into `<file>.damaged`, durably, and only then under that name. Rejects with `DiskError`. */
export async function setAside(disk: Disk, path: string, from: number, to: number): Promise<void> {
  const target = path + DAMAGED_SUFFIX;
  const source = disk.open(path, {});
  try {
    const file = disk.open(target + TEMPORARY_SUFFIX, { write: true, create: true });
    try {
      file.truncate(0);
      const buffer = new Uint8Array(Math.min(MIB, to - from));
      for (let at = from; at < to;) {
        const filled = source.read(buffer.subarray(0, Math.min(buffer.length, to - at)), at);
        if (filled === 0) break;
        writeAll(file, buffer.subarray(0, filled), at - from);
        at += filled;
      }
      await file.sync();
    } finally {
      file.close();
    }
  } finally {
    source.close();
  }
  disk.rename(target + TEMPORARY_SUFFIX, target);
  await disk.syncDirectory(path.slice(0, path.lastIndexOf("/")));
}
