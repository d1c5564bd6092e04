/**
 * Workers that are processes of their own, die at any moment, and are started again by whoever supervises them, here by
 * this.
 *
 * A worker prints lines of a word and a number, which are summed up by their words over all its lives; anything else that
 * it prints is kept for error messages. A line that was cut off by its death counts for nothing.
 *
 * Disposing of them kills them.
 *
 * @module
 */

/** As much of what they printed besides is kept. */
const OUTPUT_CHARS_MAX = 20_000;

/** What they are. */
export interface WorkersOptions {
  /** How many at a time. */
  readonly count: number;
  /** Arguments with which Deno runs one; it has its number from 0 on. */
  args(number: number): string[];
}

/** Supervised processes. */
export class Workers implements AsyncDisposable {
  /** What they said, summed up. */
  readonly sums: Record<string, number> = {};
  /** What else they printed, the end of it. */
  output = "";
  /** How often one has ended, by a signal from here or by itself. */
  deaths = 0;
  readonly #options: WorkersOptions;
  readonly #processes: Deno.ChildProcess[] = [];
  readonly #lives: Promise<void>[];
  #isOver = false;

  constructor(options: WorkersOptions) {
    this.#options = options;
    this.#lives = Array.from({ length: options.count }, (_, number) => this.#live(number));
  }

  /** SIGKILL for one of them, if it lives at the moment. */
  kill(number: number): void {
    try {
      this.#processes[number]?.kill("SIGKILL");
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  /** Starts none any more, kills all, and waits for their end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    for (const number of this.#processes.keys()) this.kill(number);
    await Promise.all(this.#lives);
  }

  async #live(number: number): Promise<void> {
    while (!this.#isOver) {
      const child = new Deno.Command(Deno.execPath(), {
        args: this.#options.args(number),
        env: { NO_COLOR: "1" },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      this.#processes[number] = child;
      await Promise.all([this.#take(child.stdout), this.#take(child.stderr), child.status]);
      this.deaths++;
    }
  }

  async #take(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#count(line);
    }
  }

  #count(line: string): void {
    const [, word, number] = /^(\w+) (\d+)$/.exec(line) ?? [];
    if (word === undefined) this.output = `${this.output}${line}\n`.slice(-OUTPUT_CHARS_MAX);
    else this.sums[word] = (this.sums[word] ?? 0) + Number(number);
  }
}
