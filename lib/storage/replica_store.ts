/**
 * What replication asks of a store: what changed, bytes to send, places for bytes that came, and what the cluster knows
 * of this node's own chunks.
 *
 * Nothing here decides: which bytes to fetch, when a chunk is complete, whom to believe, is `lib/replication/`. But
 * nothing that it asks can mix two copies, append to what is complete, or bring back what is acknowledged.
 *
 * @module
 */
import { CATEGORIES_MAX } from "../protocol/limits.ts";
import { ChukchaError } from "../protocol/errors.ts";
import type { AcknowledgedOf } from "./acknowledged.ts";
import { Category } from "./category.ts";
import type { ChangeLog } from "./change_log.ts";
import type { Chunk } from "./chunk.ts";
import type { ConsumerRecord } from "./consumer_record.ts";
import type { StorageContext } from "./context.ts";
import type { Appended, CopyPiece } from "./copies.ts";
import { toChukchaError } from "./failure.ts";
import { type NodeIdentity, writeNodeFile } from "./node_file.ts";
import type { Donor } from "./heal.ts";
import { Healer } from "./healer.ts";
import type { ReadPiece } from "./piece_reader.ts";

/** A chunk, and the category it is in. */
export interface ChunkOf {
  readonly category: string;
  readonly chunk: Chunk;
}

/** The categories of a node, as other nodes' copies of them need it. */
export abstract class ReplicaStore {
  readonly identity: NodeIdentity;
  protected readonly context: StorageContext;
  protected readonly healer: Healer;
  protected readonly categories = new Map<string, Category>();

  protected constructor(identity: NodeIdentity, context: StorageContext) {
    this.identity = identity;
    this.context = context;
    const { clock, log, damage } = context;
    this.healer = new Healer(clock, log, ({ category }) => this.categories.get(category));
    const found = (chunk: Chunk): void => this.healer.add(chunk);
    damage.found = found;
  }

  // --- what is here ---

  /** What changed, in order. */
  get changes(): ChangeLog {
    return this.context.changes;
  }

  /** The chunk, if it holds anything. */
  chunk(category: string, name: string): Chunk | undefined {
    return this.categories.get(category)?.chunks.get(name);
  }

  /** Whether the chunk is acknowledged: it will never be here again. */
  isAcknowledged(category: string, instance: string, number: number): boolean {
    return this.categories.get(category)?.state.acknowledged.has(instance, number) ?? false;
  }

  /** What is acknowledged of an owner's chunks; `undefined` if nothing is. */
  acknowledgedOf(category: string, instance: string): AcknowledgedOf | undefined {
    return this.categories.get(category)?.state.acknowledged.of(instance);
  }

  /**
   * Verified bytes of a chunk from `offset` to where a group ends, at most `bytesMax` of them or one group; `undefined`
   * if nothing is there yet. Throws `ChukchaError` `chunk_not_found`, `invalid_offset`, `damaged`, or what the disk said.
   */
  readPiece(category: string, name: string, offset: number, bytesMax: number): ReadPiece | undefined {
    return this.known(category).access.piece(name, offset, bytesMax);
  }

  /**
   * Verified bytes of a chunk, exactly those `length` from `offset` on or as many of them as are good: for another node
   * that heals its copy. Throws as `readPiece` does.
   */
  readRange(category: string, name: string, offset: number, length: number): ReadPiece {
    return this.known(category).access.range(name, offset, length);
  }

  /** Grows when something was lost that other nodes may still hold: then their listings have to be seen again. */
  get losses(): number {
    return this.context.losses.count;
  }

  /** Other nodes' chunks that are not complete here. */
  *incompleteCopies(): Iterable<ChunkOf> {
    for (const chunk of this.context.incomplete) yield { category: chunk.category, chunk };
  }

  /** This node's own chunks of which others may hold more. */
  *unsettled(): Iterable<ChunkOf> {
    for (const chunk of this.context.unsettled) yield { category: chunk.category, chunk };
  }

  // --- copies ---

  /** Makes the files of those of these chunks that are not here. Rejects with `ChukchaError`, having made none. */
  async prepareCopies(category: string, names: readonly string[]): Promise<void> {
    await this.made(category).copyFiles.prepare(names);
  }

  /** Throws `ChukchaError` if the disk would not take copies now: then it is of no use to fetch any. */
  admitCopies(): void {
    try {
      this.context.guard.admitMore();
    } catch (error) {
      throw toChukchaError(error, "copy");
    }
  }

  /**
   * Appends bytes to a copy that was prepared; readable when this returns.
   *
   * Throws `CopyMismatchError` if they do not continue it, or `ChukchaError` for what the disk said.
   */
  appendCopy(piece: CopyPiece & { readonly category: string }, source: string): Appended {
    return this.known(piece.category).copies.append(piece, source);
  }

  /** Puts what is here of a chunk on the device. Rejects with `ChukchaError`. */
  async syncCopy(category: string, name: string): Promise<void> {
    const known = this.known(category);
    await known.copies.sync(known.access.chunk(name));
  }

  /** Completes a copy that is exactly this; `false` if it is not, or is complete already. */
  completeCopy(
    category: string,
    name: string,
    size: number,
    rolling: number,
    finalised: boolean,
    source: string,
  ): boolean {
    return this.categories.get(category)?.copies.complete(name, size, rolling, finalised, source) ?? false;
  }

  /** Completes an own chunk that is being appended to: other nodes have taken this one for gone, and completed it. */
  async retire(category: string, name: string): Promise<void> {
    await this.known(category).own.retire((chunk) => chunk.name === name);
  }

  /** Completes another node's chunk as it is here: its owner is taken for gone. */
  finaliseCopy(category: string, name: string): boolean {
    return this.categories.get(category)?.copies.settle(name, true) ?? false;
  }

  /**
   * Publishes what a copy holds behind `size` again as this node's own messages, then cuts it to that: it is complete
   * elsewhere, and its CRC is `rolling`.
   *
   * Rejects with `CopyMismatchError` if this copy does not begin with that, or `ChukchaError`; then nothing is cut.
   */
  async cutExcess(category: string, name: string, size: number, rolling: number): Promise<void> {
    await this.known(category).cutExcess(name, size, rolling);
  }

  /** Takes over what other nodes know to be acknowledged; `source`: who said so. Rejects with `ChukchaError`. */
  async mergeAcknowledged(
    category: string,
    instance: string,
    of: AcknowledgedOf,
    source: string | undefined,
  ): Promise<void> {
    if (of.ranges.length === 0) return;
    await this.made(category).acks.merge(instance, of, source);
  }

  /** What is known of a consumer, also that it is forgotten; `undefined` if nothing is. */
  consumerRecord(category: string, name: string): ConsumerRecord | undefined {
    return this.categories.get(category)?.foundConsumers?.record(name);
  }

  /** Takes over what another node knows of a consumer; `source`: who said so. Throws `ChukchaError` `overloaded`. */
  mergeConsumer(category: string, name: string, told: ConsumerRecord, source: string | undefined): void {
    this.made(category).consumers.merge(name, told, source);
  }

  // --- damage ---

  /** Damaged chunks are healed with what `donor` gives, from now on. */
  healWith(donor: Donor): void {
    this.healer.donor = donor;
  }

  /**
   * Sets a chunk aside that was found without an index, to fetch it anew, since other nodes hold another one under its
   * name; `false` if this one is as good as theirs.
   */
  giveUp(category: string, name: string): boolean {
    return this.categories.get(category)?.giveUp(name) ?? false;
  }

  /** Somebody can be reached who may have what a damaged chunk lacks: of this one, or of any. */
  mayHeal(chunk?: Chunk): void {
    if (chunk) this.healer.wake(chunk);
    else this.healer.wakeAll();
  }

  // --- this node's own chunks ---

  /**
   * Completes an own chunk of which all that others hold was taken back; `finalised` if not all could be asked. `false`
   * if it is not, or not yet: one with a hole is ended before that in the background.
   */
  settle(category: string, name: string, finalised: boolean): boolean {
    return this.categories.get(category)?.settle(name, finalised) ?? false;
  }

  /** Says that an own chunk of this number exists elsewhere: it is not used for another one. */
  noteUsed(category: string, number: number): void {
    this.made(category).own.noteUsed(number);
  }

  /** Whether this node knows which chunk numbers it may use, and takes writes. */
  get joined(): boolean {
    return this.context.membership.first !== undefined;
  }

  /** Takes writes from now on, into chunks whose numbers are `first` or larger. Rejects with `DiskError`. */
  async join(first: number): Promise<void> {
    if (this.joined) return;
    await writeNodeFile(this.context.disk, { ...this.identity, first }).catch((error) => {
      this.context.guard.refused(toChukchaError(error, "join"), 0);
      throw error;
    });
    this.context.membership.first = first;
    for (const category of this.categories.values()) category.own.noteUsed(first - 1);
  }

  /** Completes all chunks that are being written to, once what is queued is in them. */
  async finish(): Promise<void> {
    await Promise.all([...this.categories.values()].map((category) => category.finish()));
  }

  // --- categories ---

  /** A category that exists. Throws `chunk_not_found`. */
  protected known(category: string): Category {
    const known = this.categories.get(category);
    if (known) return known;
    throw noSuchCategory(category);
  }

  /** A category, made if there is none of that name. Throws `overloaded`. */
  protected made(category: string): Category {
    let known = this.categories.get(category);
    if (known) return known;
    if (this.categories.size >= CATEGORIES_MAX) {
      throw new ChukchaError(
        "overloaded",
        `category: there are ${CATEGORIES_MAX} already, which is the most a node holds`,
      );
    }
    known = new Category(category, this.context);
    this.categories.set(category, known);
    return known;
  }
}

/** What is answered about chunks of a category that holds none. */
export function noSuchCategory(category: string): ChukchaError {
  return new ChukchaError("chunk_not_found", `category: ${category} holds no chunks on this node`);
}
