/**
 * Makes a complete chunk whole again: what is good here, and for the rest what others still have of it.
 *
 * How: both files are examined; what fails is asked for range by range, so that copies which rotted in different places
 * heal one another. A new data file is made beside the old one, and examined like any other: each byte is vouched for by
 * a record of this node's own, or by the checksum of the whole. Only then do the new files take the place of the old
 * ones. If not everything could be had, the file that is better takes the place of the one that is worse, and the chunk
 * is still damaged.
 *
 * What a crash leaves, step by step:
 *
 * * while the new files are made, and until they are on the device: the old ones, and temporary ones, which the next
 *   start removes;
 * * after the index is in its place: the old data under an index that is at least as good. It vouches for the same bytes
 *   as before, so what was damaged is damaged, and nothing else is;
 * * after the data is in its place: the healed chunk.
 *
 * Index before data: the other way round, a start that finds good data under an index whose end rotted would take that
 * data for a torn tail. An acknowledgement waits for the steps that change names, and whoever comes too late finds that
 * the chunk is gone.
 *
 * Rejected: writing over the damaged bytes in place (the block of the device that they are on is the one thing not to be
 * trusted again, and a crash would leave what nobody has looked at); keeping the damaged file aside (everything of it
 * that was intact is in the new one).
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { ChukchaError } from "../protocol/errors.ts";
import { HEAL_STEP_BYTES, PIECE_BYTES } from "../protocol/limits.ts";
import type { Category } from "./category.ts";
import type { Chunk } from "./chunk.ts";
import { crc32 } from "./crc32.ts";
import { setAside } from "./damaged_copy.ts";
import { type Disk, DiskError, type DiskFile } from "./disk.ts";
import { type ByteRange, type Examined, examining, pieces, type Steps } from "./examine.ts";
import { inSteps, type Pace } from "./in_steps.ts";
import { expectedIndex, fileReader, inspecting, openIfThere, readIndex } from "./inspect.ts";
import { TEMPORARY_SUFFIX, writeAll, writeTemporary } from "./publish_file.ts";

/** Bytes of the chunk from `from` on, at most up to `to`, as another node has them; `undefined` if none has them now. */
export type Donor = (chunk: Chunk, from: number, to: number) => Promise<Uint8Array | undefined>;

/** What came of it. */
export interface Healing {
  /** What is still damaged; nothing if the chunk is whole again. */
  readonly left: readonly ByteRange[];
  /** Bytes that were had from others. */
  readonly bytes: number;
}

/**
 * Heals a sealed chunk as far as `donor` allows; without one, only its index.
 *
 * Rejects with `DiskError`, with `ChukchaError` `disk_full`, or as `pace` does: then everything is as it was, or as a crash
 * there leaves it.
 */
export async function heal(
  category: Category,
  chunk: Chunk,
  donor: Donor | undefined,
  pace: Pace,
): Promise<Healing> {
  const { disk, guard, damage } = category.state.context;
  const { cuts } = chunk;
  const found = await inSteps(pace, inspecting(disk, chunk));
  const isIndexGood = sameBytes(readIndex(disk, chunk), found.index);
  if (found.damaged.length === 0 && isIndexGood) {
    chunk.damaged = false;
    // An attempt before may have ended just before this.
    await disk.syncDirectory(category.state.directory.path);
    return { left: [], bytes: 0 };
  }
  const [first] = found.damaged;
  if (first) {
    const range = `bytes ${first.from} to ${first.to} fail their checksum`;
    damage.mark(chunk, `${chunk.name}: ${range}, of ${found.damaged.length} such ranges`);
  }
  const data = first && donor
    ? new NewData(category, chunk, pace, () => guard.admit(chunk.size), found.damaged)
    : undefined;
  try {
    const bytes = data && donor ? await fill(data, chunk, found.damaged, donor) : 0;
    const made = bytes > 0 ? await data!.examined(found.index) : found;
    const isBetter = sizeOf(made.damaged) < sizeOf(found.damaged);
    if (!isBetter && isIndexGood) return { left: found.damaged, bytes: 0 };
    const result = isBetter ? made : found;
    if (isBetter) await data!.sync();
    await category.acks.inTurn(async () => {
      // Acknowledged or cut meanwhile: what was made is of a chunk that is no more.
      if (chunk.removed || chunk.cuts !== cuts) return;
      await category.access.settled(chunk);
      await category.access.replace(chunk, () => publish(category, chunk, result, isBetter));
    });
    return chunk.removed || chunk.cuts !== cuts
      ? { left: [], bytes: 0 }
      : { left: result.damaged, bytes: isBetter ? bytes : 0 };
  } finally {
    data?.discard();
  }
}

/** Asks for all that is damaged, in parts; returns how many bytes came. */
async function fill(
  data: NewData,
  chunk: Chunk,
  damaged: readonly ByteRange[],
  donor: Donor,
): Promise<number> {
  const units = damaged.flatMap((range) => [...pieces(range)]);
  let bytes = 0;
  for (let n = 0; n < units.length && !chunk.removed;) {
    const { offset, length } = units[n]!;
    let end = offset + length;
    for (let m = n + 1; units[m]?.offset === end && end - offset < PIECE_BYTES; m++) end += units[m]!.length;
    let at = offset;
    while (at < end) {
      const part = await donor(chunk, at, end);
      if (!part) break;
      await data.write(part, at);
      bytes += part.length;
      at += part.length;
    }
    while (n < units.length && units[n]!.offset + units[n]!.length <= at) n++;
    // What nobody can give all of is left as it is; what lies behind it may be had.
    if (at < end) n++;
  }
  return bytes;
}

/** The new data file: a copy of the old one, made when the first good bytes have come for it. */
class NewData {
  readonly #category: Category;
  readonly #chunk: Chunk;
  readonly #pace: Pace;
  readonly #admit: () => void;
  readonly #damaged: readonly ByteRange[];
  readonly #path: string;
  #file: DiskFile | undefined;

  constructor(
    category: Category,
    chunk: Chunk,
    pace: Pace,
    admit: () => void,
    damaged: readonly ByteRange[],
  ) {
    this.#category = category;
    this.#chunk = chunk;
    this.#pace = pace;
    this.#admit = admit;
    this.#damaged = damaged;
    this.#path = chunk.dataPath + TEMPORARY_SUFFIX;
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    const file = this.#file ?? await this.#begin();
    writeAll(file, bytes, offset);
  }

  /** Looks at it as at any chunk; where nothing is found, the checksum of the whole has the last word. */
  async examined(index: Uint8Array): Promise<Examined> {
    const expected = expectedIndex(index, this.#chunk, index.length);
    const found = await inSteps(this.#pace, examining(expected, fileReader(this.#file!)));
    if (found.damaged.length > 0) return found;
    const rolling = await inSteps(this.#pace, rollingOf(this.#file!, this.#chunk.size));
    if (rolling === this.#chunk.rolling) return found;
    throw new ChukchaError(
      "damaged",
      `${this.#chunk.name}: all of its parts fit their records, and the whole does not fit its checksum`,
    );
  }

  /** Puts it on the device. */
  async sync(): Promise<void> {
    await this.#file!.sync();
  }

  /** Removes it, unless it was renamed. */
  discard(): void {
    if (!this.#file) return;
    const { disk, log } = this.#category.state.context;
    this.#file.close();
    this.#file = undefined;
    try {
      if (disk.sizeOf(this.#path) !== undefined) disk.remove(this.#path);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      log.warn("a temporary file could not be removed; the next start tries again", {
        path: this.#path,
        error: error.message,
      });
    }
  }

  async #begin(): Promise<DiskFile> {
    const { disk } = this.#category.state.context;
    this.#admit();
    const file = disk.open(this.#path, { write: true, create: true });
    this.#file = file;
    file.truncate(0);
    const old = openIfThere(disk, this.#chunk.dataPath);
    try {
      const read = fileReader(old);
      const size = Math.min(old?.size() ?? 0, this.#chunk.size);
      for (const range of dividedAt(this.#damaged, size)) {
        for (const { offset, length } of pieces(range)) {
          const piece = read(offset, length);
          // What the device cannot read stays a hole, which is as damaged.
          if (piece) writeAll(file, piece, offset);
          await this.#pace(length);
        }
      }
    } finally {
      old?.close();
    }
    return file;
  }
}

/** The first `size` bytes, divided where damage begins and ends: what cannot be read takes nothing good with it. */
function* dividedAt(damaged: readonly ByteRange[], size: number): Generator<ByteRange> {
  let at = 0;
  for (const { from, to } of damaged) {
    if (to > size) break;
    if (from > at) yield { from: at, to: from };
    yield { from, to };
    at = to;
  }
  if (size > at) yield { from: at, to: size };
}

function* rollingOf(file: DiskFile, size: number): Steps<number> {
  const buffer = new Uint8Array(Math.min(HEAL_STEP_BYTES, size));
  let rolling = 0;
  for (let at = 0; at < size;) {
    const filled = file.read(buffer.subarray(0, Math.min(buffer.length, size - at)), at);
    if (filled === 0) return NaN;
    rolling = crc32(buffer.subarray(0, filled), rolling);
    at += filled;
    yield filled;
  }
  return rolling;
}

/** Puts the new files in the place of the old ones. */
async function publish(
  { state }: Category,
  chunk: Chunk,
  made: Examined,
  withData: boolean,
): Promise<void> {
  const { disk, files, indexes, guard } = state.context;
  const directory = state.directory.path;
  try {
    if (withData) await keepExcess(disk, chunk);
    if (!sameBytes(readIndex(disk, chunk), made.index)) {
      // 1. the index, whole and on the device, 2. in its place, 3. there for good
      await writeTemporary(disk, chunk.indexPath, made.index);
      disk.rename(chunk.indexPath + TEMPORARY_SUFFIX, chunk.indexPath);
      files.forget(chunk.indexPath);
      indexes.forget(chunk);
      chunk.indexSize = made.index.length;
      chunk.reindexed++;
      await disk.syncDirectory(directory);
    }
    if (withData) {
      // 4. the data, which is on the device, in its place, 5. there for good
      disk.rename(chunk.dataPath + TEMPORARY_SUFFIX, chunk.dataPath);
      files.forget(chunk.dataPath);
    }
    chunk.damaged = made.damaged.length > 0;
    // Others, who could not read it here, are told that it is worth another try.
    state.changed(chunk, undefined);
    if (withData) await disk.syncDirectory(directory);
  } catch (error) {
    if (error instanceof DiskError && error.kind === "failed") guard.distrust(error.message);
    throw error;
  }
}

/** Bytes behind the end of the chunk are not ours, and not ours to delete. */
async function keepExcess(disk: Disk, chunk: Chunk): Promise<void> {
  const size = disk.sizeOf(chunk.dataPath) ?? 0;
  if (size > chunk.size) await setAside(disk, chunk.dataPath, chunk.size, size);
}

function sizeOf(ranges: readonly ByteRange[]): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from, 0);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
