/**
 * What the process uses of its machine.
 *
 * @module
 */
import process from "node:process";

/** Numbers of this process. */
export interface ProcessNumbers {
  /** User and system time. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Seconds since 1970. */
  readonly startSeconds: number;
  /** `undefined` where the runtime may not look: it asks for all permissions (`-A`). */
  readonly openFds: number | undefined;
  /** The same. */
  readonly maxFds: number | undefined;
}

/** Looks them up. */
export async function readProcess(): Promise<ProcessNumbers> {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: Deno.memoryUsage().rss,
    startSeconds: performance.timeOrigin / 1000,
    ...await readDescriptors(),
  };
}

async function readDescriptors(): Promise<Pick<ProcessNumbers, "openFds" | "maxFds">> {
  try {
    let openFds = 0;
    for await (const _ of Deno.readDir("/proc/self/fd")) openFds++;
    const limits = await Deno.readTextFile("/proc/self/limits");
    const max = Number(/^Max open files +(\d+)/m.exec(limits)?.[1]);
    return { openFds, maxFds: Number.isNaN(max) ? undefined : max };
  } catch {
    // No Linux, or not allowed.
    return { openFds: undefined, maxFds: undefined };
  }
}
