/**
 * Reads what was chosen for a worker, and tells what stands in the way of one consumer from what concerns the request.
 *
 * A chunk that cannot be read on is passed over for a while, see `stuck.ts`; a `max_size` that is too small for the next
 * message is the worker's matter, and it is told how much it needs; what a disk says is passed on.
 *
 * @module
 */
import { ChukchaError, quote } from "../protocol/errors.ts";
import { READ_BYTES_MAX } from "../protocol/limits.ts";
import type { Chunk } from "../storage/chunk.ts";
import { type ChunkRange, MessageTooLongError } from "../storage/chunk_reader.ts";
import type { Clock } from "../storage/clock.ts";
import type { Stretch } from "./fresh.ts";
import { bytesOf, firstMessageSize } from "./range.ts";
import type { Source } from "./source.ts";
import { Stuck } from "./stuck.ts";

/** The way to the bytes, for one consumer. */
export class Reading {
  readonly stuck = new Stuck();
  readonly #source: Source;
  readonly #clock: Clock;

  constructor(
    readonly category: string,
    readonly consumer: string,
    { source, clock }: { readonly source: Source; readonly clock: Clock },
  ) {
    this.#source = source;
    this.#clock = clock;
  }

  /**
   * Whole messages from the beginning of a stretch; `undefined` if none can be had now.
   *
   * Rejects with `ChukchaError`: `invalid_offset` if the next one is longer than `sizeMax`, or what reading said.
   */
  async read({ chunk, from, to }: Stretch, sizeMax: number): Promise<ChunkRange | undefined> {
    const { name } = chunk;
    try {
      const range = await this.#source.read(this.category, name, from, Math.min(sizeMax, to - from));
      this.stuck.delete(name);
      return range.size > 0 ? range : undefined;
    } catch (error) {
      if (!(error instanceof MessageTooLongError)) return this.#cannot(chunk, from, error);
    }
    try {
      // What is acknowledged behind it begins inside of the message: it is handed out whole again.
      if (sizeMax > to - from) return await this.#source.read(this.category, name, from, sizeMax);
    } catch (error) {
      if (!(error instanceof MessageTooLongError)) return this.#cannot(chunk, from, error);
    }
    const needed = await this.#neededSize(chunk, from);
    if (needed === undefined) return undefined;
    throw new ChukchaError(
      "invalid_offset",
      `max_size: the next message, at ${from} of ${name}, has ${needed} bytes, more than ${sizeMax}; ` +
        "ask for that many at least",
    );
  }

  /** All of a stretch that can be read, in one buffer; `undefined` if nothing can. */
  async whole(stretch: Stretch): Promise<Uint8Array | undefined> {
    const range = await this.read(stretch, READ_BYTES_MAX);
    try {
      return range && await bytesOf(range);
    } catch (error) {
      return this.#cannot(stretch.chunk, stretch.from, error);
    }
  }

  async #neededSize(chunk: Chunk, from: number): Promise<number | undefined> {
    try {
      return await firstMessageSize(
        await this.#source.read(this.category, chunk.name, from, READ_BYTES_MAX),
      );
    } catch (error) {
      return this.#cannot(chunk, from, error);
    }
  }

  /** Takes note of what passes by itself, or needs a person; throws what has nothing to do with the messages. */
  #cannot({ name }: Chunk, from: number, error: unknown): undefined {
    if (!(error instanceof ChukchaError)) throw error;
    const { code, message } = error;
    if (code === "chunk_not_found") return undefined;
    if (code !== "damaged" && code !== "invalid_offset") throw error;
    const how = code === "damaged"
      ? `${message}; the consumer ${
        quote(this.consumer)
      } waits there for them to be healed, and is given everything ` +
        "else; an ack of these bytes, with offset and size, passes over them"
      : `the consumer ${
        quote(this.consumer)
      } stands at ${from} of ${name}, which lies inside of a message: it was ` +
        "acknowledged or moved up to there; move it with /seek";
    this.stuck.add(name, this.#clock.monotonic(), new ChukchaError("damaged", how, { cause: error }));
    return undefined;
  }
}
