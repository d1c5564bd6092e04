/**
 * Reads all complete chunks in turn, in the background, to find what has rotted before somebody needs it: as long as
 * another node still has it.
 *
 * A round over everything is spread over an interval: each chunk has its place in it by the bytes that lie before it. A
 * chunk is read in small steps, with a break after each, at {@linkcode SCRUB_BYTES_PER_S_MAX}; where that is too slow for
 * the interval, a round takes longer. One chunk at a time, and between two of them there is one timer: an idle node pays
 * nothing else.
 *
 * What a crash leaves: nothing. A round begins at a random byte, so that a node which is started again each day comes
 * round to everything too, and the nodes of a cluster look at different chunks at a time.
 *
 * Rejected: writing down how far a round is (a file to be written for each chunk, for the sake of a round's exact end).
 *
 * @module
 */
import { SCRUB_BYTES_PER_S_MAX, SCRUB_IDLE_MS, SCRUB_LOOK_CHUNKS } from "../protocol/limits.ts";
import type { Log } from "../protocol/log.ts";
import type { Category } from "./category.ts";
import type { Chunk } from "./chunk.ts";
import type { CancelTimer, Clock } from "./clock.ts";
import type { Damage } from "./damage.ts";
import { type Disk, DiskError } from "./disk.ts";
import { breath, inSteps } from "./in_steps.ts";
import type { Random } from "./random.ts";
import { scanning } from "./scrub.ts";

/** What a scrubber needs. */
export interface ScrubberSeams {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly damage: Damage;
  /** The categories, as they are now. */
  readonly categories: ReadonlyMap<string, Category>;
}

/** How far it is. */
export interface Scrubbed {
  /** When the last round ended, in milliseconds since 1970. */
  readonly roundMs: number | undefined;
  /** Chunks and bytes that were looked at since the start. */
  readonly chunks: number;
  readonly bytes: number;
}

/** Why a scan was given up: the store closes. */
class ClosedError extends Error {}

/** Looks for rot. */
export class Scrubber {
  readonly #seams: ScrubberSeams;
  readonly #intervalMs: number;
  #roundMs: number | undefined;
  #chunks = 0;
  #bytes = 0;
  #closed = false;
  #ended: Promise<void> = Promise.resolve();
  #endWait: () => void = () => {};

  /** @param intervalMs how long a round is to take; 0: there is none */
  constructor(seams: ScrubberSeams, intervalMs: number) {
    this.#seams = seams;
    this.#intervalMs = intervalMs;
  }

  /** How far it is. */
  get scrubbed(): Scrubbed {
    return { roundMs: this.#roundMs, chunks: this.#chunks, bytes: this.#bytes };
  }

  /** Begins. */
  start(): void {
    if (this.#intervalMs > 0) this.#ended = this.#run();
  }

  /** Ends; resolves when nothing is being read. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#endWait();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { clock, log, random } = this.#seams;
    let isFirst = true;
    try {
      for (;;) {
        const total = await this.#count();
        if (total === 0) {
          await this.#wait(Math.min(this.#intervalMs, SCRUB_IDLE_MS));
          continue;
        }
        await this.#round(total, isFirst ? Math.floor(random.number() * total) : 0);
        isFirst = false;
        this.#roundMs = clock.now();
        log.debug("a scrub of all complete chunks has ended", { chunks: this.#chunks, bytes: this.#bytes });
      }
    } catch (error) {
      if (!(error instanceof ClosedError)) throw error;
    }
  }

  /** Once over everything, from the chunk at byte `first` on; `total` says how many bytes there are. */
  async #round(total: number, first: number): Promise<void> {
    const startMs = this.#seams.clock.monotonic();
    let done = 0;
    const visit = async (from: number, to: number): Promise<void> => {
      let before = 0;
      for await (const chunk of this.#all()) {
        const at = before;
        before += bytesOf(chunk);
        if (at < from) continue;
        if (at >= to) return;
        done += bytesOf(chunk);
        const due = startMs + this.#intervalMs * Math.min(1, done / total);
        await this.#wait(due - this.#seams.clock.monotonic());
        await this.#look(chunk);
      }
    };
    await visit(first, Infinity);
    if (first > 0) await visit(0, first);
  }

  async #look(chunk: Chunk): Promise<void> {
    // What is known to be damaged is looked at by whoever heals it.
    if (chunk.removed || chunk.damaged || !chunk.sealed) return;
    const { disk, damage, log } = this.#seams;
    const { cuts, reindexed } = chunk;
    try {
      const finding = await inSteps((bytes) => this.#breathe(bytes), scanning(disk, chunk));
      this.#chunks++;
      // Its files were replaced meanwhile: the next round looks at the new ones.
      if (!finding || chunk.removed || chunk.cuts !== cuts || chunk.reindexed !== reindexed) return;
      if (finding.part === "data") damage.mark(chunk, `${chunk.name}: ${finding.what}`);
      else damage.suspect(chunk, finding.what);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      log.warn("a chunk could not be checked; the next round tries again", {
        chunk: chunk.dataPath,
        error: error.message,
      });
    }
  }

  /** The break after a step. */
  #breathe(bytes: number): Promise<void> {
    this.#bytes += bytes;
    return this.#wait(bytes / SCRUB_BYTES_PER_S_MAX * 1000);
  }

  /** Every sealed chunk, category by category; others have their turn now and then. */
  async *#all(): AsyncGenerator<Chunk> {
    const { categories, clock } = this.#seams;
    let looked = 0;
    for (const name of [...categories.keys()]) {
      // As it is now: what came and went since the round began is taken as it comes.
      for (const chunk of [...categories.get(name)?.chunks.sorted() ?? []]) {
        if (chunk.sealed && !chunk.removed) yield chunk;
        if (++looked % SCRUB_LOOK_CHUNKS === 0) await breath(clock);
      }
      if (++looked % SCRUB_LOOK_CHUNKS === 0) await breath(clock);
      if (this.#closed) throw new ClosedError();
    }
  }

  async #count(): Promise<number> {
    let total = 0;
    for await (const chunk of this.#all()) total += bytesOf(chunk);
    return total;
  }

  async #wait(ms: number): Promise<void> {
    if (this.#closed) throw new ClosedError();
    if (ms > 0) {
      await new Promise<void>((resolve) => {
        const cancel: CancelTimer = this.#seams.clock.after(ms, resolve);
        const end = (): void => {
          cancel();
          resolve();
        };
        this.#endWait = end;
      });
    }
    if (this.#closed) throw new ClosedError();
  }
}

function bytesOf({ size, indexSize }: Chunk): number {
  return size + indexSize;
}
