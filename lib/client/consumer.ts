/**
 * Reads a category under a name: what was acknowledged does not come again, wherever it is read the next time.
 *
 * Owns what users of a consumer see: its options, that one loop at a time goes over it, and when it ends. What is fetched
 * is for `feed.ts`, what is held for `holdings.ts`, which node is asked for `route.ts`.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import {
  CLIENT_LEASE_MS_DEFAULT,
  CLIENT_LEASE_MS_MIN,
  CLIENT_PREFETCH_DEFAULT,
  CLIENT_PREFETCH_MAX,
  CLIENT_RENEW_MS_DEFAULT,
  LEASE_MS_MAX,
  MAX_DELIVERIES_MAX,
  READ_BYTES_DEFAULT,
  READ_BYTES_MAX,
} from "../protocol/limits.ts";
import { checkCategory, checkConsumer } from "../protocol/names.ts";
import type { Batch } from "./batch.ts";
import { formatFrom } from "./consumer_calls.ts";
import type { ConsumeOptions, From } from "./consumer_options.ts";
import { Feed } from "./feed.ts";
import { Holdings } from "./holdings.ts";
import type { Nodes, Patience, Trouble } from "./route.ts";

/** Who reads, and how. */
export interface ConsumerOptions {
  /** Under which name. All workers that use the same one share the work; each name by itself sees everything. */
  readonly name: string;
  /**
   * Where a consumer that is new starts; one that was used before goes on where it was.
   *
   * @default "earliest"
   */
  readonly from?: From | undefined;
  /**
   * Bytes of a batch at most, and so the longest message that can be read; never more than 16 MiB.
   *
   * @default 4194304
   */
  readonly maxBytes?: number | undefined;
  /**
   * Milliseconds for which messages are lent to this worker: 100 to 12 hours. When it dies, others are given them after
   * this time at most.
   *
   * @default 30000
   */
  readonly leaseMs?: number | undefined;
  /**
   * Milliseconds for which leases are renewed by themselves while the loop works on a batch, or has not acknowledged it
   * yet. A worker that hangs for longer loses its batch to others. 0: never renewed.
   *
   * @default 3600000
   */
  readonly renewMs?: number | undefined;
  /**
   * How often messages are handed out before they are taken for what no worker can process: they go, one by one, to the
   * category `<category>.dead`.
   *
   * @default without bound
   */
  readonly maxDeliveries?: number | undefined;
  /**
   * Batches that are fetched while the loop works on the one before; at most 100. They take up to `maxBytes` each.
   *
   * @default 2
   */
  readonly prefetch?: number | undefined;
  /** Name of this worker, for people. */
  readonly worker?: string | undefined;
  /**
   * Milliseconds without an answer of any node, after which the loop throws the last error; `Infinity` to go on for ever.
   *
   * @default 600000, and 60000 before the first answer
   */
  readonly giveUpMs?: number | undefined;
  /** Is told of each failure that is tried again. */
  readonly onTrouble?: ((trouble: Trouble) => void) | undefined;
  /** Ends the loop, which throws its reason. The batch that is being worked on may still be acknowledged. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A named reader of a category. `Chukcha.consumer` makes it; `for await` goes over its batches, without end.
 *
 * Each batch is processed at least once: it comes again unless it was acknowledged. Leaving the loop gives back at once
 * what was fetched ahead. What the loop had got and not acknowledged stays this worker's until its lease is over, it is
 * released, or the consumer is closed, which `await using` does.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ChukchaClient, Consumer } from "./mod.ts";
 *
 * // Stands for a node that has one batch; leave `fetch` out to talk to a real one.
 * const headers = {
 *   "chukcha-chunk": "node-chunk000000000",
 *   "chukcha-offset": "0",
 *   "chukcha-next-offset": "11",
 *   "chukcha-epoch": "0",
 * };
 * const asked: string[] = [];
 * const fetch = (url: string, { signal }: RequestInit) => {
 *   const { pathname } = new URL(url);
 *   const isFirst = !asked.includes(pathname);
 *   asked.push(pathname);
 *   if (pathname !== "/consume") return Promise.resolve(new Response());
 *   if (isFirst) return Promise.resolve(new Response('{"user":1}\n', { headers }));
 *   return new Promise<Response>((_, reject) => signal!.addEventListener("abort", reject));
 * };
 * const client = new ChukchaClient({ fetch });
 * const nodes = { inOrder: () => [client], failed() {}, worked() {} };
 *
 * await using consumer = new Consumer(nodes, "web", { name: "indexer" });
 * for await (const batch of consumer) {
 *   for (const event of batch.json<{ user: number }>()) assertEquals(event.user, 1);
 *   await batch.ack();
 *   break;
 * }
 * assertEquals(asked.includes("/ack"), true);
 * ```
 */
export class Consumer implements AsyncIterable<Batch>, AsyncDisposable {
  /** What is read. */
  readonly category: string;
  /** Under which name. */
  readonly name: string;
  readonly #nodes: Nodes;
  readonly #consume: ConsumeOptions & { readonly leaseMs: number };
  readonly #prefetch: number;
  readonly #patience: Patience;
  readonly #signal: AbortSignal | undefined;
  readonly #holdings: Holdings;
  #feed: Feed | undefined;
  #isClosed = false;

  /**
   * Makes a consumer; nothing is sent before a loop goes over it.
   *
   * @param nodes which nodes may be asked, in which order
   * @param category what to read; it may not exist yet
   * @param options who reads, and how
   * @throws ChukchaError `invalid_parameter` that names the option
   */
  constructor(nodes: Nodes, category: string, options: ConsumerOptions) {
    const { name, from, worker, giveUpMs, onTrouble, maxDeliveries } = options;
    this.category = checkCategory(category);
    this.name = checkConsumer(name, "name");
    this.#nodes = nodes;
    this.#signal = options.signal;
    this.#patience = { giveUpMs: within("giveUpMs", giveUpMs, 1, Infinity), onTrouble };
    this.#prefetch = whole("prefetch", options.prefetch, 0, CLIENT_PREFETCH_MAX) ?? CLIENT_PREFETCH_DEFAULT;
    const leaseMs = whole("leaseMs", options.leaseMs, CLIENT_LEASE_MS_MIN, LEASE_MS_MAX) ??
      CLIENT_LEASE_MS_DEFAULT;
    this.#consume = {
      consumer: name,
      maxSize: whole("maxBytes", options.maxBytes, 1, READ_BYTES_MAX) ?? READ_BYTES_DEFAULT,
      from: from === undefined ? undefined : formatFrom(from),
      leaseMs,
      maxDeliveries: whole("maxDeliveries", maxDeliveries, 0, MAX_DELIVERIES_MAX),
      worker,
    };
    this.#holdings = new Holdings({
      nodes,
      key: this.#key,
      category,
      consumer: name,
      leaseMs,
      renewMs: within("renewMs", options.renewMs, 0, Infinity) ?? CLIENT_RENEW_MS_DEFAULT,
      patience: this.#patience,
      signal: options.signal,
      onMoved: (epoch) => this.#feed?.moved(epoch),
      onLost: (batch) => this.#feed?.lost(batch),
    });
  }

  /**
   * Batches as they come, without end. One loop at a time; after it another one may begin.
   *
   * @returns for `for await`; throws what reading ended with: an error that trying again would not change, the last one
   *   when `giveUpMs` are over, or the reason of the signal
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void> {
    const what = `consumer "${this.name}" of category "${this.category}"`;
    if (this.#isClosed) throw new TypeError(`${what} is closed`);
    if (this.#feed) throw new TypeError(`${what}: a loop goes over it already; make a second consumer`);
    const feed = new Feed({
      nodes: this.#nodes,
      key: this.#key,
      category: this.category,
      consume: this.#consume,
      prefetch: this.#prefetch,
      patience: this.#patience,
      holdings: this.#holdings,
      signal: this.#signal,
    });
    this.#feed = feed;
    this.#holdings.resume();
    try {
      for (let batch = await feed.next(); batch; batch = await feed.next()) yield batch;
    } finally {
      await feed.end();
      await this.#holdings.rest();
      this.#feed = undefined;
    }
  }

  /**
   * Ends the loop, if one goes over it, and gives back at once all that was not acknowledged. Never rejects for a node
   * that cannot be reached: what it lent comes again when the lease is over.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    const ending = this.#feed?.end();
    // At once, while a request that still waits would tell if it were given any of it.
    await this.#holdings.close();
    await ending;
  }

  /** As {@linkcode Consumer.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** All workers of one name begin at the same node. */
  get #key(): string {
    return `${this.category}/${this.name}`;
  }
}

function whole(name: string, value: number | undefined, min: number, max = Number.MAX_SAFE_INTEGER) {
  if (value === undefined || Number.isInteger(value)) return within(name, value, min, max);
  throw new ChukchaError("invalid_parameter", `${name}: ${value} is not a whole number`);
}

function within(name: string, value: number | undefined, min: number, max: number): number | undefined {
  if (value === undefined || value >= min && value <= max) return value;
  const rule = max >= Number.MAX_SAFE_INTEGER ? `below ${min}` : `not within ${min} and ${max}`;
  throw new ChukchaError("invalid_parameter", `${name}: ${value} is ${rule}`);
}
