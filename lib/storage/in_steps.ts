/**
 * Long work in short steps, between which everything else has its turn.
 *
 * @module
 */
import type { Clock } from "./clock.ts";
import type { Steps } from "./examine.ts";

/** What is waited for after a step that read so many bytes; rejects if there is to be no further one. */
export type Pace = (bytes: number) => Promise<void>;

/** Does all steps, waiting for `pace` in between. */
export async function inSteps<T>(pace: Pace, steps: Steps<T>): Promise<T> {
  try {
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
      await pace(value);
    }
  } finally {
    // Where `pace` ended it: files that are open are closed.
    steps.return(undefined as never);
  }
}

/** Resolves when the events that are already waiting were handled. */
export function breath(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.soon(resolve));
}
