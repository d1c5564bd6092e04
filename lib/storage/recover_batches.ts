/**
 * Reads what an earlier process remembered of producers, and drops what is not true.
 *
 * An entry is true if its chunk is here and reaches to the end of the batch, before any hole; or if the chunk is
 * acknowledged, since it was true before that. What is not true was left by a crash between the entry and the index, or
 * lost in a power cut. It is taken out of the file at once, before anybody can acknowledge the chunk that it names: from
 * then on nobody could tell.
 *
 * A crash in the middle of this leaves the old file or the new one; both lead to the same.
 *
 * @module
 */
import type { Acknowledged } from "./acknowledged.ts";
import { type BatchEntry, eachEntry, entryBytes, EntryWriter } from "./batch_entry.ts";
import { JOURNAL_FILE, NO_ROOM, removeJournal } from "./batch_journal.ts";
import { BatchWindow } from "./batch_window.ts";
import type { Chunk } from "./chunk.ts";
import type { StorageContext } from "./context.ts";
import { DiskError } from "./disk.ts";
import { publishFile, readFile } from "./publish_file.ts";

/** What was found. */
export interface RecoveredBatches {
  /** By producer. */
  readonly windows: ReadonlyMap<string, BatchWindow>;
  /** Largest chunk number that is named, whether that chunk is here or not; -1 for none. */
  readonly largest: number;
}

/** Reads the journal of a category whose chunks have been recovered. Rejects with `DiskError`. */
export async function recoverBatches(
  context: Pick<StorageContext, "disk" | "log" | "options">,
  directory: string,
  chunks: readonly Chunk[],
  acknowledged: Acknowledged,
): Promise<RecoveredBatches> {
  const { disk, log, options: { instance } } = context;
  const path = `${directory}/${JOURNAL_FILE}`;
  const bytes = await readJournal(context, directory);
  const own = new Map(chunks.filter((chunk) => chunk.instance === instance).map((one) => [one.number, one]));
  const isTrue = ({ number, offset, size }: BatchEntry): boolean => {
    if (acknowledged.has(instance, number)) return true;
    const chunk = own.get(number);
    return chunk !== undefined && offset + size <= Math.min(chunk.size, chunk.damagedFrom ?? Infinity);
  };
  const windows = new Map<string, BatchWindow>();
  let largest = -1;
  let dropped = 0;
  const { damaged, torn } = eachEntry(bytes, (entry) => {
    largest = Math.max(largest, entry.number);
    if (!isTrue(entry)) {
      dropped++;
      return;
    }
    let window = windows.get(entry.producer);
    if (!window) windows.set(entry.producer, window = new BatchWindow());
    window.put(entry.sequence, entry);
  });
  if (dropped > 0) {
    await publishFile(disk, directory, JOURNAL_FILE, encode(windows)).catch((error) => {
      if (!(error instanceof DiskError) || error.kind !== "full") throw error;
      return removeJournal(context, directory, NO_ROOM);
    });
    log.info("dropped what was remembered of batches that were not stored", { path, batches: dropped });
  }
  if (torn > 0) {
    log.info("the end of a list of producers is torn: what was not stored is not in it", { path });
  }
  if (damaged > 0) {
    log.warn("part of a list of producers is damaged: retries of these batches are stored again", {
      path,
      bytes: damaged,
    });
  }
  return { windows, largest };
}

/** The journal's bytes; none where the device does not give them: then it is removed, lest it does so another time. */
async function readJournal(
  context: Pick<StorageContext, "disk" | "log">,
  directory: string,
): Promise<Uint8Array> {
  try {
    return readFile(context.disk, `${directory}/${JOURNAL_FILE}`) ?? new Uint8Array();
  } catch (error) {
    if (!(error instanceof DiskError) || error.kind !== "failed") throw error;
    await removeJournal(context, directory, `it cannot be read which batches were stored (${error.message})`);
    return new Uint8Array();
  }
}

function encode(windows: ReadonlyMap<string, BatchWindow>): Uint8Array {
  let size = 0;
  for (const [producer, window] of windows) size += window.size * entryBytes(producer);
  const entries = new EntryWriter(size);
  for (const [producer, window] of windows) {
    for (const [sequence, place] of window.entries()) entries.add(producer, sequence, place);
  }
  return entries.written;
}
