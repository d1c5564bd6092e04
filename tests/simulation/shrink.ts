/**
 * Makes a history that fails smaller: leaves out steps and faults as long as the same invariant still breaks.
 *
 * @module
 */
import type { History } from "./history.ts";
import { run, type RunOptions } from "./run.ts";

/** Runs at most this many histories. */
const RUNS_MAX = 400;

/** A history that breaks `invariant` as this one does, with nothing in it that could be left out alone. */
export async function shrink(
  history: History,
  invariant: string,
  options: RunOptions = {},
): Promise<History> {
  let runs = 0;
  let smallest = history;
  const fails = async (candidate: History): Promise<boolean> => {
    if (runs >= RUNS_MAX) return false;
    runs++;
    return (await run(candidate, options)).violation?.invariant === invariant;
  };
  for (const part of ["faults", "steps"] as const) {
    for (
      let size = Math.ceil(smallest[part].length / 2);
      size >= 1;
      size = size > 1 ? Math.ceil(size / 2) : 0
    ) {
      for (let at = 0; at < smallest[part].length;) {
        const without = smallest[part].toSpliced(at, size);
        const candidate: History = { ...smallest, [part]: without };
        if (await fails(candidate)) smallest = candidate;
        else at += size;
      }
    }
  }
  return smallest;
}
