/**
 * The end of a sealed chunk: the record that says that it is complete, and with which size and checksum.
 *
 * That is said once, in the last record of the index, so it is read with care: a start that does not know it takes what
 * fails its checksum at the chunk's end for a torn tail, and cuts off what had been on the device for long. All that this
 * record says follows from the one before it. So one that has rotted is known again in two ways: bits that flipped are
 * put right by its own checksum (`correct_record.ts`), and whatever else became of a few of its bytes, it is still all but
 * the record that would have to be there.
 *
 * To take a record for this one that was none would be worse. Any other vouches for bytes, so that its end, length and
 * both of its checksums are different ones: 14 bytes, of which 7 would have to be right by chance.
 *
 * @module
 */
import { KIB } from "../protocol/limits.ts";
import type { Chunk } from "./chunk.ts";
import { correctRecord } from "./correct_record.ts";
import type { Disk } from "./disk.ts";
import { IndexBuilder } from "./index_builder.ts";
import { COMPLETE, decodeRecord, FINALISED, type IndexRecord, RECORD_BYTES } from "./index_record.ts";

/** So many bytes of a record that rotted have to be those of the one that should be there. */
const ALIKE_BYTES_MIN = 24;

/** Most indexes fit in here: one call reads all of them, and asking for the size first takes ten times as long. */
const beginning = new Uint8Array(16 * KIB);

/**
 * Takes what the last record says that a chunk was finished with; `false` if there is no such record. One in which bits
 * have flipped says so as well: then the chunk is marked as damaged, since its index is.
 */
export function takeSealedEnd(disk: Disk, chunk: Chunk): boolean {
  const index = disk.open(chunk.indexPath, {});
  try {
    const filled = index.read(beginning, 0);
    const size = filled < beginning.length ? filled : index.size();
    const at = size - size % RECORD_BYTES - RECORD_BYTES;
    if (at < 0) return false;
    const isThere = at + RECORD_BYTES <= filled;
    const bytes = isThere ? beginning : new Uint8Array(2 * RECORD_BYTES);
    // With the one before it, if there is one.
    const before = Math.min(at, RECORD_BYTES);
    if (!isThere) index.read(bytes, at - before);
    const last = isThere ? at : before;
    const found = decodeRecord(bytes, last);
    const record = found ?? rottenEnd(bytes, last);
    if (!record || (record.flags & COMPLETE) === 0) return false;
    if (!found) chunk.damaged = true;
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

/** What the record at `at`, which is not whole, said of the end of its chunk; `undefined` if it was another one. */
function rottenEnd(bytes: Uint8Array, at: number): IndexRecord | undefined {
  const corrected = wholeOrCorrected(bytes, at);
  if (corrected) return corrected.length === 0 ? corrected : undefined;
  const before = wholeOrCorrected(bytes, at - RECORD_BYTES);
  if (!before) return undefined;
  // The one that is more alike: the bit that tells them apart may be the one that rotted.
  const [best] = [false, true].map((finalised) => {
    const builder = new IndexBuilder();
    builder.begin(before.end, before.rolling, before.timeMs);
    const expected = builder.complete(finalised);
    const alike = expected.filter((byte, i) => byte === bytes[at + i]).length;
    return { alike, record: decodeRecord(expected, 0) };
  }).sort((one, other) => other.alike - one.alike);
  return best!.alike >= ALIKE_BYTES_MIN ? best!.record : undefined;
}

function wholeOrCorrected(bytes: Uint8Array, at: number): IndexRecord | undefined {
  if (at < 0) return undefined;
  const whole = decodeRecord(bytes, at);
  if (whole) return whole;
  const corrected = correctRecord(bytes, at);
  return corrected && decodeRecord(corrected, 0);
}
