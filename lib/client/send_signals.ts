/**
 * Signals of single sends: each takes back the messages that were sent with it.
 *
 * One listener for a signal, however many messages it has: runtimes warn of more. It goes with the last of them.
 *
 * @module
 */
import type { OutgoingMessage } from "./outgoing_batch.ts";
import { ProducerError } from "./producer_error.ts";

interface Watched {
  readonly messages: Set<OutgoingMessage>;
  readonly abort: () => void;
}

/** The signals of one producer's sends. */
export class SendSignals {
  readonly #watched = new Map<AbortSignal, Watched>();

  /** Has the message rejected when the signal is aborted, and not sent if there is still time. */
  watch(signal: AbortSignal, message: OutgoingMessage): void {
    const { messages } = this.#watched.get(signal) ?? this.#begin(signal);
    messages.add(message);
    const settled = (): void => {
      if (messages.delete(message) && messages.size === 0) this.#end(signal);
    };
    message.promise.then(settled, settled);
  }

  /** Looks at no signal any more. */
  end(): void {
    for (const signal of this.#watched.keys()) this.#end(signal);
  }

  #begin(signal: AbortSignal): Watched {
    const messages = new Set<OutgoingMessage>();
    const abort = (): void => {
      this.#end(signal);
      for (const message of messages) takeBack(message, signal.reason);
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

function takeBack(message: OutgoingMessage, cause: unknown): void {
  const { batch } = message;
  const written = batch.isUnderWay || batch.written === "maybe" ? "maybe" : "no";
  const what = written === "no" ? "it was not sent" : "it may be stored nevertheless";
  message.reject(new ProducerError("aborted", `send: aborted by its signal; ${what}`, { written, cause }));
  batch.take();
}
