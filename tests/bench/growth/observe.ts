/**
 * What a process costs, as Linux tells it: processor time by the nanosecond, and memory.
 *
 * `/proc/<pid>/stat` counts in hundredths of a second, too coarse for a node that does nothing; the scheduler's own count
 * for each thread does not. What a thread had used before it ended is lost, which is only what it used since the look
 * before.
 *
 * @module
 */

/** Nanoseconds by thread. */
export type Threads = ReadonlyMap<string, number>;

/** What every thread of a process has used so far. */
export function threadsOf(pid: number): Threads {
  const threads = new Map<string, number>();
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    try {
      threads.set(name, Number(Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`).split(" ")[0]));
    } catch (error) {
      // It has just ended: then the file is gone, or nobody answers for it any more.
      if (!(error instanceof Deno.errors.NotFound) && (error as { code?: string }).code !== "ESRCH") {
        throw error;
      }
    }
  }
  return threads;
}

/** Microseconds of processor time between two looks. */
export function microsBetween(before: Threads, after: Threads): number {
  let nanos = 0;
  for (const [thread, used] of after) nanos += used - (before.get(thread) ?? 0);
  return nanos / 1000;
}

/** Resident memory of a process, in MiB. */
export function residentMib(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1];
  if (kib === undefined) throw new Error(`/proc/${pid}/status does not tell VmRSS`);
  return Number(kib) / 1024;
}

/** Microseconds of processor time that processes use together while `work` is done; and what it returned. */
export async function during<T>(
  pids: readonly number[],
  work: () => Promise<T>,
): Promise<{ micros: number; result: T }> {
  const before = pids.map(threadsOf);
  const result = await work();
  const micros = pids.reduce((sum, pid, i) => sum + microsBetween(before[i]!, threadsOf(pid)), 0);
  return { micros, result };
}

/** Resolves after `ms`: a bench is about time. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
