/**
 * Reads ranges of chunks: whole messages, verified against the index before the first byte leaves.
 *
 * Every read, of however old a chunk, is verified: the checksum costs 25 µs a MiB, reading costs 75. A range that meets
 * damage ends before it; a read that starts in damage is answered with the error `damaged`, which names where intact
 * messages begin again. So one bad block costs the messages in it and no others, and nothing bad is ever served.
 *
 * Up to 1 MiB is one buffer. A larger range is read and verified block by block as its reader takes it, so that a stalled
 * reader holds two blocks instead of 16 MiB. If one fails, the status was sent long ago: the transfer is cut off, the
 * chunk is known as damaged from then on, and ranges of such chunks are verified as a whole before they are begun.
 *
 * Rejected: remembering what was verified before (bytes rot after they were read, too, and the gain is a tenth), and
 * verifying every large range before it is begun (reading it twice made 4 MiB reads a quarter slower).
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { BLOCK_CACHE_BYTES_MAX, INDEX_SEGMENT_BYTES_MAX, READ_WHOLE_BYTES_MAX } from "../protocol/limits.ts";
import { type Block, BlockCache, loadBlock } from "./block_cache.ts";
import type { Chunk } from "./chunk.ts";
import type { DiskFile } from "./disk.ts";
import type { ByteRange } from "./examine.ts";
import type { IndexCache, LoadedIndex } from "./index_cache.ts";
import { COMMIT, DAMAGED } from "./index_record.ts";
import type { OpenFile, OpenFiles } from "./open_files.ts";
import { uninitialised } from "./uninitialised.ts";
import { lastMessageEnd, recordAt, recordStart, verify } from "./verify.ts";

const NEWLINE = 10;
const EMPTY = new Uint8Array();

/** Whole messages of one chunk, from `offset`, `size` bytes. */
export interface ChunkRange {
  readonly offset: number;
  readonly size: number;
  readonly body: Uint8Array | ReadableStream<Uint8Array>;
}

/** Reads verified ranges. */
export class ChunkReader {
  readonly #files: OpenFiles;
  readonly #indexes: IndexCache;
  readonly #onDamage: (chunk: Chunk, error: unknown) => void;
  readonly #blocks = new BlockCache(BLOCK_CACHE_BYTES_MAX);
  readonly #scratch = new Uint8Array(READ_WHOLE_BYTES_MAX);

  /** @param onDamage told when a range that was already being sent turned out to be damaged */
  constructor(files: OpenFiles, indexes: IndexCache, onDamage: (chunk: Chunk, error: unknown) => void) {
    this.#files = files;
    this.#indexes = indexes;
    this.#onDamage = onDamage;
  }

  /**
   * Reads whole messages from `offset`, at most `sizeMax` bytes; none if nothing is published there yet.
   *
   * Throws `ChukchaError` `invalid_offset` (inside of a message, or the message is longer than `sizeMax`) or `damaged`,
   * `BrokenIndexError`, `DiskError`.
   */
  read(chunk: Chunk, offset: number, sizeMax: number): ChunkRange {
    if (offset >= chunk.size || sizeMax === 0) return { offset, size: 0, body: EMPTY };
    const end = Math.min(chunk.size, offset + sizeMax);
    const index = this.#indexes.get(chunk);
    const open = this.#files.take(chunk.dataPath);
    let streaming = false;
    try {
      const cached = chunk.damaged ? undefined : this.#readBlock(chunk, index, open.file, offset, end);
      if (cached) return cached;
      this.#checkStart(chunk, index, open.file, offset);
      if (end - offset <= READ_WHOLE_BYTES_MAX) return this.#readWhole(chunk, index, open.file, offset, end);
      const to = (chunk.damaged ? undefined : lastMessageEnd(index, open.file, offset, end, this.#scratch)) ??
        this.#verifiedEnd(chunk, index, open.file, offset, end);
      streaming = true;
      const body = this.#stream(chunk, index, open, { from: offset, to });
      return { offset, size: to - offset, body };
    } finally {
      if (!streaming) this.#files.give(open);
    }
  }

  /** The range out of one block; `undefined` wherever that is not enough for an answer. */
  #readBlock(
    chunk: Chunk,
    index: LoadedIndex,
    file: DiskFile,
    offset: number,
    end: number,
  ): ChunkRange | undefined {
    let block: Block | undefined;
    try {
      block = this.#blocks.get(chunk, index, file, offset, chunk.size);
    } catch (error) {
      if (error instanceof ChukchaError) return undefined;
      throw error;
    }
    if (!block || end > block.start + block.bytes.length) return undefined;
    const { start, bytes } = block;
    if (offset === start ? offset > 0 : bytes[offset - start - 1] !== NEWLINE) return undefined;
    const size = bytes.subarray(offset - start, end - start).lastIndexOf(NEWLINE) + 1;
    return size === 0
      ? undefined
      : { offset, size, body: bytes.subarray(offset - start, offset - start + size) };
  }

  #readWhole(chunk: Chunk, index: LoadedIndex, file: DiskFile, offset: number, end: number): ChunkRange {
    const start = recordStart(index, offset);
    // Room for the rest of the segment that `end` lies in.
    const bytes = uninitialised(Math.min(end + INDEX_SEGMENT_BYTES_MAX, chunk.size) - start);
    const { good } = verify(index, file, bytes, start, end);
    const last = start + bytes.subarray(0, Math.max(0, Math.min(good, end) - start)).lastIndexOf(NEWLINE) + 1;
    if (last <= offset) throw this.#noMessage(chunk, index, file, offset, good, end);
    return { offset, size: last - offset, body: bytes.subarray(offset - start, last - start) };
  }

  /** Where the last whole message before `end` ends, all bytes up to there being good. */
  #verifiedEnd(chunk: Chunk, index: LoadedIndex, file: DiskFile, offset: number, end: number): number {
    let at = recordStart(index, offset);
    let last = offset;
    for (;;) {
      const { good, covered } = verify(index, file, this.#scratch, at, end);
      const usable = Math.max(0, Math.min(good, end) - at);
      const newline = this.#scratch.subarray(0, usable).lastIndexOf(NEWLINE);
      if (newline >= 0) last = Math.max(last, at + newline + 1);
      if (good < covered || covered >= end) {
        if (last <= offset) throw this.#noMessage(chunk, index, file, offset, good, end);
        return last;
      }
      at = covered;
    }
  }

  /** The range as a stream, read and verified a block ahead of its reader. Gives `open` back when it ends. */
  #stream(chunk: Chunk, index: LoadedIndex, open: OpenFile, range: ByteRange): ReadableStream<Uint8Array> {
    const published = chunk.size;
    let at = range.from;
    let ended = false;
    const end = (): void => {
      if (!ended) this.#files.give(open);
      ended = true;
    };
    return new ReadableStream<Uint8Array>({
      pull: (controller) => {
        try {
          const block = this.#blocks.get(chunk, index, open.file, at, published) ??
            loadBlock(chunk, index, open.file, recordStart(index, at), published);
          const to = Math.min(block.start + block.bytes.length, range.to);
          controller.enqueue(block.bytes.subarray(at - block.start, to - block.start));
          at = to;
        } catch (error) {
          end();
          this.#onDamage(chunk, error);
          controller.error(error);
          return;
        }
        if (at < range.to) return;
        end();
        controller.close();
      },
      cancel: end,
    }, { highWaterMark: 1 });
  }

  #checkStart(chunk: Chunk, index: LoadedIndex, file: DiskFile, offset: number): void {
    if (offset === 0) return;
    const before = this.#scratch.subarray(0, 1);
    if (file.read(before, offset - 1) === 1 && before[0] === NEWLINE) return;
    // If that byte cannot be trusted, nothing can be said against the offset.
    if (verify(index, file, this.#scratch, recordStart(index, offset - 1), offset).good < offset) return;
    throw new ChukchaError(
      "invalid_offset",
      `off: ${offset} lies inside of a message of ${chunk.name}; go on from where a write or read ended`,
    );
  }

  /** Why no message could be read from `offset`, `good` bytes being good and `end` being asked for. */
  #noMessage(
    chunk: Chunk,
    index: LoadedIndex,
    file: DiskFile,
    offset: number,
    good: number,
    end: number,
  ): Error {
    if (good >= end) {
      return new ChukchaError(
        "invalid_offset",
        `max_size: the message at ${offset} of ${chunk.name} is longer than ${
          end - offset
        } bytes; ask for more`,
      );
    }
    const damage = this.#damageAt(chunk, index, file, good);
    const next = damage.next < chunk.size
      ? `intact messages go on at off=${damage.next}`
      : "nothing intact follows yet";
    return new ChukchaError(
      "damaged",
      `${chunk.name}: bytes ${damage.from} to ${damage.to} fail their checksum on this node; ${next}`,
    );
  }

  /** The damage that begins with the record at `offset`, and where the next message begins that is intact. */
  #damageAt(chunk: Chunk, index: LoadedIndex, file: DiskFile, offset: number): ByteRange & { next: number } {
    let to = offset;
    let groupBegins = false;
    for (let at = offset; at < chunk.size;) {
      const { end, length, flags } = recordAt(index, index.firstEndingAfter(at), at);
      const good = verify(index, file, this.#scratch, at, end).good === end;
      if (!good) to = end;
      else if (groupBegins) return { from: offset, to, next: at };
      const newline = good ? this.#scratch.subarray(0, length).indexOf(NEWLINE) : -1;
      if (newline >= 0) return { from: offset, to, next: at + newline + 1 };
      // A group ends with a message; where a record was lost, nothing says that a group ended.
      groupBegins = (flags & (COMMIT | DAMAGED)) === COMMIT;
      at = end;
    }
    return { from: offset, to, next: chunk.size };
  }
}
