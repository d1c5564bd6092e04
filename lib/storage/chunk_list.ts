/**
 * The chunks of one category, by name and in order.
 *
 * Per owner they are kept sorted, see `owner_chunks.ts`, so that a million chunks come and go without the list being sorted
 * anew each time; and sorted by name, they are nearly always the owners' lists one behind the other.
 *
 * @module
 */
import { chunkName } from "../protocol/names.ts";
import type { Chunk } from "./chunk.ts";
import { OwnerChunks } from "./owner_chunks.ts";

const NONE: readonly Chunk[] = [];

/** A sorted set of chunks. */
export class ChunkList {
  readonly #byName = new Map<string, Chunk>();
  readonly #byOwner = new Map<string, OwnerChunks>();
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
    let chunks = this.#byOwner.get(chunk.instance);
    if (!chunks) {
      this.#byOwner.set(chunk.instance, chunks = new OwnerChunks());
      this.#owners = undefined;
    }
    if (!chunks.add(chunk)) this.#noteLate(chunk);
  }

  /** Removes a chunk. */
  delete(name: string): void {
    const chunk = this.#byName.get(name);
    if (!chunk) return;
    this.#byName.delete(name);
    this.#sorted = undefined;
    const chunks = this.#byOwner.get(chunk.instance)!;
    chunks.delete(chunk);
    if (chunks.size > 0) return;
    this.#byOwner.delete(chunk.instance);
    this.#owners = undefined;
  }

  /** All, in no particular order; chunks may come and go meanwhile. */
  all(): Iterable<Chunk> {
    return this.#byName.values();
  }

  /** All, sorted by name. */
  sorted(): readonly Chunk[] {
    // Nothing to be done for the sort, but to look at them, unless the name of an owner begins like a chunk of another one.
    return this.#sorted ??= this.owners().toSorted((a, b) => chunkName(a, 0) < chunkName(b, 0) ? -1 : 1)
      .flatMap((owner) => this.ofOwner(owner)).sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** Their owners, sorted. */
  owners(): readonly string[] {
    return this.#owners ??= [...this.#byOwner.keys()].sort();
  }

  /** Those of one owner, by number. Not to be kept: it changes as they come and go. */
  ofOwner(instance: string): readonly Chunk[] {
    return this.#byOwner.get(instance)?.all() ?? NONE;
  }

  /** The one of an owner with the largest number. */
  lastOf(instance: string): Chunk | undefined {
    return this.#byOwner.get(instance)?.last;
  }

  /** Those of one owner with smaller numbers that are not complete, by number. */
  openBefore(instance: string, number: number): readonly Chunk[] {
    return this.#byOwner.get(instance)?.openBefore(number) ?? NONE;
  }

  /** Those of one owner that came behind later ones, in order of coming; it only grows. */
  lateOf(instance: string): readonly Chunk[] {
    return this.#late?.get(instance) ?? NONE;
  }

  /** The first chunk of an owner whose number is at least `number`. */
  firstFrom(instance: string, number: number): Chunk | undefined {
    return this.#byOwner.get(instance)?.firstFrom(number);
  }

  #noteLate(chunk: Chunk): void {
    this.#late ??= new Map();
    const late = this.#late.get(chunk.instance);
    if (late) late.push(chunk);
    else this.#late.set(chunk.instance, [chunk]);
  }
}
