/**
 * Other people's servers as processes of the bench: started, known to be ready by what they print, ended with it.
 *
 * @module
 */
import { owned } from "../owned.ts";

const START_MS_MAX = 60_000;

/** A process that is ready. */
export interface Program {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a program and waits until it prints `ready`; throws with its output if it ends before, or takes too long. */
export async function startProgram(
  name: string,
  args: readonly string[],
  ready: RegExp,
  env: Readonly<Record<string, string>> = {},
): Promise<Program> {
  const child = new Deno.Command(name, {
    args: [...args],
    env: { ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let text = "";
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const drain = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      // Of what comes later nobody asks, but it must be taken.
      if (text.length < 65_536) text += part;
      if (ready.test(text)) resolve();
    }
  };
  const drained = Promise.all([drain(child.stdout), drain(child.stderr)]);
  const timer = setTimeout(() => reject(new Error(`nothing within ${START_MS_MAX} ms`)), START_MS_MAX);
  const ended = Promise.all([child.status, drained]);
  void ended.then(() => reject(new Error("it ended")));
  const stop = owned(async () => {
    try {
      child.kill("SIGTERM");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    await ended;
  });
  try {
    await promise;
  } catch (cause) {
    await stop();
    throw new Error(`${[name, ...args].join(" ")} was not ready:\n${text}`, { cause });
  } finally {
    clearTimeout(timer);
  }
  return { pid: child.pid, stop };
}

/** A port that nobody listened on a moment ago: for programs that cannot choose one themselves. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** What a program prints; throws if it cannot be run, or ends with an error. */
export async function output(name: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(name, { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${[name, ...args].join(" ")}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

/** Whether a program is there. */
export async function hasProgram(name: string): Promise<boolean> {
  try {
    await new Deno.Command("which", { args: [name] }).output().then(({ success }) => {
      if (!success) throw new Deno.errors.NotFound(name);
    });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
