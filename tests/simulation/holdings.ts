/**
 * Which disk holds how much of which chunk: what promises are checked against.
 *
 * Kept from outside, from what processes publish and from what a crash may take: a process' death takes nothing, a
 * power loss what was not synced, the loss of a disk everything.
 *
 * @module
 */
import { Violation } from "./violation.ts";

/** How much of a chunk a disk holds. */
export interface Holding {
  size: number;
  synced: number;
}

/** One disk, for as long as it exists. */
export interface DiskLife {
  readonly id: string;
  /** It is gone for good. */
  lost: boolean;
  /** What it holds now, by `<category>/<chunk>`. */
  readonly holds: Map<string, Holding>;
  /** The most it ever held. */
  readonly held: Map<string, Holding>;
  /** How often it forgot what was not synced. */
  powerLosses: number;
  /** Sizes of complete chunks. */
  readonly complete: Map<string, number>;
  /** Complete chunks that are on the device with all that belongs to them. */
  readonly sealed: Set<string>;
  /** Chunks that it knew to be acknowledged. */
  readonly acknowledged: Set<string>;
}

/** A new, empty disk. */
export function newDiskLife(id: string): DiskLife {
  return {
    id,
    lost: false,
    holds: new Map(),
    held: new Map(),
    powerLosses: 0,
    complete: new Map(),
    sealed: new Set(),
    acknowledged: new Set(),
  };
}

/** A process published this on its disk. */
export function holdsNow(disk: DiskLife, key: string, size: number, synced: number): void {
  disk.holds.set(key, { size, synced });
  const most = disk.held.get(key);
  disk.held.set(key, { size: Math.max(size, most?.size ?? 0), synced: Math.max(synced, most?.synced ?? 0) });
}

/** It has the whole of a chunk, on the device and for certain. */
export function isWhole(disk: DiskLife, key: string, size: number): boolean {
  return !disk.lost && disk.complete.get(key) === size && disk.sealed.has(key) && disk.holds.has(key);
}

/** The machine lost its power: only what was synced is certain. */
export function losePower(disk: DiskLife): void {
  disk.powerLosses++;
  for (const [key, { size, synced }] of disk.holds) {
    if (synced < size) disk.complete.delete(key);
    if (synced === 0) disk.holds.delete(key);
    else disk.holds.set(key, { size: synced, synced });
  }
}

/** After a start: what the disk was certain to hold is there, unless it was acknowledged. */
export function checkKept(
  disk: DiskLife,
  sizeOf: (key: string) => number | undefined,
  isAcknowledged: (key: string) => boolean,
): void {
  for (const [key, { size }] of disk.holds) {
    const now = sizeOf(key);
    if (isAcknowledged(key)) {
      disk.holds.delete(key);
      continue;
    }
    if (now === undefined) {
      throw new Violation(
        "NoDeleteWithoutAck",
        `${disk.id} held ${size} bytes of ${key}, and has none of it after a start`,
      );
    }
    if (now < size) {
      throw new Violation(
        "AckedDurable",
        `${disk.id} held ${size} bytes of ${key} for certain, and has ${now} after a start`,
      );
    }
  }
}
