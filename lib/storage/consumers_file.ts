/**
 * The files that keep the consumers of one category.
 *
 * ```text
 * consumers.json             all of them, as they were when this was last put on the device
 * consumers.recent-0.json    all of them, as they are: one of these two names, in turn, made new for each group of
 * consumers.recent-1.json    acknowledgements and never synced; then the other one is removed
 * ```
 *
 * An acknowledgement is answered when a recent file is in its place, which survives the death of the process, costs some
 * tens of microseconds, and waits for no device. Within a second the first follows, by way of a temporary file that is
 * synced, and the recent one is removed, unless it is newer again. What must not be lost (where a consumer begins, a
 * seek, that one is forgotten) and, with `--sync-each-write`, everything, goes into the first one at once.
 *
 * A start takes all that are there and merges them: which of them is newer is of no interest, since what is known of a
 * consumer only grows. What a crash leaves:
 *
 * - of the process, at any step: whole files, each the old one or the new one, both recent ones perhaps, and perhaps a
 *   temporary one, which the start removes. Everything that was answered is in one of them.
 * - of the machine: the first whole, as it was last synced. A recent one may be the last, an older one, missing, empty or
 *   torn: nothing depends on it, so one that fails its checksum is left aside with a warning. At most the
 *   acknowledgements of the last second are lost, and those messages are handed out again.
 * - of the machine, after the first was replaced and before the directory is synced: either first one, with the recent one
 *   or without it. That is the same loss: the older first one is a second old.
 *
 * What a start finds may not be on the device for certain, be it in the first file only: it is put there again within a
 * second.
 *
 * The first is never written without a sync, so one that cannot be read is damage: such a start is refused, as with
 * `acknowledged.json`. Rejected: one file that is renamed without a sync (a power cut may leave it empty, with all places
 * in it), one recent file that is replaced (ext4 writes a file out at once that takes the place of another: 300 µs instead
 * of 30), a journal (two formats, and compaction), and a sync for each acknowledgement (a disk makes some hundred a second).
 *
 * @module
 */
import { decodeConsumers, encodeConsumers } from "./consumer_json.ts";
import { type ConsumerRecord, mergeConsumers } from "./consumer_record.ts";
import { type Disk, DiskError } from "./disk.ts";
import { readFile, replaceFile, TEMPORARY_SUFFIX, writeTemporary } from "./publish_file.ts";

/** Name of the file in a category's directory. */
export const CONSUMERS_FILE = "consumers.json";
/** Names of the recent ones. */
export const CONSUMERS_RECENT_FILES = ["consumers.recent-0.json", "consumers.recent-1.json"] as const;
/** What to do about a file that cannot be read. */
export const CONSUMERS_ADVICE =
  "restore it, or remove it: in a cluster this node is told the consumers' places by the " +
  "others, alone its consumers begin anew, so that messages are handed out again";

/** Consumers by name. */
export type ConsumerRecords = ReadonlyMap<string, ConsumerRecord>;

/** A recent file that was left aside. */
export interface TornFile {
  readonly name: string;
  readonly why: string;
}

/** What the files of a category say. */
export interface FoundConsumers {
  readonly records: ConsumerRecords;
  /** The recent files that are there. */
  readonly recent: readonly string[];
  /** Those of them that are not whole. */
  readonly torn: readonly TornFile[];
}

/** Reads all. Throws `SyntaxError` if `consumers.json` cannot be read, or `DiskError`. */
export function readConsumers(disk: Disk, directory: string): FoundConsumers {
  const synced = readFile(disk, `${directory}/${CONSUMERS_FILE}`);
  const records = synced ? decodeConsumers(synced) : new Map<string, ConsumerRecord>();
  const recent: string[] = [];
  const torn: TornFile[] = [];
  for (const name of CONSUMERS_RECENT_FILES) {
    const bytes = readFile(disk, `${directory}/${name}`);
    if (!bytes) continue;
    recent.push(name);
    try {
      for (const [consumer, record] of decodeConsumers(bytes)) {
        const known = records.get(consumer);
        records.set(consumer, known ? mergeConsumers(known, record) : record);
      }
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      torn.push({ name, why: error.message });
    }
  }
  return { records, recent, torn };
}

/** Writes them. */
export class ConsumersFile {
  readonly #disk: Disk;
  readonly #directory: string;
  /** The recent files that are there. */
  #recent: readonly string[];
  /** How often they were saved. */
  #saved = 0;

  /** @param recent the recent files that are there */
  constructor(disk: Disk, directory: string, recent: readonly string[]) {
    this.#disk = disk;
    this.#directory = directory;
    this.#recent = recent;
  }

  /** Returns when they are in the kernel. Throws `DiskError`; then nothing has changed. */
  save(records: ConsumerRecords): void {
    const before = this.#recent;
    const name = CONSUMERS_RECENT_FILES.find((one) => !before.includes(one)) ?? CONSUMERS_RECENT_FILES[0];
    replaceFile(this.#disk, `${this.#directory}/${name}`, encodeConsumers(records));
    this.#saved++;
    this.#recent = [name, ...this.#remove(before.filter((one) => one !== name))];
  }

  /** Resolves when they are on the device. Rejects with `DiskError`; then they may be there or not. */
  async sync(records: ConsumerRecords): Promise<void> {
    const path = `${this.#directory}/${CONSUMERS_FILE}`;
    const saved = this.#saved;
    // 1. a file of its own, with all bytes, on the device
    await writeTemporary(this.#disk, path, encodeConsumers(records));
    // 2. in place of the old one
    this.#disk.rename(path + TEMPORARY_SUFFIX, path);
    // 3. the recent one away, unless it has got newer: it says nothing any more that this one does not say
    if (this.#saved === saved) this.#recent = this.#remove(this.#recent);
    // 4. the names on the device
    await this.#disk.syncDirectory(this.#directory);
  }

  /** Removes files that say nothing that others do not say; returns those that resist, for the next time. */
  #remove(names: readonly string[]): string[] {
    return names.filter((name) => {
      try {
        this.#disk.remove(`${this.#directory}/${name}`);
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        return error.kind !== "not_found";
      }
      return false;
    });
  }
}
