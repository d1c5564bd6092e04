/**
 * Takes log lines to where they are written, without ever making the node wait.
 *
 * Whoever reads the log may stop reading: a paused pager, a full pipe, a collector that hangs. A write that waits for it
 * would stop all requests. So lines queue up, are written in the background, and beyond {@linkcode LOG_QUEUE_BYTES_MAX}
 * they are dropped and counted; as soon as writing works again, one line says how many there were. The same if writing
 * fails: nobody listens any more, or the disk that the log goes to is full. The node goes on.
 *
 * Lines come out whole and in order. What a crash of the process leaves unwritten is what was queued at that moment:
 * nothing, as long as somebody reads.
 *
 * @module
 */
import { LOG_CLOSE_MS, LOG_QUEUE_BYTES_MAX } from "../protocol/limits.ts";

/** Writes some of the bytes; resolves with how many. */
export type WriteBytes = (bytes: Uint8Array) => Promise<number>;

const encoder = new TextEncoder();

/** A queue of lines before a slow writer. */
export class LogWriter {
  readonly #write: WriteBytes;
  readonly #lost: (lines: number) => string;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  /** Lines that were dropped since that was said last. */
  #dropped = 0;
  #writing: Promise<void> | undefined;

  /** @param lost the line, with its `\n`, that says that so many were dropped */
  constructor(write: WriteBytes, lost: (lines: number) => string) {
    this.#write = write;
    this.#lost = lost;
  }

  /** Queues a line, with its `\n`; never throws, never waits. */
  add(line: string): void {
    const bytes = encoder.encode(line);
    if (this.#queuedBytes + bytes.length > LOG_QUEUE_BYTES_MAX) {
      this.#dropped++;
      return;
    }
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#writing ??= this.#drain().finally(() => this.#writing = undefined);
  }

  /** Resolves when all lines are written, or nobody took them for {@linkcode LOG_CLOSE_MS}. */
  async close(): Promise<void> {
    if (!this.#writing) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, LOG_CLOSE_MS);
    await Promise.race([this.#writing, promise]);
    clearTimeout(timer);
  }

  async #drain(): Promise<void> {
    // Lines of one moment go out together, and whoever logs goes on first.
    await Promise.resolve();
    let works = true;
    while (this.#queue.length > 0 || (works && this.#dropped > 0)) {
      const lines = this.#queue;
      const bytes = this.#queuedBytes;
      this.#queue = [];
      for (const line of lines) {
        works = await this.#writeAll(line);
        if (!works) this.#dropped++;
      }
      this.#queuedBytes -= bytes;
      const dropped = this.#dropped;
      if (dropped === 0 || !works) continue;
      works = await this.#writeAll(encoder.encode(this.#lost(dropped)));
      if (works) this.#dropped -= dropped;
    }
  }

  /** `false` if it could not be written: there is nowhere to say so but here. */
  async #writeAll(bytes: Uint8Array): Promise<boolean> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#write(bytes.subarray(at));
      return true;
    } catch {
      return false;
    }
  }
}
