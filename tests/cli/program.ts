/**
 * Runs the program itself, as a process, against a node of the test's choice.
 *
 * @module
 */
const MAIN = new URL("../../main.ts", import.meta.url).pathname;
/** Nothing here takes longer, unless it hangs. */
const RUN_MS_MAX = 20_000;

/** How a run ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: Uint8Array<ArrayBuffer>;
  readonly stderr: string;
}

/** A run that is under way. */
export interface Run extends AsyncDisposable {
  readonly stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly stdout: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly stderr: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly status: Promise<Deno.CommandStatus>;
  signal(signal: Deno.Signal): void;
}

const environment = (server: string) => ({ CHUKCHA_SERVER: server, NO_COLOR: "1" });

/** Starts a command; whoever disposes of it need not have ended it. */
export function start(server: string, ...args: string[]): Run {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, ...args],
    env: environment(server),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
  const status = child.status.finally(() => clearTimeout(timer));
  const stdin = child.stdin.getWriter();
  return {
    stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    status,
    signal: (name) => child.kill(name),
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
      }
      await status;
      await stdin.abort().catch(() => {});
      for (const stream of [child.stdout, child.stderr]) if (!stream.locked) await stream.cancel();
    },
  };
}

/** Runs a command to its end. */
export async function run(
  server: string,
  args: string[],
  stdin: string | Uint8Array<ArrayBuffer> = "",
): Promise<Ended> {
  await using started = start(server, ...args);
  const outputs = Promise.all([new Response(started.stdout).bytes(), new Response(started.stderr).text()]);
  const bytes = typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin;
  // A command that ends before it read its input closes the pipe: that is for its exit status to tell.
  await started.stdin.write(bytes).then(() => started.stdin.close()).catch(() => {});
  const { code } = await started.status;
  const [stdout, stderr] = await outputs;
  return { code, stdout: stdout as Uint8Array<ArrayBuffer>, stderr };
}

/** Runs a line of the shell, in which `chukcha` is the program. */
export async function shell(server: string, line: string): Promise<Ended> {
  const program = `chukcha() { "${Deno.execPath()}" run -A "${MAIN}" "$@"; }`;
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", `set -o pipefail; ${program}; ${line}`],
    env: environment(server),
    stdin: "null",
    signal: AbortSignal.timeout(RUN_MS_MAX),
  }).output();
  return { code, stdout: stdout as Uint8Array<ArrayBuffer>, stderr: new TextDecoder().decode(stderr) };
}
