/**
 * Reads inputs one after the other and gives batches of whole lines.
 *
 * A batch is given when it is full, or a moment after the input fell silent: `tail -f log | chukcha write x` must not
 * wait for a megabyte. While a batch is being sent, the next read is already under way.
 *
 * @module
 */
import { BATCH_BYTES_CEILING, KIB } from "../protocol/limits.ts";
import { formatSize } from "../quantities.ts";
import { Failure } from "./command.ts";
import { countLines, LineBatcher, LineTooLong } from "./line_batcher.ts";

/** One input: a file, or stdin. */
export interface Input {
  /** For messages; empty for stdin. */
  readonly name: string;
  /** Fills a part of the buffer; `null` at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  close(): void;
}

/** Whole lines. */
export interface Batch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly lines: number;
  /** Number of its first line, counted from 0 over all inputs. */
  readonly firstLine: number;
}

/** How to read. */
export interface BatchOptions {
  readonly batchBytes: number;
  /** Complete lines wait this long for more. */
  readonly lingerMs: number;
  /** Ends the reading: complete lines that were read are still given. */
  readonly signal: AbortSignal;
}

const READ_BYTES = 256 * KIB;

/** Where an input begins, among the bytes and among the lines of all inputs. */
interface Start {
  readonly name: string;
  readonly byte: number;
  /** Known once the batch before it was given. */
  line?: number;
}

/** Several inputs as one sequence of lines. */
export class BatchSource {
  readonly #inputs: Iterable<Input> | AsyncIterable<Input>;
  readonly #options: BatchOptions;
  readonly #batcher: LineBatcher;
  readonly #starts: Start[] = [];
  /** Bytes and lines of the batches that were given. */
  #bytes = 0;
  #lines = 0;

  constructor(inputs: Iterable<Input> | AsyncIterable<Input>, options: BatchOptions) {
    this.#inputs = inputs;
    this.#options = options;
    this.#batcher = new LineBatcher(options.batchBytes);
  }

  /** Where a line that was given comes from, for messages: `line 12`, or `app.log:12`. */
  locate(line: number): string {
    const start = this.#starts.findLast((start) => start.line !== undefined && start.line <= line);
    const number = line - (start?.line ?? 0) + 1;
    return start?.name ? `${start.name}:${number}` : `line ${number}`;
  }

  /** All batches, in order. */
  async *batches(): AsyncGenerator<Batch, void> {
    for await (const input of this.#inputs) {
      this.#starts.push({ name: input.name, byte: this.#bytes + this.#batcher.bytes });
      try {
        yield* this.#readInput(input);
      } catch (error) {
        yield* this.#waiting();
        throw error instanceof LineTooLong ? this.#tooLong() : error;
      } finally {
        input.close();
      }
      if (this.#options.signal.aborted) break;
    }
    yield* this.#waiting();
  }

  async *#readInput(input: Input): AsyncGenerator<Batch, void> {
    const buffer = new Uint8Array(READ_BYTES);
    const pause = new Pause(this.#options);
    const read = () => {
      const reading = input.read(buffer);
      // Nobody awaits it any more once the reading was ended.
      reading.catch(() => {});
      return reading;
    };
    try {
      for (let reading = read();;) {
        const got = await Promise.race([reading, this.#batcher.hasLines ? pause.over() : pause.ended]);
        if (got === "ended") return;
        if (got === null) break;
        if (got === "silent") {
          pause.reset();
          yield* this.#waiting();
          continue;
        }
        for (const bytes of this.#batcher.push(buffer.subarray(0, got))) {
          pause.reset();
          yield this.#batch(bytes);
        }
        reading = read();
      }
      this.#batcher.endLine();
    } finally {
      pause.reset();
    }
  }

  /** Complete lines that were collected so far. */
  *#waiting(): Generator<Batch, void> {
    const bytes = this.#batcher.take();
    if (bytes) yield this.#batch(bytes);
  }

  #batch(bytes: Uint8Array<ArrayBuffer>): Batch {
    const firstLine = this.#lines;
    let at = 0;
    for (const start of this.#starts) {
      const offset = start.byte - this.#bytes;
      if (start.line !== undefined || offset > bytes.length) continue;
      this.#lines += countLines(bytes.subarray(at, offset));
      start.line = this.#lines;
      at = offset;
    }
    this.#lines += countLines(bytes.subarray(at));
    this.#bytes += bytes.length;
    return { bytes, lines: this.#lines - firstLine, firstLine };
  }

  #tooLong(): Failure {
    for (const start of this.#starts) start.line ??= this.#lines;
    const limit = formatSize(BATCH_BYTES_CEILING);
    return new Failure(`${this.locate(this.#lines)} is longer than ${limit}, which no node takes`);
  }
}

/** The moment that complete lines wait for more; also ends when the whole reading is to end. */
class Pause {
  readonly #options: BatchOptions;
  /** Resolves when the whole reading is to end. */
  readonly ended: Promise<"ended">;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #over: Promise<"silent" | "ended"> | undefined;

  constructor(options: BatchOptions) {
    this.#options = options;
    const { signal } = options;
    this.ended = new Promise((resolve) => {
      if (signal.aborted) resolve("ended");
      else signal.addEventListener("abort", () => resolve("ended"), { once: true });
    });
  }

  /** Over some time after it was first asked for: a trickle of lines must not put it off for ever. */
  over(): Promise<"silent" | "ended"> {
    return this.#over ??= Promise.race([
      new Promise<"silent">((resolve) => {
        this.#timer = setTimeout(() => resolve("silent"), this.#options.lingerMs);
      }),
      this.ended,
    ]);
  }

  reset(): void {
    clearTimeout(this.#timer);
    this.#over = undefined;
  }
}
