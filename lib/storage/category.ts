/**
 * One category of one node: its parts, put together, and what is asked of them.
 *
 * What this node writes is in `own_chunks.ts`, what comes from other nodes in `copies.ts`, what is done with in
 * `acknowledging.ts`; they share `category_state.ts`. Invariant of all: a chunk that is complete never changes, unless
 * it is cut to what is complete elsewhere, see `cut_excess.ts`. Each part is made when it is first needed: there may be
 * 100,000 categories, most of which nobody writes to in the life of a process.
 *
 * @module
 */
import type { ChunkInfo } from "../protocol/types.ts";
import { Acknowledging } from "./acknowledging.ts";
import type { BatchSource } from "./batch_journal.ts";
import type { BatchWindow } from "./batch_window.ts";
import { Batches, type Stored } from "./batches.ts";
import { CategoryConsumers } from "./category_consumers.ts";
import { CategoryState } from "./category_state.ts";
import { ChunkAccess } from "./chunk_access.ts";
import type { ChunkList } from "./chunk_list.ts";
import type { ChunkRange } from "./chunk_reader.ts";
import type { StorageContext } from "./context.ts";
import { Copies } from "./copies.ts";
import { CopyFiles } from "./copy_files.ts";
import { cutExcess } from "./cut_excess.ts";
import { giveUp } from "./give_up.ts";
import { OwnChunks } from "./own_chunks.ts";
import type { RecoveredCategory } from "./recover.ts";
import { repairOwn } from "./repair_own.ts";

/** The chunks of one category. */
export class Category {
  readonly state: CategoryState;
  /** Largest number of this node's own chunks that was found in use. */
  readonly #largest: number;
  #own: OwnChunks | undefined;
  #access: ChunkAccess | undefined;
  #acks: Acknowledging | undefined;
  #copies: Copies | undefined;
  #copyFiles: CopyFiles | undefined;
  #batches: Batches | undefined;
  #consumers: CategoryConsumers | undefined;
  #repairing: Promise<void> | undefined;

  /** @param found what recovery found; nothing for a category that has no directory yet */
  constructor(readonly name: string, context: StorageContext, found?: RecoveredCategory) {
    const { instance } = context.options;
    this.state = new CategoryState(name, context, found);
    this.#largest = Math.max(
      found?.largest.get(instance) ?? -1,
      this.state.acknowledged.largest(instance),
      (context.membership.first ?? 0) - 1,
    );
    if (found?.consumers) this.#consumers = new CategoryConsumers(this.state, found.consumers);
    if (found && found.producers.size > 0) this.#makeBatches(found.producers);
  }

  /** What this node writes to it. */
  get own(): OwnChunks {
    return this.#own ??= new OwnChunks(this.state, this.#largest);
  }

  /** What is read from its chunks. */
  get access(): ChunkAccess {
    return this.#access ??= new ChunkAccess(this.state);
  }

  /** What is done with. */
  get acks(): Acknowledging {
    return this.#acks ??= new Acknowledging(this.state, this.own, this.access);
  }

  /** What comes from other nodes. */
  get copies(): Copies {
    return this.#copies ??= new Copies(this.state, this.own, this.acks);
  }

  /** The files for that. */
  get copyFiles(): CopyFiles {
    return this.#copyFiles ??= new CopyFiles(this.state, this.own);
  }

  /** Chunks with readable bytes. */
  get chunks(): ChunkList {
    return this.state.chunks;
  }

  /** Its consumers; `undefined` if there was none in this run, nor before. */
  get foundConsumers(): CategoryConsumers | undefined {
    return this.#consumers;
  }

  /** Its consumers. Most categories have none: this makes what keeps them. */
  get consumers(): CategoryConsumers {
    return this.#consumers ??= new CategoryConsumers(this.state);
  }

  /** Whether anything was ever stored in it. */
  get known(): boolean {
    return this.chunks.size > 0 || !this.state.acknowledged.isEmpty;
  }

  /** Appends one batch: whole messages, at least one byte; one that has a source only once. Rejects with `ChukchaError`. */
  append(bytes: Uint8Array, sync: boolean, source?: BatchSource): Promise<Stored> {
    if (!source) return this.own.append(bytes, sync);
    return (this.#batches ?? this.#makeBatches()).append(bytes, sync, source);
  }

  /** Puts a batch that was recognised on the device, and has other nodes told of it again. Rejects with `ChukchaError`. */
  async askAgain(stored: Stored): Promise<void> {
    await this.#batches?.syncStored(stored);
    const chunk = this.chunks.get(stored.chunk);
    if (chunk) this.state.changed(chunk, undefined);
  }

  /** As `/listChunks` answers. */
  list(): ChunkInfo[] {
    return this.chunks.sorted().map((chunk) => chunk.toInfo());
  }

  /** Reads whole messages. Rejects with `ChukchaError`. */
  read(name: string, offset: number, sizeMax: number): Promise<ChunkRange> {
    return this.access.read(name, offset, sizeMax);
  }

  /** Cuts a copy to what is complete elsewhere, having published the rest again; see `cutExcess`. */
  cutExcess(name: string, size: number, rolling: number): Promise<void> {
    return this.acks.inTurn(() => cutExcess(this, this.access.chunk(name), size, rolling));
  }

  /** Completes a chunk by this node's own decision; `false` if there is nothing to decide, or not yet. */
  settle(name: string, finalised: boolean): boolean {
    const chunk = this.chunks.get(name);
    if (!chunk || chunk.settled || chunk.damagedFrom === undefined) {
      return this.copies.settle(name, finalised);
    }
    if (this.#repairing) return false;
    this.#repairing = repairOwn(this, chunk).catch((error) => {
      this.state.context.log.error(
        "a damaged chunk could not be ended before its damage; it is tried again",
        {
          chunk: chunk.dataPath,
          error: String(error),
        },
      );
    }).finally(() => this.#repairing = undefined);
    return false;
  }

  /** Gives up a chunk that was adopted; `false` if it was not. */
  giveUp(name: string): boolean {
    const chunk = this.chunks.get(name);
    if (!chunk?.adopted || chunk.complete) return false;
    this.acks.inTurn(() => giveUp(this, chunk)).catch((error) =>
      this.state.context.log.error("a chunk that differs from those of other nodes could not be set aside", {
        chunk: chunk.dataPath,
        error: String(error),
      })
    );
    return true;
  }

  #makeBatches(found?: ReadonlyMap<string, BatchWindow>): Batches {
    this.#batches = new Batches(this, found);
    this.own.journal = this.#batches.journal;
    return this.#batches;
  }

  /** Waits for what is queued, then completes the active chunk. */
  async finish(): Promise<void> {
    await this.#repairing;
    await this.#acks?.ended();
    await this.#copyFiles?.ended();
    await this.#consumers?.finish();
    await this.#batches?.ended();
    await this.#own?.finish();
  }
}
