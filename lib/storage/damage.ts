/**
 * What is known of damage: which chunks hold bytes that fail their checksum, and who is told.
 *
 * Whoever meets damage says so here: a read, a piece read for another node, the scrub, the start. It is said to the
 * operator once a chunk, and to whoever heals (`healer.ts`), which is the only one to take it back.
 *
 * Invariant: what is damaged stays in its place, is never served, and is never deleted for it.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import type { Log } from "../protocol/log.ts";
import type { Chunk } from "./chunk.ts";
import { DiskError } from "./disk.ts";

/** Bytes of a chunk fail their checksum; the next intact message begins at `next`, or the chunk ends there. */
export class DamagedRangeError extends ChukchaError {
  constructor(message: string, readonly next: number) {
    super("damaged", message);
  }
}

/** The damage of one store. */
export class Damage {
  readonly #log: Log;
  /** Called with each chunk that is found damaged; it only takes note. */
  found: (chunk: Chunk) => void = () => {};

  constructor(log: Log) {
    this.#log = log;
  }

  /** Marks the chunk if `error` says that it is damaged; returns `error`. */
  note<E extends Error>(chunk: Chunk, error: E): E {
    if (error instanceof ChukchaError && error.code === "damaged") this.mark(chunk, error.message);
    return error;
  }

  /** Marks the chunk as damaged, and tells the operator, once. */
  mark(chunk: Chunk, message: string): void {
    if (chunk.damaged || chunk.removed) return;
    chunk.damaged = true;
    this.#log.error("damaged bytes are not served; the file is kept as it is", {
      chunk: chunk.dataPath,
      error: message,
    });
    this.found(chunk);
  }

  /** The index of a complete chunk is damaged on the disk; what is in memory of it may still serve. */
  suspect(chunk: Chunk, what: string): void {
    if (chunk.damaged || chunk.removed) return;
    this.#log.warn("the index of a complete chunk is damaged; it is made anew", {
      chunk: chunk.dataPath,
      error: what,
    });
    this.found(chunk);
  }
}

/**
 * A file of a complete chunk that is gone, or that the device cannot read any more, is damage as well: all of it was on
 * the device. Passes on every other error.
 */
export function asDamage(chunk: Chunk, error: unknown): unknown {
  if (!(error instanceof DiskError) || !chunk.sealed || chunk.removed) return error;
  if (error.kind !== "not_found" && error.kind !== "failed") return error;
  const what = error.kind === "not_found" ? "a file of it is missing" : "the device cannot read a part of it";
  return new ChukchaError("damaged", `${chunk.name}: ${what} on this node`, { cause: error });
}
