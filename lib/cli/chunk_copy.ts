/**
 * Copies one chunk to the output, byte for byte, over as many requests as it takes.
 *
 * Two buffers take turns: one is being filled from the connection while the other is being written. After a break it
 * asks again from the last message that began before it, and skips what was already written of it: a node reads only
 * from where messages begin.
 *
 * @module
 */
import { type ChukchaClient, type ChunkInfo, TransportError } from "../client/mod.ts";
import { KIB } from "../protocol/limits.ts";
import { Failure } from "./command.ts";
import { explain } from "./explain.ts";
import { retrying } from "./retry.ts";

const NEWLINE = 0x0a;
/** Large enough for few system calls, small enough for the processor's cache. */
const BUFFER_BYTES = 256 * KIB;

/** What to copy, and how. */
export interface ChunkCopyOptions {
  readonly category: string;
  readonly chunk: ChunkInfo;
  /** Bytes to ask for at once. */
  readonly rangeBytes: number;
  readonly retryForMs: number;
  readonly signal: AbortSignal;
  readonly note: (line: string) => void;
  readonly write: (bytes: Uint8Array) => Promise<void>;
}

type Bytes = Uint8Array<ArrayBuffer>;

/** One copy under way. */
export class ChunkCopy {
  readonly #client: ChukchaClient;
  readonly #options: ChunkCopyOptions;
  /** Bytes of the chunk that were handed to the output. */
  #done = 0;
  /** Where the last message that was begun begins. */
  #messageStart = 0;

  constructor(client: ChukchaClient, options: ChunkCopyOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** How much of the chunk was written. */
  get doneBytes(): number {
    return this.#done;
  }

  /** Copies up to the size that the chunk was listed with. */
  async run(): Promise<void> {
    const { chunk, note } = this.#options;
    const onRetry = (error: unknown, pauseMs: number) =>
      note(`${explain(error)}; trying again in ${pauseMs} ms`);
    while (this.#done < chunk.size) {
      const before = this.#done;
      await retrying(() => this.#copyRange(), { ...this.#options, onRetry });
      if (this.#done > before) continue;
      throw new Failure(
        `chunk "${chunk.name}" ends at byte ${this.#done}, but was listed with ${chunk.size}`,
      );
    }
  }

  async #copyRange(): Promise<void> {
    const { category, chunk, rangeBytes, signal, write } = this.#options;
    const off = this.#messageStart;
    const maxSize = Math.min(chunk.size - off, rangeBytes);
    const stream = await this.#client.readStream(category, { chunk: chunk.name, off, maxSize, signal });
    const reader = stream.getReader({ mode: "byob" });
    let skip = this.#done - off;
    let filling = new ArrayBuffer(BUFFER_BYTES);
    let beingWritten = new ArrayBuffer(BUFFER_BYTES);
    let writing: Promise<void> = Promise.resolve();
    try {
      for (;;) {
        const piece = await this.#fill(reader, filling);
        await writing;
        if (piece.length === 0) return;
        const fresh = piece.subarray(skip);
        skip -= piece.length - fresh.length;
        [filling, beingWritten] = [beingWritten, piece.buffer];
        this.#advance(fresh);
        writing = write(fresh);
        // Awaited after the next piece; until then its failure must not count as unhandled.
        writing.catch(() => {});
      }
    } finally {
      await writing.finally(() => reader.cancel().catch(() => {}));
    }
  }

  #advance(fresh: Bytes): void {
    const newline = fresh.lastIndexOf(NEWLINE);
    if (newline >= 0) this.#messageStart = this.#done + newline + 1;
    this.#done += fresh.length;
  }

  /** Fills a buffer as far as the answer goes; empty at its end. */
  async #fill(reader: ReadableStreamBYOBReader, buffer: ArrayBuffer): Promise<Bytes> {
    try {
      const { value } = await reader.read(new Uint8Array(buffer), { min: BUFFER_BYTES });
      return value ?? new Uint8Array();
    } catch (cause) {
      const { category, chunk, signal } = this.#options;
      signal.throwIfAborted();
      throw new TransportError("the connection broke off", {
        server: "the node",
        action: `read chunk "${chunk.name}" of category "${category}"`,
        written: "no",
        cause,
      });
    }
  }
}
