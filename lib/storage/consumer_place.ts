/**
 * One consumer's place, for whoever hands messages out.
 *
 * Where it begins with an owner that it has not met is looked up when somebody asks, once chunks of that owner are here,
 * and is part of its record from the next change on: so it is looked up once.
 *
 * @module
 */
import type { ConsumerRecord } from "./consumer_record.ts";
import type { ConsumerPlace } from "./consumers.ts";
import { ALL, type Unread } from "./unread.ts";

/** Looks up where an owner's messages begin that are not older than a time; `undefined` if none of its chunks is here. */
export type StartOf = (owner: string, sinceMs: number) => Unread | undefined;

/** The place that a record stands for. */
export class RecordedPlace implements ConsumerPlace {
  readonly name: string;
  readonly record: ConsumerRecord;
  readonly #startOf: StartOf;
  #met: Map<string, Unread> | undefined;

  constructor(name: string, record: ConsumerRecord, startOf: StartOf) {
    this.name = name;
    this.record = record;
    this.#startOf = startOf;
  }

  get epoch(): number {
    return this.record.epoch;
  }

  get leases(): boolean {
    return this.record.leases;
  }

  unread(owner: string): Unread {
    return this.record.owners.get(owner) ?? this.#met?.get(owner) ?? this.#meet(owner) ?? ALL;
  }

  /** What is not acknowledged of the owners that it has met, those included that were looked up. */
  met(): Map<string, Unread> {
    return new Map([...this.#met ?? [], ...this.record.owners]);
  }

  #meet(owner: string): Unread | undefined {
    const { sinceMs } = this.record;
    const start = sinceMs === undefined ? undefined : this.#startOf(owner, sinceMs);
    if (!start) return undefined;
    this.#met ??= new Map();
    this.#met.set(owner, start);
    return start;
  }
}
