/**
 * What is known of the consumers of one category, in memory, and told to the order of changes, which other nodes follow.
 *
 * Invariant: of each name there is one place, whose record only grows. Names that are forgotten are kept, a bounded
 * number of them: beyond, the one that was forgotten first goes.
 *
 * @module
 */
import { CONSUMERS_FORGOTTEN_MAX } from "../protocol/limits.ts";
import { ChangeEntry, type ChangeLog } from "./change_log.ts";
import { RecordedPlace, type StartOf } from "./consumer_place.ts";
import { type ConsumerRecord, mergeConsumers } from "./consumer_record.ts";

/** What is known of one consumer, and its place in the order of changes. */
interface Known {
  readonly place: RecordedPlace;
  readonly entry: ChangeEntry;
}

/** Consumers, by name. */
export class ConsumerTable {
  readonly #category: string;
  readonly #changes: ChangeLog;
  readonly #startOf: StartOf;
  readonly #known = new Map<string, Known>();
  #forgotten = 0;
  /** Grows with each change. */
  version = 0;

  constructor(category: string, changes: ChangeLog, startOf: StartOf) {
    this.#category = category;
    this.#changes = changes;
    this.#startOf = startOf;
  }

  /** How many there are, without those that are forgotten. */
  get size(): number {
    return this.#known.size - this.#forgotten;
  }

  /** In no particular order, without those that are forgotten. */
  *present(): Iterable<RecordedPlace> {
    for (const { place } of this.#known.values()) if (!place.record.forgotten) yield place;
  }

  /** One that is not forgotten. */
  get(name: string): RecordedPlace | undefined {
    const place = this.#known.get(name)?.place;
    return place?.record.forgotten ? undefined : place;
  }

  /** What is known of it, also that it is forgotten. */
  record(name: string): ConsumerRecord | undefined {
    return this.#known.get(name)?.place.record;
  }

  /** All records, those of forgotten ones too, with what `more` says besides. */
  with(more: ReadonlyMap<string, ConsumerRecord>): Map<string, ConsumerRecord> {
    const all = new Map(Array.from(this.#known, ([name, { place }]) => [name, place.record]));
    for (const [name, record] of more) {
      const known = all.get(name);
      all.set(name, known ? mergeConsumers(known, record) : record);
    }
    return all;
  }

  /** Takes over what is known besides; `source`: who said so. */
  add(name: string, record: ConsumerRecord, source: string | undefined): void {
    const known = this.#known.get(name);
    const before = known?.place.record;
    const merged = before ? mergeConsumers(before, record) : record;
    if (merged === before) return;
    if (before?.forgotten) this.#forgotten--;
    // Those that are forgotten stand in the order in which they were.
    if (merged.forgotten) this.#known.delete(name);
    const entry = known?.entry ?? new ChangeEntry(this.#category, undefined, undefined, name);
    this.#known.set(name, { place: new RecordedPlace(name, merged, this.#startOf), entry });
    if (merged.forgotten) this.#forgotten++;
    this.version++;
    this.#changes.touch(entry, source);
    if (this.#forgotten > CONSUMERS_FORGOTTEN_MAX) this.#dropFirst();
  }

  #dropFirst(): void {
    for (const [name, { place, entry }] of this.#known) {
      if (!place.record.forgotten) continue;
      this.#known.delete(name);
      this.#changes.remove(entry);
      this.#forgotten--;
      return;
    }
  }
}
