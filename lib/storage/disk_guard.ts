/**
 * What the store knows of its disk as a whole: whether there is room, and whether a sync has failed.
 *
 * Writes are refused before the disk is really full, so that acknowledgements, indexes and the rest of the machine
 * still have room to work. After a failed sync, a probe file must have been written and synced before a new chunk is
 * begun: a disk that lies once is not believed without proof.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { DISK_SPACE_CHECK_MS, MIB } from "../protocol/limits.ts";
import type { HealthCheck } from "../protocol/types.ts";
import type { Clock } from "./clock.ts";
import { type Disk, DiskError, type DiskSpace } from "./disk.ts";
import { publishFile } from "./publish_file.ts";

/** Room is asked for again after this many bytes. */
const CHECK_BYTES = 16 * MIB;
/** No category has a name that begins with a dot. */
const PROBE_FILE = ".probe";

/** Watches one data directory's file system. */
export class DiskGuard {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #minFreeBytes: number;
  #checkedMs = -Infinity;
  #bytesSince = 0;
  #freeBytes = Infinity;
  #suspect: string | undefined;
  #refused: string | undefined;
  #probing: Promise<void> | undefined;

  constructor(disk: Disk, clock: Clock, minFreeBytes: number) {
    this.#disk = disk;
    this.#clock = clock;
    this.#minFreeBytes = minFreeBytes;
  }

  /** Throws `disk_full` if `size` more bytes would leave less than the floor. */
  admit(size: number): void {
    this.#bytesSince += size;
    const now = this.#clock.monotonic();
    if (
      now - this.#checkedMs >= DISK_SPACE_CHECK_MS || this.#bytesSince >= CHECK_BYTES ||
      this.#freeBytes - this.#bytesSince < this.#minFreeBytes
    ) {
      this.#freeBytes = this.#disk.space().freeBytes;
      this.#checkedMs = now;
      this.#bytesSince = size;
    }
    if (this.#freeBytes - size < this.#minFreeBytes) {
      throw new ChukchaError(
        "disk_full",
        `write: ${this.#freeBytes} bytes are free on the disk, fewer than the ${this.#minFreeBytes} to be kept ` +
          `(--min-free-disk); free some, writes resume by themselves`,
      );
    }
  }

  /** Says that a sync failed: `why` is shown until a probe succeeds. */
  distrust(why: string): void {
    this.#suspect = why;
  }

  /** Says how the last write that needed the disk ended: `undefined` for well. */
  lastWrite(failure: string | undefined): void {
    this.#refused = failure;
  }

  /** Resolves if the disk may be trusted with a new chunk; rejects with `DiskError` otherwise. */
  async prove(): Promise<void> {
    if (this.#suspect === undefined) return;
    // One probe for all who ask: there is one file for it.
    this.#probing ??= this.#probe().finally(() => this.#probing = undefined);
    await this.#probing;
  }

  async #probe(): Promise<void> {
    await publishFile(this.#disk, "", PROBE_FILE, new TextEncoder().encode("chukcha\n"));
    this.#disk.remove(PROBE_FILE);
    this.#suspect = undefined;
  }

  /** Room now; throws `DiskError`. */
  space(): DiskSpace {
    return this.#disk.space();
  }

  /** For `/readyz`: may writes be expected to succeed? */
  check(): HealthCheck {
    const name = "disk";
    if (this.#suspect !== undefined) {
      return { name, ok: false, message: `a sync failed (${this.#suspect}); check the disk, then restart` };
    }
    if (this.#refused !== undefined) return { name, ok: false, message: this.#refused };
    try {
      const { freeBytes } = this.#disk.space();
      const ok = freeBytes >= this.#minFreeBytes;
      const message = ok
        ? `${freeBytes} bytes free`
        : `${freeBytes} bytes free, fewer than --min-free-disk ${this.#minFreeBytes}: writes are refused`;
      return { name, ok, message };
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return { name, ok: false, message: error.message };
    }
  }
}
