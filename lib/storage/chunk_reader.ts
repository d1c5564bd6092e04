/**
 * Reads ranges of chunks: whole messages, verified against the index before the first byte leaves.
 *
 * Every read, of however old a chunk, is verified, unless it is served from memory that was: the checksum costs 25 µs a
 * MiB, reading 75. A range that meets damage ends before it; a read that starts in damage is answered with the error
 * `damaged`, which names where intact messages begin again. So one bad block costs the messages in it and no others, and
 * nothing bad is ever served.
 *
 * The way is by blocks, see `block_cache.ts`: they are loaded, the last `\n` is looked for, and what is larger than
 * 64 KiB is sent as a stream of parts of them, without copying. Should a block be gone from the cache when its turn
 * comes, and be damaged by then, the transfer is cut off: the status was sent long ago. Whatever blocks have no answer
 * to (damage, an offset inside of a message, a message larger than a block) is read once more, in one buffer.
 *
 * Rejected: remembering what was verified without keeping it (bytes rot after they were read, too), and one buffer for
 * each answer (filling fresh memory and copying it made reads of 128 KiB to 1 MiB half as fast).
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { BLOCK_BYTES, BLOCK_CACHE_BYTES_MAX, READ_WHOLE_BYTES_MAX } from "../protocol/limits.ts";
import type { Log } from "../protocol/log.ts";
import { type Block, BlockCache, loadBlock } from "./block_cache.ts";
import type { Chunk } from "./chunk.ts";
import { type Damage, DamagedRangeError } from "./damage.ts";
import type { DiskFile } from "./disk.ts";
import type { ByteRange } from "./examine.ts";
import type { IndexCache, LoadedIndex } from "./index_cache.ts";
import { COMMIT, DAMAGED } from "./index_record.ts";
import type { OpenFile, OpenFiles } from "./open_files.ts";
import { uninitialised } from "./uninitialised.ts";
import { recordAt, recordEnd, recordStart, verify } from "./verify.ts";

const NEWLINE = 10;
const EMPTY = new Uint8Array();

/** Whole messages of one chunk, from `offset`, `size` bytes. */
export interface ChunkRange {
  readonly offset: number;
  readonly size: number;
  readonly body: Uint8Array | ReadableStream<Uint8Array>;
}

/** The next message is longer than what was asked for. */
export class MessageTooLongError extends ChukchaError {
  constructor(message: string) {
    super("invalid_offset", message);
  }
}

/** Reads verified ranges. */
export class ChunkReader {
  readonly #files: OpenFiles;
  readonly #indexes: IndexCache;
  readonly #damage: Damage;
  readonly #log: Log;
  readonly #blocks = new BlockCache(BLOCK_CACHE_BYTES_MAX);
  readonly #scratch = new Uint8Array(BLOCK_BYTES);

  constructor(files: OpenFiles, indexes: IndexCache, damage: Damage, log: Log) {
    this.#files = files;
    this.#indexes = indexes;
    this.#damage = damage;
    this.#log = log;
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
    const recent = chunk.recent?.read(offset, end);
    if (recent) return { offset, size: recent.length, body: recent };
    const index = this.#indexes.get(chunk);
    const open = this.#files.take(chunk.dataPath);
    let streaming = false;
    try {
      const range = chunk.damaged ? undefined : this.#readBlocks(chunk, index, open, offset, end);
      streaming = range?.body instanceof ReadableStream;
      return range ?? this.#readCarefully(chunk, index, open.file, offset, end);
    } finally {
      if (!streaming) this.#files.give(open);
    }
  }

  /** The range out of verified blocks; `undefined` wherever that is not enough for an answer. */
  #readBlocks(
    chunk: Chunk,
    index: LoadedIndex,
    open: OpenFile,
    offset: number,
    end: number,
  ): ChunkRange | undefined {
    const blockAt = this.#blockFinder(chunk, index, open.file, end);
    let first: Block;
    let last: Block;
    try {
      first = last = blockAt(offset);
      while (endOf(last) < end) last = blockAt(endOf(last));
    } catch (error) {
      if (!(error instanceof ChukchaError)) throw error;
      this.#damage.note(chunk, error);
      return undefined;
    }
    if (offset === first.start) this.#checkStart(chunk, index, open.file, offset);
    else if (first.bytes[offset - first.start - 1] !== NEWLINE) return undefined;
    const from = Math.max(offset, last.start);
    const size = last.bytes.subarray(from - last.start, end - last.start).lastIndexOf(NEWLINE) + 1;
    if (size === 0) return undefined;
    const range = { from: offset, to: from + size };
    const whole = { offset, size: range.to - offset };
    if (first === last && whole.size <= READ_WHOLE_BYTES_MAX) return { ...whole, body: cut(first, range) };
    return { ...whole, body: this.#stream(chunk, open, range, blockAt, first, last) };
  }

  /**
   * Finds the block of a byte of a range that ends at `end`. Where a block is not published as a whole, it is the part
   * from the record that the byte lies in to the one that the range ends in.
   */
  #blockFinder(chunk: Chunk, index: LoadedIndex, file: DiskFile, end: number): (at: number) => Block {
    const published = chunk.size;
    const grid = chunk.reindexed;
    return (at) =>
      this.#blocks.get(grid, chunk, index, file, at, published) ??
        loadBlock(chunk, index, file, recordStart(index, at), recordEnd(index, end - 1));
  }

  /**
   * The range as a stream of parts of blocks. Gives `open` back when it ends.
   *
   * All of it was verified a moment ago. The blocks at both ends are kept; those between are taken from the cache, and
   * read and verified once more if they are no longer there, so that a stalled reader holds little.
   */
  #stream(
    chunk: Chunk,
    open: OpenFile,
    range: ByteRange,
    blockAt: (at: number) => Block,
    first: Block,
    last: Block,
  ): ReadableStream<Uint8Array> {
    const { cuts } = chunk;
    let at = range.from;
    let ended = false;
    const end = (): void => {
      if (!ended) this.#files.give(open);
      ended = true;
    };
    return new ReadableStream<Uint8Array>({
      pull: (controller) => {
        try {
          if (chunk.cuts !== cuts && range.to > chunk.size) throw cutMeanwhile(chunk);
          const block = at < endOf(first) ? first : at >= last.start ? last : blockAt(at);
          const to = Math.min(endOf(block), range.to);
          controller.enqueue(cut(block, { from: at, to }));
          at = to;
        } catch (error) {
          end();
          const known = this.#damage.note(
            chunk,
            error instanceof Error ? error : new Error(String(error)),
          );
          this.#log.warn("a transfer was cut off", { chunk: chunk.dataPath, error: known.message });
          controller.error(known);
          return;
        }
        if (at < range.to) return;
        end();
        controller.close();
      },
      cancel: end,
    }, { highWaterMark: 1 });
  }

  /** The range in one buffer, up to the first damage; or the error that says why there is no message. */
  #readCarefully(chunk: Chunk, index: LoadedIndex, file: DiskFile, offset: number, end: number): ChunkRange {
    this.#checkStart(chunk, index, file, offset);
    const start = recordStart(index, offset);
    const bytes = uninitialised(recordEnd(index, end - 1) - start);
    const { good } = verify(index, file, bytes, start, end);
    const last = start + bytes.subarray(0, Math.max(0, Math.min(good, end) - start)).lastIndexOf(NEWLINE) + 1;
    if (last <= offset) throw this.#noMessage(chunk, index, file, offset, good, end);
    return { offset, size: last - offset, body: bytes.subarray(offset - start, last - start) };
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
      return new MessageTooLongError(
        `max_size: the message at ${offset} of ${chunk.name} is longer than ${
          end - offset
        } bytes; ask for more`,
      );
    }
    const damage = this.#damageAt(chunk, index, file, good);
    const next = damage.next < chunk.size
      ? `intact messages go on at off=${damage.next}`
      : "nothing intact follows yet";
    return new DamagedRangeError(
      `${chunk.name}: bytes ${damage.from} to ${damage.to} fail their checksum on this node; ${next}`,
      damage.next,
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

function cutMeanwhile({ name, size }: Chunk): ChukchaError {
  return new ChukchaError(
    "invalid_offset",
    `${name}: it ends at ${size} now; what was behind is published again as new messages`,
  );
}

function endOf({ start, bytes }: Block): number {
  return start + bytes.length;
}

/** The part of a block; `range` lies within it. */
function cut({ start, bytes }: Block, { from, to }: ByteRange): Uint8Array {
  return bytes.subarray(from - start, to - start);
}
