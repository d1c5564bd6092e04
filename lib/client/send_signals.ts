/**
 * Signals of single sends: each takes back the messages that were sent with it.
 *
 * One listener for a signal, however many messages it has: runtimes warn of more. It goes with the last of them.
 *
 * @module
 */
import type { Written } from "../protocol/errors.ts";
import type { WriteResult } from "../protocol/types.ts";
import type { OutgoingBatch } from "./outgoing_batch.ts";
import { ProducerError } from "./producer_error.ts";

interface Watched {
  /** By what its sender waits for, the batch that a message went into. */
  readonly messages: Map<Promise<WriteResult>, OutgoingBatch>;
  readonly abort: () => void;
}

/** The signals of one producer's sends. */
export class SendSignals {
  readonly #watched = new Map<AbortSignal, Watched>();

  /** Has the message rejected when the signal is aborted, and not sent if there is still time. */
  watch(signal: AbortSignal, message: Promise<WriteResult>, batch: OutgoingBatch): void {
    const { messages } = this.#watched.get(signal) ?? this.#begin(signal);
    messages.set(message, batch);
    const settled = (): void => {
      if (messages.delete(message) && messages.size === 0) this.#end(signal);
    };
    message.then(settled, settled);
  }

  /** Looks at no signal any more. */
  end(): void {
    for (const signal of this.#watched.keys()) this.#end(signal);
  }

  #begin(signal: AbortSignal): Watched {
    const messages = new Map<Promise<WriteResult>, OutgoingBatch>();
    const abort = (): void => {
      this.#end(signal);
      for (const batch of new Set(messages.values())) {
        batch.takeBack((message) => messages.has(message), (written) => aborted(written, signal.reason));
      }
    };
    const watched = { messages, abort };
    signal.addEventListener("abort", abort);
    this.#watched.set(signal, watched);
    return watched;
  }

  #end(signal: AbortSignal): void {
    const watched = this.#watched.get(signal);
    if (!watched) return;
    signal.removeEventListener("abort", watched.abort);
    this.#watched.delete(signal);
  }
}

function aborted(written: Written, cause: unknown): ProducerError {
  const what = written === "no" ? "it was not sent" : "it may be stored nevertheless";
  return new ProducerError("aborted", `send: aborted by its signal; ${what}`, { written, cause });
}
