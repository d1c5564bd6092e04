/**
 * What a producer holds: the batch that fills, those that wait for their turn, and those under way.
 *
 * Owns when a batch goes out, and how much is held. A batch goes out in the next microtask when none is under way, so that
 * what one turn of the program sends goes together, and a single message waits for nothing. While one is under way, the
 * next one fills: batches are as large as they have to be for what the node takes, without a setting (group commit does
 * the same in the node).
 *
 * Invariant: what is held is the cost of all batches that are not done with, and bounded. No timer is left behind when
 * nothing is held.
 *
 * Rejected: to wait for room in here (those who wait hold their values, and are not bounded themselves).
 *
 * @module
 */
import { BATCH_BYTES_CEILING, CLIENT_MESSAGE_OVERHEAD_BYTES } from "../protocol/limits.ts";
import type { WriteResult } from "../protocol/types.ts";
import { OutgoingBatch } from "./outgoing_batch.ts";
import { ProducerError } from "./producer_error.ts";
import type { ProducerSettings } from "./producer_options.ts";

const encoder = new TextEncoder();
const ROOM = Promise.resolve();

/** Somebody who waits until batches are done with. */
interface Waiter {
  readonly batches: Set<OutgoingBatch>;
  readonly done: () => void;
}

/** Batches of one producer. */
export class Outbox {
  readonly #settings: ProducerSettings;
  readonly #send: (batch: OutgoingBatch) => Promise<void>;
  /** Takes what is sent now. */
  #open: OutgoingBatch | undefined;
  #linger: ReturnType<typeof setTimeout> | undefined;
  /** Wait for their turn. */
  #full: OutgoingBatch[] = [];
  #underWay = 0;
  /** All that are not done with. */
  readonly #pending = new Set<OutgoingBatch>();
  #held = 0;
  /** How large the last batch was. */
  #expected = 0;
  #room: PromiseParts | undefined;
  readonly #waiters = new Set<Waiter>();
  /** Nothing is to be taken any more. */
  hasEnded = false;

  /** @param send resolves when each sender of a batch was told what became of its message; never rejects */
  constructor(settings: ProducerSettings, send: (batch: OutgoingBatch) => Promise<void>) {
    this.#settings = settings;
    this.#send = send;
  }

  /** The batch that took the last message. */
  get open(): OutgoingBatch | undefined {
    return this.#open;
  }

  /** Bytes that may still be held; less than 0 where more are. */
  get desiredSize(): number {
    return this.#settings.bufferBytes - this.#held;
  }

  /** Resolves when there is room, and at the end. */
  get ready(): Promise<void> {
    if (this.desiredSize > 0 || this.hasEnded) return ROOM;
    this.#room ??= promiseParts();
    return this.#room.promise;
  }

  /** Takes a message into the open batch; throws a `ProducerError` if it is too long or there is no room. */
  append(content: string | Uint8Array): Promise<WriteResult> {
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
    await this.#send(batch);
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

  /** Resolves when all that is held now is done with; rejects when the signal is aborted. */
  async settled(signal: AbortSignal | undefined): Promise<void> {
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

  /** Takes whatever is not done with out of it; for each batch `tell` is called, and says what becomes of it. */
  end(tell: (batch: OutgoingBatch) => void): void {
    this.hasEnded = true;
    clearTimeout(this.#linger);
    this.#open = undefined;
    this.#full = [];
    for (const batch of [...this.#pending]) {
      tell(batch);
      this.#done(batch);
    }
    this.#room?.resolve();
  }
}

function stopped({ reason }: AbortSignal): ProducerError {
  return new ProducerError("aborted", "flush: its signal is aborted; what was sent stays on its way", {
    written: "maybe",
    cause: reason,
  });
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
