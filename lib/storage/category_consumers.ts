/**
 * The consumers of one category of this node: what is known of them, in memory and in their files.
 *
 * A change is applied to what is known, written, and only then known: one that the disk does not take is refused, and
 * nothing has happened. Changes that come together are written together: acknowledgements of one moment in one file,
 * and what has to be on the device while a sync is under way in the next one. So `consumers_file.ts` says what a crash
 * leaves. What other nodes tell is known at once, and saved within {@linkcode CONSUMERS_SYNC_MS}: they tell it again to
 * the next process. For the same reason a full disk does not keep them from telling it.
 *
 * Since what is known only grows, two changes that are written at the same time need not know of each other: what comes
 * of both is their merger.
 *
 * @module
 */
import { ChukchaError, quote } from "../protocol/errors.ts";
import {
  CONSUMER_INTERVALS_MAX,
  CONSUMERS_MAX,
  CONSUMERS_SYNC_MS,
  TROUBLE_LOG_INTERVAL_MS,
} from "../protocol/limits.ts";
import type { ChunkPosition, From } from "../protocol/position.ts";
import type { CategoryState } from "./category_state.ts";
import type { Chunk } from "./chunk.ts";
import type { CancelTimer } from "./clock.ts";
import { type ConsumerAck, type ConsumerChange, ConsumerChanges } from "./consumer_changes.ts";
import type { RecordedPlace } from "./consumer_place.ts";
import { type ConsumerRecord, countIntervals, mergeConsumers, sameConsumer } from "./consumer_record.ts";
import { ConsumerTable } from "./consumer_table.ts";
import { ConsumersFile, type FoundConsumers } from "./consumers_file.ts";
import { toChukchaError } from "./failure.ts";
import { without } from "./unread.ts";

/** A change that waits to be written. */
interface Waiting {
  readonly name: string;
  readonly change: ConsumerChange;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Consumers, by name. */
export class CategoryConsumers {
  readonly #state: CategoryState;
  readonly #changes: ConsumerChanges;
  readonly #file: ConsumersFile;
  readonly #table: ConsumerTable;
  /** There are consumers elsewhere that have no room here. */
  #untaken = false;
  readonly #acks: Waiting[] = [];
  readonly #moves: Waiting[] = [];
  #saving: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  /** Which version of what is known is on the device. */
  #synced = 0;
  #cancelSync: CancelTimer | undefined;
  #toldMs = -Infinity;

  /** @param found what recovery found */
  constructor(state: CategoryState, found?: FoundConsumers) {
    this.#state = state;
    this.#changes = new ConsumerChanges(state);
    this.#file = new ConsumersFile(state.context.disk, state.directory.path, found?.recent ?? []);
    this.#table = new ConsumerTable(state.name, state.context.changes, this.#changes.startOf);
    found?.records.forEach((record, name) => this.#table.add(name, record, undefined));
  }

  /** Sorted by name, without those that are forgotten. */
  list(): RecordedPlace[] {
    return [...this.#table.present()].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** One that is not forgotten. */
  get(name: string): RecordedPlace | undefined {
    return this.#table.get(name);
  }

  /** What is known of it, also that it is forgotten. */
  record(name: string): ConsumerRecord | undefined {
    return this.#table.record(name);
  }

  /** The existing one, or a new one. */
  async begin(name: string, from: From): Promise<RecordedPlace> {
    const known = this.get(name);
    if (known) return known;
    await this.#move(name, this.#changes.begin(from));
    return this.#present(name);
  }

  /** Says that it uses leases. */
  async useLeases(name: string): Promise<void> {
    if (this.get(name)?.leases) return;
    await this.#move(name, this.#changes.useLeases(name));
  }

  /** Bytes of a chunk are processed. */
  acknowledge(ack: ConsumerAck): Promise<void> {
    const { syncEachWrite = false } = this.#state.context.options;
    const change = this.#changes.acknowledge(ack);
    return syncEachWrite ? this.#move(ack.name, change) : this.#wait(this.#acks, ack.name, change, () => {
      this.#saving ??= this.#saveAll();
    });
  }

  /** Moves it. */
  async seek(name: string, to: From | readonly ChunkPosition[]): Promise<RecordedPlace> {
    await this.#move(name, this.#changes.seek(name, to));
    this.#notify(name);
    return this.#present(name);
  }

  /** Forgets it. */
  async forget(name: string): Promise<void> {
    await this.#move(name, this.#changes.forget(name));
    this.#notify(name);
  }

  /** Takes over what another node knows; `source`: who said so. */
  merge(name: string, told: ConsumerRecord, source: string | undefined): void {
    const known = this.record(name);
    if (countIntervals(told) > 2 * CONSUMER_INTERVALS_MAX) {
      return this.#leave(name, "its place has too many intervals");
    }
    if (!known && !told.forgotten && this.#table.size >= CONSUMERS_MAX) {
      return this.#leave(name, `there are ${CONSUMERS_MAX} already`);
    }
    const merged = known ? mergeConsumers(known, told) : told;
    if (merged === known) return;
    // What is not taken over is handed out again, should its consumer come here.
    if (known && known.epoch === merged.epoch && countIntervals(merged) > CONSUMER_INTERVALS_MAX) return;
    // Whoever said so is told as well, unless that was all there is to know.
    this.#table.add(name, merged, sameConsumer(merged, told) ? source : undefined);
    this.syncSoon();
    this.#notify(name);
  }

  /** Whether there is none, but for those that are forgotten. */
  get isEmpty(): boolean {
    return this.#table.size === 0;
  }

  /** Whether all of them are done with a chunk, and there is at least one. */
  passed({ instance, number, size }: Chunk): boolean {
    if (this.#untaken || this.isEmpty) return false;
    for (const place of this.#table.present()) {
      const unread = place.unread(instance);
      if (without(unread, { number, offset: 0 }, { number, offset: size }) !== unread) return false;
    }
    return true;
  }

  /** Puts what is known on the device within {@linkcode CONSUMERS_SYNC_MS}, if it is not. */
  syncSoon(): void {
    if (this.#cancelSync || this.#table.version === this.#synced) return;
    this.#cancelSync = this.#state.context.clock.after(CONSUMERS_SYNC_MS, () => {
      this.#cancelSync = undefined;
      this.#startSync();
    });
  }

  /** Puts what is known on the device now, and waits for what is under way. */
  async finish(): Promise<void> {
    while (this.#saving || this.#syncing) await (this.#saving ?? this.#syncing);
    if (this.#table.version !== this.#synced) await this.#startSync();
    // One that failed has asked for another one.
    this.#cancelSync?.();
    this.#cancelSync = undefined;
    if (this.#table.version !== this.#synced || this.#saving) return;
    await this.#file.tidy().catch((error) => this.#failed(error, []));
  }

  // --- writing ---

  #move(name: string, change: ConsumerChange): Promise<void> {
    return this.#wait(this.#moves, name, change, () => void this.#startSync());
  }

  #wait(queue: Waiting[], name: string, change: ConsumerChange, start: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      queue.push({ name, change, resolve, reject });
      start();
    });
  }

  async #saveAll(): Promise<void> {
    do {
      await new Promise<void>((resolve) => this.#state.context.clock.soon(resolve));
      await this.#group(this.#acks.splice(0), (all) => this.#file.save(all));
    } while (this.#acks.length > 0);
    // In the same turn as the look at what waits: nothing comes between.
    this.#saving = undefined;
    this.syncSoon();
  }

  #startSync(): Promise<void> {
    return this.#syncing ??= this.#syncAll();
  }

  /** At least once: what is known and not on the device goes with it. */
  async #syncAll(): Promise<void> {
    const { consumerSyncs } = this.#state.context;
    do {
      await consumerSyncs.run(async () => {
        const version = this.#table.version;
        const moved = await this.#group(this.#moves.splice(0), (all) => this.#file.sync(all), true);
        if (moved === undefined) return;
        // What was acknowledged meanwhile is in the other file.
        this.#synced = this.#table.version === version + moved ? this.#table.version : version;
      });
    } while (this.#moves.length > 0);
    this.#syncing = undefined;
    this.syncSoon();
  }

  /** Applies and writes what waits, or refuses all of it; returns how many consumers it has changed, if it was written. */
  async #group(
    group: readonly Waiting[],
    write: (all: ReadonlyMap<string, ConsumerRecord>) => void | Promise<void>,
    always = false,
  ): Promise<number | undefined> {
    const applied: Waiting[] = [];
    const draft = new Map<string, ConsumerRecord>();
    for (const waiting of group) {
      try {
        this.#apply(waiting, draft);
        applied.push(waiting);
      } catch (error) {
        waiting.reject(error);
      }
    }
    if (draft.size === 0 && !always) {
      applied.forEach(({ resolve }) => resolve());
      return 0;
    }
    try {
      await this.#state.directory.ensure();
      await write(this.#table.with(draft));
    } catch (error) {
      this.#failed(error, applied);
      return undefined;
    }
    const before = this.#table.version;
    draft.forEach((record, name) => this.#table.add(name, record, undefined));
    applied.forEach(({ resolve }) => resolve());
    return this.#table.version - before;
  }

  #apply({ name, change }: Waiting, draft: Map<string, ConsumerRecord>): void {
    const known = draft.get(name) ?? this.record(name);
    if (!known && this.#sizeWith(draft) >= CONSUMERS_MAX) {
      throw new ChukchaError(
        "overloaded",
        `consumer: ${
          quote(name)
        }: category ${this.#state.name} has ${CONSUMERS_MAX} consumers already, which is the ` +
          "most; forget those that are not used any more",
      );
    }
    const record = change(known);
    if (record !== known) draft.set(name, record);
  }

  #sizeWith(draft: ReadonlyMap<string, ConsumerRecord>): number {
    let size = this.#table.size;
    for (const name of draft.keys()) if (!this.record(name)) size++;
    return size;
  }

  #failed(error: unknown, waiting: readonly Waiting[]): void {
    const { log, clock } = this.#state.context;
    waiting.forEach(({ name, reject }) => {
      try {
        reject(toChukchaError(error, `consumer ${name}`));
      } catch (defect) {
        reject(defect);
      }
    });
    if (waiting.length > 0 || clock.monotonic() - this.#toldMs < TROUBLE_LOG_INTERVAL_MS) return;
    this.#toldMs = clock.monotonic();
    log.error("the places of consumers could not be put on the device; it is tried again", {
      category: this.#state.name,
      error: String(error),
    });
  }

  #leave(name: string, why: string): void {
    if (this.#untaken) return;
    this.#untaken = true;
    this.#state.context.log.warn(
      "a consumer of another node is not taken over: nothing is deleted for having been read",
      {
        category: this.#state.name,
        consumer: name,
        why,
      },
    );
  }

  #present(name: string): RecordedPlace {
    const place = this.get(name);
    if (place) return place;
    throw new ChukchaError("consumer_not_found", `consumer: ${quote(name)} was forgotten meanwhile`);
  }

  #notify(name: string): void {
    this.#state.context.consumerWatchers.notify(this.#state.name, name);
  }
}
