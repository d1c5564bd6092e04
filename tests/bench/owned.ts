/**
 * Processes and directories that must not outlive a run. Whoever makes one ends it; an interrupted run ends what is
 * left.
 *
 * @module
 */

const SIGNALS: readonly (readonly [Deno.Signal, code: number])[] = [["SIGINT", 130], ["SIGTERM", 143]];

const ends = new Set<() => Promise<void>>();

/** Returns `end`, which is now called at most once, and by {@linkcode endOwned} if by nobody else. */
export function owned(end: () => Promise<void>): () => Promise<void> {
  let ended: Promise<void> | undefined;
  const once = (): Promise<void> => ended ??= end().finally(() => ends.delete(once));
  ends.add(once);
  return once;
}

/** Ends everything; what fails does not keep the others. */
export async function endOwned(): Promise<void> {
  await Promise.allSettled([...ends].map((end) => end()));
}

/** From now on Ctrl-C and SIGTERM end everything first. */
export function endOwnedOnSignals(): void {
  for (const [signal, code] of SIGNALS) {
    Deno.addSignalListener(signal, () => void endOwned().then(() => Deno.exit(code)));
  }
}
