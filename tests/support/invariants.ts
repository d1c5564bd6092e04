/**
 * What must hold of everything a store serves, whatever happened to its files before: the invariants by their names.
 *
 * `serve` reads a category as a patient reader would: chunk by chunk, going on behind damage where the error says so.
 * Each check throws with the invariant's name.
 *
 * @module
 */
import { ChukchaError } from "../../lib/protocol/errors.ts";
import type { ChunkInfo } from "../../lib/protocol/types.ts";
import type { Store } from "../../lib/storage/store.ts";

const NEWLINE = 10;

/** Bytes that one read returned. */
export interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** All that could be read of one chunk. */
export interface Served {
  readonly info: ChunkInfo;
  readonly pieces: readonly Piece[];
  /** What the reads that met damage said. */
  readonly damage: readonly string[];
}

/** What was once written to a chunk, in order: batch after batch from offset 0. */
export type Written = readonly Uint8Array[];

/** Reads everything of a category, `sizeMax` at a time (more where a message is longer). */
export async function serve(store: Store, category: string, sizeMax: number): Promise<Served[]> {
  const all: Served[] = [];
  for (const info of store.listChunks(category)) all.push(await serveChunk(store, category, info, sizeMax));
  return all;
}

async function serveChunk(store: Store, category: string, info: ChunkInfo, sizeMax: number): Promise<Served> {
  const pieces: Piece[] = [];
  const damage: string[] = [];
  let size = sizeMax;
  for (let offset = 0; offset < info.size;) {
    try {
      const { body } = await store.read(category, info.name, offset, size);
      const bytes = body instanceof Uint8Array
        ? body
        : new Uint8Array(await new Response(body).arrayBuffer());
      if (bytes.length === 0) throw new Error(`Live: nothing is served at ${offset} of ${info.name}`);
      pieces.push({ offset, bytes });
      offset += bytes.length;
      size = sizeMax;
    } catch (error) {
      if (!(error instanceof ChukchaError)) throw error;
      if (error.code === "invalid_offset" && size < info.size) {
        size = Math.min(info.size, size * 4);
        continue;
      }
      if (error.code !== "damaged") throw error;
      damage.push(error.message);
      const next = Number(/off=(\d+)/.exec(error.message)?.[1] ?? info.size);
      if (next <= offset) throw new Error(`Live: the way around damage leads back: ${error.message}`);
      offset = next;
    }
  }
  return { info, pieces, damage };
}

function joined(written: Written): Uint8Array {
  const all = new Uint8Array(written.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const batch of written) {
    all.set(batch, at);
    at += batch.length;
  }
  return all;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function broken(invariant: string, { info }: Served, detail: string): Error {
  return new Error(`${invariant}: ${info.name} (size ${info.size}): ${detail}`);
}

/** WholeMessages: what is served begins where a message begins and ends where one ends. */
export function wholeMessages(served: Served, written: Written): void {
  const all = joined(written);
  for (const { offset, bytes } of served.pieces) {
    if (offset > 0 && all[offset - 1] !== NEWLINE) {
      throw broken("WholeMessages", served, `begins inside of a message at ${offset}`);
    }
    if (bytes.at(-1) !== NEWLINE) {
      throw broken("WholeMessages", served, `ends inside of a message at ${offset + bytes.length}`);
    }
  }
}

/** CorruptNeverServed and NoInvention: each byte that is served is the byte that was written at its place. */
export function corruptNeverServed(served: Served, written: Written): void {
  const all = joined(written);
  for (const { offset, bytes } of served.pieces) {
    if (!sameBytes(bytes, all.subarray(offset, offset + bytes.length))) {
      throw broken(
        "CorruptNeverServed",
        served,
        `at ${offset}: ${JSON.stringify(new TextDecoder().decode(bytes))}`,
      );
    }
  }
}

/** PrefixAlways: what can be read is a prefix of what was written, without a hole unless damage is reported. */
export function prefixAlways(served: Served, written: Written): void {
  const total = joined(written).length;
  if (served.info.size > total) {
    throw broken("PrefixAlways", served, `longer than the ${total} bytes written`);
  }
  const read = served.pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (served.damage.length === 0 && read !== served.info.size) {
    throw broken("PrefixAlways", served, `only ${read} bytes are served and no damage is reported`);
  }
  if (served.damage.length > 0 && served.pieces.length > 0 && read >= served.info.size) {
    throw broken("PrefixAlways", served, "damage is reported and everything served");
  }
}

/** BatchAtomic: a chunk ends where a batch ends. */
export function batchAtomic(served: Served, written: Written): void {
  let end = 0;
  for (const batch of ["", ...written]) {
    end += batch.length;
    if (end === served.info.size) return;
  }
  throw broken("BatchAtomic", served, "ends inside of a batch");
}

/** ServedWithinPublished: nothing beyond the listed size is visible. */
export function servedWithinPublished(served: Served): void {
  for (const { offset, bytes } of served.pieces) {
    if (offset + bytes.length > served.info.size) {
      throw broken("ServedWithinPublished", served, `bytes up to ${offset + bytes.length} are served`);
    }
  }
}

/** CompleteImmutable: a complete chunk, served again, is what it was; no message of it has changed its place. */
export function completeImmutable(before: Served, after: Served): void {
  if (!before.info.complete) return;
  if (!after.info.complete || after.info.size !== before.info.size) {
    throw broken("CompleteImmutable", after, `was complete with ${before.info.size} bytes`);
  }
  const all = (served: Served): Uint8Array => {
    const image = new Uint8Array(served.info.size);
    for (const { offset, bytes } of served.pieces) image.set(bytes, offset);
    return image;
  };
  if (before.damage.length === 0 && !sameBytes(all(before), all(after))) {
    throw broken("CompleteImmutable", after, "its bytes have changed");
  }
}

/** NumberNeverReused: what is appended now goes into a chunk that never held anything before. */
export function numberNeverReused(chunk: string, usedBefore: Iterable<string>): void {
  for (const used of usedBefore) {
    if (used >= chunk) throw new Error(`NumberNeverReused: ${chunk} is begun after ${used}`);
  }
}

/** AckedDurable, for one chunk: all of these first bytes are still served. */
export function stillServed(served: Served | undefined, name: string, written: Written, size: number): void {
  if (size === 0) return;
  if (!served) throw new Error(`AckedDurable: ${name} is gone, ${size} bytes of it were promised`);
  const image = new Uint8Array(Math.max(size, served.info.size));
  const covered = new Uint8Array(image.length);
  for (const { offset, bytes } of served.pieces) {
    image.set(bytes, offset);
    covered.fill(1, offset, offset + bytes.length);
  }
  const hole = covered.subarray(0, size).indexOf(0);
  if (hole >= 0) throw broken("AckedDurable", served, `byte ${hole} of ${size} promised ones is not served`);
  if (!sameBytes(image.subarray(0, size), joined(written).subarray(0, size))) {
    throw broken("AckedDurable", served, "promised bytes have changed");
  }
}

/** All of the above that concern one chunk and what was written to it. */
export function checkServed(served: Served, written: Written): void {
  servedWithinPublished(served);
  corruptNeverServed(served, written);
  wholeMessages(served, written);
  prefixAlways(served, written);
  batchAtomic(served, written);
}
