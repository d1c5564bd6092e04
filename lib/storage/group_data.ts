/**
 * Writes the batches of one group behind one another, in as few calls as their sizes allow: small ones are copied
 * together, large ones written from where they are.
 *
 * @module
 */
import { KIB } from "../protocol/limits.ts";
import type { IndexBuilder } from "./index_builder.ts";
import type { OpenFile } from "./open_files.ts";
import { writeAll } from "./publish_file.ts";

/** Batches smaller than this are copied together into one write; larger ones are written from where they are. */
const SCRATCH_BYTES = 256 * KIB;

// Shared by all: a group is written in one go.
const scratch = new Uint8Array(SCRATCH_BYTES);

/** Writes the group's bytes at `offset`, tells `builder` of them, and returns where they end. Throws `DiskError`. */
export function writeGroup(
  data: OpenFile,
  group: readonly { readonly bytes: Uint8Array }[],
  offset: number,
  builder: IndexBuilder,
): number {
  let gathered = 0;
  let end = offset;
  const flush = (): void => {
    if (gathered === 0) return;
    const bytes = scratch.subarray(0, gathered);
    builder.add(bytes);
    writeAll(data.file, bytes, end);
    end += gathered;
    gathered = 0;
  };
  for (const { bytes } of group) {
    if (gathered + bytes.length > SCRATCH_BYTES) flush();
    if (bytes.length > SCRATCH_BYTES || group.length === 1) {
      builder.add(bytes);
      writeAll(data.file, bytes, end);
      end += bytes.length;
    } else {
      scratch.set(bytes, gathered);
      gathered += bytes.length;
    }
  }
  flush();
  return end;
}
