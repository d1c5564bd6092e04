/**
 * Knows a batch that was stored before when it is sent again: same category, same producer, same sequence.
 *
 * | the batch of this producer and sequence    | the answer                                                          |
 * | ------------------------------------------ | ------------------------------------------------------------------- |
 * | is being written                           | that of the first attempt, whatever it is                           |
 * | lies in a chunk here, and is the same bytes | its place; with `sync`, once it is on the device                    |
 * | was in a chunk that is acknowledged        | its place, if length and CRC-32 are the same: it was stored, and processed |
 * | is another one                             | 409 `sequence_reused`: stored nowhere                               |
 * | is not known, not here, or damaged here    | stored as new                                                       |
 *
 * Invariant: no batch is answered as known unless its bytes were stored at that place. They are read, verified and
 * compared one by one, which costs a read of what was just sent and is exact; a checksum alone would lose one of two
 * batches that a careless producer gave one number and chance gave one CRC. Only of what is acknowledged nothing is left
 * to compare. Whatever else is in doubt is stored: twice rather than never.
 *
 * What a crash leaves, and why an entry is true: `batch_journal.ts`. Not known any more: what lies outside of the window
 * (`limits.ts`), what was written to another node, and what this node lost in a power cut without a sync and takes back
 * from its peers.
 *
 * @module
 */
import { ChukchaError, quote } from "../protocol/errors.ts";
import { chunkName } from "../protocol/names.ts";
import type { WriteResult } from "../protocol/types.ts";
import type { BatchPlace } from "./batch_entry.ts";
import { BatchJournal, type BatchSource } from "./batch_journal.ts";
import { BatchMemory } from "./batch_memory.ts";
import type { BatchWindow } from "./batch_window.ts";
import type { CategoryState } from "./category_state.ts";
import type { Chunk } from "./chunk.ts";
import type { ChunkAccess } from "./chunk_access.ts";
import type { Copies } from "./copies.ts";
import { crc32 } from "./crc32.ts";
import { DiskError } from "./disk.ts";
import { toChukchaError } from "./failure.ts";
import type { OwnChunks } from "./own_chunks.ts";

/** Where a batch is stored. */
export interface Stored extends WriteResult {
  /** It was stored before: it lies here still, or its chunk is acknowledged. */
  readonly known?: "here" | "processed";
}

/** A batch on its way. */
interface Pending {
  readonly bytes: Uint8Array;
  readonly done: Promise<Stored>;
}

/** What is recognised in one category. Made for the first batch that has a producer. */
export class Batches {
  readonly journal: BatchJournal;
  readonly #state: CategoryState;
  readonly #own: OwnChunks;
  readonly #access: ChunkAccess;
  readonly #copies: Copies;
  readonly #memory: BatchMemory;
  /** By producer, then by sequence: a key made of both would cost more than all else that is done in memory. */
  readonly #pending = new Map<string, Map<number, Pending>>();
  #compacting: Promise<void> | undefined;

  /** @param found what an earlier process remembered, as far as it is true */
  constructor(
    { state, own, access, copies }: {
      readonly state: CategoryState;
      readonly own: OwnChunks;
      readonly access: ChunkAccess;
      readonly copies: Copies;
    },
    found?: ReadonlyMap<string, BatchWindow>,
  ) {
    this.#state = state;
    this.#own = own;
    this.#access = access;
    this.#copies = copies;
    this.#memory = new BatchMemory(state.context.producers, state.context.clock, found);
    this.journal = new BatchJournal(state.directory, state.context, this.#memory);
  }

  /** Stores a batch unless it was stored before. Rejects with `ChukchaError`. */
  append(bytes: Uint8Array, sync: boolean, source: BatchSource): Promise<Stored> {
    const { producer, sequence } = source;
    const pending = this.#pending.get(producer)?.get(sequence);
    if (pending) {
      if (!sameBytes(pending.bytes, bytes)) return Promise.reject(this.#reused(source));
      // It fails with the first attempt; once that is stored, it is as known as any later one.
      return pending.done.then(() => this.append(bytes, sync, source));
    }
    const place = this.#memory.find(producer, sequence);
    if (!place) return this.#store(bytes, sync, source);
    const known = this.#judge(place, bytes);
    if (known instanceof ChukchaError) return Promise.reject(known);
    if (known === "another") return Promise.reject(this.#reused(source, place));
    if (known === "lost") return this.#store(bytes, sync, source);
    this.#state.context.meter.recognisedBatches++;
    const stored = { chunk: this.#nameOf(place), offset: place.offset, size: place.size, known };
    if (!sync || known === "processed") return Promise.resolve(stored);
    return this.syncStored(stored).then(() => stored);
  }

  /** Resolves when no batch is on its way, and nothing is done to the journal. */
  async ended(): Promise<void> {
    while (this.#pending.size > 0) {
      await Promise.allSettled(
        [...this.#pending.values()].flatMap((those) => [...those.values()].map(({ done }) => done)),
      );
    }
    await this.#compacting;
  }

  /** Puts what is stored here on the device, and what is known of it. Rejects with `ChukchaError`, written: maybe. */
  async syncStored({ chunk: name, offset, size }: WriteResult): Promise<void> {
    const chunk = this.#state.chunks.get(name);
    try {
      await this.#own.inTurn(() => this.#sync(chunk, offset + size));
    } catch (error) {
      if (error instanceof DiskError && error.kind === "failed") {
        this.#state.context.meter.syncFailures++;
        this.#state.context.guard.distrust(error.message);
      }
      throw asMaybe(toChukchaError(error, `sync ${name}`));
    }
  }

  async #sync(chunk: Chunk | undefined, end: number): Promise<void> {
    await this.journal.sync();
    if (!chunk || chunk.removed || chunk.synced >= end) return;
    await this.#copies.sync(chunk).catch((error) => {
      if (!chunk.removed) throw error;
    });
  }

  /** What the bytes are to those that are remembered; an error if nobody can say now. */
  #judge(place: BatchPlace, bytes: Uint8Array): "here" | "processed" | "another" | "lost" | ChukchaError {
    const { instance } = this.#state.context.options;
    const looksSame = place.size === bytes.length && place.crc === crc32(bytes);
    if (this.#state.acknowledged.has(instance, place.number)) return looksSame ? "processed" : "another";
    const name = this.#nameOf(place);
    const chunk = this.#state.chunks.get(name);
    if (!chunk || chunk.size < place.offset + place.size) return "lost";
    if (!looksSame) return "another";
    try {
      const stored = this.#access.range(name, place.offset, place.size).bytes;
      if (stored.length < place.size) return "lost";
      return sameBytes(stored, bytes) ? "here" : "another";
    } catch (error) {
      if (!(error instanceof ChukchaError)) throw error;
      return error.code === "damaged" ? "lost" : asMaybe(error);
    }
  }

  #store(bytes: Uint8Array, sync: boolean, source: BatchSource): Promise<Stored> {
    const done = this.journal.begun
      ? this.#own.append(bytes, sync, source)
      : this.#begin(bytes.length).then(() => this.#own.append(bytes, sync, source));
    let pending = this.#pending.get(source.producer);
    if (!pending) this.#pending.set(source.producer, pending = new Map());
    pending.set(source.sequence, { bytes, done });
    const ended = (): void => {
      pending.delete(source.sequence);
      if (pending.size === 0) this.#pending.delete(source.producer);
      if (this.journal.isDue) this.#compact();
    };
    done.then(ended, ended);
    return done;
  }

  async #begin(bytes: number): Promise<void> {
    const { guard } = this.#state.context;
    try {
      await guard.prove();
      await this.#own.inTurn(() => this.journal.begin());
    } catch (error) {
      const refused = toChukchaError(error, "write");
      guard.refused(refused, bytes);
      throw refused;
    }
  }

  #compact(): void {
    this.#compacting ??= this.#own.inTurn(() => this.journal.compact()).catch((error) => {
      // The next batch begins it anew, or is refused with the reason.
      this.#state.context.log.warn("a list of producers could not be replaced; it is tried again", {
        category: this.#state.name,
        error: String(error),
      });
    }).finally(() => this.#compacting = undefined);
  }

  #nameOf({ number }: BatchPlace): string {
    return chunkName(this.#state.context.options.instance, number);
  }

  #reused({ producer, sequence }: BatchSource, place?: BatchPlace): ChukchaError {
    const where = place
      ? `was stored with ${place.size} bytes at ${this.#nameOf(place)}:${place.offset}`
      : "is being written";
    return new ChukchaError(
      "sequence_reused",
      `sequence: another batch ${sequence} of producer ${
        quote(producer)
      } ${where}; send each batch with a number of ` +
        "its own, and after losing count take a new producer name",
    );
  }
}

/** It may have been written, whatever went wrong: it is a retry of what was. */
function asMaybe({ code, message, cause }: ChukchaError): ChukchaError {
  return new ChukchaError(code, message, { written: "maybe", cause });
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
