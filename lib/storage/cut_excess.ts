/**
 * Cuts this node's copy of a chunk to what is complete elsewhere, and publishes the excess again as new messages.
 *
 * That happens where the owner was given up, or came back, while nodes could not ask each other: the shortest complete
 * size wins. Order: what stays is on the device; the excess is published again and is on the device; then the index is replaced by one that ends
 * earlier, as a whole; then the data is cut; then readers see it.
 *
 * What a crash leaves: before the index is replaced, the longer copy, with which all is done again (messages are there
 * twice, none is lost); after it, a finalised copy with bytes behind its end, which the next start cuts off.
 *
 * @module
 */
import { concatenate } from "../protocol/bytes.ts";
import { ChukchaError } from "../protocol/errors.ts";
import type { Category } from "./category.ts";
import { type Chunk, INDEX_SUFFIX } from "./chunk.ts";
import { CopyMismatchError } from "./copies.ts";
import { type Disk, DiskError } from "./disk.ts";
import { toChukchaError } from "./failure.ts";
import { IndexBuilder } from "./index_builder.ts";
import { decodeRecord, RECORD_BYTES } from "./index_record.ts";
import { publishAgain } from "./publish_again.ts";
import { publishFile, readFile } from "./publish_file.ts";
import { uninitialised } from "./uninitialised.ts";
import { verify } from "./verify.ts";

const NEWLINE = 10;

/** What the chunk will be. */
interface Prefix {
  readonly size: number;
  readonly rolling: number;
  readonly timeMs: number;
  readonly index: Uint8Array;
}

/**
 * Cuts `chunk` to `size` bytes, whose CRC is `rolling`.
 *
 * Rejects with `CopyMismatchError` if it is not longer, or its first bytes are others; with `ChukchaError` for what the
 * disk or the append of the excess said. Then its end is still there.
 */
export async function cutExcess(
  category: Category,
  chunk: Chunk,
  size: number,
  rolling: number,
): Promise<void> {
  const { state, own, access, copies } = category;
  const { sealer, log, held } = state.context;
  await own.retire((active) => active === chunk);
  held.add(chunk);
  try {
    await sealer.withdraw(chunk);
    await access.settled(chunk);
    const prefix = prefixOf(category, chunk, size, rolling);
    // Whoever reads the new index at the next start believes it without looking. First, since it may fail for good.
    if (!chunk.sealed) await copies.sync(chunk);
    await publishAgain(own, access, chunk, size);
    await access.replace(chunk, () => replaceIndex(category, chunk, prefix));
    log.info("cut a copy to what is complete elsewhere; the rest was published again", {
      chunk: chunk.dataPath,
      bytes: size,
    });
    state.changed(chunk, undefined);
  } catch (error) {
    if (error instanceof CopyMismatchError) throw error;
    throw toChukchaError(error, `cut ${chunk.name}`);
  } finally {
    held.delete(chunk);
    if (chunk.complete && !chunk.sealed) sealer.add(chunk);
  }
}

/** Checks that the chunk begins with this, and makes the index for it. */
function prefixOf({ state }: Category, chunk: Chunk, size: number, rolling: number): Prefix {
  const mismatch = (why: string) => new CopyMismatchError(`${chunk.name}: ${why}; both copies are kept`);
  if (size >= chunk.size || size <= 0) throw mismatch(`it has ${chunk.size} bytes, not more than ${size}`);
  if ((chunk.damagedFrom ?? size) < size) {
    throw new ChukchaError("damaged", `${chunk.name}: its first ${size} bytes are damaged on this node`);
  }
  const { indexes, files } = state.context;
  const index = indexes.get(chunk);
  const number = index.firstEndingAfter(size - 1);
  const record = decodeRecord(index.bytes, number * RECORD_BYTES);
  if (!record) throw new ChukchaError("damaged", `${chunk.name}: its index is damaged on this node`);
  const open = files.take(chunk.dataPath);
  try {
    const last = new Uint8Array(1);
    if (open.file.read(last, size - 1) !== 1 || last[0] !== NEWLINE) {
      throw mismatch(`byte ${size} is not the end of a message`);
    }
    const builder = new IndexBuilder();
    const parts = [index.bytes.slice(0, number * RECORD_BYTES)];
    if (record.end === size) {
      if (record.rolling !== rolling) throw mismatch(`its first ${size} bytes are others`);
      parts.push(index.bytes.slice(number * RECORD_BYTES, (number + 1) * RECORD_BYTES));
    } else {
      // The copy's own record covers more than what stays: one for the part that does.
      const start = record.end - record.length;
      const bytes = uninitialised(record.length);
      if (verify(index, open.file, bytes, start, record.end).good !== record.end) {
        throw new ChukchaError(
          "damaged",
          `${chunk.name}: bytes from ${start} fail their checksum on this node`,
        );
      }
      builder.begin(start, rollingBefore(index.bytes, number), record.timeMs);
      builder.add(bytes.subarray(0, size - start));
      if (builder.rolling !== rolling) throw mismatch(`its first ${size} bytes are others`);
      parts.push(builder.commit().slice());
    }
    builder.begin(size, rolling, record.timeMs);
    parts.push(builder.complete(true).slice());
    return { size, rolling, timeMs: record.timeMs, index: concatenate(parts) };
  } finally {
    files.give(open);
  }
}

function rollingBefore(index: Uint8Array, number: number): number {
  return number === 0 ? 0 : decodeRecord(index, (number - 1) * RECORD_BYTES)?.rolling ?? NaN;
}

/** Replaces the index, cuts the data, and says so; from the first await on either all of that counts or nothing. */
async function replaceIndex({ state }: Category, chunk: Chunk, prefix: Prefix): Promise<void> {
  const { disk, files, indexes, guard, log } = state.context;
  let durable = true;
  try {
    await publishFile(disk, state.directory.path, `${chunk.name}${INDEX_SUFFIX}`, prefix.index);
  } catch (error) {
    if (!(error instanceof DiskError) || !isPublished(disk, chunk, prefix.index)) throw error;
    // It has its name, perhaps not for good: it counts, but the data that the old one needs stays.
    guard.distrust(error.message);
    durable = false;
  }
  files.forget(chunk.indexPath);
  indexes.forget(chunk);
  const data = files.take(chunk.dataPath);
  try {
    if (durable) data.file.truncate(prefix.size);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    chunk.torn = true;
    log.warn("the end of a chunk could not be cut off; the next start tries again", {
      chunk: chunk.dataPath,
      error: error.message,
    });
  } finally {
    files.give(data);
  }
  Object.assign(chunk, {
    size: prefix.size,
    indexSize: prefix.index.length,
    rolling: prefix.rolling,
    timeMs: prefix.timeMs,
    synced: prefix.size,
    complete: true,
    finalised: true,
    sealed: true,
    settled: true,
    damaged: chunk.damaged && (chunk.damagedFrom ?? 0) < prefix.size,
    cuts: chunk.cuts + 1,
    reindexed: chunk.reindexed + 1,
    published: undefined,
  });
  state.noteOpen(chunk);
}

function isPublished(disk: Disk, chunk: Chunk, index: Uint8Array): boolean {
  try {
    const found = readFile(disk, chunk.indexPath);
    return found !== undefined && found.length === index.length &&
      found.every((byte, i) => byte === index[i]);
  } catch (error) {
    if (error instanceof DiskError) return false;
    throw error;
  }
}
