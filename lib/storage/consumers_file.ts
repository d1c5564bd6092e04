/**
 * The two files that keep the consumers of one category.
 *
 * ```text
 * consumers.json           all of them, as they were when this was last put on the device
 * consumers.recent.json    all of them, as they are: replaced with each group of acknowledgements, never synced
 * ```
 *
 * An acknowledgement is answered when the second is in its place, which survives the death of the process, costs some
 * tens of microseconds, and waits for no device. Within a second the first follows, by way of a temporary file that is
 * synced, and the second is removed, unless it is newer again. What must not be lost (where a consumer begins, a
 * seek, that one is forgotten) and, with `--sync-each-write`, everything, goes into the first one at once.
 *
 * A start takes both and merges them: which of them is newer is of no interest, since what is known of a consumer only
 * grows. What a crash leaves:
 *
 * - of the process, at any step: both files whole, each the old one or the new one, and perhaps a temporary one, which
 *   the start removes. Everything that was answered is in one of them.
 * - of the machine: the first whole, as it was last synced. The second may be the last, an older one, missing, empty or
 *   torn: nothing depends on it, so one that fails its checksum is left aside with a warning. At most the
 *   acknowledgements of the last second are lost, and those messages are handed out again.
 * - of the machine, after the first was replaced and before the directory is synced: either first one, with the second or
 *   without it. That is the same loss: the older first one is a second old.
 *
 * What a start finds may not be on the device for certain, be it in the first file only: it is put there again within a
 * second.
 *
 * The first is never written without a sync, so one that cannot be read is damage: such a start is refused, as with
 * `acknowledged.json`. Rejected: one file that is renamed without a sync (a power cut may leave it empty, with all places
 * in it), a journal (two formats, and compaction), and a sync for each acknowledgement (a disk makes some hundred a second).
 *
 * @module
 */
import { decodeConsumers, encodeConsumers } from "./consumer_json.ts";
import { type ConsumerRecord, mergeConsumers } from "./consumer_record.ts";
import { type Disk, DiskError } from "./disk.ts";
import { readFile, replaceFile, TEMPORARY_SUFFIX, writeTemporary } from "./publish_file.ts";

/** Name of the file in a category's directory. */
export const CONSUMERS_FILE = "consumers.json";
/** Name of the other one. */
export const CONSUMERS_RECENT_FILE = "consumers.recent.json";
/** What to do about a file that cannot be read. */
export const CONSUMERS_ADVICE =
  "restore it, or remove it: in a cluster this node is told the consumers' places by the " +
  "others, alone its consumers begin anew, so that messages are handed out again";

/** Consumers by name. */
export type ConsumerRecords = ReadonlyMap<string, ConsumerRecord>;

/** What the files of a category say. */
export interface FoundConsumers {
  readonly records: ConsumerRecords;
  /** Whether there is a recent file. */
  readonly recent: boolean;
  /** Why the recent file was left aside. */
  readonly torn: string | undefined;
}

/** Reads both. Throws `SyntaxError` if `consumers.json` cannot be read, or `DiskError`. */
export function readConsumers(disk: Disk, directory: string): FoundConsumers {
  const synced = readFile(disk, `${directory}/${CONSUMERS_FILE}`);
  const recent = readFile(disk, `${directory}/${CONSUMERS_RECENT_FILE}`);
  const records = synced ? decodeConsumers(synced) : new Map<string, ConsumerRecord>();
  if (!recent) return { records, recent: false, torn: undefined };
  try {
    for (const [name, record] of decodeConsumers(recent)) {
      const known = records.get(name);
      records.set(name, known ? mergeConsumers(known, record) : record);
    }
    return { records, recent: true, torn: undefined };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { records, recent: true, torn: error.message };
  }
}

/** Writes them. */
export class ConsumersFile {
  readonly #disk: Disk;
  readonly #directory: string;
  /** How often the recent file was replaced; `undefined` as long as there is none. */
  #recent: number | undefined;
  #replaced = 0;

  /** @param recent whether there is a recent file */
  constructor(disk: Disk, directory: string, recent: boolean) {
    this.#disk = disk;
    this.#directory = directory;
    if (recent) this.#recent = 0;
  }

  /** Returns when they are in the kernel. Throws `DiskError`; then nothing has changed. */
  save(records: ConsumerRecords): void {
    replaceFile(this.#disk, `${this.#directory}/${CONSUMERS_RECENT_FILE}`, encodeConsumers(records));
    this.#recent = ++this.#replaced;
  }

  /** Resolves when they are on the device. Rejects with `DiskError`; then they may be there or not. */
  async sync(records: ConsumerRecords): Promise<void> {
    const path = `${this.#directory}/${CONSUMERS_FILE}`;
    const recent = this.#recent;
    // 1. a file of its own, with all bytes, on the device
    await writeTemporary(this.#disk, path, encodeConsumers(records));
    // 2. in place of the old one
    this.#disk.rename(path + TEMPORARY_SUFFIX, path);
    // 3. the recent one away, unless it has got newer: it says nothing any more that this one does not say
    if (recent !== undefined && this.#recent === recent) this.#removeRecent();
    // 4. both names on the device
    await this.#disk.syncDirectory(this.#directory);
  }

  #removeRecent(): void {
    try {
      this.#disk.remove(`${this.#directory}/${CONSUMERS_RECENT_FILE}`);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      // The next one tries again.
      if (error.kind !== "not_found") return;
    }
    this.#recent = undefined;
  }
}
