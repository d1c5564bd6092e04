/**
 * Sends messages to one category, many at a time.
 *
 * Owns what users of a producer see: what `send` promises, how much may be held, and the end. What a value is as a message
 * is for `message_content.ts`, the bytes for `outgoing_batch.ts`, nodes and failures for `delivery.ts`.
 *
 * A batch goes out in the next microtask when none is under way, so that what one turn of the program sends goes
 * together, and a single message waits for nothing. While one is under way, the next one fills: batches are as large as
 * they have to be for what the node takes, without a setting (group commit does the same in the node).
 *
 * Invariants: each message that `send` took is told its fate once. What is held is bounded: values are encoded at once
 * and not kept, nobody waits inside of `send`. With one batch under way, order is that of `send`. No rejection is left
 * unhandled, and no timer is left behind.
 *
 * Rejected: a `send` that waits for room (those who wait hold their values, and are not bounded themselves). Compression:
 * gzip takes some 10 ms for each MiB on the thread that sends, which is slower than a network of 100 MB/s.
 *
 * @module
 */
import { BATCH_BYTES_CEILING, CLIENT_MESSAGE_OVERHEAD_BYTES } from "../protocol/limits.ts";
import { checkCategory } from "../protocol/names.ts";
import type { WriteResult } from "../protocol/types.ts";
import { Delivery } from "./delivery.ts";
import { contentOf, type MessageValue } from "./message_content.ts";
import type { CallOptions } from "./options.ts";
import { OutgoingBatch } from "./outgoing_batch.ts";
import { ProducerError } from "./producer_error.ts";
import { type ProducerOptions, type ProducerSettings, settingsOf } from "./producer_options.ts";
import type { Nodes } from "./route.ts";
import { SendSignals } from "./send_signals.ts";

const encoder = new TextEncoder();
const ROOM = Promise.resolve();

/** Somebody who waits until batches are done with. */
interface Waiter {
  readonly batches: Set<OutgoingBatch>;
  readonly done: () => void;
}

/**
 * A sender of messages to one category. `Chukcha.producer` makes it.
 *
 * Each message is stored at least once, unless its `send` rejects. It is stored twice where a node may have written it and
 * is gone: forbid that with `duplicates: "refuse"`, or give events an id, see `withEventId`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect } from "./mod.ts";
 *
 * // Stands for a node here; leave `fetch` out to talk to a real one.
 * const batches: string[] = [];
 * const fetch = async (_url: string, init: RequestInit) => {
 *   const batch = await new Response(init.body).text();
 *   batches.push(batch);
 *   return Response.json({ chunk: "node-chunk000000000", offset: 100, size: batch.length });
 * };
 * await using chukcha = connect({ fetch });
 *
 * await using producer = chukcha.producer("web");
 * const places = await Promise.all([producer.send({ user: 1 }), producer.send("as it is")]);
 * assertEquals(batches, ['{"user":1}\nas it is\n']);
 * assertEquals(places[1], { chunk: "node-chunk000000000", offset: 111, size: 9 });
 * ```
 *
 * @example More than fits into memory
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect } from "./mod.ts";
 *
 * let bytes = 0;
 * const fetch = async (_url: string, init: RequestInit) => {
 *   const { length } = await new Response(init.body).bytes();
 *   bytes += length;
 *   return Response.json({ chunk: "node-chunk000000000", offset: bytes - length, size: length });
 * };
 * await using chukcha = connect({ fetch });
 * await using producer = chukcha.producer("web", { bufferBytes: 65_536 });
 * for (let i = 0; i < 1000; i++) {
 *   await producer.ready;
 *   // Not awaited one by one: `flush` throws the first failure of them all.
 *   producer.send({ i });
 * }
 * await producer.flush();
 * assertEquals(bytes, 9_890);
 * ```
 */
export class Producer implements AsyncDisposable {
  /** Where messages go. */
  readonly category: string;
  readonly #settings: ProducerSettings;
  readonly #onFailure: ProducerOptions["onFailure"];
  readonly #signal: AbortSignal | undefined;
  readonly #delivery: Delivery;
  /** Ends everything under way. */
  readonly #ending = new AbortController();
  /** Takes what is sent now. */
  #open: OutgoingBatch | undefined;
  #linger: ReturnType<typeof setTimeout> | undefined;
  /** Wait for their turn. */
  #full: OutgoingBatch[] = [];
  #underWay = 0;
  /** All that are not done with. */
  readonly #pending = new Set<OutgoingBatch>();
  #held = 0;
  /** How large batches were lately. */
  #expected = 0;
  #room: PromiseParts | undefined;
  readonly #waiters = new Set<Waiter>();
  readonly #signals = new SendSignals();
  /** The first one since the last `flush`. */
  #failure: ProducerError | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Makes a producer; nothing is sent yet.
   *
   * @param nodes which nodes may be asked, in which order
   * @param category where to; made by its first write
   * @param options how large, how soon, how safe, and for how long to try
   * @throws ChukchaError `invalid_parameter` that names the option
   */
  constructor(nodes: Nodes, category: string, options: ProducerOptions = {}) {
    this.category = checkCategory(category);
    this.#settings = settingsOf(options);
    this.#onFailure = options.onFailure;
    const { syncEachWrite, onTrouble, signal } = options;
    this.#delivery = new Delivery({
      ...this.#settings,
      nodes,
      category,
      syncEachWrite,
      onTrouble: (trouble) => told(() => onTrouble?.(trouble)),
      onFailure: (error, messages) => this.#failed(error, messages),
      signal: this.#ending.signal,
    });
    this.#signal = signal;
    signal?.addEventListener("abort", this.#abort);
    if (signal?.aborted) this.#abort();
  }

  /**
   * Room in the buffer, in bytes; `send` is still taken below 0, down to as much as `bufferBytes` again.
   *
   * @returns at most `bufferBytes`
   */
  get desiredSize(): number {
    return this.#settings.bufferBytes - this.#held;
  }

  /** Resolves when there is room in the buffer, at once if there is; also when the producer ends. Never rejects. */
  get ready(): Promise<void> {
    if (this.desiredSize > 0 || this.#ending.signal.aborted) return ROOM;
    this.#room ??= promiseParts();
    return this.#room.promise;
  }

  /**
   * Sends one message.
   *
   * @param value a text or bytes, sent as they are, without any line break, not even at the end; any other value as JSON
   * @param options a signal that takes it back: before it is under way for certain, later only its sender's waiting ends
   * @returns where the message lies, once it is stored: the chunk, the offset of its first byte, its bytes with the `\n`
   * @throws ProducerError that says why it is not stored, and whether it may be nevertheless
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect } from "./mod.ts";
   *
   * const place = { chunk: "node-chunk000000000", offset: 0, size: 6 };
   * await using chukcha = connect({ fetch: () => Promise.resolve(Response.json(place)) });
   * await using producer = chukcha.producer("web");
   * assertEquals(await producer.send(new TextEncoder().encode("hello")), place);
   * const error = await producer.send(10n as unknown as number).catch((error) => error);
   * assertEquals([error.code, error.written], ["not_a_message", "no"]);
   * ```
   */
  send(value: MessageValue, options?: CallOptions): Promise<WriteResult> {
    const signal = options?.signal;
    try {
      if (this.#closing || this.#ending.signal.aborted || signal?.aborted) throw this.#refusal(signal);
      const promise = this.#append(contentOf(value));
      if (signal) this.#signals.watch(signal, promise, this.#open!);
      return promise;
    } catch (error) {
      const rejected = Promise.reject(error);
      rejected.catch(() => {});
      return rejected;
    }
  }

  /**
   * Waits until all that was sent before is stored, without lingering for more.
   *
   * @param options a signal to stop waiting; what was sent stays on its way
   * @throws ProducerError the first failure since the last `flush`: who awaits this need not await each `send`
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect } from "./mod.ts";
   *
   * let stored = "";
   * const fetch = async (_url: string, init: RequestInit) => {
   *   stored += await new Response(init.body).text();
   *   return Response.json({ chunk: "node-chunk000000000", offset: 0, size: stored.length });
   * };
   * await using chukcha = connect({ fetch });
   * await using producer = chukcha.producer("web", { lingerMs: 60_000 });
   * producer.send("one");
   * producer.send("two");
   * await producer.flush();
   * assertEquals(stored, "one\ntwo\n");
   * ```
   */
  async flush({ signal }: CallOptions = {}): Promise<void> {
    await this.#settled(signal);
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure;
  }

  /**
   * Sends what is there, waits for it, and takes nothing more. Again returns the same.
   *
   * @param options a signal that ends the waiting: what is not stored by then is rejected with `aborted`
   * @throws ProducerError the first failure since the last `flush`
   */
  close({ signal }: CallOptions = {}): Promise<void> {
    if (!this.#closing) {
      this.#closing = this.#close();
      this.#closing.catch(() => {});
    }
    if (!signal) return this.#closing;
    const abort = (): void => this.#end(signal.reason);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    return this.#closing.finally(() => signal.removeEventListener("abort", abort));
  }

  /**
   * As {@linkcode Producer.close}, but throws only what fails while it waits: what failed before was told by its `send`,
   * and may be what the program is leaving for.
   */
  [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing) return this.#closing.catch(() => {});
    this.#failure = undefined;
    return this.close();
  }

  async #close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      this.#end(undefined);
      await this.#delivery.end();
    }
  }

  readonly #abort = (): void => this.#end(this.#signal!.reason);

  /** Whatever is not stored yet is given up. */
  #end(cause: unknown): void {
    if (this.#ending.signal.aborted) return;
    const pending = [...this.#pending];
    // Before the requests are aborted: they do not know what is under way any more.
    for (const batch of pending) {
      let error: ProducerError | undefined;
      const messages = batch.failed((written) => {
        const message = `send to category "${this.category}": the producer was aborted`;
        return error = new ProducerError("aborted", message, { written, cause });
      });
      if (error) this.#failed(error, messages);
    }
    this.#ending.abort(cause);
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#signals.end();
    clearTimeout(this.#linger);
    this.#open = undefined;
    this.#full = [];
    for (const batch of pending) this.#done(batch);
    this.#room?.resolve();
  }

  #refusal(signal: AbortSignal | undefined): ProducerError {
    const what = `send to category "${this.category}":`;
    if (this.#closing) return new ProducerError("closed", `${what} the producer is closed; make a new one`);
    const cause = signal?.aborted ? signal.reason : this.#ending.signal.reason;
    return new ProducerError("aborted", `${what} its signal is aborted`, { cause });
  }

  /** The batch that took it is `#open` then. */
  #append(content: string | Uint8Array): Promise<WriteResult> {
    const { batchBytes, bufferBytes } = this.#settings;
    if (typeof content === "string" && 3 * content.length >= batchBytes) content = encoder.encode(content);
    this.#checkRoom(content, bufferBytes);
    let batch = this.#open;
    const before = batch?.cost ?? 0;
    let promise = batch?.add(content);
    if (promise) {
      this.#held += batch!.cost - before;
      return promise;
    }
    batch = this.#begin(Math.max(batchBytes, typeof content === "string" ? 0 : content.length + 1));
    promise = batch.add(content)!;
    this.#held += batch.cost;
    return promise;
  }

  #checkRoom({ length }: string | Uint8Array, bufferBytes: number): void {
    if (length >= BATCH_BYTES_CEILING) {
      throw new ProducerError(
        "too_large",
        `send: the message of ${length} bytes is longer than any node takes, ${
          BATCH_BYTES_CEILING - 1
        } bytes`,
      );
    }
    if (this.#held === 0 || this.#held + length + CLIENT_MESSAGE_OVERHEAD_BYTES <= 2 * bufferBytes) return;
    throw new ProducerError(
      "buffer_full",
      `send: ${this.#held} bytes are held, twice bufferBytes (${bufferBytes}); await ready before each send`,
    );
  }

  /** Begins a batch, behind the one that has no room any more. */
  #begin(bytesMax: number): OutgoingBatch {
    this.#seal();
    const batch = new OutgoingBatch(bytesMax, Math.min(this.#expected, this.#settings.batchBytes));
    this.#open = batch;
    this.#pending.add(batch);
    const { lingerMs } = this.#settings;
    const lingered = (): void => {
      batch.hasLingered = true;
      this.#pump();
    };
    if (lingerMs === 0) queueMicrotask(lingered);
    else this.#linger = setTimeout(lingered, lingerMs);
    return batch;
  }

  #seal(): void {
    const batch = this.#open;
    if (!batch) return;
    clearTimeout(this.#linger);
    this.#open = undefined;
    batch.seal();
    this.#full.push(batch);
    this.#pump();
  }

  /** Has as many batches under way as may be. */
  #pump(): void {
    while (this.#underWay < this.#settings.inFlight) {
      const open = this.#open;
      if (this.#full.length === 0 && open && (open.isDue || open.hasLingered && this.#underWay === 0)) {
        this.#seal();
        // Sealing came here again.
        continue;
      }
      const batch = this.#full.shift();
      if (!batch) return;
      this.#underWay++;
      void this.#deliver(batch);
    }
  }

  async #deliver(batch: OutgoingBatch): Promise<void> {
    await this.#delivery.deliver(batch);
    this.#underWay--;
    this.#expected = batch.used;
    this.#done(batch);
    this.#pump();
  }

  /** Each sender of the batch was told. */
  #done(batch: OutgoingBatch): void {
    if (!this.#pending.delete(batch)) return;
    this.#held -= batch.cost;
    if (this.desiredSize > 0) {
      this.#room?.resolve();
      this.#room = undefined;
    }
    for (const waiter of this.#waiters) {
      if (waiter.batches.delete(batch) && waiter.batches.size === 0) waiter.done();
    }
  }

  #failed(error: ProducerError, messages: number): void {
    if (messages === 0) return;
    this.#failure ??= error;
    told(() => this.#onFailure?.(error, messages));
  }

  /** Resolves when all that is held now is done with; rejects when the signal is aborted. */
  async #settled(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) throw stopped(signal);
    if (this.#pending.size === 0) return;
    if (this.#open) this.#open.isDue = true;
    const { promise, resolve, reject } = promiseParts();
    const waiter: Waiter = { batches: new Set(this.#pending), done: resolve };
    const abort = (): void => reject(stopped(signal!));
    signal?.addEventListener("abort", abort);
    this.#waiters.add(waiter);
    this.#pump();
    try {
      await promise;
    } finally {
      this.#waiters.delete(waiter);
      signal?.removeEventListener("abort", abort);
    }
  }
}

function stopped({ reason }: AbortSignal): ProducerError {
  return new ProducerError("aborted", "flush: its signal is aborted; what was sent stays on its way", {
    written: "maybe",
    cause: reason,
  });
}

/** What a hook throws is its own program's defect: it is reported as any other, and keeps nothing from being sent. */
function told(hook: () => void): void {
  try {
    hook();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

interface PromiseParts {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** `Promise.withResolvers`, which Node 20 does not have. */
function promiseParts(): PromiseParts {
  let resolve!: () => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
