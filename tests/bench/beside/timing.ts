/**
 * Times of messages: sent at a fixed pace, whatever became of those before, so that a stall is seen by all that it held
 * up.
 *
 * @module
 */
import type { Singles } from "./contender.ts";

/** What messages may take before a measurement is given up. */
const ARRIVAL_MS_MAX = 30_000;
/** Before what is counted. */
const WARM_MS = 500;

/**
 * Sends `count` messages, one each `intervalMs`, and waits until `arrivals` has as many times.
 *
 * @returns how to get the milliseconds that each took; they arrive in the order in which they were sent
 */
export async function timeEach(
  count: number,
  intervalMs: number,
  arrivals: readonly number[],
  send: (index: number) => Promise<unknown>,
): Promise<() => number[]> {
  const departures: number[] = [];
  const sent: Promise<unknown>[] = [];
  await every(count, intervalMs, (index) => {
    departures.push(performance.now());
    sent.push(send(index));
  });
  await Promise.all(sent);
  const deadline = performance.now() + ARRIVAL_MS_MAX;
  while (arrivals.length < count) {
    if (performance.now() > deadline) throw new Error(`${arrivals.length} of ${count} messages arrived`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return () => departures.map((departure, i) => arrivals[i]! - departure);
}

/** Each connection sends the next message when the one before is answered, for a while. */
export async function timeSingles(
  connections: number,
  seconds: number,
  send: (connection: number) => Promise<unknown>,
): Promise<Singles> {
  const micros: number[] = [];
  const run = async (until: number, keep: boolean): Promise<void> => {
    await Promise.all(Array.from({ length: connections }, async (_, connection) => {
      for (let now = performance.now(); now < until;) {
        await send(connection);
        const end = performance.now();
        if (keep) micros.push((end - now) * 1_000);
        now = end;
      }
    }));
  };
  await run(performance.now() + WARM_MS, false);
  const start = performance.now();
  await run(start + seconds * 1_000, true);
  const perSecond = micros.length / (performance.now() - start) * 1_000;
  return { perSecond, p50Micros: quantile(micros, 0.5), p99Micros: quantile(micros, 0.99) };
}

/** The value that a share of all does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

function every(count: number, intervalMs: number, tick: (index: number) => void): Promise<void> {
  return new Promise((resolve) => {
    const start = performance.now();
    let index = 0;
    const next = (): void => {
      tick(index++);
      if (index === count) return resolve();
      setTimeout(next, Math.max(0, start + index * intervalMs - performance.now()));
    };
    next();
  });
}
