/**
 * The low-level client: one method for each call of a node, and nothing that decides for you. It works on `fetch` and
 * web streams alone, so that it runs in Deno, Node, Bun and browsers.
 *
 * It never retries by itself: after an error with `written: "maybe"` only you can say whether a duplicate is worse than
 * a gap. `isRetryable` says whether trying again makes sense.
 *
 * @module
 */
import { checkCategory, checkChunk } from "../protocol/names.ts";
import { WRITE_TIMEOUT_MS_DEFAULT } from "../protocol/limits.ts";
import type { ChunkInfo, ConsumerInfo, NodeStatus, WriteResult } from "../protocol/types.ts";
import { discard, takeCategories, takeChunks, takeStatus, takeWriteResult } from "./answers.ts";
import { acknowledge, consume, forget, lease, listConsumers, seek } from "./consumer_calls.ts";
import type {
  Consumed,
  ConsumeOptions,
  ForgetOptions,
  LeaseOptions,
  PromptOptions,
  SeekOptions,
} from "./consumer_options.ts";
import type { TailPiece } from "./event_parser.ts";
import type {
  AckOptions,
  CallOptions,
  ClientOptions,
  ReadOptions,
  TailOptions,
  WriteBody,
  WriteOptions,
} from "./options.ts";
import { bodyOf, tailEvents, tailLines } from "./tail_calls.ts";
import { type FetchLike, Transport } from "./transport.ts";

/** Where a node listens by default. */
export const SERVER_DEFAULT = "http://127.0.0.1:8080";
/** How long an answer may take by default. */
const TIMEOUT_MS_DEFAULT = 60_000;

/**
 * Talks to one node.
 *
 * Every method throws a `ChukchaError` with the node's own code and message for what the node refuses, a
 * `TransportError` for trouble on the way, and the reason of the signal for what was aborted by it.
 *
 * @example Write, and read it back
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ChukchaClient } from "./mod.ts";
 *
 * // Stands for a node here; leave `fetch` out to talk to a real one.
 * let stored = "";
 * const fetch = async (url: string, init: RequestInit) => {
 *   if (!url.includes("/write")) return new Response(stored);
 *   stored += await new Response(init.body).text();
 *   return Response.json({ chunk: "node-chunk000000000", offset: 0, size: stored.length });
 * };
 *
 * const client = new ChukchaClient({ server: "http://127.0.0.1:8080", fetch });
 * const { chunk, offset } = await client.write("web", "first\nsecond\n");
 * const bytes = await client.read("web", { chunk, off: offset });
 * assertEquals(new TextDecoder().decode(bytes), "first\nsecond\n");
 * ```
 *
 * @example To a node that asks for tokens
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ChukchaClient } from "./mod.ts";
 *
 * const fetch = (_url: string, init: RequestInit) => {
 *   assertEquals(new Headers(init.headers).get("authorization"), "Bearer 3b1f0c4e8a5d92763b1f0c4e8a5d9276");
 *   return Promise.resolve(Response.json(["web"]));
 * };
 * // In a program it comes from a file, or from wherever secrets are kept.
 * const token = () => Promise.resolve("3b1f0c4e8a5d92763b1f0c4e8a5d9276");
 * const client = new ChukchaClient({ server: "https://node-1.example:8080", token, fetch });
 * assertEquals(await client.listCategories(), ["web"]);
 * ```
 */
export class ChukchaClient {
  readonly #transport: Transport;

  /**
   * Makes a client; nothing is sent yet.
   *
   * @param options the address of the node, and how to reach it
   * @throws ChukchaError `invalid_parameter` if the address is none, or has a user or password in it
   */
  constructor(options: ClientOptions = {}) {
    // Wrapped because browsers refuse a `fetch` that is called as the method of another object.
    const send: FetchLike = options.fetch ?? ((input, init) => fetch(input, init));
    this.#transport = new Transport({
      server: String(options.server ?? SERVER_DEFAULT),
      fetch: send,
      signal: options.signal,
      timeoutMs: options.timeoutMs ?? TIMEOUT_MS_DEFAULT,
      token: options.token,
    });
  }

  /**
   * Appends a batch of messages, whole or not at all (`POST /write`).
   *
   * @param category where to; made by its first write
   * @param body messages, each ended by `\n`; the last one may lack it. Text is sent as UTF-8
   * @param options what the answer has to wait for, and what the node is to know a retry by
   * @returns the chunk, the offset of the batch's first byte, and the bytes stored
   * @throws ChukchaError `too_large` if a message or the batch is over the node's limits, `disk_full`, `overloaded`, …;
   *   `sequence_reused` if the node knows another batch by this producer and sequence
   * @throws TransportError whose `written` says whether a retry may duplicate
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ChukchaClient } from "./mod.ts";
   *
   * const fetch = (url: string) => {
   *   assertEquals(url, "http://127.0.0.1:8080/write?category=web&sync_each_write=1");
   *   return Promise.resolve(Response.json({ chunk: "node-chunk000000000", offset: 0, size: 6 }));
   * };
   * const client = new ChukchaClient({ fetch });
   * assertEquals((await client.write("web", "hello\n", { syncEachWrite: true })).size, 6);
   * ```
   *
   * @example A retry at the same node that does not store the batch twice
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ChukchaClient, type TransportError } from "./mod.ts";
   *
   * // The first answer is lost on its way; the node knows the batch when it comes again.
   * let attempts = 0;
   * const fetch = (url: string) => {
   *   assertEquals(url, "http://127.0.0.1:8080/write?category=web&producer=shop-1&sequence=7");
   *   if (attempts++ === 0) return Promise.reject(new TypeError("connection reset"));
   *   return Promise.resolve(Response.json({ chunk: "node-chunk000000000", offset: 0, size: 6 }));
   * };
   * const client = new ChukchaClient({ fetch });
   * const write = () => client.write("web", "hello\n", { producer: "shop-1", sequence: 7 });
   * const result = await write().catch((error: TransportError) => {
   *   assertEquals(error.written, "maybe");
   *   return write();
   * });
   * assertEquals(result.offset, 0);
   * ```
   */
  write(category: string, body: WriteBody, options: WriteOptions = {}): Promise<WriteResult> {
    const { syncEachWrite, minSyncReplicas, timeoutMs, producer, sequence, signal, answerMs } = options;
    return this.#transport.request({
      action: `write to category "${checkCategory(category)}"`,
      path: "write",
      query: {
        category,
        sync_each_write: syncEachWrite === undefined ? undefined : Number(syncEachWrite),
        min_sync_replicas: minSyncReplicas,
        timeout: timeoutMs,
        producer,
        sequence,
      },
      method: "POST",
      body: body as BodyInit,
      // Any other type than JSON means "lines"; this one also spares browsers a preflight request.
      headers: { "content-type": "text/plain; charset=utf-8" },
      signal,
      answerMs,
      extraMs: timeoutMs ?? WRITE_TIMEOUT_MS_DEFAULT,
    }, takeWriteResult);
  }

  /**
   * Reads whole messages of a chunk into memory (`GET /read`).
   *
   * @param category whose
   * @param options which chunk, from where, how much at most
   * @returns messages from `off` on, each with its `\n`; empty if there is nothing more yet
   * @throws ChukchaError `chunk_not_found` if it never existed or was acknowledged; `invalid_offset` if `off` lies inside
   *   of a message, or the next message is longer than `maxSize`
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ChukchaClient } from "./mod.ts";
   *
   * const client = new ChukchaClient({ fetch: () => Promise.resolve(new Response("hello\n")) });
   * const bytes = await client.read("web", { chunk: "node-chunk000000000" });
   * assertEquals(new TextDecoder().decode(bytes), "hello\n");
   * ```
   */
  read(category: string, options: ReadOptions): Promise<Uint8Array<ArrayBuffer>> {
    return this.#transport.request(
      readAttempt(category, options),
      async (response) => new Uint8Array(await response.arrayBuffer()),
    );
  }

  /**
   * As {@linkcode ChukchaClient.read}, but hands the bytes over as they arrive.
   *
   * @param category whose
   * @param options which chunk, from where, how much at most
   * @returns a byte stream; what breaks off on the way is an error of the stream as `fetch` gives it
   * @throws ChukchaError as `read` does
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ChukchaClient } from "./mod.ts";
   *
   * const client = new ChukchaClient({ fetch: () => Promise.resolve(new Response("hello\n")) });
   * const stream = await client.readStream("web", { chunk: "node-chunk000000000" });
   * assertEquals(await new Response(stream).text(), "hello\n");
   * ```
   */
  readStream(category: string, options: ReadOptions): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    return this.#transport.request({ ...readAttempt(category, options), isStream: true }, bodyOf);
  }

  /**
   * Says that a chunk was processed: it is deleted on every node, for every reader (`POST /ack`). With `consumer`, only
   * that consumer's place moves, and nothing is deleted.
   *
   * @param category whose
   * @param options which chunk, and how many bytes of it were processed; for a consumer also which bytes
   * @throws ChukchaError `not_complete` if its owner still appends to it, or `size` is less than the whole. For a
   *   consumer: `position_moved` if it was moved since the `epoch`, `not_leased` if without `offset` the node cannot know
   *   which messages are meant, `consumer_not_found` if it was forgotten
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ChukchaClient } from "./mod.ts";
   *
   * const client = new ChukchaClient({
   *   fetch: (url) => {
   *     assertEquals(url.split("?")[1], "category=web&chunk=node-chunk000000000&size=6");
   *     return Promise.resolve(new Response());
   *   },
   * });
   * await client.ack("web", { chunk: "node-chunk000000000", size: 6 });
   * ```
   */
  ack(category: string, options: AckOptions): Promise<void> {
    return acknowledge(this.#transport, category, options);
  }

  /**
   * Hands out the next messages that a consumer has not acknowledged (`GET /consume`).
   *
   * @param category whose; it may not exist yet
   * @param options which consumer, how much, how long to wait for it, and how long it is lent
   * @returns whole messages of one chunk; `undefined` if there were none within `waitMs`
   * @throws ChukchaError `invalid_offset` if the next message is longer than `maxSize`, `draining`, `overloaded`, …
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ChukchaClient } from "./mod.ts";
   *
   * const headers = {
   *   "chukcha-chunk": "node-chunk000000000",
   *   "chukcha-offset": "6",
   *   "chukcha-next-offset": "12",
   *   "chukcha-epoch": "0",
   * };
   * const asked: string[] = [];
   * const fetch = (url: string) => {
   *   asked.push(url.slice("http://127.0.0.1:8080".length));
   *   return Promise.resolve(new Response(url.includes("/consume") ? "hello\n" : "", { headers }));
   * };
   * const client = new ChukchaClient({ fetch });
   * const got = (await client.consume("web", { consumer: "indexer", waitMs: 20_000 }))!;
   * assertEquals(new TextDecoder().decode(got.bytes), "hello\n");
   * const { chunk, offset, nextOffset: size, epoch } = got;
   * await client.ack("web", { consumer: "indexer", chunk, offset, size, epoch });
   * assertEquals(asked, [
   *   "/consume?category=web&consumer=indexer&wait=20000",
   *   "/ack?category=web&consumer=indexer&chunk=node-chunk000000000&offset=6&size=12&epoch=0",
   * ]);
   * ```
   */
  consume(category: string, options: ConsumeOptions): Promise<Consumed | undefined> {
    return consume(this.#transport, category, options);
  }

  /**
   * Says when the lease of what was handed out ends: later than it was said, or at once (`POST /lease`).
   *
   * @param category whose
   * @param options which lease, and how long it is to last from now; 0 gives the messages back
   * @throws ChukchaError `not_leased` if it is not out: it ran out and was handed out again, or was acknowledged, or this
   *   is not the node that handed it out
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ChukchaClient } from "./mod.ts";
   *
   * const client = new ChukchaClient({
   *   fetch: (url) => {
   *     assertEquals(url.endsWith("&chunk=node-chunk000000000&offset=6&size=12&lease=30000"), true);
   *     return Promise.resolve(new Response());
   *   },
   * });
   * const piece = { consumer: "indexer", chunk: "node-chunk000000000", offset: 6, size: 12 };
   * await client.lease("web", { ...piece, leaseMs: 30_000 });
   * ```
   */
  lease(category: string, options: LeaseOptions): Promise<void> {
    return lease(this.#transport, category, options);
  }

  /**
   * Lists consumers, with their places and how far they are behind (`GET /consumers`).
   *
   * @param category whose; left out: of all categories that the caller may read
   * @param options a signal to stop waiting
   * @returns sorted by name
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ChukchaClient, type ConsumerInfo } from "./mod.ts";
   *
   * const indexer: ConsumerInfo = {
   *   category: "web",
   *   consumer: "indexer",
   *   epoch: 0,
   *   lag_bytes: 6,
   *   lag_chunks: 1,
   *   leased_bytes: 0,
   *   positions: [{ chunk: "node-chunk000000000", offset: 6 }],
   * };
   * const client = new ChukchaClient({ fetch: () => Promise.resolve(Response.json([indexer])) });
   * assertEquals(await client.consumers("web"), [indexer]);
   * ```
   */
  consumers(category?: string, options: CallOptions = {}): Promise<ConsumerInfo[]> {
    return listConsumers(this.#transport, category, options);
  }

  /**
   * Moves a consumer, forwards or back (`POST /seek`). What is leased is handed out anew, and an ack of what was handed
   * out before is refused with `position_moved` if it names its epoch.
   *
   * @param category whose
   * @param options which consumer, and where to
   * @returns the consumer as it is now
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ChukchaClient } from "./mod.ts";
   *
   * const fetch = (url: string) => {
   *   assertEquals(new URL(url).search, "?category=web&consumer=indexer&to=1763805600000");
   *   const place = { lag_bytes: 6, lag_chunks: 1, leased_bytes: 0, positions: [] };
   *   return Promise.resolve(Response.json({ category: "web", consumer: "indexer", epoch: 1, ...place }));
   * };
   * const client = new ChukchaClient({ fetch });
   * const to = new Date("2025-11-22T10:00:00Z");
   * assertEquals((await client.seek("web", { consumer: "indexer", to })).epoch, 1);
   * ```
   */
  seek(category: string, options: SeekOptions): Promise<ConsumerInfo> {
    return seek(this.#transport, category, options);
  }

  /**
   * Forgets a consumer and its place (`DELETE /consumers`). To use its name again is to begin anew.
   *
   * @param category whose
   * @param options which consumer
   * @throws ChukchaError `consumer_not_found` if there is none of that name
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ChukchaClient } from "./mod.ts";
   *
   * const client = new ChukchaClient({
   *   fetch: (url, { method }) => {
   *     assertEquals([method, new URL(url).search], ["DELETE", "?category=web&consumer=indexer"]);
   *     return Promise.resolve(new Response());
   *   },
   * });
   * await client.forget("web", { consumer: "indexer" });
   * ```
   */
  forget(category: string, options: ForgetOptions): Promise<void> {
    return forget(this.#transport, category, options);
  }

  /**
   * Lists the chunks of a category (`GET /listChunks`).
   *
   * @param category whose; an unknown one has none
   * @param options a signal to stop waiting
   * @returns sorted by name: for each owner, in the order in which they were written
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ChukchaClient } from "./mod.ts";
   *
   * const chunks = [{ name: "node-chunk000000000", complete: false, size: 6 }];
   * const client = new ChukchaClient({ fetch: () => Promise.resolve(Response.json(chunks)) });
   * assertEquals(await client.listChunks("web"), chunks);
   * ```
   */
  listChunks(category: string, { signal }: CallOptions = {}): Promise<ChunkInfo[]> {
    const action = `list the chunks of category "${checkCategory(category)}"`;
    return this.#transport.request({ action, path: "listChunks", query: { category }, signal }, takeChunks);
  }

  /**
   * Lists the categories (`GET /listCategories`).
   *
   * @param options a signal to stop waiting
   * @returns their names
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ChukchaClient } from "./mod.ts";
   *
   * const client = new ChukchaClient({ fetch: () => Promise.resolve(Response.json(["audit", "web"])) });
   * assertEquals(await client.listCategories(), ["audit", "web"]);
   * ```
   */
  listCategories({ signal }: CallOptions = {}): Promise<string[]> {
    return this.#transport.request(
      { action: "list categories", path: "listCategories", signal },
      takeCategories,
    );
  }

  /**
   * Follows a category for ever (`GET /tail`): first what is there, then what comes.
   *
   * @param category whose; it may not exist yet
   * @param options where to start
   * @returns pieces of whole or partial messages, in order within each owner; joined they are lines ended by `\n`. Leave
   *   the loop, or abort the signal, to end the request
   * @throws TransportError when the connection ends: a tail has no end of its own
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ChukchaClient } from "./mod.ts";
   *
   * const client = new ChukchaClient({ fetch: () => Promise.resolve(new Response("first\n")) });
   * for await (const piece of client.tail("web", { from: "earliest" })) {
   *   assertEquals(new TextDecoder().decode(piece), "first\n");
   *   break;
   * }
   * ```
   */
  tail(category: string, options: TailOptions = {}): AsyncIterable<Uint8Array<ArrayBuffer>> {
    return tailLines(this.#transport, category, options);
  }

  /**
   * Follows a category as {@linkcode ChukchaClient.tail} does, in whole messages, each piece with the place to go on at
   * after a break. It costs the node more than plain lines do, and notices a connection that died silently.
   *
   * @param category whose; it may not exist yet
   * @param options where to start: hand over the `cursor` of the last piece to go on behind it
   * @returns pieces of whole messages, byte for byte as they were written
   * @throws TransportError when the connection ends or falls silent: a tail has no end of its own
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ChukchaClient } from "./mod.ts";
   *
   * const events = "id: node-chunk000000000:6\ndata: first\n\n";
   * const headers = { "content-type": "text/event-stream" };
   * const client = new ChukchaClient({ fetch: () => Promise.resolve(new Response(events, { headers })) });
   * for await (const { bytes, cursor } of client.follow("web")) {
   *   assertEquals(new TextDecoder().decode(bytes), "first\n");
   *   assertEquals(cursor, "node-chunk000000000:6");
   *   break;
   * }
   * ```
   */
  follow(category: string, options: TailOptions = {}): AsyncIterable<TailPiece> {
    return tailEvents(this.#transport, category, options);
  }

  /**
   * Asks a node how it is (`GET /status`).
   *
   * @param options a signal to stop waiting
   * @returns its state, its checks, and what its settings survive
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ChukchaClient } from "./mod.ts";
   *
   * const answer = { instance: "node", healthy: true, checks: [], peers: [] };
   * const client = new ChukchaClient({ fetch: () => Promise.resolve(Response.json(answer)) });
   * assertEquals((await client.status()).healthy, true);
   * ```
   */
  status({ signal }: CallOptions = {}): Promise<NodeStatus> {
    return this.#transport.request({ action: "ask for the status", path: "status", signal }, takeStatus);
  }

  /**
   * Asks whether a node takes reads and writes now (`GET /readyz`).
   *
   * @param options a signal to stop waiting, and how soon the node has to answer
   * @returns `false` if the node says that it is not ready
   * @throws TransportError if there is no node to ask
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ChukchaClient } from "./mod.ts";
   *
   * const client = new ChukchaClient({ fetch: () => Promise.resolve(new Response("ok\n")) });
   * assertEquals(await client.ready(), true);
   * ```
   */
  async ready({ signal, answerMs }: PromptOptions = {}): Promise<boolean> {
    try {
      await this.#transport.request({ action: "ask if ready", path: "readyz", signal, answerMs }, discard);
      return true;
    } catch (error) {
      if ((error as { status?: number }).status === 503) return false;
      throw error;
    }
  }
}

function readAttempt(category: string, { chunk, off, maxSize, signal }: ReadOptions) {
  return {
    action: `read chunk "${checkChunk(chunk)}" of category "${checkCategory(category)}"`,
    path: "read",
    query: { category, chunk, off: off ?? 0, max_size: maxSize },
    signal,
  };
}
