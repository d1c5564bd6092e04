/**
 * A bound on how long an answer is waited for, by the clock that is passed in.
 *
 * @module
 */
import type { Clock } from "../storage/clock.ts";

/**
 * Resolves and rejects as `pending` does, or rejects after `ms`; what `pending` becomes then is ignored.
 *
 * @param lateError what it rejects with then
 */
export async function within<T>(
  clock: Clock,
  pending: Promise<T>,
  ms: number,
  lateError = (afterMs: number): Error => new Error(`no answer within ${Math.round(afterMs)} ms`),
): Promise<T> {
  const afterMs = Math.max(0, ms);
  const late = Promise.withResolvers<never>();
  const cancel = clock.after(afterMs, () => late.reject(lateError(afterMs)));
  // Whoever loses the race must not be an unhandled rejection.
  pending.catch(() => {});
  try {
    return await Promise.race([pending, late.promise]);
  } finally {
    cancel();
  }
}
