/**
 * Runs histories in a thread of its own and tells how they went.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import { historyOf } from "./history.ts";
import { PLANTS } from "./planted.ts";
import { run } from "./run.ts";

/** Which histories: one for each seed in [from, to). */
export interface Task {
  readonly from: number;
  readonly to: number;
  /** Name of a planted bug. */
  readonly plant?: string;
}

/** What is told after some histories. */
export interface Report {
  readonly histories: number;
  readonly events: number;
  /** Fewest events of a history. */
  readonly eventsMin: number;
  readonly convergedMsMax: number;
  /** Sum of what each seed and its trace amount to, whatever their order. */
  readonly traces: number;
  readonly failure?: { readonly seed: number; readonly invariant: string; readonly message: string };
  /** The task has ended. */
  readonly done: boolean;
}

/** Histories per report. */
const STEP = 20;
/** Each so many-th history is run twice, to see that it is the same. */
const TWICE = 50;

const scope = self as unknown as {
  onmessage: (event: MessageEvent<Task>) => void;
  postMessage(report: Report): void;
};

scope.onmessage = async ({ data: { from, to, plant: name } }) => {
  const plant = PLANTS.find((one) => one.name === name);
  const options = plant ? { plant } : {};
  let [histories, events, eventsMin, convergedMsMax, traces] = [0, 0, Infinity, 0, 0];
  const report = (done: boolean, failure?: Report["failure"]): void => {
    scope.postMessage({
      histories,
      events,
      eventsMin,
      convergedMsMax,
      traces,
      done,
      ...(failure ? { failure } : {}),
    });
    [histories, events, eventsMin, convergedMsMax, traces] = [0, 0, Infinity, 0, 0];
  };
  for (let seed = from; seed < to; seed++) {
    const outcome = await run(historyOf(seed), options);
    histories++;
    events += outcome.events;
    if (!outcome.violation) eventsMin = Math.min(eventsMin, outcome.events);
    convergedMsMax = Math.max(convergedMsMax, outcome.convergedMs);
    traces = (traces + crc32(`${seed} ${outcome.hash}`)) >>> 0;
    let failure = outcome.violation &&
      { seed, invariant: outcome.violation.invariant as string, message: outcome.violation.message };
    if (!failure && seed % TWICE === 0) {
      const again = await run(historyOf(seed), options);
      if (again.hash !== outcome.hash) {
        const message = `two runs of seed ${seed} have the traces ${outcome.hash} and ${again.hash}`;
        failure = { seed, invariant: "Deterministic", message };
      }
    }
    if (failure) return report(true, failure);
    if (histories >= STEP) report(false);
  }
  report(true);
};
