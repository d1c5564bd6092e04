/**
 * Sends batches in order, one at a time, and tries again where that makes sense.
 *
 * What a node finds too large is sent in halves: either its limit for a batch is below ours, or in the end a single
 * line is left, and that one is named.
 *
 * @module
 */
import { type ChukchaClient, ChukchaError, TransportError, type WriteOptions } from "../client/mod.ts";
import { plural } from "../quantities.ts";
import type { Batch } from "./batch_source.ts";
import { Failure, Interrupted } from "./command.ts";
import { explain } from "./explain.ts";
import { countLines, halve } from "./line_batcher.ts";
import { retrying, type RetryOptions } from "./retry.ts";

/** How to send. */
export interface SenderOptions extends Omit<RetryOptions, "onRetry"> {
  readonly category: string;
  readonly write: WriteOptions;
  /** Tells the person one line. */
  readonly note: (line: string) => void;
  /** Where a line comes from. */
  readonly locate: (line: number) => string;
  /** Told after each success. */
  readonly onWritten?: (bytes: number) => void;
}

/** Sends to one category. */
export class BatchSender {
  readonly #client: ChukchaClient;
  readonly #options: SenderOptions;
  /** What the node was not seen to refuse. */
  #bytesMax = Infinity;
  #messages = 0;

  constructor(client: ChukchaClient, options: SenderOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Messages that the node answered for. */
  get messages(): number {
    return this.#messages;
  }

  /** Sends one batch; returns when it is written. */
  async send({ bytes, firstLine }: Pick<Batch, "bytes" | "firstLine">): Promise<void> {
    const halves = bytes.length > this.#bytesMax ? halve(bytes) : undefined;
    if (halves) return await this.#sendHalves(halves, firstLine);
    try {
      await this.#sendWhole(bytes, firstLine);
    } catch (error) {
      if (!(error instanceof ChukchaError) || error.code !== "too_large") throw error;
      const smaller = halve(bytes);
      if (!smaller) throw this.#refusedLine(bytes, firstLine, error);
      this.#bytesMax = Math.max(smaller[0].length, smaller[1].length);
      await this.#sendHalves(smaller, firstLine);
    }
  }

  async #sendHalves([first, second]: [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>], firstLine: number) {
    await this.send({ bytes: first, firstLine });
    await this.send({ bytes: second, firstLine: firstLine + countLines(first) });
  }

  async #sendWhole(bytes: Uint8Array<ArrayBuffer>, firstLine: number): Promise<void> {
    const { category, write, note, onWritten } = this.#options;
    const lines = countLines(bytes);
    let maybe = false;
    const attempt = () => this.#client.write(category, bytes, write);
    let told = "";
    const onRetry = (error: unknown) => {
      const what = explain(error);
      if (what !== told) note(`chukcha write: ${what}; trying again`);
      told = what;
      if (!isMaybe(error) || maybe) return;
      maybe = true;
      const where = this.#options.locate(firstLine);
      note(`chukcha write: warning: ${plural(lines, "message")} from ${where} on may be written twice`);
    };
    try {
      await retrying(attempt, { ...this.#options, onRetry });
    } catch (error) {
      if (error instanceof ChukchaError && error.code === "too_large") throw error;
      throw this.#givenUp(error, lines, firstLine, maybe || isMaybe(error));
    }
    this.#messages += lines;
    onWritten?.(bytes.length);
  }

  #refusedLine(bytes: Uint8Array, firstLine: number, error: ChukchaError): Failure {
    const where = this.#options.locate(firstLine);
    return new Failure(
      `${where}: its ${plural(bytes.length - 1, "byte")} are more than the node takes: ${error.message}; ` +
        `${this.#before()}nothing from it on was written`,
      { cause: error },
    );
  }

  #before(): string {
    return this.#messages === 0 ? "" : `${plural(this.#messages, "message")} before were written; `;
  }

  #givenUp(error: unknown, lines: number, firstLine: number, maybe: boolean): Error {
    const where = this.#options.locate(firstLine);
    const fate = maybe
      ? `the ${plural(lines, "message")} from ${where} on may have been written`
      : `nothing from ${where} on was written`;
    const what = error instanceof Interrupted ? "interrupted" : explain(error);
    return new Failure(`${what}; ${this.#before()}${fate}`, {
      cause: error,
    });
  }
}

function isMaybe(error: unknown): boolean {
  return (error instanceof ChukchaError || error instanceof TransportError) && error.written === "maybe";
}
