/**
 * How far consumers are behind: readable bytes that they have not acknowledged, on this node.
 *
 * The sizes of an owner's chunks are summed up once, in order; then each interval of each consumer is two look-ups. So a
 * thousand consumers of a hundred thousand chunks cost one pass over the chunks: some 5 ms, and 5 ms for the consumers,
 * with other requests in between.
 *
 * @module
 */
import { chunkName } from "../protocol/names.ts";
import type { Chunk } from "../storage/chunk.ts";
import type { ChunkList } from "../storage/chunk_list.ts";
import type { Place } from "../storage/unread.ts";
import type { UnreadOf } from "./fresh.ts";

/** What one consumer has before it. */
export interface Lag {
  readonly bytes: number;
  readonly chunks: number;
  /** Per owner, the first place that is not acknowledged; sorted by chunk. */
  readonly positions: readonly { readonly chunk: string; readonly offset: number }[];
}

/** The sizes of one category's chunks, of each owner as they were at one time. */
export class Sizes {
  readonly #owners: readonly OwnerSizes[];

  private constructor(owners: readonly OwnerSizes[]) {
    this.#owners = owners;
  }

  /** Sums them up; `pause` is waited for after each owner. */
  static async of(chunks: ChunkList | undefined, pause: () => Promise<void> | void): Promise<Sizes> {
    const owners: OwnerSizes[] = [];
    for (const owner of chunks?.owners() ?? []) {
      owners.push(new OwnerSizes(owner, chunks!.ofOwner(owner)));
      await pause();
    }
    return new Sizes(owners);
  }

  /** What is unread from a place. */
  lagOf(place: UnreadOf): Lag {
    let bytes = 0;
    let count = 0;
    const positions: { chunk: string; offset: number }[] = [];
    for (const owner of this.#owners) {
      const unread = place.unread(owner.name);
      let counted = -1;
      for (const { start, end } of unread) {
        const part = owner.between(start, end);
        bytes += part.bytes;
        count += part.chunks;
        // Two intervals of one chunk are one chunk.
        if (part.chunks > 0 && part.first === counted) count--;
        if (part.chunks > 0) counted = part.last;
      }
      const first = unread[0];
      if (first) {
        positions.push({ chunk: chunkName(owner.name, first.start.number), offset: first.start.offset });
      }
    }
    positions.sort((a, b) => a.chunk < b.chunk ? -1 : 1);
    return { bytes, chunks: count, positions };
  }
}

/** The chunks of one owner, and how many bytes come before each. */
class OwnerSizes {
  readonly #numbers: Float64Array;
  /** One longer: the last is the sum of all. */
  readonly #before: Float64Array;

  constructor(readonly name: string, chunks: readonly Chunk[]) {
    this.#numbers = new Float64Array(chunks.length);
    this.#before = new Float64Array(chunks.length + 1);
    chunks.forEach(({ number, size }, i) => {
      this.#numbers[i] = number;
      this.#before[i + 1] = this.#before[i]! + size;
    });
  }

  /** What is readable from `start` up to before `end`, and the first and last chunk of that, by their order. */
  between(
    start: Place,
    end: Place | undefined,
  ): { bytes: number; chunks: number; first: number; last: number } {
    const from = this.#at(start);
    const to = end ? this.#at(end) : { bytes: this.#before.at(-1)!, index: this.#numbers.length };
    const first = from.index + (from.isEnd ? 1 : 0);
    const last = end && to.bytes > this.#before[to.index]! ? to.index : to.index - 1;
    const bytes = to.bytes - from.bytes;
    return bytes > 0
      ? { bytes, chunks: last - first + 1, first, last }
      : { bytes: 0, chunks: 0, first, last };
  }

  /** How many bytes come before a place, and the chunk that it is in or before. */
  #at({ number, offset }: Place): { bytes: number; index: number; isEnd?: boolean } {
    let low = 0;
    let high = this.#numbers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#numbers[middle]! >= number) high = middle;
      else low = middle + 1;
    }
    const before = this.#before[low]!;
    if (low === this.#numbers.length || this.#numbers[low] !== number) return { bytes: before, index: low };
    const size = this.#before[low + 1]! - before;
    return { bytes: before + Math.min(offset, size), index: low, isEnd: offset >= size };
  }
}
