/**
 * What of a consumer's unread messages was not handed out yet, and where the next of them are.
 *
 * Kept per owner, and only as a shortcut: it is what is unread without all pieces, and can be made anew from the two at
 * any time. So a hand-out costs what it hands out, not what is stored, and not how many leases there are.
 *
 * Chunks that this node lacks are stepped over and stay: they may come. An older chunk that is not complete is read as
 * far as it goes, and does not hold up later ones.
 *
 * @module
 */
import type { Chunk } from "../storage/chunk.ts";
import type { ChunkList } from "../storage/chunk_list.ts";
import { comparePlaces, intersect, type Place, type Unread, without } from "../storage/unread.ts";
import type { Piece } from "./piece.ts";

/** Readable bytes of one chunk. */
export interface Stretch {
  readonly chunk: Chunk;
  readonly from: number;
  readonly to: number;
}

/** A consumer's place, as far as it is needed here. */
export interface UnreadOf {
  unread(owner: string): Unread;
}

/** What is unread and in no piece. */
export class Fresh {
  readonly #byOwner = new Map<string, Unread>();

  /** What of an owner's chunks may be handed out. */
  of(owner: string, place: UnreadOf, pieces: Iterable<Piece>): Unread {
    let fresh = this.#byOwner.get(owner);
    if (!fresh) {
      fresh = place.unread(owner);
      for (const piece of pieces) {
        if (piece.owner === owner) {
          const { number, from, to } = piece;
          fresh = without(fresh, { number, offset: from }, { number, offset: to });
        }
      }
      this.#byOwner.set(owner, fresh);
    }
    return fresh;
  }

  /** Takes bytes out, because they were handed out or need not be. */
  take(owner: string, start: Place, end: Place): void {
    const fresh = this.#byOwner.get(owner);
    if (fresh) this.#byOwner.set(owner, without(fresh, start, end));
  }

  /** What others acknowledged goes. */
  merge(place: UnreadOf): void {
    for (const [owner, fresh] of this.#byOwner) {
      this.#byOwner.set(owner, intersect(fresh, place.unread(owner)));
    }
  }

  /** Makes it anew when it is asked for: pieces were given up without being read. */
  forget(owner: string): void {
    this.#byOwner.delete(owner);
  }

  /** The same of all owners. */
  clear(): void {
    this.#byOwner.clear();
  }

  /**
   * The next readable bytes of an owner, from those of `of`; chunks that `isStuck` are left where they are. Complete
   * chunks that hold nothing more are dropped on the way, so that they are passed once.
   */
  next(
    owner: string,
    unread: Unread,
    chunks: ChunkList,
    isStuck: (chunk: Chunk) => boolean,
  ): Stretch | undefined {
    for (const { start, end } of unread) {
      let place: Place = start;
      for (;;) {
        const chunk = chunks.firstFrom(owner, place.number);
        // Behind the last chunk there is nothing for later intervals either.
        if (!chunk) return undefined;
        if (chunk.number > place.number) place = { number: chunk.number, offset: 0 };
        if (comparePlaces(place, end) >= 0) break;
        const to = end?.number === chunk.number ? Math.min(end.offset, chunk.size) : chunk.size;
        const isRead = place.offset >= to;
        if (!isRead && !isStuck(chunk)) return { chunk, from: place.offset, to };
        const behind = { number: chunk.number + 1, offset: 0 };
        if (isRead && chunk.complete && comparePlaces(behind, end) <= 0) this.take(owner, place, behind);
        place = behind;
      }
    }
    return undefined;
  }
}

/** Whether all of a range is in a set. */
export function includes(unread: Unread, number: number, from: number, to: number): boolean {
  return unread.some(({ start, end }) =>
    comparePlaces(start, { number, offset: from }) <= 0 && comparePlaces({ number, offset: to }, end) <= 0
  );
}

/** The parts of a chunk's range that are in a set, in order. */
export function within(
  unread: Unread,
  number: number,
  from: number,
  to: number,
): [from: number, to: number][] {
  const both = intersect(unread, [{ start: { number, offset: from }, end: { number, offset: to } }]);
  return both.map(({ start, end }) => [start.offset, end!.offset]);
}
