/**
 * Blocks of chunks in memory, verified: what several readers of the same data share.
 *
 * A chunk is divided at every MiB, at the first record that begins there or behind, so that all readers see the same
 * blocks wherever they start. Published bytes never change, so a block is good for as long as it is kept, and may be
 * handed to any number of responses at once; nobody writes into it. The block unused for longest goes first. Where a
 * chunk's end was cut off, or its records were made anew, the grid is another one from then on, and the blocks from
 * before are found only by those who are still reading by the old one.
 *
 * What it buys: filling fresh memory is most of the cost of a large read (340 µs a MiB, reading and verifying 100), and
 * consumers that follow one category read the same data within seconds of each other. A single reader that passes once
 * pays the same as without it.
 *
 * Rejected: reusing one buffer per response. Nothing says when the runtime has sent it.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { BLOCK_BYTES } from "../protocol/limits.ts";
import type { Chunk } from "./chunk.ts";
import type { DiskFile } from "./disk.ts";
import type { LoadedIndex } from "./index_cache.ts";
import { uninitialised } from "./uninitialised.ts";
import { recordAt, verify } from "./verify.ts";

/** Verified bytes of a chunk, from `start`. Not to be written to. */
export interface Block {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** A bounded set of verified blocks. */
export class BlockCache {
  readonly #bytesMax: number;
  /** In order of last use, the oldest first. */
  readonly #blocks = new Map<string, Block>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * The block of a grid (`Chunk.reindexed` as of when `index` was loaded) that the byte at `offset` lies in; `undefined` if it does not end within the `published` bytes, which
   * `index` must cover: a chunk may have grown since that was loaded.
   *
   * Throws `ChukchaError` `damaged`, `BrokenIndexError`, `DiskError`.
   */
  get(
    grid: number,
    chunk: Chunk,
    index: LoadedIndex,
    file: DiskFile,
    offset: number,
    published: number,
  ): Block | undefined {
    let number = Math.floor(offset / BLOCK_BYTES);
    if (offset < blockStart(index, number)) number--;
    if ((number + 1) * BLOCK_BYTES > published) return undefined;
    const key = `${chunk.dataPath}:${grid}:${number}`;
    const known = this.#blocks.get(key);
    if (known) {
      this.#blocks.delete(key);
      this.#blocks.set(key, known);
      return known;
    }
    const block = loadBlock(chunk, index, file, blockStart(index, number), blockStart(index, number + 1));
    this.#add(key, block);
    return block;
  }

  #add(key: string, block: Block): void {
    this.#blocks.set(key, block);
    this.#bytes += block.bytes.length;
    for (const [oldest, { bytes }] of this.#blocks) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#blocks.delete(oldest);
      this.#bytes -= bytes.length;
    }
  }
}

/** Where the block begins: behind the record that the byte before its place in the grid belongs to. */
function blockStart(index: LoadedIndex, number: number): number {
  const before = number * BLOCK_BYTES - 1;
  return before < 0 ? 0 : recordAt(index, index.firstEndingAfter(before), before).end;
}

/** Reads and verifies bytes from where one record begins to where another ends. Throws as `get` does. */
export function loadBlock(
  chunk: Chunk,
  index: LoadedIndex,
  file: DiskFile,
  start: number,
  end: number,
): Block {
  const bytes = uninitialised(end - start);
  const { good } = verify(index, file, bytes, start, end);
  if (good < end) {
    throw new ChukchaError("damaged", `${chunk.name}: bytes from ${good} fail their checksum on this node`);
  }
  return { start, bytes };
}
