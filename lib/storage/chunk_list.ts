/**
 * The chunks of one category, by name and in order.
 *
 * @module
 */
import type { Chunk } from "./chunk.ts";

/** A sorted set of chunks. */
export class ChunkList {
  readonly #byName = new Map<string, Chunk>();
  /** Made anew after a chunk came or went. */
  #sorted: readonly Chunk[] | undefined;
  #byOwner: ReadonlyMap<string, readonly Chunk[]> | undefined;

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
    this.#byOwner = undefined;
  }

  /** Removes a chunk. */
  delete(name: string): void {
    if (!this.#byName.delete(name)) return;
    this.#sorted = undefined;
    this.#byOwner = undefined;
  }

  /** All, sorted by name. */
  sorted(): readonly Chunk[] {
    return this.#sorted ??= [...this.#byName.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** Their owners. */
  owners(): string[] {
    return [...this.#ofOwners().keys()];
  }

  /** Those of one owner, by number. */
  ofOwner(instance: string): readonly Chunk[] {
    return this.#ofOwners().get(instance) ?? [];
  }

  /** The first chunk of an owner whose number is at least `number`. */
  firstFrom(instance: string, number: number): Chunk | undefined {
    const chunks = this.ofOwner(instance);
    let low = 0;
    let high = chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (chunks[middle]!.number >= number) high = middle;
      else low = middle + 1;
    }
    return chunks[low];
  }

  #ofOwners(): ReadonlyMap<string, readonly Chunk[]> {
    return this.#byOwner ??= Map.groupBy(this.sorted(), (chunk) => chunk.instance);
  }
}
