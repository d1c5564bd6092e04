/**
 * Keeps what a node sees of time: reads it at the start, adds to it, and saves it.
 *
 * What `observed_time.ts` computes is kept here, and in `.retention`, which is replaced every {@linkcode RETENTION_SAVE_MS},
 * whenever the wall clock was set, and at the end. A crash takes back what came after the last time; what is older counts
 * as that much less old from then on. So does a file that cannot be replaced, which is reported.
 *
 * @module
 */
import { RETENTION_SAVE_MS } from "../protocol/limits.ts";
import type { Log } from "../protocol/log.ts";
import type { Clock } from "./clock.ts";
import { type Disk, DiskError } from "./disk.ts";
import {
  beginObserving,
  hear,
  observe,
  type ObservedTime,
  resumeObserving,
  stepMs,
} from "./observed_time.ts";
import { decodeObservedTime, encodeObservedTime, OBSERVED_TIME_FILE } from "./observed_time_file.ts";
import { publishFile, readFile } from "./publish_file.ts";

/** What an observer is built from. */
export interface TimeSeams {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
}

/** Sees time pass. */
export class TimeObserver {
  readonly #seams: TimeSeams;
  #observed: ObservedTime;
  /** `Clock.monotonic()` at the last observation, and when it was put on the device. */
  #observedMs: number;
  #savedMs = -Infinity;
  #saveFailed = false;

  /** @param newestMs the latest time that something of this node's own bears */
  constructor(seams: TimeSeams, newestMs: number | undefined) {
    this.#seams = seams;
    this.#observedMs = seams.clock.monotonic();
    const now = seams.clock.now();
    const known = this.#load();
    this.#observed = known ? resumeObserving(known, now) : beginObserving(now, newestMs);
  }

  /** What was seen, at the last observation. */
  get observed(): ObservedTime {
    return this.#observed;
  }

  /** Adds the time that has passed. */
  observe(): void {
    const { clock, log } = this.#seams;
    const before = this.#observed;
    const monotonicMs = clock.monotonic();
    this.#observed = observe(before, clock.now(), monotonicMs - this.#observedMs);
    this.#observedMs = monotonicMs;
    const step = stepMs(before, this.#observed);
    if (Math.round(step) === 0) return;
    log.warn(
      "the wall clock was set, or this machine slept: what expires by its age does so as if that had not happened",
      { stepMs: Math.round(step) },
    );
    this.#savedMs = -Infinity;
  }

  /** Takes note of how long ago other nodes were heard of: of those known, or of these. */
  hear(agoMs: ReadonlyMap<string, number>, instances: Iterable<string> = this.#observed.heard.keys()): void {
    this.#observed = hear(this.#observed, agoMs, instances);
  }

  /** Saves it if that was long ago. */
  async saveIfDue(): Promise<void> {
    if (this.#seams.clock.monotonic() - this.#savedMs >= RETENTION_SAVE_MS) await this.save();
  }

  /** Saves it; where that fails, it is reported, and tried again by the next one. */
  async save(): Promise<void> {
    const { disk, log, clock } = this.#seams;
    try {
      await publishFile(disk, "", OBSERVED_TIME_FILE, encodeObservedTime(this.#observed));
      this.#savedMs = clock.monotonic();
      this.#saveFailed = false;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (!this.#saveFailed) {
        log.error(
          "what was seen of time could not be saved; as long as that is so, a crash lets chunks live longer",
          {
            file: OBSERVED_TIME_FILE,
            error: error.message,
          },
        );
      }
      this.#saveFailed = true;
    }
  }

  #load(): ObservedTime | undefined {
    const bytes = readFile(this.#seams.disk, OBSERVED_TIME_FILE);
    if (!bytes) return undefined;
    try {
      return decodeObservedTime(bytes);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.#seams.log.error("what was seen of time cannot be read; it begins anew with the newest message", {
        file: OBSERVED_TIME_FILE,
        error: error.message,
      });
      return undefined;
    }
  }
}
