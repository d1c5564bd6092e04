/**
 * Waiting for something that other processes, or sockets, bring about: it is looked at again and again, up to a
 * deadline.
 *
 * `until` in `node.ts` asks without a pause, which suits one node; several nodes that share two cores get further if
 * whoever asks them leaves them time.
 *
 * @module
 */

const PAUSE_MS = 15;
/** Generous: what takes so long is not slow, it does not happen. */
const WAIT_MS = 30_000;

/** Looks until what is seen is as wanted, and returns it; throws with what was seen last. */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  wanted: (seen: T) => boolean,
  waitMs = WAIT_MS,
): Promise<T> {
  const endMs = performance.now() + waitMs;
  for (;;) {
    const seen = await look();
    if (wanted(seen)) return seen;
    if (performance.now() > endMs) {
      const shown = JSON.stringify(seen, null, 1) ?? String(seen);
      throw new Error(`${what}: not within ${waitMs} ms; last seen ${shown.slice(0, 4000)}`);
    }
    await pause(PAUSE_MS);
  }
}

/** Leaves others some time; never to be waited with for something that can be looked at. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
