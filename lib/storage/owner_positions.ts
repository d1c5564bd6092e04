/**
 * How far a tail has come in the chunks of one owner.
 *
 * Mostly that is one place. But a chunk may still grow although later ones exist: the owner's last one before a crash,
 * until its peers were asked for what they hold of it, and a copy whose owner is away. A tail is not held up by it: it
 * goes on with the next chunk and keeps the old place open, until that chunk is complete and read, or acknowledged.
 * Chunks that come back behind the tail (an owner that lost its disk) are read when they are there.
 *
 * So the places are: those that are open, by chunk number, and the current one, which is the last. They are few, and
 * bounded: beyond that the tail waits for the chunk that it is at, since going on would mean to miss what comes there.
 * Chunks that come back late are the exception: while the tail has not come to them they are in no cursor.
 *
 * @module
 */
import { TAIL_OPEN_CHUNKS_MAX } from "../protocol/limits.ts";
import type { Chunk } from "./chunk.ts";
import type { ChunkList } from "./chunk_list.ts";

/** A place: in a chunk that may not exist (yet, or any more). */
export interface Position {
  number: number;
  offset: number;
}

/** Bytes to read next: from `position`, in `chunk`. */
export interface Next {
  readonly chunk: Chunk;
  readonly position: Position;
}

/** The places in one owner's chunks. */
export class OwnerPositions {
  /** By number; the last one is the current one, the others are open. */
  readonly #positions: Position[];
  /** How many of the chunks that came late were looked at. */
  #late: number;

  /** @param positions at least one */
  constructor(readonly owner: string, positions: readonly Position[], chunks: ChunkList) {
    this.#positions = positions.map((position) => ({ ...position })).sort((a, b) => a.number - b.number);
    this.#late = chunks.lateOf(owner).length;
  }

  /** Oldest first; not to be changed. */
  all(): readonly Readonly<Position>[] {
    return this.#positions;
  }

  /**
   * What to read next; `undefined` if there is nothing. Whoever reads moves `position` on.
   *
   * @param isGone whether a chunk of this number will never be there again
   */
  next(chunks: ChunkList, isGone: (number: number) => boolean): Next | undefined {
    this.#takeLate(chunks);
    return this.#nextOpen(chunks, isGone) ?? this.#nextCurrent(chunks);
  }

  #nextOpen(chunks: ChunkList, isGone: (number: number) => boolean): Next | undefined {
    for (let i = 0; i < this.#positions.length - 1;) {
      const position = this.#positions[i]!;
      const found = chunks.firstFrom(this.owner, position.number);
      const chunk = found?.number === position.number ? found : undefined;
      if (chunk && position.offset < chunk.size) return { chunk, position };
      if (chunk ? chunk.complete : isGone(position.number)) this.#positions.splice(i, 1);
      else i++;
    }
    return undefined;
  }

  #nextCurrent(chunks: ChunkList): Next | undefined {
    const position = this.#positions.at(-1)!;
    for (;;) {
      const chunk = chunks.firstFrom(this.owner, position.number);
      if (!chunk) return undefined;
      if (chunk.number > position.number) Object.assign(position, { number: chunk.number, offset: 0 });
      if (position.offset < chunk.size) return { chunk, position };
      if (!chunk.complete) {
        if (!chunks.firstFrom(this.owner, chunk.number + 1)) return undefined;
        if (this.#positions.length > TAIL_OPEN_CHUNKS_MAX) return undefined;
        this.#positions.splice(-1, 0, { ...position });
      }
      Object.assign(position, { number: chunk.number + 1, offset: 0 });
    }
  }

  /** Opens places for chunks that came behind the current one, as many as there is room for. */
  #takeLate(chunks: ChunkList): void {
    const late = chunks.lateOf(this.owner);
    while (this.#late < late.length && this.#positions.length <= TAIL_OPEN_CHUNKS_MAX) {
      const { number, removed } = late[this.#late++]!;
      const at = this.#positions.findIndex((position) => position.number >= number);
      // Before it, or at it, the current place comes by on its own.
      if (removed || at < 0 || this.#positions[at]!.number === number) continue;
      this.#positions.splice(at, 0, { number, offset: 0 });
    }
  }
}
