/**
 * Trying again: what passes by itself is waited for, with growing pauses, for a bounded time.
 *
 * @module
 */
import { isRetryable } from "../client/mod.ts";
import type { Flag } from "./command.ts";

/** Pause before the first retry; doubled for each that follows. */
const PAUSE_MS_FIRST = 100;
/** No pause is longer. */
const PAUSE_MS_MAX = 5000;

/** How long trying again goes on by default. */
export const RETRY_FOR_MS_DEFAULT = 30_000;
/** A year: as long as anybody can mean by "for ever". */
export const RETRY_FOR_MS_MAX = 365 * 86_400_000;

/** Flag of commands that try again. */
export const RETRY_FLAG: Flag = {
  name: "retry-for",
  placeholder: "TIME",
  help: "how long to go on trying while the node is away or busy; 0s never does",
  default: "30s",
};

/** How to try again. */
export interface RetryOptions {
  /** From the first failure on. */
  readonly retryForMs: number;
  readonly signal: AbortSignal;
  /** Told before each pause. */
  readonly onRetry: (error: unknown, pauseMs: number) => void;
  /** For tests. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly now?: () => number;
  readonly random?: () => number;
}

/**
 * The pause before retry number `retry`, counted from 0. Half of it is random, so that many clients that lost the same
 * node do not come back all at once.
 */
export function pauseBefore(retry: number, random: number): number {
  const fullMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_FIRST * 2 ** Math.min(retry, 30));
  return Math.round(fullMs * (0.5 + random / 2));
}

/** Tries until it succeeds, the error is none that passes, or the time is up; then throws the last error. */
export async function retrying<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { retryForMs, signal, onRetry, pause = sleep, now = () => performance.now(), random = Math.random } =
    options;
  let firstFailureMs: number | undefined;
  for (let retry = 0;; retry++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isRetryable(error)) throw error;
      firstFailureMs ??= now();
      const pauseMs = pauseBefore(retry, random());
      if (now() - firstFailureMs + pauseMs > retryForMs) throw error;
      onRetry(error, pauseMs);
      await pause(pauseMs, signal);
    }
  }
}

/** Waits; rejects with the signal's reason when it is aborted. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  const timer = setTimeout(resolve, ms);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
