/**
 * Bounded: what a node has open, sends at once and remembers stays within its limits.
 *
 * @module
 */
import { REPLICATION_FETCH_BYTES_MAX } from "../../lib/protocol/limits.ts";
import type { Piece } from "../../lib/replication/peer.ts";
import type { Store } from "../../lib/storage/store.ts";
import type { MemoryDisk } from "../support/memory_disk.ts";
import { Violation } from "./violation.ts";

/** Files of chunks that a node of a history may keep open: fewer than for real, where whatever leaks takes longer. */
export const OPEN_FILES_MAX = 512;
/** Descriptors besides those of chunks: the lock, a file that is being published, one that is looked at. */
const OTHER_FILES_MAX = 16;

/** The bytes of one answer to a peer. */
export function checkAnswer(where: string, pieces: readonly Piece[]): void {
  let bytes = 0;
  for (const piece of pieces) bytes += piece.bytes.length;
  // One piece is sent however large it is: no larger than a batch may be.
  if (bytes <= REPLICATION_FETCH_BYTES_MAX || pieces.length === 1) return;
  throw new Violation("Bounded", `${where} answers with ${bytes} bytes in ${pieces.length} pieces`);
}

/** Acknowledged ranges are in order, and those that touch are one. */
export function checkRanges(where: string, ranges: readonly (readonly [number, number])[]): void {
  for (let i = 1; i < ranges.length; i++) {
    if (ranges[i]![0] > ranges[i - 1]![1] + 1) continue;
    throw new Violation("Bounded", `${where} keeps acknowledged ranges apart: ${JSON.stringify(ranges)}`);
  }
}

/** Descriptors, when nothing is under way: each file of a chunk is open at most once. */
export function checkDescriptors(where: string, disk: MemoryDisk, store: Store): void {
  const { chunks } = store.totals();
  if (disk.openFilesPeak > OPEN_FILES_MAX + OTHER_FILES_MAX) {
    throw new Violation("Bounded", `${where} had ${disk.openFilesPeak} files open at once`);
  }
  if (disk.openFiles > 2 * chunks + OTHER_FILES_MAX) {
    throw new Violation("Bounded", `${where} has ${disk.openFiles} files open, of ${chunks} chunks`);
  }
}
