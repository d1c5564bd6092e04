/**
 * Brings batches to a node, and to the next one where that fails.
 *
 * Owns when a batch is sent again, and where:
 *
 * | the attempt                             | what follows                                                                |
 * | --------------------------------------- | --------------------------------------------------------------------------- |
 * | certainly did not write it              | the next node at once; when all of them failed, a pause                      |
 * | may have written it                     | the same node after a pause, with the same producer and sequence: it stores it once |
 * | … and the node is gone, or says so again | another node, if duplicates are allowed; else the same one, for as long as it takes |
 * | was refused as too large                 | its halves, down to the one message that is, which alone is refused          |
 * | was refused otherwise                    | nothing: trying again would not change that                                  |
 *
 * Pauses are random between nothing and a bound that doubles from time to time, and come on top of what the node asked for
 * (`Retry-After`). A batch ends at the latest with the first failure after `giveUpMs`, counted from its first message,
 * once each node was asked: those that waited behind it are tried too, and do not each wait as long.
 *
 * The node is the producer's own choice at random, see `Servers`. When it failed and is ready again it is gone back to,
 * and that is found out beside the writing: a node that swallows requests would stop it otherwise each time.
 *
 * @module
 */
import { ChukchaError, type Written } from "../protocol/errors.ts";
import {
  CLIENT_ANSWER_MS,
  CLIENT_BYTES_PER_S_MIN,
  CLIENT_FIRST_ANSWER_MS,
  CLIENT_GIVE_UP_MS_DEFAULT,
  CLIENT_RETRY_AFTER_MS_MAX,
  CLIENT_RETRY_MS_MAX,
  CLIENT_RETRY_MS_MIN,
  CLIENT_SAME_NODE_TRIES,
  CLIENT_SILENT_NODE_TRIES,
} from "../protocol/limits.ts";
import type { WriteResult } from "../protocol/types.ts";
import type { ChukchaClient } from "./client.ts";
import { eventId } from "./event_id.ts";
import type { OutgoingBatch } from "./outgoing_batch.ts";
import { ProducerError, type ProducerErrorCode } from "./producer_error.ts";
import { type Nodes, pause, type Trouble } from "./route.ts";
import { isRetryable, TransportError } from "./transport_error.ts";

/** Where batches go, and how hard to try. */
export interface DeliveryOptions {
  readonly nodes: Nodes;
  readonly category: string;
  readonly syncEachWrite: boolean | undefined;
  readonly minSyncReplicas: number | undefined;
  /** How long a node may wait for that. */
  readonly confirmMs: number;
  readonly mayDuplicate: boolean;
  readonly giveUpMs: number | undefined;
  readonly onTrouble: (trouble: Trouble) => void;
  /** Told of what became of messages that are not stored, and of how many waited for them. */
  readonly onFailure: (error: ProducerError, messages: number) => void;
  /** Ends everything at once. */
  readonly signal: AbortSignal;
}

/** What is known of the attempts at one batch. */
class Attempts {
  readonly sequence: number;
  /** The node of the next one. */
  client: ChukchaClient;
  /** How many failed. */
  count = 0;
  /** How many without an answer. */
  lost = 0;
  /** After how many there was a pause. */
  pauses = 0;
  /** The node that may have written it, and how often it failed since. */
  home: ChukchaClient | undefined;
  failuresAtHome = 0;
  /** Nodes that failed in this round. */
  readonly tried = new Set<ChukchaClient>();

  constructor(sequence: number, client: ChukchaClient) {
    this.sequence = sequence;
    this.client = client;
  }
}

/** The way of a producer's batches to a node. */
export class Delivery {
  readonly #options: DeliveryOptions;
  /** Nobody else's: by it nodes know a batch again, and by it one of them is chosen. */
  readonly #id = eventId();
  #sequence = 0;
  /** The node in use. */
  #client: ChukchaClient;
  #hasWorked = false;
  /** Under way while it is asked whether a node is ready to be gone back to. */
  #looking: Promise<void> | undefined;
  /** A batch of this size was not seen to be refused. */
  #bytesMax = Infinity;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#client = options.nodes.inOrder(this.#id)[0]!;
  }

  /** Resolves when each sender was told what became of its message. Never rejects. */
  async deliver(batch: OutgoingBatch): Promise<void> {
    try {
      await this.#deliver(batch);
    } catch (error) {
      this.#fail(batch, "refused", messageOf(error), error);
    }
  }

  /** Resolves when nothing is under way any more; to be called when the signal is aborted. */
  async end(): Promise<void> {
    await this.#looking;
  }

  /** Returns whether one of its messages was too large by itself. */
  async #deliver(batch: OutgoingBatch): Promise<boolean> {
    const halves = batch.size > this.#bytesMax ? batch.halve() : undefined;
    if (halves) return await this.#deliverHalves(halves);
    this.#lookForPreferred();
    const attempts = new Attempts(this.#sequence++, this.#client);
    for (;;) {
      const body = batch.body();
      // All of it was taken back.
      if (body.length === 0) return false;
      const { client } = attempts;
      batch.isUnderWay = true;
      try {
        const result = await this.#write(body, attempts);
        this.#hasWorked = true;
        this.#options.nodes.worked(client);
        batch.stored(result);
        return false;
      } catch (error) {
        batch.isUnderWay = false;
        if (writtenOf(error) === "maybe") batch.written = "maybe";
        if (this.#options.signal.aborted) return false;
        // Halves have numbers of their own: whoever has the whole would not know them.
        const mayHalve = batch.written === "no" || this.#options.mayDuplicate;
        if (isTooLarge(error) && mayHalve) return await this.#tooLarge(batch, error);
        if (!isRetryable(error)) {
          this.#fail(batch, "refused", messageOf(error), error);
          return false;
        }
        if (!await this.#isTriedAgain(batch, attempts, error)) return false;
      }
    }
  }

  #write(body: Uint8Array, { client, sequence, lost }: Attempts): Promise<WriteResult> {
    const { category, syncEachWrite, minSyncReplicas, confirmMs, signal } = this.#options;
    const sendMs = 1000 * body.length / CLIENT_BYTES_PER_S_MIN;
    return client.write(category, body, {
      syncEachWrite,
      minSyncReplicas,
      timeoutMs: confirmMs,
      producer: this.#id,
      sequence,
      answerMs: (CLIENT_ANSWER_MS + sendMs) * 2 ** Math.min(lost >> 1, 10),
      signal,
    });
  }

  async #tooLarge(batch: OutgoingBatch, error: unknown): Promise<boolean> {
    const halves = batch.halve();
    if (!halves) {
      this.#fail(
        batch,
        "too_large",
        `the message of ${batch.size - 1} bytes is refused: ${messageOf(error)}`,
        error,
      );
      return true;
    }
    const isOneTooLarge = await this.#deliverHalves(halves);
    // It was the batch, then: the next ones are made smaller before they are sent.
    if (!isOneTooLarge) this.#bytesMax = Math.min(this.#bytesMax, Math.max(halves[0].size, halves[1].size));
    return isOneTooLarge;
  }

  /** One behind the other, so that the order stays. */
  async #deliverHalves([first, second]: readonly [OutgoingBatch, OutgoingBatch]): Promise<boolean> {
    const isFirst = await this.#deliver(first);
    const isSecond = await this.#deliver(second);
    return isFirst || isSecond;
  }

  /** Whether it is; resolves when it is time. */
  async #isTriedAgain(batch: OutgoingBatch, attempts: Attempts, error: unknown): Promise<boolean> {
    const { nodes, signal, onTrouble } = this.#options;
    const { client } = attempts;
    nodes.failed(client);
    attempts.count++;
    if (isLost(error)) attempts.lost++;
    attempts.tried.add(client);
    const order = nodes.inOrder(this.#id);
    const isAtHome = this.#staysAtHome(attempts, error);
    const next = isAtHome ? client : order.find((each) => !attempts.tried.has(each));
    const leftMs = batch.bornMs + this.#giveUpMs - performance.now();
    if (leftMs <= 0 && (isAtHome || !next)) {
      const times = attempts.count === 1 ? "1 attempt" : `${attempts.count} attempts`;
      this.#fail(batch, "given_up", `given up after ${times}: ${messageOf(error)}`, error);
      return false;
    }
    if (!next) attempts.tried.clear();
    attempts.client = next ?? order[0]!;
    // Those that follow begin there, unless another one has found a node meanwhile.
    if (this.#client === client) this.#client = attempts.client;
    const retryMs = next && !isAtHome
      ? 0
      : Math.min(pauseBefore(attempts.pauses++, error), Math.max(0, leftMs));
    onTrouble({ error, failures: attempts.count, retryMs });
    if (retryMs > 0) await pause(retryMs, signal);
    return !signal.aborted;
  }

  /** Whether a batch is sent to the same node again, since another one would not know it. */
  #staysAtHome(attempts: Attempts, error: unknown): boolean {
    const { client } = attempts;
    if (writtenOf(error) === "maybe" && attempts.home !== client) {
      attempts.home = client;
      attempts.failuresAtHome = 0;
    }
    if (attempts.home !== client) return false;
    attempts.failuresAtHome++;
    if (!this.#options.mayDuplicate) return true;
    if (error instanceof TransportError && error.neverConnected) return false;
    // A node that is silent takes much longer to fail than one that answers.
    return attempts.failuresAtHome < (isLost(error) ? CLIENT_SILENT_NODE_TRIES : CLIENT_SAME_NODE_TRIES);
  }

  get #giveUpMs(): number {
    return this.#options.giveUpMs ?? (this.#hasWorked ? CLIENT_GIVE_UP_MS_DEFAULT : CLIENT_FIRST_ANSWER_MS);
  }

  #fail(batch: OutgoingBatch, code: ProducerErrorCode, reason: string, cause: unknown): void {
    const { category, onFailure } = this.#options;
    const message = `send to category "${category}": ${reason}`;
    const error = new ProducerError(code, message, { written: batch.written, cause });
    const messages = batch.failed(() => error);
    if (messages > 0) onFailure(error, messages);
  }

  /** Asks the node that comes before the one in use, if there is one, whether it is ready; then it is used. */
  #lookForPreferred(): void {
    const { nodes, signal } = this.#options;
    const preferred = nodes.inOrder(this.#id)[0]!;
    if (preferred === this.#client || this.#looking) return;
    const look = async (): Promise<void> => {
      const isReady = await preferred.ready({ signal, answerMs: CLIENT_ANSWER_MS });
      if (!isReady) return nodes.failed(preferred);
      nodes.worked(preferred);
      this.#client = preferred;
    };
    const failed = (): void => {
      // Unless it was only the end of this producer.
      if (!signal.aborted) nodes.failed(preferred);
    };
    this.#looking = look().catch(failed).finally(() => this.#looking = undefined);
  }
}

/** Random between nothing and a bound that doubles, behind what the node asked for. */
function pauseBefore(pauses: number, error: unknown): number {
  const { retryAfterMs = 0 } = error as { retryAfterMs?: number };
  const longestMs = Math.min(CLIENT_RETRY_MS_MAX, CLIENT_RETRY_MS_MIN * 2 ** Math.min(pauses, 30));
  return Math.round(Math.min(retryAfterMs, CLIENT_RETRY_AFTER_MS_MAX) + Math.random() * longestMs);
}

/** What is neither of the two errors came from where nobody knows: an abort, or a `fetch` that is not one. */
function writtenOf(error: unknown): Written {
  return error instanceof ChukchaError || error instanceof TransportError ? error.written : "maybe";
}

/** Said by a node, or by a proxy before it. */
function isTooLarge(error: unknown): boolean {
  if (error instanceof ChukchaError) return error.code === "too_large";
  return error instanceof TransportError && error.status === 413;
}

/** Whether an answer was waited for in vain, or broke off: more time may help. */
function isLost(error: unknown): boolean {
  return error instanceof TransportError && error.status === undefined && error.written === "maybe";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
