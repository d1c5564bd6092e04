/**
 * Programs that ship lines, as processes: their files are in a directory of the test, and they end before it does.
 *
 * @module
 */
import { eventually } from "../support/eventually.ts";
import { freePorts, Member } from "../support/member.ts";

/** A shell script that takes longer hangs. */
const SCRIPT_SECONDS_MAX = 90;

/** Nodes on fixed ports that can be stopped and started, and know nothing of one another. */
export async function startNodes(
  directory: string,
  count: number,
): Promise<AsyncDisposable & { members: Member[] }> {
  const members = freePorts(count).map((port, i) =>
    new Member({ instance: `node_${i + 1}`, dataDir: `${directory}/node_${i + 1}`, port, peers: "" })
  );
  await Promise.all(members.map((member) => member.start()));
  const end = async () => {
    await Promise.all(members.map((member) => member.kill()));
  };
  return { members, [Symbol.asyncDispose]: end };
}

/** A program that runs until it is told to end. */
export class Daemon implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #drained: Promise<void>;
  #output = "";
  #ended = false;

  constructor(private readonly program: string, args: readonly string[], cwd: string) {
    const command = new Deno.Command(program, {
      args: [...args],
      cwd,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    });
    this.#child = command.spawn();
    this.#drained = this.#drain();
  }

  /** What it has printed so far. */
  get output(): string {
    return this.#output;
  }

  /** Resolves once it has said something that matches. */
  async said(pattern: RegExp): Promise<void> {
    await eventually(`${this.program} says ${pattern}`, () => this.#output, (text) => {
      if (this.#ended) throw new Error(`${this.program} has ended:\n${text}`);
      return pattern.test(text);
    });
  }

  /** Sends a signal, and waits for the end. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (!this.#ended) this.#child.kill(signal);
    await this.#child.status;
    await this.#drained;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }

  async #drain(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const part of this.#child.stderr) this.#output += decoder.decode(part, { stream: true });
    await this.#child.status;
    this.#ended = true;
  }
}

/** Starts syslog-ng with a configuration; `restart` of the same directory goes on where the last one was. */
export async function startSyslogNg(directory: string): Promise<Daemon> {
  const own = [
    "-f",
    "syslog-ng.conf",
    "-R",
    "syslog-ng.persist",
    "-c",
    "syslog-ng.ctl",
    "-p",
    "syslog-ng.pid",
  ];
  const daemon = new Daemon("syslog-ng", ["--foreground", "--no-caps", "--stderr", ...own], directory);
  try {
    await daemon.said(/syslog-ng starting up/);
    return daemon;
  } catch (error) {
    await daemon[Symbol.asyncDispose]();
    throw error;
  }
}

/** A shell script that is under way, or has ended. */
export class Script implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #result: Promise<Deno.CommandOutput>;

  /** @param cwd where it runs; programs in it are found as `./name` */
  constructor(commands: string, cwd: string) {
    const args = [String(SCRIPT_SECONDS_MAX), "bash", "-euc", "-o", "pipefail", commands];
    const command = new Deno.Command("timeout", {
      args,
      cwd,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
    this.#child = command.spawn();
    this.#result = this.#child.output();
  }

  /** Waits for its end; throws with what it printed unless it succeeds. Returns its output. */
  async succeeded(): Promise<string> {
    const { code, stdout, stderr } = await this.#result;
    const decoder = new TextDecoder();
    if (code === 0) return decoder.decode(stdout);
    throw new Error(`exit code ${code}\n${decoder.decode(stdout)}${decoder.decode(stderr)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    await this.#result;
  }
}
