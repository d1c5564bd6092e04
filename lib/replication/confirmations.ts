/**
 * Which other nodes hold how much of this node's chunks, and the writes that wait for that.
 *
 * Nothing is asked: followers say in each poll what came to be held since the last one. A write waits until enough
 * *different* nodes of the cluster said that they hold its last byte; what they hold beyond it does no harm, since a
 * copy is a prefix. With `sync`, only what they have synced counts.
 *
 * What a crash leaves: nothing; the clients' connections are gone with it, and their writes are *maybe*.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import type { WriteResult } from "../protocol/types.ts";
import type { CancelTimer, Clock } from "../storage/clock.ts";
import type { Held } from "./peer.ts";

/** What a write waits for. */
export interface Demand {
  /** Other nodes that must hold it. */
  readonly replicas: number;
  /** They must have synced it. */
  readonly sync: boolean;
  readonly timeoutMs: number;
  /** They may have said so before, and what they said been forgotten: they are to say it again. @default false */
  readonly again?: boolean;
}

interface Holder {
  size: number;
  synced: number;
}

interface Waiter {
  readonly end: number;
  readonly demand: Demand;
  readonly resolve: () => void;
  readonly cancelTimer: CancelTimer;
}

/** One chunk of this node. */
interface Watched {
  readonly holders: Map<string, Holder>;
  waiters: Waiter[];
}

/** What is known of the chunks that are being written, or waited for. */
export class Confirmations {
  readonly #clock: Clock;
  readonly #watched = new Map<string, Watched>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A node of the cluster holds this much of a chunk of this node. */
  note({ instance, category, chunk, size, synced }: Held): void {
    const watched = this.#watch(category, chunk);
    const holder = watched.holders.get(instance);
    if (holder) {
      holder.size = Math.max(holder.size, size);
      holder.synced = Math.max(holder.synced, synced);
    } else {
      watched.holders.set(instance, { size, synced });
    }
    if (watched.waiters.length === 0) return;
    const left: Waiter[] = [];
    for (const waiter of watched.waiters) {
      if (countOf(watched, waiter) < waiter.demand.replicas) left.push(waiter);
      else settle(waiter);
    }
    watched.waiters = left;
  }

  /** Another process is behind this name: what it holds has to be said again. */
  forget(instance: string): void {
    for (const { holders } of this.#watched.values()) holders.delete(instance);
  }

  /** How much of a chunk a node holds, if it said so. */
  heldBy(instance: string, category: string, chunk: string): number | undefined {
    return this.#watched.get(key(category, chunk))?.holders.get(instance)?.size;
  }

  /** Whether someone waits for copies of this chunk to be synced, or for word of them: who is asked to sync says so. */
  wantsSync(category: string, chunk: string): boolean {
    const waiters = this.#watched.get(key(category, chunk))?.waiters;
    return waiters?.some(({ demand }) => demand.sync || demand.again) ?? false;
  }

  /** Drops what is known of a chunk that is complete and held by all, or gone; unless someone waits. */
  release(category: string, chunk: string, size: number, nodes: number): void {
    const watched = this.#watched.get(key(category, chunk));
    if (!watched || watched.waiters.length > 0) return;
    let holders = 0;
    for (const holder of watched.holders.values()) if (holder.size >= size) holders++;
    if (holders >= nodes) this.#watched.delete(key(category, chunk));
  }

  /** Drops what is known of chunks that are gone. */
  sweep(exists: (category: string, chunk: string) => boolean): void {
    for (const [name, { waiters }] of this.#watched) {
      const [category, chunk] = name.split("/") as [string, string];
      if (waiters.length === 0 && !exists(category, chunk)) this.#watched.delete(name);
    }
  }

  /** Chunks that something is known of. */
  get size(): number {
    return this.#watched.size;
  }

  /**
   * Resolves once as many nodes as demanded hold the write. Rejects with `not_confirmed`, written: maybe, if they do not
   * in time, and says how many did.
   */
  wait(category: string, { chunk, offset, size }: WriteResult, demand: Demand): Promise<void> {
    const watched = this.#watch(category, chunk);
    const end = offset + size;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const expire = (): void => {
      watched.waiters = watched.waiters.filter((other) => other !== waiter);
      if (watched.waiters.length + watched.holders.size === 0) this.#watched.delete(key(category, chunk));
      reject(tooFew(countOf(watched, waiter), demand));
    };
    const waiter: Waiter = {
      end,
      demand,
      resolve,
      cancelTimer: this.#clock.after(Math.max(0, demand.timeoutMs), expire),
    };
    if (countOf(watched, waiter) >= demand.replicas) settle(waiter);
    else watched.waiters.push(waiter);
    return promise;
  }

  #watch(category: string, chunk: string): Watched {
    const known = this.#watched.get(key(category, chunk));
    if (known) return known;
    const watched: Watched = { holders: new Map(), waiters: [] };
    this.#watched.set(key(category, chunk), watched);
    return watched;
  }
}

function settle({ cancelTimer, resolve }: Waiter): void {
  cancelTimer();
  resolve();
}

function countOf({ holders }: Watched, { end, demand }: Waiter): number {
  let count = 0;
  for (const { size, synced } of holders.values()) if ((demand.sync ? synced : size) >= end) count++;
  return count;
}

function tooFew(count: number, { replicas, sync, timeoutMs }: Demand): ChukchaError {
  const what = sync ? "hold and have synced it" : "hold it";
  return new ChukchaError(
    "not_confirmed",
    `min_sync_replicas: ${count} of ${replicas} replicas said that they ${what} within ${
      Math.round(timeoutMs)
    } ms; it may yet be replicated`,
    { written: "maybe" },
  );
}

function key(category: string, chunk: string): string {
  return `${category}/${chunk}`;
}
