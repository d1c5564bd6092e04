/**
 * What the figures were measured on: without it they mean nothing.
 *
 * @module
 */

/** The machine, the versions and the commit of a run. */
export interface Machine {
  readonly time: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly system: string;
  readonly deno: string;
  readonly wrk: string;
  /** Abbreviated, with `+changes` if the checkout had uncommitted ones. */
  readonly commit: string;
  /** One-minute load average before the start: what else the machine was doing. */
  readonly load: number;
}

/** Looks at this machine. */
export async function thisMachine(): Promise<Machine> {
  const changes = await output("git", "status", "--porcelain", "--untracked-files=no");
  return {
    time: new Date().toISOString(),
    processor: processorName(),
    cores: navigator.hardwareConcurrency,
    memoryGib: Math.round(Deno.systemMemoryInfo().total / 1024 ** 3),
    system: `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`,
    deno: Deno.version.deno,
    wrk: /wrk (\S+)/.exec(await output("wrk", "-v"))?.[1] ?? "unknown",
    commit: `${(await output("git", "rev-parse", "--short", "HEAD")).trim()}${
      changes === "" ? "" : "+changes"
    }`,
    load: Deno.loadavg()[0]!,
  };
}

function processorName(): string {
  if (Deno.build.os !== "linux") return "unknown";
  return /^model name\s*:\s*(.+)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? "unknown";
}

/** What a program prints; `wrk -v` ends with an error code although nothing is wrong. */
async function output(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(program, { args, cwd: new URL(".", import.meta.url) }).output();
  return new TextDecoder().decode(stdout);
}
