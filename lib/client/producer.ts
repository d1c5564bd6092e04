/**
 * Sends messages to one category, many at a time.
 *
 * Owns what users of a producer see: what `send` promises, what is told of failures, and the end. What a value is as a
 * message is for `message_content.ts`, what is held for `outbox.ts`, the bytes for `outgoing_batch.ts`, nodes and failures
 * for `delivery.ts`.
 *
 * Invariants: each message that `send` took is told its fate once. With one batch under way, order is that of `send`. No
 * rejection is left unhandled, and no timer is left behind.
 *
 * Rejected: compression. gzip takes 12 ms for a MiB on the thread that sends, and makes a seventh of it: what a network of
 * 75 MB/s carries in that time. A program could send 80 MB/s at most.
 *
 * @module
 */
import { checkCategory } from "../protocol/names.ts";
import type { WriteResult } from "../protocol/types.ts";
import { Delivery } from "./delivery.ts";
import { contentOf, type MessageValue } from "./message_content.ts";
import type { CallOptions } from "./options.ts";
import { Outbox } from "./outbox.ts";
import { ProducerError } from "./producer_error.ts";
import { type ProducerOptions, settingsOf } from "./producer_options.ts";
import type { Nodes } from "./route.ts";
import { SendSignals } from "./send_signals.ts";

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
  readonly #onFailure: ProducerOptions["onFailure"];
  readonly #signal: AbortSignal | undefined;
  readonly #delivery: Delivery;
  /** Ends everything under way. */
  readonly #ending = new AbortController();
  readonly #outbox: Outbox;
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
    const settings = settingsOf(options);
    this.#onFailure = options.onFailure;
    const { syncEachWrite, onTrouble, signal } = options;
    this.#delivery = new Delivery({
      ...settings,
      nodes,
      category,
      syncEachWrite,
      onTrouble: (trouble) => told(() => onTrouble?.(trouble)),
      onFailure: (error, messages) => this.#failed(error, messages),
      signal: this.#ending.signal,
    });
    this.#outbox = new Outbox(settings, (batch) => this.#delivery.deliver(batch));
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
    return this.#outbox.desiredSize;
  }

  /** Resolves when there is room in the buffer, at once if there is; also when the producer ends. Never rejects. */
  get ready(): Promise<void> {
    return this.#outbox.ready;
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
      if (this.#closing || this.#outbox.hasEnded || signal?.aborted) throw this.#refusal(signal);
      const promise = this.#outbox.append(contentOf(value));
      if (signal) this.#signals.watch(signal, promise, this.#outbox.open!);
      return promise;
    } catch (error) {
      return quiet(Promise.reject(error));
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
  flush({ signal }: CallOptions = {}): Promise<void> {
    return quiet(
      this.#outbox.settled(signal).then(() => {
        const failure = this.#failure;
        this.#failure = undefined;
        if (failure) throw failure;
      }),
    );
  }

  /**
   * Sends what is there, waits for it, and takes nothing more. Again returns the same.
   *
   * @param options a signal that ends the waiting: what is not stored by then is rejected with `aborted`
   * @throws ProducerError the first failure since the last `flush`
   */
  close({ signal }: CallOptions = {}): Promise<void> {
    this.#closing ??= quiet(this.#close());
    if (!signal) return this.#closing;
    const abort = (): void => this.#end(signal.reason);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    return quiet(this.#closing.finally(() => signal.removeEventListener("abort", abort)));
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
    if (this.#outbox.hasEnded) return;
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#signals.end();
    // Before the requests are aborted: a batch does not know any more then that it was under way.
    this.#outbox.end((batch) => {
      let error: ProducerError | undefined;
      const messages = batch.failed((written) => {
        const message = `send to category "${this.category}": the producer was aborted`;
        return error = new ProducerError("aborted", message, { written, cause });
      });
      if (error) this.#failed(error, messages);
    });
    this.#ending.abort(cause);
  }

  #refusal(signal: AbortSignal | undefined): ProducerError {
    const what = `send to category "${this.category}":`;
    if (this.#closing) return new ProducerError("closed", `${what} the producer is closed; make a new one`);
    const cause = signal?.aborted ? signal.reason : this.#ending.signal.reason;
    return new ProducerError("aborted", `${what} its signal is aborted`, { cause });
  }

  #failed(error: ProducerError, messages: number): void {
    if (messages === 0) return;
    this.#failure ??= error;
    told(() => this.#onFailure?.(error, messages));
  }
}

/** The same promise: that nobody looks at it ends no program. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
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
