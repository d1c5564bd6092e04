/**
 * The client that most programs want: it knows all nodes of a cluster, and makes producers, consumers and tails that go on
 * at another node when one fails.
 *
 * Owns what they have in common: the nodes, what to show them, and the end of everything by one `close` or one signal.
 *
 * @module
 */
import type { ChukchaClient } from "./client.ts";
import { Consumer, type ConsumerOptions } from "./consumer.ts";
import { eventId } from "./event_id.ts";
import { Producer } from "./producer.ts";
import type { ProducerOptions } from "./producer_options.ts";
import { Servers, type ServersOptions } from "./servers.ts";
import { follow, type FollowOptions, type Piece } from "./tail.ts";

/** Fewest parts that are looked through for those that are gone. */
const PARTS_MIN = 16;

/** Which nodes there are, and how to reach them. */
export interface ConnectOptions extends ServersOptions {
  /** Aborts everything that this connection does, and all that is made by it. */
  readonly signal?: AbortSignal;
}

/** A part that ends with the connection. */
interface Part extends AsyncDisposable {
  close(): Promise<void>;
}

/**
 * Makes a client for the nodes of one cluster; nothing is sent yet.
 *
 * @param options addresses of the nodes, and how to reach them
 * @returns what makes producers, consumers and tails
 * @throws ChukchaError `invalid_parameter` if an address is none
 *
 * @example Write and follow
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect } from "./mod.ts";
 *
 * // Stands for a node here; leave `fetch` out to talk to real ones.
 * let stored = "";
 * const fetch = async (url: string, init: RequestInit) => {
 *   if (url.includes("/tail")) {
 *     const events = `id: node-chunk000000000:${stored.length}\ndata: ${stored.trimEnd()}\n\n`;
 *     return new Response(events, { headers: { "content-type": "text/event-stream" } });
 *   }
 *   stored += await new Response(init.body).text();
 *   return Response.json({ chunk: "node-chunk000000000", offset: 0, size: stored.length });
 * };
 *
 * await using chukcha = connect({ servers: ["http://127.0.0.1:8080", "http://127.0.0.1:8081"], fetch });
 * await using producer = chukcha.producer("web");
 * await producer.send({ user: 1 });
 * for await (const piece of chukcha.tail("web")) {
 *   assertEquals([...piece.json()], [{ user: 1 }]);
 *   break;
 * }
 * ```
 */
export function connect(options: ConnectOptions = {}): Chukcha {
  return new Chukcha(options);
}

/** A connection to the nodes of one cluster; `connect` makes it. */
export class Chukcha implements AsyncDisposable {
  /** The nodes, and which of them to ask first. */
  readonly servers: Servers;
  /** Of no meaning: makes programs begin at different nodes. */
  readonly #key = eventId();
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  #parts: WeakRef<Part>[] = [];
  #partsMax = PARTS_MIN;

  /**
   * As {@linkcode connect}.
   *
   * @param options addresses of the nodes, and how to reach them
   * @throws ChukchaError `invalid_parameter` if an address is none
   */
  constructor(options: ConnectOptions = {}) {
    this.servers = new Servers(options);
    const { signal } = options;
    this.#signal = signal ? AbortSignal.any([signal, this.#ending.signal]) : this.#ending.signal;
  }

  /**
   * The low-level client of a node: one method for each call, and nothing that decides for you. Each program uses another
   * node, and goes on using it unless producers, consumers or tails found that it fails, or `servers.failed` was told so.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect } from "./mod.ts";
   *
   * await using chukcha = connect({ fetch: () => Promise.resolve(Response.json(["web"])) });
   * assertEquals(await chukcha.node.listCategories(), ["web"]);
   * ```
   */
  get node(): ChukchaClient {
    return this.servers.inOrder(this.#key)[0]!;
  }

  /**
   * Makes a producer: batches, and tries again, for a category.
   *
   * @param category where to; made by its first write
   * @param options how large, how soon, how safe, and for how long to try
   * @returns what `send`s
   * @throws ChukchaError `invalid_parameter` that names the option
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect } from "./mod.ts";
   *
   * // Stands for a node here; leave `fetch` out to talk to a real one.
   * const place = { chunk: "node-chunk000000000", offset: 0, size: 11 };
   * await using chukcha = connect({ fetch: () => Promise.resolve(Response.json(place)) });
   * await using producer = chukcha.producer("web");
   * assertEquals((await producer.send({ user: 1 })).chunk, "node-chunk000000000");
   * ```
   */
  producer(category: string, options: ProducerOptions = {}): Producer {
    return this.#keep(
      new Producer(this.servers, category, { ...options, signal: this.#with(options.signal) }),
    );
  }

  /**
   * Makes a consumer: a named reader of a category, whose place the cluster remembers.
   *
   * @param category what to read; it may not exist yet
   * @param options under which name, from where, how much at a time
   * @returns to be gone over by `for await`
   * @throws ChukchaError `invalid_parameter` that names the option
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect } from "./mod.ts";
   *
   * // Stands for a node that has one batch; leave `fetch` out to talk to a real one.
   * const headers = {
   *   "chukcha-chunk": "node-chunk000000000",
   *   "chukcha-offset": "0",
   *   "chukcha-next-offset": "11",
   *   "chukcha-epoch": "0",
   * };
   * const fetch = (url: string) =>
   *   Promise.resolve(new Response(url.includes("/consume") ? '{"user":1}\n' : "", { headers }));
   *
   * await using chukcha = connect({ fetch });
   * await using consumer = chukcha.consumer("web", { name: "indexer", prefetch: 0 });
   * for await (const batch of consumer) {
   *   assertEquals([...batch.json()], [{ user: 1 }]);
   *   await batch.ack();
   *   break;
   * }
   * ```
   */
  consumer(category: string, options: ConsumerOptions): Consumer {
    return this.#keep(
      new Consumer(this.servers, category, { ...options, signal: this.#with(options.signal) }),
    );
  }

  /**
   * Follows a category without end and without a name: nothing is acknowledged, and nobody remembers the place but the
   * `cursor` of each piece.
   *
   * @param category what to follow; it may not exist yet
   * @param options where to start, and for how long to try
   * @returns for `for await`; throws what it ended with: an error that trying again would not change, the last one when
   *   `giveUpMs` are over, or the reason of the signal
   * @throws ChukchaError `invalid_parameter` that names the option
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect } from "./mod.ts";
   *
   * const events = 'id: node-chunk000000000:11\ndata: {"user":1}\n\n';
   * const headers = { "content-type": "text/event-stream" };
   * await using chukcha = connect({ fetch: () => Promise.resolve(new Response(events, { headers })) });
   * for await (const piece of chukcha.tail("web", { from: "earliest" })) {
   *   assertEquals([...piece.texts()], ['{"user":1}']);
   *   break;
   * }
   * ```
   */
  tail(category: string, options: FollowOptions = {}): AsyncGenerator<Piece, void> {
    return follow(this.servers, category, { ...options, signal: this.#with(options.signal) });
  }

  /**
   * Ends all that was made by this connection: producers send what they hold, consumers give back what they have not
   * acknowledged, the loops of tails throw an `AbortError`. Again does nothing more.
   *
   * @throws ProducerError the first failure of a producer since its last `flush`
   */
  close(): Promise<void> {
    return this.#end((part) => part.close());
  }

  /** As {@linkcode Chukcha.close}, but throws only what fails while it waits. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#end((part) => part[Symbol.asyncDispose]());
  }

  async #end(endOf: (part: Part) => PromiseLike<void>): Promise<void> {
    const parts = this.#parts.map((part) => part.deref()).filter((part) => part !== undefined);
    this.#parts = [];
    const outcomes = await Promise.allSettled(parts.map(endOf));
    this.#ending.abort(new DOMException("the connection was closed", "AbortError"));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
  }

  /** Those that nobody holds any more are forgotten, so that a program may make as many as it likes. */
  #keep<T extends Part>(part: T): T {
    if (this.#parts.length >= this.#partsMax) {
      this.#parts = this.#parts.filter((each) => each.deref() !== undefined);
      this.#partsMax = Math.max(PARTS_MIN, 2 * this.#parts.length);
    }
    this.#parts.push(new WeakRef(part));
    return part;
  }

  #with(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([this.#signal, signal]) : this.#signal;
  }
}
