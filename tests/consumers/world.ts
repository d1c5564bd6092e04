/**
 * Consumers without a node: chunks and places in memory, under a test's control, and real dispensers on top.
 *
 * Reading and acknowledging take a few turns of the microtask queue, so that they interleave.
 *
 * @module
 */
import { Dispensers } from "../../lib/consumers/dispensers.ts";
import { Meter } from "../../lib/consumers/meter.ts";
import type { Source } from "../../lib/consumers/source.ts";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { SILENT_LOG } from "../../lib/protocol/log.ts";
import { parseChunkName } from "../../lib/protocol/names.ts";
import type { From } from "../../lib/protocol/position.ts";
import { Chunk } from "../../lib/storage/chunk.ts";
import { ChunkList } from "../../lib/storage/chunk_list.ts";
import { type ChunkRange, MessageTooLongError } from "../../lib/storage/chunk_reader.ts";
import type { ConsumerPlace, Consumers } from "../../lib/storage/consumers.ts";
import { ALL, type Unread, without } from "../../lib/storage/unread.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** The only category. */
export const CATEGORY = "c";

class Place implements ConsumerPlace {
  constructor(
    readonly name: string,
    readonly epoch: number,
    readonly leases: boolean,
    readonly owners: ReadonlyMap<string, Unread>,
  ) {}

  unread(owner: string): Unread {
    return this.owners.get(owner) ?? ALL;
  }
}

/** Places in memory. */
class MemoryConsumers implements Consumers {
  readonly #places = new Map<string, Place>();
  readonly #watchers = new Set<(name: string) => void>();
  /** Acknowledgements that fail next. */
  refusals = 0;

  constructor(private readonly world: ConsumersWorld) {}

  list(): ConsumerPlace[] {
    return [...this.#places.values()];
  }

  get(name: string): ConsumerPlace | undefined {
    return this.#places.get(name);
  }

  begin(name: string, _from: From): Promise<ConsumerPlace> {
    const place = this.#places.get(name) ?? new Place(name, 0, false, new Map());
    this.#places.set(name, place);
    return Promise.resolve(place);
  }

  useLeases(name: string): Promise<void> {
    const { epoch, owners } = this.#places.get(name)!;
    this.#places.set(name, new Place(name, epoch, true, owners));
    return Promise.resolve();
  }

  async acknowledge(name: string, chunk: string, from: number, to: number, epoch?: number): Promise<void> {
    await this.world.aWhile();
    const place = this.#places.get(name)!;
    if (this.refusals-- > 0) throw new ChukchaError("disk_full", "no room");
    if (epoch !== undefined && epoch !== place.epoch) throw new ChukchaError("position_moved", "moved");
    this.#take(place, chunk, from, to);
    await this.world.aWhile();
  }

  /** As if another node had told it. */
  acknowledgedElsewhere(name: string, chunk: string, from: number, to: number): void {
    this.#take(this.#places.get(name)!, chunk, from, to);
    this.#watchers.forEach((watcher) => watcher(name));
  }

  /** As a place does that has more intervals than it may have: what is between them is unread again. */
  forgetAcknowledged(name: string, owner: string): void {
    const { epoch, leases, owners } = this.#places.get(name)!;
    this.#places.set(name, new Place(name, epoch, leases, new Map([...owners, [owner, ALL]])));
  }

  seek(name: string): Promise<ConsumerPlace> {
    const { epoch, leases } = this.#places.get(name)!;
    const place = new Place(name, epoch + 1, leases, new Map());
    this.#places.set(name, place);
    this.#watchers.forEach((watcher) => watcher(name));
    return Promise.resolve(place);
  }

  forget(name: string): Promise<void> {
    this.#places.delete(name);
    this.#watchers.forEach((watcher) => watcher(name));
    return Promise.resolve();
  }

  watch(fn: (name: string) => void): () => void {
    this.#watchers.add(fn);
    return () => this.#watchers.delete(fn);
  }

  #take({ name, epoch, leases, owners }: Place, chunk: string, from: number, to: number): void {
    const { instance, number } = parseChunkName(chunk)!;
    const known = this.world.made.get(chunk);
    const end = known?.complete && to >= known.size
      ? { number: number + 1, offset: 0 }
      : { number, offset: to };
    const unread = without(owners.get(instance) ?? ALL, { number, offset: from }, end);
    this.#places.set(name, new Place(name, epoch, leases, new Map([...owners, [instance, unread]])));
  }
}

/** Chunks, places, and dispensers. */
export class ConsumersWorld implements Source {
  readonly clock = new FakeClock();
  readonly chunkList = new ChunkList();
  /** All there are, listed or not. */
  readonly made = new Map<string, Chunk>();
  readonly places = new MemoryConsumers(this);
  /** What was appended, by category. */
  readonly letters: string[] = [];
  /** Chunks of which no more than so many bytes can be read. */
  readonly damaged = new Map<string, number>();
  meter = new Meter();
  dispensers = this.start();
  readonly #bytes = new Map<string, Uint8Array>();
  readonly #watchers = new Set<() => void>();
  #turns = 0;

  /** As if the node had been started anew: all that is memory is gone. */
  start(): Dispensers {
    this.meter = new Meter();
    const append = async (category: string, bytes: Uint8Array): Promise<void> => {
      await this.aWhile();
      if (category !== `${CATEGORY}.dead`) throw new Error(category);
      this.letters.push(new TextDecoder().decode(bytes));
    };
    const { clock, meter } = this;
    return this.dispensers = new Dispensers(
      { source: this, clock, log: SILENT_LOG, append, meter },
      () => undefined,
    );
  }

  /** Some turns of the microtask queue, now more, now fewer. */
  async aWhile(): Promise<void> {
    this.#turns = (this.#turns * 5 + 3) % 7;
    for (let i = 0; i < this.#turns; i++) await Promise.resolve();
  }

  /** Makes a chunk, which is listed once it is told so. */
  make(owner: string, number: number): Chunk {
    const chunk = new Chunk(CATEGORY, owner, number, 0);
    this.made.set(chunk.name, chunk);
    this.#bytes.set(chunk.name, new Uint8Array());
    return chunk;
  }

  /** Appends whole messages; returns where. */
  append(chunk: Chunk, text: string): number {
    const offset = chunk.size;
    const before = this.#bytes.get(chunk.name)!;
    const added = new TextEncoder().encode(text);
    const bytes = new Uint8Array(before.length + added.length);
    bytes.set(before);
    bytes.set(added, before.length);
    this.#bytes.set(chunk.name, bytes);
    chunk.size = bytes.length;
    this.notify();
    return offset;
  }

  /** Shows a chunk to readers. */
  list(chunk: Chunk): void {
    this.chunkList.add(chunk);
    this.notify();
  }

  notify(): void {
    this.#watchers.forEach((watcher) => watcher());
  }

  consumers(): Consumers {
    return this.places;
  }

  consumedCategories(): string[] {
    return [CATEGORY];
  }

  chunks(): ChunkList {
    return this.chunkList;
  }

  watch(_category: string, notify: () => void): () => void {
    this.#watchers.add(notify);
    return () => this.#watchers.delete(notify);
  }

  async read(_category: string, name: string, offset: number, sizeMax: number): Promise<ChunkRange> {
    await this.aWhile();
    const chunk = this.chunkList.get(name);
    if (!chunk) throw new ChukchaError("chunk_not_found", name);
    const bytes = this.#bytes.get(name)!;
    if (offset > 0 && bytes[offset - 1] !== 10) throw new ChukchaError("invalid_offset", "inside");
    const good = Math.min(chunk.size, this.damaged.get(name) ?? Infinity);
    const end = Math.min(good, offset + sizeMax);
    const size = bytes.subarray(offset, Math.max(offset, end)).lastIndexOf(10) + 1;
    if (size > 0 || offset >= chunk.size) return { offset, size, body: bytes.slice(offset, offset + size) };
    if (good < offset + sizeMax && good < chunk.size) throw new ChukchaError("damaged", name);
    throw new MessageTooLongError(`${name} at ${offset}`);
  }
}
