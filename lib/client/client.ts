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
import { TAIL_KEEPALIVE_MS, WRITE_TIMEOUT_MS_DEFAULT } from "../protocol/limits.ts";
import type { ChunkInfo, NodeStatus, WriteResult } from "../protocol/types.ts";
import { takeCategories, takeChunks, takeStatus, takeWriteResult } from "./answers.ts";
import { EventParser, type TailPiece } from "./event_parser.ts";
import type {
  AckOptions,
  CallOptions,
  ClientOptions,
  ReadOptions,
  TailOptions,
  WriteBody,
  WriteOptions,
} from "./options.ts";
import { type FetchLike, ForeignAnswer, pieces, Transport } from "./transport.ts";

/** Where a node listens by default. */
export const SERVER_DEFAULT = "http://127.0.0.1:8080";
/** How long an answer may take by default. */
const TIMEOUT_MS_DEFAULT = 60_000;
/** Three signs of life that did not come. */
const SILENCE_MS = 3 * TAIL_KEEPALIVE_MS;

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
    const { syncEachWrite, minSyncReplicas, timeoutMs, producer, sequence, signal } = options;
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
    return this.#transport.request(readAttempt(category, options), bodyOf);
  }

  /**
   * Says that a chunk was processed: it is deleted on every node, for every reader (`POST /ack`).
   *
   * @param category whose
   * @param options which chunk, and how many bytes of it were processed
   * @throws ChukchaError `not_complete` if its owner still appends to it, or `size` is less than the whole
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
  ack(category: string, { chunk, size, signal }: AckOptions): Promise<void> {
    return this.#transport.request({
      action: `acknowledge chunk "${checkChunk(chunk)}" of category "${checkCategory(category)}"`,
      path: "ack",
      query: { category, chunk, size },
      method: "POST",
      signal,
    }, discard);
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
  async *tail(category: string, options: TailOptions = {}): AsyncIterable<Uint8Array<ArrayBuffer>> {
    const { from, cursor, signal } = options;
    const attempt = {
      action: `tail category "${checkCategory(category)}"`,
      path: "tail",
      query: { category, from, cursor },
      headers: { accept: "text/plain" },
      signal,
    };
    const body = await this.#transport.request(attempt, bodyOf);
    try {
      yield* pieces(body);
    } catch (cause) {
      signal?.throwIfAborted();
      throw this.#transport.failure(attempt, "the connection broke off", "no", undefined, cause);
    }
    throw this.#transport.failure(attempt, "the server ended the stream", "no");
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
  async *follow(category: string, options: TailOptions = {}): AsyncIterable<TailPiece> {
    const { from, cursor, signal } = options;
    const silence = new AbortController();
    const attempt = {
      action: `tail category "${checkCategory(category)}"`,
      path: "tail",
      query: { category, from, cursor },
      headers: { accept: "text/event-stream" },
      signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
    };
    const body = await this.#transport.request(attempt, eventsOf);
    const reader = body.getReader();
    const parser = new EventParser();
    try {
      for (;;) {
        const { value, done } = await readBefore(reader, silence);
        if (done) break;
        const piece = parser.push(value);
        if (piece) yield piece;
      }
    } catch (cause) {
      signal?.throwIfAborted();
      const reason = silence.signal.aborted
        ? `no sign of life for ${SILENCE_MS} ms`
        : "the connection broke off";
      throw this.#transport.failure(attempt, reason, "no", undefined, cause);
    } finally {
      await reader.cancel().catch(() => {});
    }
    throw this.#transport.failure(attempt, "the server ended the stream", "no");
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
   * @param options a signal to stop waiting
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
  async ready({ signal }: CallOptions = {}): Promise<boolean> {
    try {
      await this.#transport.request({ action: "ask if ready", path: "readyz", signal }, discard);
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

function bodyOf(response: Response): ReadableStream<Uint8Array<ArrayBuffer>> {
  if (response.body) return response.body as ReadableStream<Uint8Array<ArrayBuffer>>;
  throw new ForeignAnswer("the answer has no body", response.status);
}

function eventsOf(response: Response): ReadableStream<Uint8Array<ArrayBuffer>> {
  if (response.headers.get("content-type")?.startsWith("text/event-stream")) return bodyOf(response);
  throw new ForeignAnswer("the answer is not a stream of events", response.status);
}

/** Reads on; a node that is alive sends something now and then, so that silence is an end as well. */
async function readBefore<T>(
  reader: ReadableStreamDefaultReader<T>,
  silence: AbortController,
): Promise<ReadableStreamReadResult<T>> {
  const timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    return await reader.read();
  } finally {
    clearTimeout(timer);
  }
}

/** Reads an answer to its end, so that its connection is free for the next request. */
async function discard(response: Response): Promise<void> {
  await response.arrayBuffer();
}
