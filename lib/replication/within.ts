/**
 * A bound on how long an answer is waited for, by the clock that is passed in.
 *
 * @module
 */
import type { Clock } from "../storage/clock.ts";

/** Resolves and rejects as `pending` does, or rejects after `ms`; what `pending` becomes then is ignored. */
export async function within<T>(clock: Clock, pending: Promise<T>, ms: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const cancel = clock.after(
    Math.max(0, ms),
    () => late.reject(new Error(`no answer within ${Math.round(Math.max(0, ms))} ms`)),
  );
  // Whoever loses the race must not be an unhandled rejection.
  pending.catch(() => {});
  try {
    return await Promise.race([pending, late.promise]);
  } finally {
    cancel();
  }
}
