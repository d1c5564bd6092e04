/**
 * Runs many histories on all processors.
 *
 * @module
 */
import type { Report, Task } from "./worker.ts";

/** What came out of many histories. */
export interface Sum {
  histories: number;
  events: number;
  eventsMin: number;
  convergedMsMax: number;
  /** Two machines that ran the same histories compare this: the same number, the same events. */
  traces: number;
  failures: NonNullable<Report["failure"]>[];
}

/** How to run them. */
export interface FleetOptions {
  readonly first: number;
  readonly histories: number;
  readonly workers: number;
  readonly plant?: string;
  /** No more is begun after this time. */
  readonly untilMs?: number;
  /** Called now and then. */
  readonly progress?: (sum: Sum) => void;
}

/** Histories that a worker is given at once. */
const SHARE = 100;

/** Runs the histories of `histories` seeds from `first` on; ends after the first failure. */
export async function runFleet(options: FleetOptions): Promise<Sum> {
  const { first, histories, workers, plant, untilMs = Infinity, progress = () => {} } = options;
  const sum: Sum = {
    histories: 0,
    events: 0,
    eventsMin: Infinity,
    convergedMsMax: 0,
    traces: 0,
    failures: [],
  };
  let next = first;
  const end = first + histories;
  const share = Math.max(1, Math.min(SHARE, Math.ceil(histories / workers)));
  const take = (): Task | undefined => {
    if (next >= end || sum.failures.length > 0 || performance.now() > untilMs) return undefined;
    const from = next;
    next = Math.min(end, next + share);
    return { from, to: next, ...(plant ? { plant } : {}) };
  };
  await Promise.all(Array.from({ length: workers }, () => work(take, sum, progress)));
  return sum;
}

/** What is printed of the traces. */
export function formatTraces({ traces }: Sum): string {
  return `traces ${traces.toString(16).padStart(8, "0")}`;
}

function work(take: () => Task | undefined, sum: Sum, progress: (sum: Sum) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    const begin = (): void => {
      const task = take();
      if (task) return worker.postMessage(task);
      worker.terminate();
      resolve();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      reject(new Error(`a simulation ended with a defect: ${event.message}`));
    };
    worker.onmessage = ({ data }: MessageEvent<Report>) => {
      sum.histories += data.histories;
      sum.events += data.events;
      sum.eventsMin = Math.min(sum.eventsMin, data.eventsMin);
      sum.traces = (sum.traces + data.traces) >>> 0;
      sum.convergedMsMax = Math.max(sum.convergedMsMax, data.convergedMsMax);
      if (data.failure) sum.failures.push(data.failure);
      progress(sum);
      if (data.done) begin();
    };
    begin();
  });
}
