/**
 * What is said, once, of a chunk that turns out to hold damaged bytes.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import type { Log } from "../protocol/log.ts";
import type { Chunk } from "./chunk.ts";

/** Bytes of a chunk fail their checksum; the next intact message begins at `next`, or the chunk ends there. */
export class DamagedRangeError extends ChukchaError {
  constructor(message: string, readonly next: number) {
    super("damaged", message);
  }
}

/** Marks the chunk if `error` says that it is damaged, and tells the operator, once a chunk; returns `error`. */
export function noteDamage<E extends Error>(log: Log, chunk: Chunk, error: E): E {
  if (!(error instanceof ChukchaError) || error.code !== "damaged" || chunk.damaged) return error;
  chunk.damaged = true;
  log.error("damaged bytes are not served; the file is kept as it is", {
    chunk: chunk.dataPath,
    error: error.message,
  });
  return error;
}
