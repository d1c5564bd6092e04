/**
 * Looks at one complete chunk as it lies on the disk: every record of its index, and every byte against them.
 *
 * It only finds out whether something is wrong. What exactly is the business of whoever heals, who looks again, so that
 * the common case, in which nothing is, costs two checksums and no memory but the index.
 *
 * Both files are opened anew, past the caches and descriptors that readers use: what matters is what is there under the
 * names. Bytes that the kernel still has in memory are taken from there; what lies beneath them is seen in a later round.
 *
 * @module
 */
import { HEAL_STEP_BYTES } from "../protocol/limits.ts";
import type { Chunk } from "./chunk.ts";
import { crc32 } from "./crc32.ts";
import { type Disk, DiskError, type DiskFile } from "./disk.ts";
import type { Steps } from "./examine.ts";
import { COMPLETE, DAMAGED, decodeRecord, RECORD_BYTES } from "./index_record.ts";
import { openIfThere } from "./inspect.ts";
import { uninitialised } from "./uninitialised.ts";

/** Records that are looked at in one step. */
const STEP_RECORDS = 4096;

/** What is wrong with a chunk: its index, which is made anew, or its data, of which bytes are lost here. */
export interface Finding {
  readonly part: "index" | "data";
  /** For the log. */
  readonly what: string;
}

/** Scans a sealed chunk; returns what is wrong first, `undefined` if nothing is. Throws `DiskError`. */
export function* scanning(disk: Disk, chunk: Chunk): Steps<Finding | undefined> {
  const data = openIfThere(disk, chunk.dataPath);
  try {
    if (!data) return { part: "data", what: "its data file is missing" };
    const size = data.size();
    if (size < chunk.size) {
      return { part: "data", what: `its data file has ${size} bytes of ${chunk.size}` };
    }
    const index = yield* readingIndex(disk, chunk);
    if (!(index instanceof Uint8Array)) return index;
    return yield* holding(data, index, chunk);
  } catch (error) {
    if (!(error instanceof DiskError) || error.kind !== "failed") throw error;
    return { part: "data", what: `the device cannot read it: ${error.message}` };
  } finally {
    data?.close();
  }
}

function* readingIndex(disk: Disk, chunk: Chunk): Steps<Uint8Array | Finding> {
  const file = openIfThere(disk, chunk.indexPath);
  if (!file) return { part: "index", what: "it is missing" };
  try {
    const size = file.size();
    if (size !== chunk.indexSize) {
      return { part: "index", what: `it has ${size} bytes, not ${chunk.indexSize}` };
    }
    const index = uninitialised(size);
    for (let at = 0; at < size;) {
      const filled = file.read(index.subarray(at, Math.min(size, at + HEAL_STEP_BYTES)), at);
      if (filled === 0) return { part: "index", what: "it became shorter" };
      at += filled;
      yield filled;
    }
    return index;
  } finally {
    file.close();
  }
}

/** Holds the data against the index, several records at a time: the last one's rolling checksum vouches for all. */
function* holding(data: DiskFile, index: Uint8Array, chunk: Chunk): Steps<Finding | undefined> {
  const buffer = uninitialised(Math.min(HEAL_STEP_BYTES, chunk.size));
  const count = index.length / RECORD_BYTES;
  let end = 0;
  let rolling = 0;
  for (let n = 0; n < count;) {
    const [start, first] = [end, n];
    let vouched = rolling;
    let isKnown = true;
    for (const stop = Math.min(count, n + STEP_RECORDS); n < stop; n++) {
      const record = decodeRecord(index, n * RECORD_BYTES);
      const isLast = n === count - 1;
      if (!record || record.end - record.length !== end || isLast !== ((record.flags & COMPLETE) !== 0)) {
        return { part: "index", what: `its record ${n} is not whole` };
      }
      if (record.end - start > buffer.length) break;
      isKnown &&= (record.flags & DAMAGED) === 0;
      ({ end, rolling: vouched } = record);
    }
    if (n === first) return { part: "index", what: `its record ${n} is longer than any` };
    const bytes = buffer.subarray(0, end - start);
    const isRead = data.read(bytes, start) === bytes.length;
    rolling = crc32(bytes, rolling);
    if (!isKnown || !isRead || rolling !== vouched) {
      return { part: "data", what: `bytes from ${start} to ${end} fail their checksum` };
    }
    yield bytes.length;
  }
  if (end === chunk.size && rolling === chunk.rolling) return undefined;
  return { part: "index", what: `it ends at ${end} of ${chunk.size}` };
}
