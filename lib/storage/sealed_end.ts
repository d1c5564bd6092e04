/**
 * The end of a sealed chunk: the record that says that it is complete, and with which size and checksum.
 *
 * @module
 */
import { KIB } from "../protocol/limits.ts";
import type { Chunk } from "./chunk.ts";
import type { Disk } from "./disk.ts";
import { COMPLETE, decodeRecord, FINALISED, RECORD_BYTES } from "./index_record.ts";

/** Most indexes fit in here: one call reads all of them, and asking for the size first takes ten times as long. */
const beginning = new Uint8Array(16 * KIB);

/** Takes what the last record says that a chunk was finished with; `false` if there is no such record. */
export function takeSealedEnd(disk: Disk, chunk: Chunk): boolean {
  const index = disk.open(chunk.indexPath, {});
  try {
    const filled = index.read(beginning, 0);
    const size = filled < beginning.length ? filled : index.size();
    const at = size - size % RECORD_BYTES - RECORD_BYTES;
    if (at < 0) return false;
    const isThere = at + RECORD_BYTES <= filled;
    const bytes = isThere ? beginning : new Uint8Array(RECORD_BYTES);
    if (!isThere) index.read(bytes, at);
    const record = decodeRecord(bytes, isThere ? at : 0);
    if (!record || (record.flags & COMPLETE) === 0) return false;
    chunk.size = record.end;
    chunk.indexSize = at + RECORD_BYTES;
    chunk.rolling = record.rolling;
    chunk.timeMs = record.timeMs;
    chunk.sealed = true;
    chunk.finalised = (record.flags & FINALISED) !== 0;
    return true;
  } finally {
    index.close();
  }
}
