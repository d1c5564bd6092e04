/**
 * Acknowledges the chunks of one category: those that a reader here is done with, those that a rule of this node lets
 * expire, and those that other nodes say so of.
 *
 * Order: what is to be kept of a chunk is published again, then the ranges are published, then files are removed. A
 * crash leaves the chunk as it was, or the published acknowledgement, with which the next start removes what is left of
 * the files. One at a time.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { parseChunkName } from "../protocol/names.ts";
import {
  type Acknowledged,
  ACKNOWLEDGED_FILE,
  type AcknowledgedOf,
  addNumber,
  missingRanges,
  type NumberRange,
  sameSizes,
} from "./acknowledged.ts";
import type { CategoryState } from "./category_state.ts";
import type { Chunk } from "./chunk.ts";
import type { ChunkAccess } from "./chunk_access.ts";
import { type Disk, DiskError } from "./disk.ts";
import { toChukchaError } from "./failure.ts";
import { RECORD_BYTES } from "./index_record.ts";
import type { OwnChunks } from "./own_chunks.ts";
import { publishAgain } from "./publish_again.ts";
import { publishFile, writeAll } from "./publish_file.ts";

/** What is acknowledged in one category, and how that grows. */
export class Acknowledging {
  readonly #state: CategoryState;
  readonly #own: OwnChunks;
  readonly #access: ChunkAccess;
  /** Whether a chunk is about to be acknowledged by other nodes' word. */
  #covers: ((instance: string, number: number) => boolean) | undefined;
  #last: Promise<unknown> | undefined;

  constructor(state: CategoryState, own: OwnChunks, access: ChunkAccess) {
    this.#state = state;
    this.#own = own;
    this.#access = access;
  }

  /**
   * Acknowledges a chunk: it is complete, and its reader has seen `size` bytes, which is all of it.
   *
   * Rejects with `ChukchaError`: `chunk_not_found`, `not_complete`, or what the disk said.
   */
  acknowledge(name: string, size: number): Promise<void> {
    return this.inTurn(() => this.#acknowledge(name, size));
  }

  /** Acknowledges complete chunks by a rule instead of a reader; skips those that are gone. Rejects with `ChukchaError`. */
  expire(chunks: readonly Chunk[]): Promise<void> {
    return this.inTurn(() => this.#expire(chunks));
  }

  /** Takes over what another node says is acknowledged. Rejects with `ChukchaError`. */
  merge(instance: string, of: AcknowledgedOf, source: string | undefined): Promise<void> {
    if (!this.#state.acknowledged.with(instance, of)) return Promise.resolve();
    return this.inTurn(() => this.#merge(instance, of, source));
  }

  /** Whether a chunk is about to go: then nothing may be appended to it. */
  covers(instance: string, number: number): boolean {
    return this.#covers?.(instance, number) ?? false;
  }

  /** Resolves when nothing is under way. */
  async ended(): Promise<void> {
    await this.#last;
  }

  /** Runs `step` when no chunk is being acknowledged, and none meanwhile. */
  inTurn(step: () => Promise<void>): Promise<void> {
    const done = (this.#last ?? Promise.resolve()).then(step);
    this.#last = done.catch(() => {});
    return done;
  }

  async #acknowledge(name: string, size: number): Promise<void> {
    const id = parseChunkName(name);
    if (id && this.#state.acknowledged.has(id.instance, id.number)) return;
    const chunk = this.#access.chunk(name);
    if (!chunk.complete) {
      throw new ChukchaError(
        "not_complete",
        `chunk: ${name} is still written to; acknowledge it once it is complete`,
      );
    }
    if (size < chunk.size) {
      throw new ChukchaError(
        "not_complete",
        `size: ${size} does not cover the ${chunk.size} bytes of ${name}`,
      );
    }
    const acknowledged = this.#state.acknowledged.with(chunk.instance, acknowledgedOf([chunk]))!;
    await this.#publish(acknowledged, [chunk]).catch((error) => {
      throw toChukchaError(error, `ack ${name}`);
    });
    this.#state.acknowledge(acknowledged, chunk.instance, [chunk], undefined);
  }

  async #expire(chunks: readonly Chunk[]): Promise<void> {
    const left = chunks.filter((chunk) => chunk.complete && this.#state.chunks.get(chunk.name) === chunk);
    const byOwner = Map.groupBy(left, ({ instance }) => instance);
    let acknowledged = this.#state.acknowledged;
    for (const [owner, its] of byOwner) {
      acknowledged = acknowledged.with(owner, acknowledgedOf(its)) ?? acknowledged;
    }
    await this.#publish(acknowledged, left).catch((error) => {
      throw toChukchaError(error, `delete expired chunks of ${this.#state.name}`);
    });
    for (const [owner, its] of byOwner) this.#state.acknowledge(acknowledged, owner, its, undefined);
  }

  async #merge(instance: string, of: AcknowledgedOf, source: string | undefined): Promise<void> {
    const known = this.#state.acknowledged;
    const acknowledged = known.with(instance, of);
    if (!acknowledged) return;
    const added = missingRanges(known.of(instance)?.ranges ?? [], of.ranges);
    const covers = (owner: string, number: number): boolean => {
      return owner === instance && added.some(([first, last]) => first <= number && number <= last);
    };
    this.#covers = covers;
    try {
      if (instance === this.#state.context.options.instance) {
        this.#own.noteUsed(acknowledged.largest(instance));
        await this.#own.retire((chunk) => this.covers(instance, chunk.number));
      }
      for (const chunk of this.#covered(instance, added)) {
        const size = of.sizes.get(chunk.number);
        if (size === undefined || size >= chunk.size) continue;
        await publishAgain(this.#own, this.#access, chunk, size);
      }
      await this.#publish(acknowledged, this.#covered(instance, added));
      // Whoever said so is told as well, unless that was all there is to know: the two sets may have grown apart.
      const all = acknowledged.of(instance)!;
      const isAll = missingRanges(of.ranges, all.ranges).length === 0 && sameSizes(of.sizes, all.sizes);
      this.#state.acknowledge(
        acknowledged,
        instance,
        this.#covered(instance, added),
        isAll ? source : undefined,
      );
    } catch (error) {
      throw toChukchaError(error, `acknowledge chunks of ${instance}`);
    } finally {
      this.#covers = undefined;
    }
  }

  /** Chunks of an owner that are in these ranges. */
  #covered(instance: string, ranges: readonly (readonly [first: number, last: number])[]): Chunk[] {
    const covered: Chunk[] = [];
    for (const [first, last] of ranges) {
      for (let number = first;;) {
        const chunk = this.#state.chunks.firstFrom(instance, number);
        if (!chunk || chunk.number > last) break;
        covered.push(chunk);
        number = chunk.number + 1;
      }
    }
    return covered;
  }

  async #publish(acknowledged: Acknowledged, chunks: readonly Chunk[]): Promise<void> {
    const { disk } = this.#state.context;
    const { directory } = this.#state;
    const publish = () => publishFile(disk, directory.path, ACKNOWLEDGED_FILE, acknowledged.encode());
    await directory.ensure();
    await this.#own.settleJournal();
    try {
      await publish();
    } catch (error) {
      if (!(error instanceof DiskError) || error.kind !== "full") throw error;
      // On a full disk only the chunks themselves can make room. Their readers have said that they are done with them;
      // if the second attempt fails, they are merely missing, and their indexes keep their numbers from being used again.
      for (const chunk of chunks) {
        await unseal(disk, chunk);
        directory.remove(chunk, [chunk.dataPath]);
        this.#state.lose(chunk);
      }
      await publish();
    }
  }
}

/** Takes back, for good, that the chunk is whole: a sealed one whose data is gone would be taken for damaged. */
async function unseal(disk: Disk, chunk: Chunk): Promise<void> {
  if (!chunk.sealed) return;
  const index = disk.open(chunk.indexPath, { write: true });
  try {
    writeAll(index, new Uint8Array(RECORD_BYTES), chunk.indexSize - RECORD_BYTES);
    await index.sync();
  } finally {
    index.close();
  }
}

/** These chunks of one owner, as what is acknowledged. */
function acknowledgedOf(chunks: readonly Chunk[]): AcknowledgedOf {
  const ranges = chunks.reduce<readonly NumberRange[]>((all, { number }) => addNumber(all, number), []);
  // Somebody who could not be asked may hold more of one: they publish it again, if they know how much this was.
  const finalised = chunks.filter((chunk) => chunk.finalised);
  return { ranges, sizes: new Map(finalised.map(({ number, size }) => [number, size])) };
}
