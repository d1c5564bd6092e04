/**
 * Looks at the files of a complete chunk as they lie on the disk, whatever has become of them.
 *
 * What is missing, ends too early, or cannot be read from the device is damage like a flipped bit, and no reason to stop:
 * the rest may be good. Nothing is written here.
 *
 * @module
 */
import { HEAL_STEP_BYTES } from "../protocol/limits.ts";
import type { Chunk } from "./chunk.ts";
import { type Disk, DiskError, type DiskFile } from "./disk.ts";
import { type Examined, examining, pieceReader, type ReadPiece, type Steps } from "./examine.ts";
import { IndexBuilder } from "./index_builder.ts";
import { DAMAGED, decodeRecord, RECORD_BYTES } from "./index_record.ts";
import { readFile } from "./publish_file.ts";

/** Examines both files of a sealed chunk. What is known of its end counts, whatever became of the record that says so. */
export function* inspecting(disk: Disk, chunk: Chunk): Steps<Examined> {
  const file = openIfThere(disk, chunk.dataPath);
  try {
    return yield* examining(expectedIndex(readIndex(disk, chunk), chunk), fileReader(file));
  } finally {
    file?.close();
  }
}

/** Opens a file for reading; `undefined` if it is missing. */
export function openIfThere(disk: Disk, path: string): DiskFile | undefined {
  try {
    return disk.open(path, {});
  } catch (error) {
    if (error instanceof DiskError && error.kind === "not_found") return undefined;
    throw error;
  }
}

/** Pieces of a file; none where it is missing, ends, or cannot be read from the device. */
export function fileReader(file: DiskFile | undefined): ReadPiece {
  if (!file) return () => undefined;
  const whole = pieceReader(file, file.size(), HEAL_STEP_BYTES);
  return (offset, length) => {
    try {
      return whole(offset, length);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
    }
    // The piece alone: what cannot be read may lie beside it.
    const bytes = new Uint8Array(length);
    try {
      return file.read(bytes, offset) === length ? bytes : undefined;
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      return undefined;
    }
  };
}

function isUnreadable(error: unknown): boolean {
  return error instanceof DiskError && error.kind === "failed";
}

/** The index as it lies there; empty where it is missing or cannot be read. */
export function readIndex(disk: Disk, chunk: Pick<Chunk, "indexPath">): Uint8Array {
  try {
    return readFile(disk, chunk.indexPath) ?? new Uint8Array();
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return new Uint8Array();
  }
}

/** The index as found, with the end that is known; records that only say that nothing is known are left out. */
export function expectedIndex(found: Uint8Array, chunk: Chunk, size = chunk.indexSize): Uint8Array {
  const builder = new IndexBuilder();
  builder.begin(chunk.size, chunk.rolling, chunk.timeMs);
  const end = builder.complete(chunk.finalised);
  const index = new Uint8Array(size);
  index.set(found.subarray(0, index.length));
  index.set(end, index.length - end.length);
  for (let at = 0; at < index.length; at += RECORD_BYTES) {
    const record = decodeRecord(index, at);
    if (record && (record.flags & DAMAGED) !== 0) index.fill(0, at, at + RECORD_BYTES);
  }
  return index;
}
