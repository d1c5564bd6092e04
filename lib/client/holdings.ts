/**
 * The leases of one consumer: what it was handed out and has neither acknowledged nor given back.
 *
 * Owns when they end, that they are renewed while somebody works on them, that they are given back, and that nothing is
 * acknowledged but by `ack`. A lease is renewed at its node when a third of it is over, for `renewMs` at most from when
 * the loop got the batch: a worker that needs long keeps it, one that hangs for ever does not.
 *
 * An ack goes to the node that handed out, since the lease ends there with it. If that one is gone it goes to any other:
 * it names its bytes and its epoch, so that it means the same everywhere, and twice.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { CLIENT_ANSWER_MS, CLIENT_RELEASE_MS } from "../protocol/limits.ts";
import type { Batch, BatchKeeper, BatchOutcome } from "./batch.ts";
import type { ChukchaClient } from "./client.ts";
import type { ConsumedHead } from "./consumer_options.ts";
import { type Nodes, type Patience, Route } from "./route.ts";

/** What is held under a lease. */
interface Hold {
  readonly client: ChukchaClient;
  /** When the loop got it; before, when it arrived. */
  sinceMs: number;
  /** When the lease ends, as far as is known here. */
  endsMs: number;
}

/** Whose leases, and how they are kept. */
export interface HoldingsOptions {
  readonly nodes: Nodes;
  readonly key: string;
  readonly category: string;
  readonly consumer: string;
  readonly leaseMs: number;
  readonly renewMs: number;
  readonly patience: Patience;
  /** Is told when a batch turns out to be from before a seek. */
  readonly onMoved: (epoch: number) => void;
  /** Is told when a lease that was to be renewed is over. */
  readonly onLost: (batch: Batch) => void;
  /** Once it is aborted, an ack makes one attempt at each node and does not wait for any. */
  readonly signal: AbortSignal | undefined;
}

/** What is held. */
export class Holdings implements BatchKeeper {
  readonly #options: HoldingsOptions;
  readonly #held = new Map<Batch, Hold>();
  /** Who handed out what, also when it is not held any more. */
  readonly #homes = new WeakMap<Batch, ChukchaClient>();
  #ending = new AbortController();
  /** Aborted by the end of the loop, or by the signal. */
  #hurry: AbortSignal;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #renewing: Promise<unknown> = Promise.resolve();
  #onSettled = (): void => {};

  constructor(options: HoldingsOptions) {
    this.#options = options;
    this.#hurry = this.#ending.signal;
  }

  /** How many batches are held. */
  get size(): number {
    return this.#held.size;
  }

  /** Holds what a node has lent since `startMs`. */
  add(batch: Batch, client: ChukchaClient, startMs: number, leaseMs: number): void {
    this.#held.set(batch, { client, sinceMs: performance.now(), endsMs: startMs + leaseMs });
    this.#homes.set(batch, client);
    this.#schedule();
  }

  /** Whether the lease of a batch lasts; from now on somebody works on it. */
  begin(batch: Batch): boolean {
    const hold = this.#lasting(batch);
    if (hold) hold.sinceMs = performance.now();
    else this.drop(batch);
    return hold !== undefined;
  }

  /** Forgets a batch, which comes again. */
  drop(batch: Batch): void {
    if (this.#held.delete(batch)) this.#onSettled();
  }

  /** Resolves when nothing is held any more, or the signal is aborted. */
  async settled(signal: AbortSignal): Promise<void> {
    while (this.#held.size > 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const end = (): void => {
          signal.removeEventListener("abort", end);
          resolve();
        };
        this.#onSettled = end;
        signal.addEventListener("abort", end);
      });
    }
  }

  async ack(batch: Batch): Promise<BatchOutcome> {
    const { nodes, key, category, consumer, patience } = this.#options;
    const { chunk, offset, nextOffset: size, epoch } = batch;
    const route = new Route(nodes, key, patience, this.#homes.get(batch));
    const ack = { consumer, chunk, offset, size, epoch, answerMs: CLIENT_ANSWER_MS };
    try {
      await route.request((client) => client.ack(category, ack), this.#hurry);
      this.drop(batch);
      return "done";
    } catch (error) {
      if (!isMoved(error)) throw error;
      this.drop(batch);
      this.#options.onMoved(epoch);
      return "moved";
    }
  }

  release(batch: Batch): Promise<BatchOutcome> {
    const hold = this.#lasting(batch);
    this.drop(batch);
    return hold ? this.#lease(batch, hold, 0) : Promise.resolve("lost");
  }

  async extend(batch: Batch, leaseMs: number): Promise<BatchOutcome> {
    const hold = this.#lasting(batch);
    const outcome = hold ? await this.#lease(batch, hold, leaseMs) : "lost";
    if (outcome === "lost") this.drop(batch);
    return outcome;
  }

  /** Gives back what nobody works on; what cannot be given back is told, and comes again when its lease is over. */
  async giveBack(batches: readonly Batch[]): Promise<void> {
    await Promise.all(batches.map(async (batch) => {
      try {
        await this.release(batch);
      } catch (error) {
        this.#tell(error);
      }
    }));
  }

  /** The same for what was said to be handed out, and never arrived. */
  async giveBackHead(client: ChukchaClient, head: ConsumedHead): Promise<void> {
    try {
      await this.#send(client, head, 0, CLIENT_RELEASE_MS);
    } catch (error) {
      if (!isNotLeased(error)) this.#tell(error);
    }
  }

  /** Renews nothing any more; what is held may still be acknowledged, with one attempt at each node. */
  async rest(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#ending.abort();
    await this.#renewing;
  }

  /** Gives everything back. */
  async close(): Promise<void> {
    await this.rest();
    await this.giveBack([...this.#held.keys()]);
  }

  /** Renews again after a rest. */
  resume(): void {
    const { signal } = this.#options;
    this.#ending = new AbortController();
    this.#hurry = signal ? AbortSignal.any([signal, this.#ending.signal]) : this.#ending.signal;
    if (this.#held.size > 0) this.#schedule();
  }

  /** What is held and not over: after its end the same messages may be on lease to another worker, which is not ours to change. */
  #lasting(batch: Batch): Hold | undefined {
    const hold = this.#held.get(batch);
    return hold && performance.now() < hold.endsMs ? hold : undefined;
  }

  #schedule(): void {
    const { leaseMs, renewMs } = this.#options;
    if (renewMs === 0 || this.#timer !== undefined || this.#ending.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#renewing = this.#renew();
    }, leaseMs / 3);
  }

  async #renew(): Promise<void> {
    const { leaseMs, renewMs, onLost } = this.#options;
    const nowMs = performance.now();
    const due = [...this.#held].filter(([, { endsMs }]) => endsMs - nowMs < leaseMs * 2 / 3);
    await Promise.all(due.map(async ([batch, hold]) => {
      if (nowMs - hold.sinceMs >= renewMs || nowMs >= hold.endsMs) return;
      try {
        if (await this.#lease(batch, hold, leaseMs) === "done" || !this.#held.has(batch)) return;
        this.drop(batch);
        onLost(batch);
      } catch (error) {
        // Tried again in a third of the lease, as long as it lasts.
        this.#tell(error);
      }
    }));
    if (this.#held.size > 0) this.#schedule();
  }

  async #lease(batch: Batch, hold: Hold, leaseMs: number): Promise<BatchOutcome> {
    const startMs = performance.now();
    try {
      const answerMs = leaseMs === 0 ? CLIENT_RELEASE_MS : CLIENT_ANSWER_MS;
      await this.#send(hold.client, batch, leaseMs, answerMs);
      hold.endsMs = startMs + leaseMs;
      return "done";
    } catch (error) {
      if (isNotLeased(error)) return "lost";
      throw error;
    }
  }

  #send(client: ChukchaClient, head: ConsumedHead | Batch, leaseMs: number, answerMs: number): Promise<void> {
    const { category, consumer } = this.#options;
    const { chunk, offset, nextOffset: size, deliveries } = head;
    return client.lease(category, { consumer, chunk, offset, size, leaseMs, deliveries, answerMs });
  }

  #tell(error: unknown): void {
    this.#options.patience.onTrouble?.({ error, failures: 1, retryMs: 0 });
  }
}

function isMoved(error: unknown): boolean {
  return error instanceof ChukchaError &&
    (error.code === "position_moved" || error.code === "consumer_not_found");
}

/** The node has nothing on lease there: it ran out, or was acknowledged, or the consumer was moved or forgotten. */
function isNotLeased(error: unknown): boolean {
  return error instanceof ChukchaError && (error.code === "not_leased" || isMoved(error));
}
