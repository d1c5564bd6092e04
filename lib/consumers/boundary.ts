/**
 * Whether a place lies between messages.
 *
 * A place inside of a message could not be read from. What was handed out here ends at a message and is not looked at;
 * what comes from elsewhere, or from a person, costs a read of one byte.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { MessageTooLongError } from "../storage/chunk_reader.ts";
import { letGo } from "./range.ts";
import type { Source } from "./source.ts";

/** Throws `invalid_parameter` naming `field` if `offset` is known to lie inside of a message. */
export async function checkMessageStart(
  source: Pick<Source, "read" | "chunks">,
  category: string,
  chunk: string,
  offset: number,
  field: string,
): Promise<void> {
  const known = source.chunks(category)?.get(chunk);
  // What is not here cannot be judged.
  if (!known || offset === 0 || offset >= known.size) return;
  try {
    letGo(await source.read(category, chunk, offset, 1));
  } catch (error) {
    if (error instanceof MessageTooLongError) return;
    if (!(error instanceof ChukchaError) || error.code !== "invalid_offset") return;
    throw new ChukchaError(
      "invalid_parameter",
      `${field}: ${offset} lies inside of a message of ${chunk}; only whole messages are acknowledged, or left before a place`,
      { cause: error },
    );
  }
}
