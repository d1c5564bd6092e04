/**
 * The two servers of a measurement: a node and its floor, each a process of its own, started by the same Deno with the
 * same settings; or a node that already listens somewhere.
 *
 * @module
 */
import { startListening } from "../support/listening.ts";
import { owned } from "./owned.ts";

/** A server under load. */
export interface Server {
  readonly url: string;
  /** Processor time it has used, in microseconds; `undefined` where that cannot be known. */
  processorMicros(): number | undefined;
  /** The most memory it has held, in bytes; `undefined` where that cannot be known. */
  memoryBytesMax(): number | undefined;
  stop(): Promise<void>;
}

/** Where `main.ts` is. */
export const ROOT = new URL("../../", import.meta.url).pathname;
/** `sysconf(_SC_CLK_TCK)` is 100 on every Linux that Deno runs on. */
const TICK_MICROS = 10_000;

/** A node with default settings and a data directory of its own below `directory`. */
export async function startNode(directory: string): Promise<Server> {
  const dataDirectory = await Deno.makeTempDir({ dir: directory, prefix: "chukcha-bench-" });
  const options = ["--listen", "127.0.0.1:0", "--data-dir", dataDirectory, "--instance", "bench"];
  const server = await start(["main.ts", "serve", ...options]);
  return {
    ...server,
    stop: owned(async () => {
      await server.stop();
      await Deno.remove(dataDirectory, { recursive: true });
    }),
  };
}

/** The floor; its reads are answered with this many bytes. */
export function startFloor(answerBytes: number): Promise<Server> {
  return start(["tests/bench/floor.ts", String(answerBytes)]);
}

/** A node that listens already; it is not stopped, and its processor time is not known. */
export function runningNode(url: string): Server {
  return {
    url: url.replace(/\/$/, ""),
    processorMicros: () => undefined,
    memoryBytesMax: () => undefined,
    stop: () => Promise.resolve(),
  };
}

async function start(args: readonly string[]): Promise<Server> {
  const { url, pid, stop } = await startListening(Deno.execPath(), {
    args: ["run", "-A", ...args],
    cwd: ROOT,
  });
  return {
    url,
    processorMicros: () => processorMicros(pid),
    memoryBytesMax: () => memoryBytesMax(pid),
    stop: owned(async () => void await stop()),
  };
}

/**
 * Processor time that a process has used, in microseconds; `undefined` where that cannot be known.
 *
 * Fields 14 and 15 of `/proc/<pid>/stat` are ticks in user and system mode; the name in field 2 may hold spaces.
 */
export function processorMicros(pid: number): number | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROS;
}

/** The most memory that a process has held, in bytes; `undefined` where that cannot be known. */
export function memoryBytesMax(pid: number): number | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const line = /^VmHWM:\s+(\d+) kB/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
  return line ? Number(line[1]) * 1024 : undefined;
}
