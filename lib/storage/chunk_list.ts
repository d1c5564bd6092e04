/**
 * The chunks of one category, by name and in order.
 *
 * Per owner they are kept sorted: a new one is nearly always the last, and what is acknowledged nearly always the
 * first, so that 100,000 chunks come and go without the list being sorted anew each time.
 *
 * @module
 */
import type { Chunk } from "./chunk.ts";

const NONE: readonly Chunk[] = [];

/** A sorted set of chunks. */
export class ChunkList {
  readonly #byName = new Map<string, Chunk>();
  readonly #byOwner = new Map<string, Chunk[]>();
  /** Chunks that came although their owner had later ones here, in order of coming. */
  #late: Map<string, Chunk[]> | undefined;
  /** Made anew when asked for after a chunk came or went. */
  #sorted: readonly Chunk[] | undefined;
  #owners: readonly string[] | undefined;

  /** How many there are. */
  get size(): number {
    return this.#byName.size;
  }

  /** The chunk of this name. */
  get(name: string): Chunk | undefined {
    return this.#byName.get(name);
  }

  /** Adds a chunk; one that is there already changes nothing. */
  add(chunk: Chunk): void {
    if (this.#byName.has(chunk.name)) return;
    this.#byName.set(chunk.name, chunk);
    this.#sorted = undefined;
    const chunks = this.#byOwner.get(chunk.instance);
    if (chunks) {
      const at = firstFrom(chunks, chunk.number);
      if (at < chunks.length) this.#noteLate(chunk);
      chunks.splice(at, 0, chunk);
      return;
    }
    this.#byOwner.set(chunk.instance, [chunk]);
    this.#owners = undefined;
  }

  /** Removes a chunk. */
  delete(name: string): void {
    const chunk = this.#byName.get(name);
    if (!chunk) return;
    this.#byName.delete(name);
    this.#sorted = undefined;
    const chunks = this.#byOwner.get(chunk.instance)!;
    chunks.splice(firstFrom(chunks, chunk.number), 1);
    if (chunks.length > 0) return;
    this.#byOwner.delete(chunk.instance);
    this.#owners = undefined;
  }

  /** All, in no particular order; chunks may come and go meanwhile. */
  all(): Iterable<Chunk> {
    return this.#byName.values();
  }

  /** All, sorted by name. */
  sorted(): readonly Chunk[] {
    return this.#sorted ??= [...this.#byName.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** Their owners, sorted. */
  owners(): readonly string[] {
    return this.#owners ??= [...this.#byOwner.keys()].sort();
  }

  /** Those of one owner, by number. Not to be kept: it changes as they come and go. */
  ofOwner(instance: string): readonly Chunk[] {
    return this.#byOwner.get(instance) ?? NONE;
  }

  /** Those of one owner that came behind later ones, in order of coming; it only grows. */
  lateOf(instance: string): readonly Chunk[] {
    return this.#late?.get(instance) ?? NONE;
  }

  /** The first chunk of an owner whose number is at least `number`. */
  firstFrom(instance: string, number: number): Chunk | undefined {
    const chunks = this.ofOwner(instance);
    return chunks[firstFrom(chunks, number)];
  }

  #noteLate(chunk: Chunk): void {
    this.#late ??= new Map();
    const late = this.#late.get(chunk.instance);
    if (late) late.push(chunk);
    else this.#late.set(chunk.instance, [chunk]);
  }
}

/** Index of the first chunk whose number is at least `number`. */
function firstFrom(chunks: readonly Chunk[], number: number): number {
  let low = 0;
  let high = chunks.length;
  if (high > 0 && chunks[high - 1]!.number < number) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (chunks[middle]!.number >= number) high = middle;
    else low = middle + 1;
  }
  return low;
}
