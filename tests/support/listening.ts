/**
 * A process that serves on a port of its own choice and says where: in its log, or on its output.
 *
 * @module
 */

/** An address of this machine for itself. */
const ADDRESS = /https?:\/\/(127\.0\.0\.1|localhost|\[::1\]):\d+/;
const START_MS_MAX = 30_000;
/** As much of the output is kept as an error message needs. */
const OUTPUT_CHARS_MAX = 65_536;

/** A server in a process of its own. */
export interface Listening extends AsyncDisposable {
  readonly pid: number;
  /** Without a slash at its end. */
  readonly url: string;
  /** What it has printed so far, both streams, cut after a bound. */
  output(): string;
  /** Resolves with the exit code once it has ended. */
  readonly ended: Promise<number>;
  /** Sends SIGTERM and waits for the end; returns the exit code. */
  stop(): Promise<number>;
}

/**
 * Starts a process and waits until it says where it listens; throws with its output if it does not.
 *
 * @param options `address` is what the URL looks like where it is not one of this machine for itself; or whatever else is
 * printed by what can be reached; `startMsMax` for one that takes longer than others
 */
export async function startListening(
  program: string,
  options: Pick<Deno.CommandOptions, "cwd" | "env" | "uid" | "gid"> & {
    args: string[];
    address?: RegExp;
    startMsMax?: number;
  },
): Promise<Listening> {
  const { address = ADDRESS, startMsMax = START_MS_MAX, ...rest } = options;
  const command = new Deno.Command(program, { ...rest, stdin: "null", stdout: "piped", stderr: "piped" });
  const child = command.spawn();
  const output = new Output();
  const drained = Promise.all([output.drain(child.stdout), output.drain(child.stderr)]);
  const url = await output.find(address, startMsMax, drained).catch(async (cause: unknown) => {
    kill(child, "SIGKILL");
    await Promise.all([child.status, drained]);
    const line = [program, ...options.args].join(" ");
    throw new Error(`${line} did not say where it listens:\n${output.text}`, { cause });
  });
  const exited = Promise.all([child.status, drained]).then(([{ code }]) => code);
  const stop = (): Promise<number> => {
    kill(child, "SIGTERM");
    return exited;
  };
  return {
    pid: child.pid,
    url,
    output: () => output.text,
    ended: exited,
    stop,
    [Symbol.asyncDispose]: async () => void await stop(),
  };
}

/** Signals a child that may have ended already. */
function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

/** The start of a child's output: searched for its address, shown where there is none. */
class Output {
  text = "";
  #changed = (): void => {};

  async drain(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const part of stream) {
      if (this.text.length < OUTPUT_CHARS_MAX) this.text += decoder.decode(part, { stream: true });
      this.#changed();
    }
  }

  /** Rejects when the time is over, and as soon as there is no more to come. */
  find(pattern: RegExp, msMax: number, drained: Promise<unknown>): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    drained.then(() => reject(new Error("it ended")), reject);
    const timer = setTimeout(() => reject(new Error(`nothing within ${msMax} ms`)), msMax);
    this.#changed = () => {
      const found = pattern.exec(this.text);
      if (found) resolve(found[0]);
    };
    this.#changed();
    return promise.finally(() => clearTimeout(timer));
  }
}
