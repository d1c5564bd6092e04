/**
 * Follows a category: everything from a start on, then whatever is published, for as long as someone asks.
 *
 * A tail holds its places per owner, see `owner_positions.ts`, and nothing else. When there is nothing to read it waits
 * for the category's watchers; what it missed while its reader was slow it finds on disk. Messages of one chunk come in
 * order, and chunks of one owner too, except for what an older one got when a later one was there already; those of
 * several owners are interleaved by what is there.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { TAIL_OPEN_CHUNKS_MAX, TAIL_STEP_BYTES } from "../protocol/limits.ts";
import { chunkName, parseChunkName } from "../protocol/names.ts";
import { type ChunkPosition, formatCursor, type From } from "../protocol/position.ts";
import type { Category } from "./category.ts";
import type { Chunk } from "./chunk.ts";
import type { ChunkList } from "./chunk_list.ts";
import { OwnerPositions, type Position } from "./owner_positions.ts";

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

/** One reader's way through a category. */
export class Tail {
  readonly #source: TailSource;
  readonly #owners = new Map<string, OwnerPositions>();
  /** Where a resumed one stood, until the category is there. */
  readonly #resumed = new Map<string, Position[]>();
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
   * The next messages, about `stepBytes` of them at most; waits until there are some. `undefined` once the tail is closed.
   *
   * Rejects with `ChukchaError` `damaged` where it meets damage.
   */
  async next(stepBytes: number = TAIL_STEP_BYTES): Promise<TailPiece | undefined> {
    while (!this.#closed) {
      this.#news = false;
      const piece = await this.#read(stepBytes);
      if (piece) return piece;
      if (this.#news || this.#closed) continue;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return undefined;
  }

  /** The position behind `offset` of the piece that `next` returned last, together with those of the other owners. */
  cursor(behind: ChunkPosition): string {
    const places: ChunkPosition[] = [];
    const add = (owner: string, positions: readonly Position[]): void => {
      for (const { number, offset } of positions) {
        const chunk = chunkName(owner, number);
        places.push(chunk === behind.chunk ? behind : { chunk, offset });
      }
    };
    for (const [owner, positions] of this.#owners) add(owner, positions.all());
    for (const [owner, positions] of this.#resumed) add(owner, positions);
    return formatCursor(places);
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

  async #read(stepBytes: number): Promise<TailPiece | undefined> {
    const category = this.#source.category();
    if (!category) return undefined;
    const owners = category.chunks.owners();
    for (let i = 0; i < owners.length; i++) {
      const owner = owners[(this.#turn + i) % owners.length]!;
      const piece = await this.#readOwner(category, owner, stepBytes);
      if (!piece) continue;
      this.#turn = (this.#turn + i + 1) % owners.length;
      return piece;
    }
    return undefined;
  }

  async #readOwner(category: Category, owner: string, stepBytes: number): Promise<TailPiece | undefined> {
    const positions = this.#positionsOf(category, owner);
    const isGone = (number: number): boolean => category.state.acknowledged.has(owner, number);
    for (;;) {
      const next = positions.next(category.chunks, isGone);
      if (!next) return undefined;
      const { chunk, position } = next;
      const { offset } = position;
      const bytes = await readSome(category, chunk, offset, stepBytes);
      // Acknowledged meanwhile, or cut: what was there is nobody's business any more.
      if (!bytes || bytes.length === 0) continue;
      position.offset = offset + bytes.length;
      return { chunk: chunk.name, offset, bytes };
    }
  }

  #positionsOf(category: Category, owner: string): OwnerPositions {
    let positions = this.#owners.get(owner);
    if (!positions) {
      positions = new OwnerPositions(owner, this.#startOf(category, owner), category.chunks);
      this.#owners.set(owner, positions);
      this.#resumed.delete(owner);
    }
    return positions;
  }

  /** Where an owner is begun with when its first chunk is met. */
  #startOf(category: Category, owner: string): Position[] {
    const resumed = this.#resumed.get(owner);
    if (resumed) return resumed;
    if (this.#sinceMs === undefined) return [{ number: 0, offset: 0 }];
    const timeMs = this.#sinceMs;
    const { chunks } = category;
    const chunk = chunks.ofOwner(owner).find((candidate) => candidate.timeMs >= timeMs);
    if (!chunk) return endOf(chunks, owner);
    const start = { number: chunk.number, offset: this.#source.offsetSince(chunk, timeMs) };
    return [...openOf(chunks, owner, chunk.number), start];
  }

  #skipToEnd(): void {
    const chunks = this.#source.category()?.chunks;
    for (const owner of chunks?.owners() ?? []) {
      this.#owners.set(owner, new OwnerPositions(owner, endOf(chunks!, owner), chunks!));
    }
  }

  #resume(start: readonly ChunkPosition[]): void {
    for (const { chunk, offset } of start) {
      const id = parseChunkName(chunk);
      if (!id) continue;
      const positions = this.#resumed.get(id.instance) ?? [];
      this.#resumed.set(
        id.instance,
        [...positions, { number: id.number, offset }].slice(-TAIL_OPEN_CHUNKS_MAX),
      );
    }
  }
}

/** Behind all that is there of an owner's chunks, at least one. */
function endOf(chunks: ChunkList, owner: string): Position[] {
  const { number, size } = chunks.lastOf(owner)!;
  return [...openOf(chunks, owner, number), { number, offset: size }];
}

/** The ends of those chunks before `number` that may still grow. */
function openOf(chunks: ChunkList, owner: string, number: number): Position[] {
  return chunks.openBefore(owner, number)
    .map((chunk) => ({ number: chunk.number, offset: chunk.size })).slice(1 - TAIL_OPEN_CHUNKS_MAX);
}

/** Reads about a step, or one message that is longer than that; `undefined` if the chunk is gone. */
async function readSome(
  category: Category,
  chunk: Chunk,
  offset: number,
  stepBytes: number,
): Promise<Uint8Array | undefined> {
  try {
    return await category.access.readWhole(chunk.name, offset, stepBytes);
  } catch (error) {
    if (!(error instanceof ChukchaError) || error.code !== "chunk_not_found") throw error;
    return undefined;
  }
}
