/**
 * The files that keep the consumers of one category.
 *
 * ```text
 * consumers.json             all of them, as they were when this was last put on the device
 * consumers.recent-0.json    all of them, as they are: these two are written over in turn, with each group of
 * consumers.recent-1.json    acknowledgements, and never synced
 * ```
 *
 * An acknowledgement is answered when it is in one of the recent files, which survives the death of the process and costs
 * one write into pages that are in memory: no device is waited for, and no journal of the file system. Within a second
 * the first file follows, by way of a temporary one that is synced. What must not be lost (where a consumer begins, a
 * seek, that one is forgotten) and, with `--sync-each-write`, everything, goes into the first one at once. An orderly end
 * leaves that one alone.
 *
 * A start takes all that are there and merges them: which of them is newer is of no interest, since what is known of a
 * consumer only grows. What a crash leaves:
 *
 * - of the process: the first file whole, the old one or the new one, perhaps with a temporary one, which the start
 *   removes. One of the recent files may have been cut off in the middle of being written over; it fails its checksum and
 *   is left aside. The other one has everything that was answered.
 * - of the machine: the first whole, as it was last synced. The recent ones may be as they were, older, missing, empty or
 *   torn: nothing depends on them. At most the acknowledgements of the last second are lost, and those messages are
 *   handed out again.
 *
 * What a start finds may not be on the device for certain, be it in the first file only: it is put there again within a
 * second.
 *
 * The first is never written without a sync, so one that cannot be read is damage: such a start is refused, as with
 * `acknowledged.json`. Rejected: one file that is renamed without a sync (a power cut may leave it empty, with all places
 * in it), a recent file that is made anew each time (ext4 writes a file out at once that takes the place of another, 300 µs
 * for each ack, and making or removing one waits for its journal while anything is being synced), a journal (two formats,
 * and compaction), and a sync for each acknowledgement (a disk makes some hundred a second).
 *
 * @module
 */
import { decodeConsumers, encodeConsumers } from "./consumer_json.ts";
import { type ConsumerRecord, mergeConsumers } from "./consumer_record.ts";
import { type Disk, DiskError } from "./disk.ts";
import { publishFile, readFile, writeAll } from "./publish_file.ts";

/** Name of the file in a category's directory. */
export const CONSUMERS_FILE = "consumers.json";
/** Names of the recent ones. */
export const CONSUMERS_RECENT_FILES = ["consumers.recent-0.json", "consumers.recent-1.json"] as const;
/** What to do about a file that cannot be read. */
export const CONSUMERS_ADVICE =
  "restore it, or remove it: in a cluster this node is told the consumers' places by the " +
  "others, alone its consumers begin anew, so that messages are handed out again";

/** Blanks may follow JSON. */
const BLANK = 0x20;

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
  /** Which of the recent files has what was saved last. */
  #last = 1;
  /** What each of the recent files has, where that is known: asking costs more than the write. */
  readonly #sizes: (number | undefined)[] = [];
  /** Whether there is a recent file. */
  #hasRecent: boolean;

  /** @param recent the recent files that are there */
  constructor(disk: Disk, directory: string, recent: readonly string[]) {
    this.#disk = disk;
    this.#directory = directory;
    this.#hasRecent = recent.length > 0;
  }

  /** Returns when they are in the kernel. Throws `DiskError`; then what was saved before still counts. */
  save(records: ConsumerRecords): void {
    const next = 1 - this.#last;
    const bytes = encodeConsumers(records);
    const file = this.#disk.open(this.#path(CONSUMERS_RECENT_FILES[next]!), { write: true, create: true });
    this.#hasRecent = true;
    try {
      const size = this.#sizes[next] ?? file.size();
      this.#sizes[next] = undefined;
      const whole = padded(bytes, size);
      writeAll(file, whole, 0);
      this.#sizes[next] = whole.length;
    } finally {
      file.close();
    }
    this.#last = next;
  }

  /** Resolves when they are on the device. Rejects with `DiskError`; then they may be there or not. */
  sync(records: ConsumerRecords): Promise<void> {
    return publishFile(this.#disk, this.#directory, CONSUMERS_FILE, encodeConsumers(records));
  }

  /**
   * Removes the recent files, for good: what they say has been synced. One that resists is left for the next time.
   * Rejects with `DiskError`.
   */
  async tidy(): Promise<void> {
    if (!this.#hasRecent) return;
    this.#hasRecent = false;
    this.#sizes.length = 0;
    for (const name of CONSUMERS_RECENT_FILES) {
      try {
        this.#disk.remove(this.#path(name));
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        if (error.kind !== "not_found") this.#hasRecent = true;
      }
    }
    // Or a power cut may bring them back, empty, and the next start would speak of a crash.
    await this.#disk.syncDirectory(this.#directory);
  }

  #path(name: string): string {
    return `${this.#directory}/${name}`;
  }
}

/** What was there and was longer is overwritten by blanks: nothing is ever cut. */
function padded(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length >= size) return bytes;
  const whole = new Uint8Array(size).fill(BLANK);
  whole.set(bytes);
  return whole;
}
