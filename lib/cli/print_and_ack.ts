/**
 * Prints what a consumer was handed out, and acknowledges it afterwards: the order that makes "printed" mean "at least
 * once".
 *
 * What the output has not taken when the program is told to end was not printed: it is not acknowledged, whether the
 * reader of the output sees some of it or not. An ack that fails says which bytes come again.
 *
 * @module
 */
import { Failure } from "./command.ts";
import { explain } from "./explain.ts";

/** Of these bytes, how they are printed and acknowledged. */
export interface Printing {
  readonly bytes: Uint8Array;
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Resolves with `false` if the consumer was moved or forgotten meanwhile, so that it counts for nothing. */
  readonly ack: () => Promise<boolean>;
  readonly consumer: string;
  readonly note: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Rejects with what the output said, with the reason of the signal, or with a `Failure` if it could not be acknowledged. */
export async function printAndAck({ bytes, write, ack, consumer, note, signal }: Printing): Promise<void> {
  await unlessAborted(write(bytes), signal);
  let isDone: boolean;
  try {
    isDone = await ack();
  } catch (cause) {
    throw new Failure(
      `the last ${bytes.length} bytes were printed and could not be acknowledged: they come again; ${
        explain(cause)
      }`,
      { cause },
    );
  }
  if (!isDone) note(`the consumer "${consumer}" was moved or forgotten meanwhile; going on where it is now`);
}

async function unlessAborted(writing: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    await Promise.race([writing, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Should it fail later, nobody waits for it any more.
    writing.catch(() => {});
  }
}
