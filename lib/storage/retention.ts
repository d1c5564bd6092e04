/**
 * Deletes what has expired by the rules of this node: by age, by size, and by what consumers are done with, for each
 * category that has a rule.
 *
 * What is decided is `retention_due.ts`, how old something is `observed_time.ts`, what every consumer has passed
 * `passed_chunks.ts`. Deleting is what acknowledging does:
 * the chunks' numbers join the set of acknowledged ones, which goes to the other nodes, and from which nothing comes
 * back. A crash leaves what it leaves there: the chunk as it was, or the set, with which the next start removes the rest.
 *
 * Nothing expires within {@linkcode RETENTION_GRACE_MS} of a start. What would is said at once, so that who wrote `7h`
 * for `7d` reads it in time. After that it is looked at every {@linkcode RETENTION_CHECK_MS}. A look costs little for
 * each category that has a rule, plus what has expired, plus, where the rule is one of size, one sum over its chunks.
 * No request waits for any of it, and without a rule none of this is built.
 *
 * @module
 */
import { type CategoryLimits, hasLimit, limitFor } from "../protocol/category_limits.ts";
import { ChukchaError } from "../protocol/errors.ts";
import {
  RETENTION_BATCH_CATEGORIES_MAX,
  RETENTION_BATCH_CHUNKS_MAX,
  RETENTION_CHECK_MS,
  RETENTION_GRACE_MS,
} from "../protocol/limits.ts";
import type { Log } from "../protocol/log.ts";
import type { HealthCheck } from "../protocol/types.ts";
import type { Chunk } from "./chunk.ts";
import type { ChunkList } from "./chunk_list.ts";
import type { CancelTimer, Clock } from "./clock.ts";
import type { Disk } from "./disk.ts";
import { ageMs, silentMs } from "./observed_time.ts";
import { PassedChunks } from "./passed_chunks.ts";
import { expired } from "./retention_due.ts";
import type { Store } from "./store.ts";
import { TimeObserver } from "./time_observer.ts";

/** What expires. */
export interface RetentionRules {
  /** Milliseconds since the last message of a chunk. */
  readonly age: CategoryLimits;
  /** Bytes that a category may hold on all nodes together. */
  readonly size: CategoryLimits;
  /** Categories whose chunks go once every consumer has passed them: those that have any limit. */
  readonly consumed: CategoryLimits;
}

/** What retention is built from. */
export interface RetentionSeams {
  readonly store: Store;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly rules: RetentionRules;
  /** An owner that nobody heard of for this long is gone: then others decide about its chunks. */
  readonly finaliseAfterMs: number;
  /** Milliseconds since each other node was heard of, of those that were in this run. */
  heardMs(): ReadonlyMap<string, number>;
  /** Until when this node has heard of all that happened at every peer; `undefined` if one of them cannot be asked. */
  toldMs(): number | undefined;
}

/** How it goes. */
export interface RetentionStatus {
  /** How long it is until something may expire; 0 from then on. */
  readonly graceMs: number;
  /** Chunks that had expired at the last look and are not deleted yet, and their bytes. */
  readonly dueChunks: number;
  readonly dueBytes: number;
  /** Chunks that this process has deleted, and their bytes. */
  readonly deletedChunks: number;
  readonly deletedBytes: number;
  /** Why the last look could not delete all that had expired; `undefined` if it could. */
  readonly lastError: string | undefined;
}

/** Categories that the log names at the start. */
const CATEGORIES_TOLD_MAX = 5;

interface Due {
  chunks: number;
  bytes: number;
}

/** Whether there is anything that retention would do. */
export function hasRetention({ age, size, consumed }: RetentionRules): boolean {
  return hasLimit(age) || hasLimit(size) || hasLimit(consumed);
}

/** Looks for what has expired, from time to time, and deletes it. */
export class Retention {
  readonly #seams: RetentionSeams;
  readonly #time: TimeObserver;
  readonly #passed: PassedChunks;
  #graceEndMs = Infinity;
  #due = { chunks: 0, bytes: 0 };
  readonly #deleted = { chunks: 0, bytes: 0 };
  /** What failed in this look, and in the last one that ended. */
  #failure: string | undefined;
  #lastError: string | undefined;
  #cancelTimer: CancelTimer = () => {};
  #looking: Promise<void> = Promise.resolve();
  #closed = false;

  /** Reads what former processes saw of time. Before this node takes copies: what is here must be its own past. */
  constructor(seams: RetentionSeams) {
    this.#seams = seams;
    this.#time = new TimeObserver(seams, newestOwn(seams.store));
    this.#passed = new PassedChunks({
      clock: seams.clock,
      rule: seams.rules.consumed,
      passed: (category) => seams.store.passedByConsumers(category),
      toldMs: () => seams.toldMs(),
    });
  }

  /** Begins. */
  start(): void {
    this.#graceEndMs = this.#seams.clock.monotonic() + RETENTION_GRACE_MS;
    this.#looking = this.#run(() => this.#announce());
  }

  /** Ends; resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer();
    await this.#looking;
    this.#time.observe();
    await this.#time.save();
  }

  /** How it goes. */
  status(): RetentionStatus {
    return {
      graceMs: this.#graceMs(),
      dueChunks: this.#due.chunks,
      dueBytes: this.#due.bytes,
      deletedChunks: this.#deleted.chunks,
      deletedBytes: this.#deleted.bytes,
      lastError: this.#lastError,
    };
  }

  /** The same for people. */
  check(): HealthCheck {
    const name = "retention";
    const { graceMs, dueChunks, dueBytes, deletedChunks, deletedBytes, lastError } = this.status();
    if (lastError !== undefined) return { name, ok: false, message: `expired chunks stay: ${lastError}` };
    const deleted = `${deletedChunks} expired chunks (${deletedBytes} bytes) deleted since the start`;
    if (graceMs === 0) return { name, ok: true, message: deleted };
    const due = `${dueChunks} chunks (${dueBytes} bytes) have expired`;
    const message = `${due}; nothing is deleted in the next ${Math.ceil(graceMs / 1000)} s`;
    return { name, ok: true, message };
  }

  // --- looks ---

  #graceMs(): number {
    return Math.max(0, this.#graceEndMs - this.#seams.clock.monotonic());
  }

  #arm(): void {
    if (this.#closed) return;
    const grace = this.#graceMs();
    const delayMs = grace > 0 ? Math.min(grace, RETENTION_CHECK_MS) : RETENTION_CHECK_MS;
    this.#cancelTimer = this.#seams.clock.after(delayMs, () => {
      this.#looking = this.#run(() => this.#look(this.#graceMs() > 0));
    });
  }

  /** A defect is told; the next look comes nevertheless. */
  async #run(look: () => Promise<unknown>): Promise<void> {
    try {
      await look();
    } catch (error) {
      this.#lastError = String(error);
      this.#seams.log.error("retention failed; it is tried again", {
        error: error instanceof Error ? error.stack : this.#lastError,
      });
    }
    this.#arm();
  }

  /** The look at the start: says what the rules amount to now. */
  async #announce(): Promise<void> {
    const byCategory = await this.#look(true);
    const { log } = this.#seams;
    if (byCategory.size === 0) return log.info("retention: no chunk has expired yet");
    const largest = [...byCategory].sort(([, a], [, b]) => b.bytes - a.bytes).slice(0, CATEGORIES_TOLD_MAX);
    log.warn(
      "retention: chunks have expired and will be deleted after these minutes, on every node; if that is not meant, stop " +
        "this node before and correct --retention-age, --retention-size or --retention-consumed",
      {
        ...this.#due,
        minutes: RETENTION_GRACE_MS / 60_000,
        categories: byCategory.size,
        most: largest.map(([category, { chunks }]) => `${category} (${chunks})`).join(", "),
      },
    );
  }

  /** Deletes what has expired, unless it is only to be counted; returns what is left of it, by category. */
  async #look(spare: boolean): Promise<ReadonlyMap<string, Due>> {
    const { store, heardMs } = this.#seams;
    this.#time.observe();
    this.#time.hear(heardMs());
    const left = new Map<string, Due>();
    const deleted = { chunks: 0, bytes: 0 };
    const owners = new Set<string>();
    this.#failure = undefined;
    let looked = 0;
    for (const [category, list] of store.chunkLists()) {
      if (this.#closed) return left;
      if (++looked % RETENTION_BATCH_CATEGORIES_MAX === 0) await this.#breathe();
      for (const owner of list.owners()) if (owner !== this.#own) owners.add(owner);
      const chunks = this.#expired(category, list, spare);
      if (chunks.length === 0) continue;
      const done = spare ? 0 : await this.#delete(category, chunks);
      add(deleted, sum(chunks.slice(0, done)));
      if (done < chunks.length) left.set(category, sum(chunks.slice(done)));
    }
    this.#time.hear(heardMs(), owners);
    this.#due = { chunks: 0, bytes: 0 };
    left.forEach((due) => add(this.#due, due));
    this.#report(deleted);
    await this.#time.saveIfDue();
    return left;
  }

  get #own(): string {
    return this.#seams.store.identity.instance;
  }

  #expired(category: string, list: ChunkList, spare: boolean): Chunk[] {
    const { rules, finaliseAfterMs } = this.#seams;
    const limits = { ageMs: limitFor(rules.age, category), bytes: limitFor(rules.size, category) };
    const passed = this.#passed.of(category, list, spare);
    if (limits.ageMs === undefined && limits.bytes === undefined && !passed) return [];
    const { observed } = this.#time;
    return expired({
      ...limits,
      finaliseAfterMs,
      owners: list.owners().map((owner) => ({
        chunks: list.ofOwner(owner),
        silentMs: owner === this.#own ? "own" : silentMs(observed, owner),
      })),
      age: (timeMs) => ageMs(observed, timeMs),
      ...passed ? { passed } : {},
    });
  }

  /** Deletes as many as it can, in order; returns how many. */
  async #delete(category: string, chunks: readonly Chunk[]): Promise<number> {
    for (let at = 0; at < chunks.length; at += RETENTION_BATCH_CHUNKS_MAX) {
      if (this.#closed) return at;
      try {
        await this.#seams.store.expire(category, chunks.slice(at, at + RETENTION_BATCH_CHUNKS_MAX));
      } catch (error) {
        if (!(error instanceof ChukchaError)) throw error;
        this.#failure = error.message;
        return at;
      }
      await this.#breathe();
    }
    return chunks.length;
  }

  #report(deleted: Due): void {
    const { log } = this.#seams;
    add(this.#deleted, deleted);
    if (deleted.chunks > 0) log.info("chunks have expired and are deleted", { ...deleted });
    if (this.#failure !== undefined && this.#lastError === undefined) {
      log.error("expired chunks could not be deleted; it is tried again", { error: this.#failure });
    }
    this.#lastError = this.#failure;
  }

  /** Lets others have their turn. */
  #breathe(): Promise<void> {
    return new Promise((resolve) => this.#seams.clock.soon(resolve));
  }
}

/** The latest time that a chunk of this node's own bears. */
function newestOwn(store: Store): number | undefined {
  let newest: number | undefined;
  for (const [, chunks] of store.chunkLists()) {
    const last = chunks.lastOf(store.identity.instance);
    if (last) newest = Math.max(newest ?? 0, last.timeMs);
  }
  return newest;
}

function sum(chunks: readonly Chunk[]): Due {
  return { chunks: chunks.length, bytes: chunks.reduce((bytes, { size }) => bytes + size, 0) };
}

function add(total: Due, more: Due): void {
  total.chunks += more.chunks;
  total.bytes += more.bytes;
}
