/**
 * What one loop over a consumer is fed from: batches that are fetched ahead while the loop works on the one before.
 *
 * One request is under way at a time, and at most `prefetch` batches wait, so that the bytes held are bounded as well.
 * When the loop ends, what waits is given back at once, so that other workers need not wait for leases. A request that is
 * under way gets a moment: a node that had messages for it has lent them already, and says which, so that they can be
 * given back as well. Aborted at once, it would leave them lent to nobody. One that still waits then is aborted.
 *
 * **Nodes.** All workers of a consumer start at the same node, since leases are known only there. When it fails, each goes
 * on at the next one. When it is back, they return: workers at different nodes would be given the same messages for ever,
 * and to return costs them at most once what others hold at that moment. Before a worker returns it finishes what it
 * holds, for as long as a lease at most, and waits until its acks have arrived there.
 *
 * Rejected: to stay where one is (workers that start later begin at the first node, and the two groups never meet), and
 * to return without finishing (all that is held comes again).
 *
 * @module
 */
import {
  CLIENT_ANSWER_MS,
  CLIENT_LEAVE_MS,
  CLIENT_LEFT_MS,
  CLIENT_POLL_MS,
  CLIENT_RETRY_MS_MIN,
  CLIENT_SETTLE_MS,
} from "../protocol/limits.ts";
import { Batch } from "./batch.ts";
import type { ChukchaClient } from "./client.ts";
import type { ConsumedHead, ConsumeOptions } from "./consumer_options.ts";
import type { Holdings } from "./holdings.ts";
import { type Nodes, type Patience, pause, Route } from "./route.ts";

/** What is fetched, and how. */
export interface FeedOptions {
  readonly nodes: Nodes;
  readonly key: string;
  readonly category: string;
  readonly consume: ConsumeOptions & { readonly leaseMs: number };
  readonly prefetch: number;
  readonly patience: Patience;
  readonly holdings: Holdings;
  readonly signal: AbortSignal | undefined;
}

/** Batches for one loop. */
export class Feed {
  readonly #options: FeedOptions;
  readonly #route: Route;
  readonly #ending = new AbortController();
  /** Aborts the request for messages that is under way, a moment after the end. */
  readonly #leaving = new AbortController();
  #leaveTimer: ReturnType<typeof setTimeout> | undefined;
  /** A request that waited was aborted: until its node knows, what is given back might be handed out to it. */
  #isTornOff = false;
  readonly #waiting: Batch[] = [];
  readonly #filling: Promise<void>;
  /** What is given back besides: awaited at the end. */
  readonly #givingBack = new Set<Promise<void>>();
  #asking: Promise<unknown> = Promise.resolve();
  #isAsking = false;
  /** The node to return to, which said that it is ready. */
  #returning: ChukchaClient | undefined;
  #failure: { readonly error: unknown } | undefined;
  /** The loop waits for a batch. */
  #isWanted = false;
  /** Resolved, and made anew, whenever something changed that somebody may wait for. */
  #next = signalOnce();

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#route = new Route(options.nodes, options.key, options.patience);
    options.signal?.addEventListener("abort", this.#abort);
    if (options.signal?.aborted) this.#abort();
    this.#filling = this.#fill();
  }

  /** The next batch; `undefined` at the end. Throws what reading ended with, and the reason of the signal. */
  async next(): Promise<Batch | undefined> {
    this.#isWanted = true;
    try {
      for (;;) {
        this.#options.signal?.throwIfAborted();
        if (this.#ending.signal.aborted) return undefined;
        const batch = this.#waiting.shift();
        if (batch) {
          this.#notify();
          if (this.#options.holdings.begin(batch)) return batch;
        } else if (this.#failure) {
          throw this.#failure.error;
        } else {
          this.#notify();
          await this.#change();
        }
      }
    } finally {
      this.#isWanted = false;
    }
  }

  /** Drops what was handed out before a seek: it comes again if it is to be read. */
  moved(epoch: number): void {
    this.#dropWhere((batch) => batch.epoch <= epoch);
  }

  /** Drops a batch whose lease is over. */
  lost(lost: Batch): void {
    this.#dropWhere((batch) => batch === lost);
  }

  /** Ends it; resolves when nothing of it is under way any more, and what waited is given back. */
  async end(): Promise<void> {
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#abort();
    await Promise.all([this.#filling, this.#asking]);
    clearTimeout(this.#leaveTimer);
    await Promise.all(this.#givingBack);
    if (this.#isTornOff) await pause(CLIENT_LEFT_MS, new AbortController().signal);
  }

  readonly #abort = (): void => {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort();
    this.#leaveTimer = setTimeout(() => {
      this.#isTornOff = true;
      this.#leaving.abort();
    }, CLIENT_LEAVE_MS);
    this.#giveBackWaiting();
    this.#notify();
  };

  #giveBackWaiting(): void {
    if (this.#waiting.length === 0) return;
    const giving = this.#options.holdings.giveBack(this.#waiting.splice(0));
    this.#givingBack.add(giving);
    void giving.then(() => this.#givingBack.delete(giving));
  }

  async #fill(): Promise<void> {
    const { signal } = this.#ending;
    try {
      while (!signal.aborted) {
        if (!this.#hasRoom()) {
          await this.#change();
          continue;
        }
        await this.#returnToPreferred();
        if (!signal.aborted) await this.#fetch();
      }
    } catch (error) {
      this.#failure = { error };
      this.#notify();
    }
  }

  #hasRoom(): boolean {
    const count = this.#waiting.length;
    return count < this.#options.prefetch || this.#isWanted && count === 0;
  }

  /** Asks the node in use once; after a failure, waits until it is time to ask the next one. */
  async #fetch(): Promise<void> {
    const { category, consume, holdings } = this.#options;
    const { client } = this.#route;
    const { signal } = this.#ending;
    let head: ConsumedHead | undefined;
    let startMs = 0;
    const askedMs = performance.now();
    const onHead = (said: ConsumedHead): void => {
      head = said;
      startMs = performance.now();
      if (signal.aborted) this.#leaving.abort();
    };
    try {
      const got = await client.consume(category, {
        ...consume,
        waitMs: CLIENT_POLL_MS,
        answerMs: CLIENT_ANSWER_MS,
        onHead,
        signal: this.#leaving.signal,
      });
      this.#route.worked();
      if (!got) {
        // Something on the way may cut waits short: that must not make a loop without pauses of them.
        if (performance.now() - askedMs < CLIENT_RETRY_MS_MIN) await pause(CLIENT_RETRY_MS_MIN, signal);
        return;
      }
      const batch = new Batch(category, got, holdings);
      holdings.add(batch, client, startMs, got.leaseMs ?? consume.leaseMs);
      if (signal.aborted) return await holdings.giveBack([batch]);
      // A node that was started again knows no leases, and hands out again what waits here.
      this.#dropWhere((other) => other.epoch < batch.epoch || overlap(other, batch));
      this.#waiting.push(batch);
      this.#notify();
    } catch (error) {
      if (head) await holdings.giveBackHead(client, head);
      if (signal.aborted) return;
      const failed = this.#route.failed(error, signal);
      // What waits comes again from the next node, which knows nothing of the leases of this one.
      if (this.#route.client !== client) this.#giveBackWaiting();
      await failed;
    }
  }

  async #returnToPreferred(): Promise<void> {
    const { signal } = this.#ending;
    const target = this.#returning;
    if (!target) return this.#askPreferred();
    this.#returning = undefined;
    const { holdings, consume } = this.#options;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), consume.leaseMs);
    await holdings.settled(AbortSignal.any([signal, late.signal]));
    clearTimeout(timer);
    await pause(CLIENT_SETTLE_MS, signal);
    this.#route.client = target;
  }

  /** Asks a node that comes before the one in use if it is back; meanwhile things go on where they are. */
  #askPreferred(): void {
    const { preferred } = this.#route;
    if (!preferred || this.#isAsking) return;
    const { nodes } = this.#options;
    this.#isAsking = true;
    this.#asking = preferred.ready({ signal: this.#ending.signal, answerMs: CLIENT_ANSWER_MS }).then(
      (isReady) => {
        if (isReady) this.#returning = preferred;
        else nodes.failed(preferred);
      },
      () => nodes.failed(preferred),
    ).finally(() => this.#isAsking = false);
  }

  #dropWhere(isOver: (batch: Batch) => boolean): void {
    for (const batch of this.#waiting.filter(isOver)) {
      this.#waiting.splice(this.#waiting.indexOf(batch), 1);
      this.#options.holdings.drop(batch);
    }
    this.#notify();
  }

  #change(): Promise<void> {
    return this.#next.promise;
  }

  #notify(): void {
    this.#next.resolve();
    this.#next = signalOnce();
  }
}

function overlap(one: Batch, other: Batch): boolean {
  return one.chunk === other.chunk && one.offset < other.nextOffset && other.offset < one.nextOffset;
}

function signalOnce(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
