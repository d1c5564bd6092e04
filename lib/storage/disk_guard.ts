/**
 * What the store knows of its disk as a whole: whether there is room, whether it takes writes, and whether a sync has
 * failed.
 *
 * Writes are refused before the disk is really full, so that acknowledgements, indexes and the rest of the machine
 * still have room to work. After a failed sync, a probe file must have been written and synced before a new chunk is
 * begun: a disk that lies once is not believed without proof.
 *
 * A node that is not ready is sent no writes, so no write would ever show that the disk has recovered: whoever asks for
 * `check` while it is bad has it looked at again. The log says once that the disk takes no writes, and once that it
 * does again, however many were refused.
 *
 * Rejected: looking again by a timer (a healthy node would have one for nothing, and an operator who made room would
 * wait for it).
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { DISK_SPACE_CHECK_MS, KIB, MIB, TROUBLE_LOG_INTERVAL_MS } from "../protocol/limits.ts";
import type { Log } from "../protocol/log.ts";
import type { HealthCheck } from "../protocol/types.ts";
import type { Clock } from "./clock.ts";
import { type Disk, DiskError, type DiskSpace } from "./disk.ts";
import { publishFile, writeAll } from "./publish_file.ts";

/** Room is asked for again after this many bytes. */
const CHECK_BYTES = 16 * MIB;
/** No category has a name that begins with a dot. */
const PROBE_FILE = ".probe";
/** What a look at the disk makes and removes: it needs a descriptor, an inode and a block. */
const LOOK_FILE = ".room";
const LOOK_BYTES = new Uint8Array(4 * KIB);

/** Something that the disk did not take. */
interface Refusal {
  readonly error: ChukchaError;
  readonly bytes: number;
}

/** Watches one data directory's file system. */
export class DiskGuard {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #minFreeBytes: number;
  /** How often it was distrusted. */
  failures = 0;
  #checkedMs = -Infinity;
  #bytesSince = 0;
  #freeBytes = Infinity;
  #suspect: string | undefined;
  #poisoned = 0;
  #refused: Refusal | undefined;
  #lookedMs = -Infinity;
  /** The log has said that the disk takes no writes, and not yet that it does again. */
  #told = false;
  #toldMs = -Infinity;
  #probing: Promise<void> | undefined;

  constructor(disk: Disk, clock: Clock, log: Log, minFreeBytes: number) {
    this.#disk = disk;
    this.#clock = clock;
    this.#log = log;
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
    if (this.#freeBytes - size >= this.#minFreeBytes) return;
    const rule = this.#minFreeBytes === 0
      ? `which is not enough for ${size} more`
      : `${size} more would leave fewer than the ${this.#minFreeBytes} to be kept (--min-free-disk)`;
    throw new ChukchaError(
      "disk_full",
      `write: ${this.#freeBytes} bytes are free on the disk, ${rule}; free some, writes resume by themselves`,
    );
  }

  /** Throws what `refused` was told last, as long as that would be refused again; `disk_full` below the floor. */
  admitMore(): void {
    this.#look();
    if (this.#refused) throw this.#refused.error;
    this.admit(1);
  }

  /** Says that a sync failed: `why` is shown until a probe succeeds. */
  distrust(why: string): void {
    this.#suspect = why;
    this.failures++;
  }

  /** Says that a chunk cannot be gone on with before the next start, because a sync of it failed. */
  poisoned(why: string): void {
    this.#poisoned++;
    this.distrust(why);
  }

  /** Says that the disk did not take `bytes`; errors that have nothing to do with it are passed over. */
  refused(error: ChukchaError, bytes: number): void {
    if (error.code !== "disk_full" && !(error.cause instanceof DiskError)) return;
    this.#refused = { error, bytes };
    // A sync that failed has been told already, with the chunk.
    if (this.#told || this.#suspect !== undefined) return;
    const now = this.#clock.monotonic();
    if (now - this.#toldMs < TROUBLE_LOG_INTERVAL_MS) return;
    this.#told = true;
    this.#toldMs = now;
    const cause = error.cause instanceof DiskError ? { error: error.cause.message } : {};
    this.#log.error(`the disk takes no writes: ${error.message}`, cause);
  }

  /** Says that something was stored; not that the disk would take everything: a new file may need more. */
  stored(): void {
    if (!this.#refused) return;
    const now = this.#clock.monotonic();
    if (now - this.#lookedMs < DISK_SPACE_CHECK_MS) return;
    this.#lookedMs = now;
    this.#look();
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

  /** Forgets what was refused if it would be taken now. */
  #look(): void {
    if (!this.#refused || !this.#hasRoom(this.#refused.bytes)) return;
    this.#refused = undefined;
    if (!this.#told) return;
    this.#told = false;
    this.#log.info("the disk takes writes again");
  }

  #hasRoom(bytes: number): boolean {
    try {
      if (this.#disk.space().freeBytes - bytes < this.#minFreeBytes) return false;
      const file = this.#disk.open(LOOK_FILE, { write: true, create: true });
      try {
        writeAll(file, LOOK_BYTES, 0);
      } finally {
        file.close();
        this.#disk.remove(LOOK_FILE);
      }
      return true;
    } catch (error) {
      if (error instanceof DiskError) return false;
      throw error;
    }
  }

  /** Room now; throws `DiskError`. */
  space(): DiskSpace {
    return this.#disk.space();
  }

  /** For `/readyz`: may writes be expected to succeed? */
  check(): HealthCheck {
    const name = "disk";
    const suspect = this.#suspect;
    if (suspect !== undefined) {
      this.prove().catch((error) => this.distrust(error instanceof Error ? error.message : String(error)));
      return {
        name,
        ok: false,
        message:
          `a sync failed (${suspect}); chunks are begun once the disk has shown that it works; check it`,
      };
    }
    this.#look();
    if (this.#refused) return { name, ok: false, message: this.#refused.error.message };
    try {
      const { freeBytes } = this.#disk.space();
      const ok = freeBytes > 0 && freeBytes >= this.#minFreeBytes;
      const message = ok
        ? `${freeBytes} bytes free${this.#open()}`
        : `${freeBytes} bytes free, ${
          this.#minFreeBytes === 0 ? "none" : `fewer than --min-free-disk ${this.#minFreeBytes}`
        }: writes are refused; free some, writes resume by themselves`;
      return { name, ok, message };
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return { name, ok: false, message: error.message };
    }
  }

  #open(): string {
    if (this.#poisoned === 0) return "";
    const chunks = this.#poisoned === 1 ? "one chunk" : `${this.#poisoned} chunks`;
    return `; a sync of ${chunks} has failed: nothing more is appended there before a restart`;
  }
}
