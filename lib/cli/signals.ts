/**
 * Ctrl-C and SIGTERM: the first one asks to end, the second one ends.
 *
 * @module
 */
import { EXIT, Interrupted } from "./command.ts";

/** Signals that were taken over. */
export interface Signals {
  /** Aborted by the first signal, with an `Interrupted`. */
  readonly signal: AbortSignal;
  /** Gives the signals back. */
  release(): void;
}

/** Windows knows only the first of them. */
const ENDING: readonly Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];

/** Takes the signals over; the second one exits at once. */
export function onSignals(): Signals {
  const controller = new AbortController();
  const listener = () => {
    if (controller.signal.aborted) Deno.exit(EXIT.interrupted);
    controller.abort(new Interrupted("interrupted"));
  };
  for (const name of ENDING) Deno.addSignalListener(name, listener);
  return {
    signal: controller.signal,
    release: () => ENDING.forEach((name) => Deno.removeSignalListener(name, listener)),
  };
}
