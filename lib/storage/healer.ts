/**
 * Heals the damaged chunks of a store, one at a time, again and again until they are whole.
 *
 * It is told of damage by whoever finds it (`damage.ts`), and gets good bytes from whoever offers them: the cluster, where
 * there is one. Alone it mends what the node's own files can mend, an index, and says so of the rest. What could not be
 * healed is tried again after a pause, which doubles; at once, when somebody comes who may have what was lacking.
 *
 * What a crash leaves: see `heal.ts`. The damage is found again.
 *
 * Rejected: healing on the way of the read that found the damage (its reader would wait for other nodes, and a thousand
 * of them for the same bytes); several chunks at once (a disk that fails takes its last strength for the readers).
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import {
  HEAL_DELAY_MS,
  HEAL_LOG_INTERVAL_MS,
  HEAL_PROBES_MAX,
  HEAL_RETRY_MS_MAX,
  HEAL_RETRY_MS_MIN,
} from "../protocol/limits.ts";
import type { Log } from "../protocol/log.ts";
import type { Category } from "./category.ts";
import type { Chunk } from "./chunk.ts";
import type { CancelTimer, Clock } from "./clock.ts";
import { DiskError } from "./disk.ts";
import type { ByteRange } from "./examine.ts";
import { type Donor, heal, type Healing } from "./heal.ts";
import { breath } from "./in_steps.ts";

/** Numbers of a healer, since the start. */
export interface HealerCounts {
  /** Chunks that were found damaged. */
  readonly damaged: number;
  /** Times that a chunk was made whole again. */
  readonly healed: number;
  /** Chunks that are damaged now. */
  readonly unhealed: number;
}

interface Patient {
  dueMs: number;
  failures: number;
  /** What nobody could give last time. */
  left: readonly ByteRange[];
}

/** Why an attempt was given up: the store closes. */
class ClosedError extends Error {}

/** Heals. */
export class Healer {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #categoryOf: (chunk: Chunk) => Category | undefined;
  readonly #patients = new Map<Chunk, Patient>();
  #donor: Donor | undefined;
  #damaged = 0;
  #healed = 0;
  #loggedMs = -Infinity;
  #cancelTimer: CancelTimer = () => {};
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(clock: Clock, log: Log, categoryOf: (chunk: Chunk) => Category | undefined) {
    this.#clock = clock;
    this.#log = log;
    this.#categoryOf = categoryOf;
  }

  /** From now on there is somebody who may have what is lacking. */
  set donor(donor: Donor) {
    this.#donor = donor;
    this.wakeAll();
  }

  /** Numbers since the start. */
  get counts(): HealerCounts {
    return { damaged: this.#damaged, healed: this.#healed, unhealed: this.#patients.size };
  }

  /** A chunk is damaged. */
  add(chunk: Chunk): void {
    if (this.#closed || this.#patients.has(chunk)) return;
    this.#damaged++;
    this.#patients.set(chunk, { dueMs: this.#clock.monotonic() + HEAL_DELAY_MS, failures: 0, left: [] });
    this.#arm();
  }

  /** Somebody has come who may have what this chunk lacks. */
  wake(chunk: Chunk): void {
    const patient = this.#patients.get(chunk);
    if (!patient) return;
    patient.dueMs = Math.min(patient.dueMs, this.#clock.monotonic() + HEAL_DELAY_MS);
    patient.failures = Math.min(patient.failures, 1);
    patient.left = [];
    this.#arm();
  }

  /** Somebody has come who may have anything. */
  wakeAll(): void {
    for (const chunk of this.#patients.keys()) this.wake(chunk);
  }

  /** Heals nothing any more; resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer();
    await this.#running;
  }

  #arm(): void {
    this.#cancelTimer();
    if (this.#running || this.#closed || this.#patients.size === 0) return;
    let dueMs = Infinity;
    for (const patient of this.#patients.values()) dueMs = Math.min(dueMs, patient.dueMs);
    this.#cancelTimer = this.#clock.after(Math.max(0, dueMs - this.#clock.monotonic()), () => {
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
        this.#arm();
      });
    });
  }

  async #run(): Promise<void> {
    for (const [chunk, patient] of this.#patients) {
      if (this.#closed) return;
      if (patient.dueMs > this.#clock.monotonic()) continue;
      const category = chunk.removed ? undefined : this.#categoryOf(chunk);
      if (!category) this.#patients.delete(chunk);
      else await this.#heal(category, chunk, patient);
    }
  }

  async #heal(category: Category, chunk: Chunk, patient: Patient): Promise<void> {
    patient.failures++;
    const pauseMs = Math.min(HEAL_RETRY_MS_MAX, HEAL_RETRY_MS_MIN * 2 ** Math.min(patient.failures - 1, 32));
    patient.dueMs = this.#clock.monotonic() + pauseMs;
    // It is still to be sealed, or is examined by the next start.
    if (!chunk.sealed) return;
    const donor = this.#donor;
    try {
      if (!await this.#isWorthIt(chunk, patient.left)) return this.#tellUnhealed(chunk, patient.left);
      const healing = await heal(category, chunk, donor, () => this.#pace());
      // Alone, nothing changes any more.
      if (!donor && !this.#donor) patient.dueMs = Infinity;
      this.#note(chunk, patient, healing);
    } catch (error) {
      if (error instanceof ClosedError) return;
      if (!(error instanceof ChukchaError || error instanceof DiskError)) throw error;
      this.#tell("a damaged chunk could not be healed; it is tried again", chunk, { error: error.message });
    }
  }

  /** Looking at a whole chunk again is left out as long as nobody has anything of what was lacking. */
  async #isWorthIt(chunk: Chunk, left: readonly ByteRange[]): Promise<boolean> {
    if (left.length === 0 || left.length > HEAL_PROBES_MAX) return true;
    for (const { from, to } of left) {
      if (this.#closed) return false;
      if (await this.#donor?.(chunk, from, to)) return true;
    }
    return false;
  }

  #note(chunk: Chunk, patient: Patient, { left, bytes }: Healing): void {
    if (chunk.removed) {
      this.#patients.delete(chunk);
    } else if (left.length === 0) {
      this.#patients.delete(chunk);
      this.#healed++;
      this.#log.info("a damaged chunk is whole again", { chunk: chunk.dataPath, bytes });
    } else {
      patient.left = left;
      if (bytes > 0) this.#log.warn("a damaged chunk is healed in part", { chunk: chunk.dataPath, bytes });
      this.#tellUnhealed(chunk, left);
    }
  }

  #tellUnhealed(chunk: Chunk, left: readonly ByteRange[]): void {
    const bytes = left.reduce((sum, { from, to }) => sum + to - from, 0);
    const message = this.#donor
      ? "no node that can be reached has a good copy of damaged bytes; the file is kept, and it is tried again"
      : "damaged bytes have no other copy, since this node is alone; the file is kept, restore it from elsewhere";
    this.#tell(message, chunk, { bytes, from: left[0]?.from });
  }

  /** At once for the first, then once in a while for all of them. */
  #tell(message: string, chunk: Chunk, fields: Record<string, string | number | undefined>): void {
    const now = this.#clock.monotonic();
    if (now - this.#loggedMs < HEAL_LOG_INTERVAL_MS) return;
    this.#loggedMs = now;
    this.#log.error(message, { chunk: chunk.dataPath, ...fields, unhealed: this.#patients.size });
  }

  #pace(): Promise<void> {
    return this.#closed ? Promise.reject(new ClosedError()) : breath(this.#clock);
  }
}
