/**
 * Follows a category: everything from a start on, then whatever is published, for as long as someone asks.
 *
 * A tail holds a position per owner and nothing else. When there is nothing to read it waits for the category's
 * watchers; what it missed while its reader was slow it finds on disk. Messages of one owner come in order; those of
 * several owners are interleaved by what is there.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { READ_BYTES_MAX, TAIL_STEP_BYTES } from "../protocol/limits.ts";
import { chunkName, parseChunkName } from "../protocol/names.ts";
import { type ChunkPosition, formatCursor, type From } from "../protocol/position.ts";
import type { Category } from "./category.ts";
import type { Chunk } from "./chunk.ts";
import type { ChunkRange } from "./chunk_reader.ts";

/** Where a tail begins: by name, by time, or behind what was seen before. */
export type TailStart = From | readonly ChunkPosition[];

/** Whole messages, and where they come from. */
export interface TailPiece extends ChunkPosition {
  readonly bytes: Uint8Array;
}

/** What a tail asks of its store. */
export interface TailSource {
  /** The category; `undefined` as long as nothing was written to it. */
  category(): Category | undefined;
  /** Offset of the first group of the chunk that is not older than `timeMs`. */
  offsetSince(chunk: Chunk, timeMs: number): number;
  /** Calls `notify` whenever something is published, until the returned function is called. */
  watch(notify: () => void): () => void;
}

interface Position {
  number: number;
  offset: number;
}

/** One reader's way through a category. */
export class Tail {
  readonly #source: TailSource;
  readonly #positions = new Map<string, Position>();
  readonly #unwatch: () => void;
  /** Times are looked up per owner when its first chunk is met. */
  readonly #sinceMs: number | undefined;
  #news = false;
  #wake: (() => void) | undefined;
  #closed = false;
  #turn = 0;

  constructor(source: TailSource, start: TailStart) {
    this.#source = source;
    this.#sinceMs = typeof start === "object" && "timeMs" in start ? start.timeMs : undefined;
    if (start === "latest") this.#skipToEnd();
    if (Array.isArray(start)) this.#resume(start);
    this.#unwatch = source.watch(() => this.#notify());
  }

  /**
   * The next messages, at most about 1 MiB of them; waits until there are some. `undefined` once the tail is closed.
   *
   * Rejects with `ChukchaError` `damaged` where it meets damage.
   */
  async next(): Promise<TailPiece | undefined> {
    while (!this.#closed) {
      this.#news = false;
      const piece = await this.#read();
      if (piece) return piece;
      if (this.#news || this.#closed) continue;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return undefined;
  }

  /** The position behind `offset` of the piece that `next` returned last, together with those of the other owners. */
  cursor(behind: ChunkPosition): string {
    const { instance } = parseChunkName(behind.chunk)!;
    return formatCursor(
      Array.from(
        this.#positions,
        ([owner, { number, offset }]) =>
          owner === instance ? behind : { chunk: chunkName(owner, number), offset },
      ),
    );
  }

  /** Ends the tail; a waiting `next` returns. */
  close(): void {
    this.#closed = true;
    this.#unwatch();
    this.#notify();
  }

  #notify(): void {
    this.#news = true;
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  async #read(): Promise<TailPiece | undefined> {
    const category = this.#source.category();
    if (!category) return undefined;
    const owners = category.chunks.owners();
    for (let i = 0; i < owners.length; i++) {
      const owner = owners[(this.#turn + i) % owners.length]!;
      const piece = await this.#readOwner(category, owner);
      if (!piece) continue;
      this.#turn = (this.#turn + i + 1) % owners.length;
      return piece;
    }
    return undefined;
  }

  async #readOwner(category: Category, owner: string): Promise<TailPiece | undefined> {
    const position = this.#positionOf(category, owner);
    for (;;) {
      const chunk = category.chunks.firstFrom(owner, position.number);
      if (!chunk) return undefined;
      if (chunk.number > position.number) Object.assign(position, { number: chunk.number, offset: 0 });
      if (position.offset >= chunk.size) {
        if (!chunk.complete && !category.chunks.firstFrom(owner, chunk.number + 1)) return undefined;
        Object.assign(position, { number: chunk.number + 1, offset: 0 });
        continue;
      }
      const offset = position.offset;
      const bytes = await readSome(category, chunk, offset);
      // Acknowledged meanwhile: what was there is nobody's business any more.
      if (!bytes) continue;
      position.offset = offset + bytes.length;
      return { chunk: chunk.name, offset, bytes };
    }
  }

  #positionOf(category: Category, owner: string): Position {
    let position = this.#positions.get(owner);
    if (!position) {
      position = { number: 0, offset: 0 };
      if (this.#sinceMs !== undefined) Object.assign(position, this.#since(category, owner, this.#sinceMs));
      this.#positions.set(owner, position);
    }
    return position;
  }

  #since(category: Category, owner: string, timeMs: number): Position | undefined {
    const chunks = category.chunks.ofOwner(owner);
    const chunk = chunks.find((candidate) => candidate.timeMs >= timeMs);
    if (chunk) return { number: chunk.number, offset: this.#source.offsetSince(chunk, timeMs) };
    const last = chunks.at(-1);
    return last && { number: last.number, offset: last.size };
  }

  #skipToEnd(): void {
    for (const chunk of this.#source.category()?.chunks.sorted() ?? []) {
      this.#positions.set(chunk.instance, { number: chunk.number, offset: chunk.size });
    }
  }

  #resume(start: readonly ChunkPosition[]): void {
    for (const { chunk, offset } of start) {
      const id = parseChunkName(chunk);
      if (id) this.#positions.set(id.instance, { number: id.number, offset });
    }
  }
}

/** Reads about a step, or one message that is longer than that; `undefined` if the chunk is gone. */
async function readSome(category: Category, chunk: Chunk, offset: number): Promise<Uint8Array | undefined> {
  let range: ChunkRange;
  try {
    range = await category.read(chunk.name, offset, TAIL_STEP_BYTES);
  } catch (error) {
    if (!(error instanceof ChukchaError)) throw error;
    if (error.code === "chunk_not_found") return undefined;
    if (error.code !== "invalid_offset") throw error;
    range = await category.read(chunk.name, offset, READ_BYTES_MAX);
  }
  return range.body instanceof Uint8Array
    ? range.body
    : new Uint8Array(await new Response(range.body).arrayBuffer());
}
