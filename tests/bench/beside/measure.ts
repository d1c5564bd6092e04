/**
 * Measures the work, contender after contender in each round: the machine's other work comes and goes in seconds, and
 * what is compared should have met the same.
 *
 * Each piece of work has a fresh server and an empty directory; all clients and all servers share the machine.
 *
 * @module
 */
import { ROOT } from "../server.ts";
import type { Contender, RunningContender } from "./contender.ts";
import type { Driven, Job } from "./drive.ts";
import { figuresOf, LATENCY_INTERVAL_MS, LATENCY_MESSAGES, MESSAGE_BYTES, type Work } from "./works.ts";

/** How to measure. */
export interface SidePlan {
  readonly works: readonly Work[];
  readonly contenders: readonly Contender[];
  readonly rounds: number;
  /** Of single messages. */
  readonly seconds: number;
  /** Where data directories are made: a real disk. */
  readonly directory: string;
}

/** Figures of all rounds, by figure and contender. */
export type Measured = Map<string, Map<string, number[]>>;

/** Measures everything; calls `progress` before each piece of work. */
export async function measureBeside(plan: SidePlan, progress: (text: string) => void): Promise<Measured> {
  const measured: Measured = new Map();
  for (const work of plan.works) {
    for (let round = 0; round < plan.rounds; round++) {
      for (const contender of plan.contenders) {
        const measures = (figure: string): boolean => contender.measures?.(figure) ?? true;
        if (!figuresOf(work).some(measures)) continue;
        progress(`${figuresOf(work)[0]}, round ${round + 1} of ${plan.rounds}: ${contender.name}`);
        const figures = await measureOne(contender, work, plan);
        for (const [figure, value] of figures) {
          if (!measures(figure)) continue;
          const of = measured.get(figure) ?? new Map<string, number[]>();
          measured.set(figure, of);
          of.set(contender.name, [...of.get(contender.name) ?? [], value]);
        }
      }
    }
  }
  return measured;
}

async function measureOne(contender: Contender, work: Work, plan: SidePlan): Promise<[string, number][]> {
  const directory = await Deno.makeTempDir({ dir: plan.directory, prefix: "chukcha-bench-" });
  try {
    const server = await contender.start(directory, work.durability);
    if (!server) return [];
    try {
      return work.kind === "singles"
        ? await singles(contender, server, work, plan)
        : await stream(contender, server, work);
    } finally {
      await server.stop();
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function singles(
  contender: Contender,
  server: RunningContender,
  work: Work & { kind: "singles" },
  { seconds }: SidePlan,
): Promise<[string, number][]> {
  const { connections, durability } = work;
  const options = { connections, seconds, bytes: MESSAGE_BYTES, durability };
  const { perSecond } = contender.singles
    ? await contender.singles(server, options)
    : await drive(contender, server, work, { do: "singles", connections, seconds, bytes: MESSAGE_BYTES });
  return figuresOf(work).map((figure) => [figure, perSecond!]);
}

async function stream(
  contender: Contender,
  server: RunningContender,
  work: Work & { kind: "stream" },
): Promise<[string, number][]> {
  const { messages } = work;
  const [ingest, read, ...others] = figuresOf(work);
  const [memory, disk] = others.slice(-2);
  const ingested = await drive(contender, server, work, { do: "ingest", messages, bytes: MESSAGE_BYTES });
  const figures: [string, number][] = [[ingest!, ingested.perSecond!]];
  if (read === undefined) return figures;
  figures.push([disk!, await diskBytes(server.directory) / 2 ** 20]);
  const back = await drive(contender, server, work, { do: "read", messages });
  figures.push([read, back.perSecond!]);
  for (const way of ["follow", "consume"] as const) {
    const job: Job = { do: "latency", way, messages: LATENCY_MESSAGES, intervalMs: LATENCY_INTERVAL_MS };
    const { p50Millis, p99Millis } = await drive(contender, server, work, job);
    figures.push([`publish to ${way} p50`, p50Millis!], [`publish to ${way} p99`, p99Millis!]);
  }
  figures.push([memory!, residentBytes(server.pid) / 2 ** 20]);
  return figures;
}

async function drive(
  contender: Contender,
  { address }: RunningContender,
  { durability }: Work,
  job: Job,
): Promise<Driven> {
  const script = new URL("./drive.ts", import.meta.url).pathname;
  const args = ["run", "-A", "--no-check", script, contender.name, address, durability, JSON.stringify(job)];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`the client of ${contender.name} failed: ${decoder.decode(stderr)}`);
  return JSON.parse(decoder.decode(stdout));
}

/** What the files below a directory take of the device. */
async function diskBytes(directory: string): Promise<number> {
  let bytes = 0;
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const path = `${directory}/${name}`;
    bytes += isDirectory ? await diskBytes(path) : ((await Deno.stat(path)).blocks ?? 0) * 512;
  }
  return bytes;
}

/** Memory that a process holds now, but for what it shares with the file cache. */
function residentBytes(pid: number): number {
  const line = /^RssAnon:\s+(\d+) kB/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
  return line ? Number(line[1]) * 1024 : NaN;
}
