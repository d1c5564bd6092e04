/**
 * Where the program's words go: results to stdout, everything meant for a person to stderr.
 *
 * The only place that writes to either. A progress line is kept out of the way of other lines, and a reader that has
 * gone becomes {@linkcode OutputClosed}.
 *
 * @module
 */
import { OutputClosed } from "./command.ts";

/** What is written to: `Deno.stdout`, or a test's buffer. */
export interface Sink {
  write(bytes: Uint8Array): Promise<number>;
  writeSync(bytes: Uint8Array): number;
  isTerminal(): boolean;
}

const CLEAR_LINE = "\r\x1b[K";
const encoder = new TextEncoder();

/** Both outputs of the program. */
export class Terminal {
  readonly #stdout: Sink;
  readonly #stderr: Sink;
  #progressShown = false;

  constructor(stdout: Sink = Deno.stdout, stderr: Sink = Deno.stderr) {
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  /** Whether a person watches stderr. */
  get watched(): boolean {
    return this.#stderr.isTerminal();
  }

  /** Whether results go straight to a person's screen. */
  get outputIsTerminal(): boolean {
    return this.#stdout.isTerminal();
  }

  /** Writes bytes to stdout, all of them. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) {
        at += await this.#stdout.write(at === 0 ? bytes : bytes.subarray(at));
      }
    } catch (error) {
      throw closedOr(error);
    }
  }

  /** Writes a line of a result to stdout. */
  print(line: string): Promise<void> {
    return this.write(encoder.encode(`${line}\n`));
  }

  /** Tells the person one line. */
  note(line: string): void {
    const clear = this.#progressShown ? CLEAR_LINE : "";
    this.#progressShown = false;
    this.#toStderr(`${clear}${line}\n`);
  }

  /** Writes some bytes of a log to stderr, in the background; resolves with how many. */
  writeLog(bytes: Uint8Array): Promise<number> {
    return this.#stderr.write(bytes);
  }

  /** Shows a line that the next one replaces; without an argument, takes it away. */
  progress(line = ""): void {
    if (line === "" && !this.#progressShown) return;
    this.#progressShown = line !== "";
    this.#toStderr(`${CLEAR_LINE}${line}`);
  }

  #toStderr(text: string): void {
    const bytes = encoder.encode(text);
    try {
      for (let at = 0; at < bytes.length;) at += this.#stderr.writeSync(bytes.subarray(at));
    } catch (error) {
      // Nobody listens: what the command does for stdout or the node goes on all the same.
      if (!(closedOr(error) instanceof OutputClosed)) throw error;
    }
  }
}

function closedOr(error: unknown): unknown {
  const gone = error instanceof Deno.errors.BrokenPipe || (error as { code?: string }).code === "EPIPE";
  return gone ? new OutputClosed("the reader of the output has gone", { cause: error }) : error;
}
