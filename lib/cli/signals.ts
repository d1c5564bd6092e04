/**
 * Ctrl-C and SIGTERM: the first one asks to end, the second one ends. SIGHUP: read files again.
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

/**
 * Ctrl-C goes to all programs of a terminal, and some of them, as `deno task`, hand it on to those that they started:
 * what comes again within this time is the same one.
 */
const ECHO_MS = 300;

/** Takes the signals over; `again` is what the second one does. */
export function onSignals(again: () => void = () => Deno.exit(EXIT.interrupted)): Signals {
  const controller = new AbortController();
  let firstMs = 0;
  const listeners = ENDING.map((name) => {
    const listener = () => {
      const nowMs = performance.now();
      if (!controller.signal.aborted) {
        firstMs = nowMs;
        controller.abort(new Interrupted("interrupted"));
      } else if (name !== "SIGINT" || nowMs - firstMs > ECHO_MS) again();
    };
    Deno.addSignalListener(name, listener);
    return { name, listener };
  });
  return {
    signal: controller.signal,
    release: () => listeners.forEach(({ name, listener }) => Deno.removeSignalListener(name, listener)),
  };
}

/**
 * SIGHUP, by which services are told to read their files again; returns what gives it back. Not `wanted` on a terminal,
 * where it says that the terminal has gone, nor known on Windows.
 */
export function onHangup(act: () => void, wanted: boolean): () => void {
  if (!wanted || Deno.build.os === "windows") return () => {};
  Deno.addSignalListener("SIGHUP", act);
  return () => Deno.removeSignalListener("SIGHUP", act);
}
