/**
 * The two servers of a measurement: a node and its floor, each a process of its own, started by the same Deno with the
 * same settings; or a node that already listens somewhere.
 *
 * @module
 */

/** A server under load. */
export interface Server {
  readonly url: string;
  /** Processor time it has used, in microseconds; `undefined` where that cannot be known. */
  processorMicros(): number | undefined;
  /** The most memory it has held, in bytes; `undefined` where that cannot be known. */
  memoryBytesMax(): number | undefined;
  stop(): Promise<void>;
}

const ROOT = new URL("../../", import.meta.url).pathname;
/** A node says its address in its log, the floor on its output. */
const ADDRESS = /https?:\/\/127\.0\.0\.1:\d+/;
const START_MS_MAX = 30_000;
/** `sysconf(_SC_CLK_TCK)` is 100 on every Linux that Deno runs on. */
const TICK_MICROS = 10_000;

/** A node with default settings and a data directory of its own below `directory`. */
export async function startNode(directory: string): Promise<Server> {
  const dataDirectory = await Deno.makeTempDir({ dir: directory, prefix: "chukcha-bench-" });
  const options = ["--listen", "127.0.0.1:0", "--data-dir", dataDirectory, "--instance", "bench"];
  const server = await start(["main.ts", "serve", ...options]);
  return {
    ...server,
    stop: async () => {
      await server.stop();
      await Deno.remove(dataDirectory, { recursive: true });
    },
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
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", ...args],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  const output = new Output();
  const drained = Promise.all([output.drain(child.stdout), output.drain(child.stderr)]);
  const url = await output.find(ADDRESS).catch(async (cause: unknown) => {
    child.kill("SIGKILL");
    await Promise.all([child.status, drained]);
    throw new Error(`${args.join(" ")} did not say where it listens:\n${output.text}`, { cause });
  });
  return {
    url,
    processorMicros: () => processorMicros(child.pid),
    memoryBytesMax: () => memoryBytesMax(child.pid),
    stop: async () => {
      child.kill("SIGTERM");
      await Promise.all([child.status, drained]);
    },
  };
}

/** The start of a child's output: searched for its address, shown where there is none. */
class Output {
  text = "";
  #changed = (): void => {};

  async drain(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const part of stream) {
      if (this.text.length < 65_536) this.text += decoder.decode(part, { stream: true });
      this.#changed();
    }
  }

  find(pattern: RegExp): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(() => reject(new Error(`nothing within ${START_MS_MAX} ms`)), START_MS_MAX);
    this.#changed = () => {
      const found = pattern.exec(this.text);
      if (found) resolve(found[0]);
    };
    this.#changed();
    return promise.finally(() => clearTimeout(timer));
  }
}

/** Fields 14 and 15 of `/proc/<pid>/stat` are ticks in user and system mode; the name in field 2 may hold spaces. */
function processorMicros(pid: number): number | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROS;
}

function memoryBytesMax(pid: number): number | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const line = /^VmHWM:\s+(\d+) kB/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
  return line ? Number(line[1]) * 1024 : undefined;
}
