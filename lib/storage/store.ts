/**
 * The storage of one node: all its categories, behind one lock.
 *
 * Opening it takes the lock, checks whose directory it is, and recovers every category before anything is served.
 * Closing it waits for what is under way, completes what was being written, syncs that, and gives the lock back. A
 * process that dies instead loses nothing that was answered.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { CONSUMER_SYNCS_MAX, INDEX_CACHE_BYTES_MAX } from "../protocol/limits.ts";
import type { Log } from "../protocol/log.ts";
import { categoryDirectory, parseCategoryDirectory } from "../protocol/names.ts";
import type { ChunkInfo, HealthCheck, ScrubStatus } from "../protocol/types.ts";
import type { BatchSource } from "./batch_journal.ts";
import { ProducerBound } from "./batch_memory.ts";
import type { Append } from "./append_queue.ts";
import type { Stored } from "./batches.ts";
import { Category } from "./category.ts";
import { CategoryNames } from "./category_names.ts";
import { type Census, countingChunks } from "./census.ts";
import { ChangeLog } from "./change_log.ts";
import { Checkpointer } from "./checkpointer.ts";
import type { Chunk } from "./chunk.ts";
import type { ChunkList } from "./chunk_list.ts";
import { type ChunkRange, ChunkReader } from "./chunk_reader.ts";
import type { Clock } from "./clock.ts";
import { ConsumerWatchers } from "./consumer_watchers.ts";
import type { Consumers } from "./consumers.ts";
import { ConsumersOf } from "./consumers_of.ts";
import type { StorageContext, StoreOptions } from "./context.ts";
import { Damage } from "./damage.ts";
import type { Disk, DiskSpace } from "./disk.ts";
import { DiskGuard } from "./disk_guard.ts";
import { IndexCache } from "./index_cache.ts";
import { StorageMeter } from "./meter.ts";
import { identify, LOCK_FILE, NODE_FILE, type NodeIdentity, WrongDirectoryError } from "./node_file.ts";
import { offsetSince } from "./offset_since.ts";
import { OpenFiles } from "./open_files.ts";
import { notJoined, type OwnChunks } from "./own_chunks.ts";
import type { Random } from "./random.ts";
import { recoverCategory } from "./recover.ts";
import { withRelief } from "./relief.ts";
import { noSuchCategory, ReplicaStore } from "./replica_store.ts";
import { RotationTimer } from "./rotation_timer.ts";
import { Scrubber } from "./scrubber.ts";
import { Sealer } from "./sealer.ts";
import { SharedSync } from "./shared_sync.ts";
import { Slots } from "./slots.ts";
import { Tail, type TailStart } from "./tail.ts";
import { UnreadableFileError } from "./unreadable_file.ts";
import { Watchers } from "./watchers.ts";

/** The outside world, as a store sees it. */
export interface StoreSeams {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What a store holds, and has open. */
export interface Totals extends Census {
  readonly openFiles: number;
}

/** All categories of one data directory. */
export class Store extends ReplicaStore {
  readonly #lock: { release(): void };
  readonly #scrubber: Scrubber;
  readonly #checkpointer: Checkpointer;
  readonly #names = new CategoryNames(this.categories);
  #closing = false;

  private constructor(
    identity: NodeIdentity,
    context: StorageContext,
    random: Random,
    lock: { release(): void },
  ) {
    super(identity, context);
    this.#lock = lock;
    this.#scrubber = new Scrubber(
      { ...context, random, categories: this.categories },
      context.options.scrubIntervalMs ?? 0,
    );
    this.#checkpointer = new Checkpointer({ ...context, categories: this.categories });
    const onSealed = (): void => this.#checkpointer.sealed();
    context.sealer.onSealed = onSealed;
  }

  /**
   * Opens the data directory behind `seams.disk`.
   *
   * Rejects with `WrongDirectoryError` (in use by another process, of another instance, of another format, or with a
   * category that cannot be read) or `DiskError`.
   */
  static async open(options: StoreOptions, seams: StoreSeams): Promise<Store> {
    const { clock, random, log } = seams;
    // There is nothing to close before there are open files.
    let relieve = (): boolean => false;
    const disk = withRelief(seams.disk, () => relieve());
    const lock = disk.lock(LOCK_FILE);
    if (!lock) {
      throw new WrongDirectoryError(
        "the data directory is in use by another chukcha process; stop that one, or give this one another --data-dir",
      );
    }
    try {
      const mustJoin = (options.peers ?? []).length > 0 && !options.bootstrap;
      const { first, ...identity } = await identify(disk, random, options.instance, mustJoin);
      // The process before may have died between making a name and syncing it: what is found must stay found.
      await disk.syncDirectory("");
      const files = new OpenFiles(disk, options.openFilesMax);
      relieve = () => {
        const kept = files.relieve();
        if (kept === undefined) return false;
        log.warn("out of file descriptors: fewer files are kept open; raise the limit (ulimit -n)", {
          files: kept,
        });
        return true;
      };
      const indexes = new IndexCache(files, INDEX_CACHE_BYTES_MAX);
      const guard = new DiskGuard(disk, clock, log, options.minFreeDiskBytes);
      const damage = new Damage(log);
      const context: StorageContext = {
        options,
        disk,
        clock,
        log,
        files,
        indexes,
        guard,
        reader: new ChunkReader(files, indexes, damage, log),
        damage,
        sealer: new Sealer(files, guard, clock, log),
        rotation: new RotationTimer(clock, options.rotateIntervalMs),
        watchers: new Watchers(),
        consumerWatchers: new ConsumerWatchers(),
        consumerSyncs: new Slots(CONSUMER_SYNCS_MAX),
        rootSync: new SharedSync(() => disk.syncDirectory("")),
        changes: new ChangeLog(),
        membership: { first },
        losses: { count: 0 },
        meter: new StorageMeter(),
        producers: new ProducerBound(),
        incomplete: new Set(),
        unsettled: new Set(),
        held: new Set(),
        prepared: new Map(),
        replacing: new Map(),
        syncing: new Map(),
      };
      const store = new Store(identity, context, random, lock);
      await store.#recover();
      store.#scrubber.start();
      return store;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /**
   * Appends one batch: whole messages. An empty one is stored nowhere.
   *
   * Resolves once it is readable here, and on the device if `sync` is set. One that has a source is stored once, however
   * often it comes, as far as the source is remembered: see `batches.ts`. Rejects with `ChukchaError`.
   */
  append(category: string, bytes: Uint8Array, sync: boolean, source?: BatchSource): Promise<Stored> {
    if (bytes.length === 0) return Promise.resolve({ chunk: "", offset: 0, size: 0 });
    if (this.#closing) return Promise.reject(drainingError("write"));
    if (!this.joined) return Promise.reject(notJoined());
    try {
      return this.made(category).append(bytes, sync, source);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The same without a promise, for a batch of at least one byte that has no source: small writes are many. */
  submit(category: string, append: Append): void {
    if (this.#closing) return append.refused(drainingError("write"));
    if (!this.joined) return append.refused(notJoined());
    let own: OwnChunks;
    try {
      ({ own } = this.made(category));
    } catch (error) {
      return append.refused(error);
    }
    own.submit(append);
  }

  /**
   * Has other nodes asked again whether they hold a batch that was recognised: they may have said so long ago, and been
   * forgotten. They are asked to sync it, so it is on the device here first. Rejects with `ChukchaError`.
   */
  async askAgain(category: string, stored: Stored): Promise<void> {
    await this.categories.get(category)?.askAgain(stored);
  }

  /** Reads whole messages of one chunk. Rejects with `ChukchaError`. */
  read(category: string, chunk: string, offset: number, sizeMax: number): Promise<ChunkRange> {
    const known = this.categories.get(category);
    return known ? known.read(chunk, offset, sizeMax) : Promise.reject(noSuchCategory(category));
  }

  /** Acknowledges a complete chunk that was seen whole; it is deleted. Rejects with `ChukchaError`. */
  async acknowledge(category: string, chunk: string, size: number): Promise<void> {
    if (this.#closing) throw drainingError("ack");
    await this.known(category).acks.acknowledge(chunk, size);
  }

  /** Deletes complete chunks of a category that have expired, as if they were acknowledged. Rejects with `ChukchaError`. */
  async expire(category: string, chunks: readonly Chunk[]): Promise<void> {
    if (this.#closing) throw drainingError("delete expired chunks");
    await this.known(category).acks.expire(chunks);
  }

  /** The chunks of each category, as they come and go: nothing to be kept. */
  *chunkLists(): Iterable<readonly [category: string, chunks: ChunkList]> {
    for (const { name, chunks } of this.categories.values()) yield [name, chunks];
  }

  /** Chunks of a category, sorted by name; none for an unknown one. */
  listChunks(category: string): ChunkInfo[] {
    return this.categories.get(category)?.list() ?? [];
  }

  /** Names of the categories that hold, or held, messages; sorted. */
  listCategories(): readonly string[] {
    return this.#names.list();
  }

  /** Follows a category, which need not exist yet. The caller closes it. */
  tail(category: string, start: TailStart): Tail {
    return new Tail({
      category: () => this.categories.get(category),
      offsetSince: (chunk, timeMs) => offsetSince(this.context.indexes, chunk, timeMs),
      watch: (notify) => this.context.watchers.add(category, notify),
    }, start);
  }

  /** The consumers of a category, which need not exist yet. */
  consumers(category: string): Consumers {
    return new ConsumersOf({
      known: () => this.categories.get(category)?.foundConsumers,
      made: () => {
        if (this.#closing) throw drainingError("consumer");
        return this.made(category).consumers;
      },
      watch: (fn) => this.context.consumerWatchers.add(category, fn),
    });
  }

  /** Names of the categories that consumers were made for, sorted. */
  consumedCategories(): string[] {
    const names: string[] = [];
    // There may be a million categories, and few of them have any.
    for (const { name, foundConsumers } of this.categories.values()) if (foundConsumers) names.push(name);
    return names.sort();
  }

  /** The chunks of a category as they come and go, nothing to be kept; `undefined` if there is no such category. */
  chunks(category: string): ChunkList | undefined {
    return this.categories.get(category)?.chunks;
  }

  /** Calls `notify` whenever bytes are published in a category, until the returned function is called. */
  watch(category: string, notify: () => void): () => void {
    return this.context.watchers.add(category, notify);
  }

  /** Whether every consumer of a category is done with a chunk; `undefined` if it has none. */
  passedByConsumers(category: string): ((chunk: Chunk) => boolean) | undefined {
    const consumers = this.categories.get(category)?.foundConsumers;
    return consumers?.isEmpty === false ? (chunk) => consumers.passed(chunk) : undefined;
  }

  /** How many files of the data directory are open. */
  get openFiles(): number {
    return this.context.files.count;
  }

  /** Counts for the status page. */
  totals(): Totals {
    const counting = countingChunks(this.categories.values());
    for (;;) {
      const { done, value } = counting.next();
      if (done) return { ...value, openFiles: this.context.files.count };
    }
  }

  /** The same, letting others go first again and again. */
  async census(): Promise<Totals> {
    const counting = countingChunks(this.categories.values());
    for (;;) {
      const { done, value } = counting.next();
      if (done) return { ...value, openFiles: this.context.files.count };
      await new Promise<void>((resolve) => this.context.clock.soon(resolve));
    }
  }

  /** Room below which writes are refused. */
  get minFreeBytes(): number {
    return this.context.options.minFreeDiskBytes;
  }

  /** What the store counts of its work. */
  get meter(): StorageMeter {
    return this.context.meter;
  }

  /** Whether writes may be expected to succeed. */
  checkDisk(): HealthCheck {
    return this.context.guard.check();
  }

  /** Whether all that is stored is known to be good. */
  checkChunks({ damaged } = this.totals()): HealthCheck {
    const message = damaged === 0
      ? "no damage known"
      : `${damaged} chunks hold damaged bytes, which no other ` +
        "node has given back yet; they are not served, and the log names them";
    return { name: "chunks", ok: damaged === 0, message };
  }

  /** What looking for rot has found, and what became of it. */
  scrubStatus(): ScrubStatus {
    const { roundMs, chunks, bytes } = this.#scrubber.scrubbed;
    return {
      interval_ms: this.context.options.scrubIntervalMs ?? 0,
      last_round_ms: roundMs ?? null,
      chunks,
      bytes,
      ...this.healer.counts,
    };
  }

  /** Room on the file system. Throws `DiskError`. */
  space(): DiskSpace {
    return this.context.guard.space();
  }

  /** Finishes what is under way, takes no more, completes and syncs what was being written. */
  async close(): Promise<void> {
    this.#closing = true;
    this.context.rotation.close();
    await this.#scrubber.close();
    await this.healer.close();
    await this.finish();
    await this.context.sealer.flush();
    await this.#checkpointer.close();
    this.context.files.close();
    this.#lock.release();
  }

  async #recover(): Promise<void> {
    const { disk, log, sealer, clock } = this.context;
    const startMs = clock.monotonic();
    const unsealed: Chunk[] = [];
    const checkpoint = this.#checkpointer.load();
    // By name, as the files of each of them: see `recover.ts`.
    for (const { name, isDirectory } of disk.list("").sort((a, b) => a.name < b.name ? -1 : 1)) {
      const category = isDirectory ? parseCategoryDirectory(name) : undefined;
      if (category === undefined) {
        if (name !== NODE_FILE && name !== LOCK_FILE) log.debug("not a category, left alone", { path: name });
        continue;
      }
      try {
        const found = await recoverCategory(this.context, category, checkpoint?.of(name));
        this.categories.set(category, new Category(category, this.context, found));
        let sealed = 0;
        for (const chunk of found.chunks) {
          if (chunk.sealed) sealed++;
          else if (chunk.complete) unsealed.push(chunk);
        }
        this.#checkpointer.found(category, found.listing, sealed, found.believed);
      } catch (error) {
        if (!(error instanceof UnreadableFileError)) throw error;
        throw new WrongDirectoryError(
          `${categoryDirectory(category)}/${error.file} cannot be read (${error.message}); ${error.advice}`,
          { cause: error },
        );
      }
    }
    this.context.producers.sort();
    // Not before: a start that is refused leaves nothing running.
    unsealed.forEach((chunk) => sealer.add(chunk, true));
    for (const category of this.categories.values()) {
      category.foundConsumers?.syncSoon();
      for (const chunk of category.chunks.all()) if (chunk.damaged && chunk.sealed) this.healer.add(chunk);
    }
    const { incomplete, options } = this.context;
    if (incomplete.size > 0 && (options.peers ?? []).length === 0) {
      log.warn(
        "copies of other nodes' chunks are not complete, and no peers are set who could say how they end; start with " +
          "--peers, or remove their .idx files to have them taken as they are",
        { chunks: incomplete.size },
      );
    }
    const { categories, chunks, bytes } = this.totals();
    this.#checkpointer.writeIfDue();
    log.info("recovered", { categories, chunks, bytes, ms: Math.round(clock.monotonic() - startMs) });
  }
}

function drainingError(action: string): ChukchaError {
  return new ChukchaError("draining", `${action}: this node is shutting down; use another one, or retry`);
}
