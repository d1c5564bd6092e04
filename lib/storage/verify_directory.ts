/**
 * Looks at a data directory that no node runs on: every chunk, every record, every byte, and says what the next start
 * would make of what is wrong. Nothing is changed, not even what a start would cut or remove.
 *
 * It judges by the same rules as a start (`recover.ts`) and the scrub, with one difference: a start believes a sealed
 * chunk, here each one is read. What a crash leaves is told, and is no damage.
 *
 * @module
 */
import { categoryDirectory, parseCategoryDirectory, parseChunkName } from "../protocol/names.ts";
import { Acknowledged, ACKNOWLEDGED_FILE } from "./acknowledged.ts";
import { eachEntry } from "./batch_entry.ts";
import { JOURNAL_FILE } from "./batch_journal.ts";
import { Chunk, INDEX_SUFFIX } from "./chunk.ts";
import { readConsumers } from "./consumers_file.ts";
import { hasRotted } from "./damaged_copy.ts";
import type { Disk } from "./disk.ts";
import { type ByteRange, examining, type Steps } from "./examine.ts";
import { expectedIndex, fileReader, openIfThere, readIndex } from "./inspect.ts";
import { readFile } from "./publish_file.ts";
import { takeSealedEnd } from "./sealed_end.ts";

/** Something about a chunk, or another file, that a person should know. */
export interface Remark {
  /** It is damage, and not what a crash or a hand leaves. */
  readonly damage: boolean;
  /** Which bytes of the chunk it is about, if not all of it. */
  readonly range?: ByteRange;
  /** What is so. */
  readonly what: string;
  /** What the next start makes of it. */
  readonly next: string;
}

/** What is found out about one chunk. */
export interface VerifiedChunk {
  readonly category: string;
  /** Its name; of another file in the category's directory the name of that. */
  readonly chunk: string;
  /** Bytes of it that count. */
  readonly size: number;
  /** Sealed: the last record of its index says that it is complete. */
  readonly complete: boolean;
  readonly remarks: readonly Remark[];
}

/** A chunk to be verified. */
export interface Candidate {
  readonly category: string;
  readonly name: string;
  /** Bytes of its files. */
  readonly bytes: number;
}

/** The categories that have a directory, sorted. */
export function storedCategories(disk: Disk): string[] {
  const names = disk.list("").filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
  return names.flatMap((name) => parseCategoryDirectory(name) ?? []).sort();
}

/**
 * The chunks of a category that are not acknowledged, by name.
 *
 * Throws `SyntaxError` if its list of acknowledged chunks cannot be read: a start refuses such a directory.
 */
export function candidates(disk: Disk, category: string): Candidate[] {
  const directory = categoryDirectory(category);
  const list = readFile(disk, `${directory}/${ACKNOWLEDGED_FILE}`);
  const acknowledged = list ? Acknowledged.decode(list) : new Acknowledged();
  const names = new Set<string>();
  for (const { name, isDirectory } of disk.list(directory)) {
    const chunk = name.endsWith(INDEX_SUFFIX) ? name.slice(0, -INDEX_SUFFIX.length) : name;
    const id = isDirectory ? undefined : parseChunkName(chunk);
    if (id && !acknowledged.has(id.instance, id.number)) names.add(chunk);
  }
  return [...names].sort().map((name) => {
    const path = `${directory}/${name}`;
    const bytes = (disk.sizeOf(path) ?? 0) + (disk.sizeOf(path + INDEX_SUFFIX) ?? 0);
    return { category, name, bytes };
  });
}

/**
 * What there is to say of the files that keep a category's consumers.
 *
 * Throws `SyntaxError` if `consumers.json` cannot be read: a start refuses such a directory.
 */
export function verifyConsumers(disk: Disk, category: string): VerifiedChunk[] {
  const directory = categoryDirectory(category);
  return readConsumers(disk, directory).torn.map(({ name, why }) => {
    const remark: Remark = {
      damage: false,
      what: `it is not whole (${why}), as after a crash`,
      next: "it is left aside; what consumers acknowledged in it alone is handed out again",
    };
    const size = disk.sizeOf(`${directory}/${name}`) ?? 0;
    return { category, chunk: name, size, complete: false, remarks: [remark] };
  });
}

/** Verifies one chunk. `owner`: the instance whose directory it is. Throws `DiskError`. */
export function* verifying(disk: Disk, { category, name }: Candidate, owner: string): Steps<VerifiedChunk> {
  const { instance, number } = parseChunkName(name)!;
  const chunk = new Chunk(category, instance, number, 0);
  const about = { category, chunk: name };
  const dataSize = disk.sizeOf(chunk.dataPath);
  const indexSize = disk.sizeOf(chunk.indexPath);
  if (indexSize === undefined) {
    if (!dataSize) return { ...about, size: 0, complete: false, remarks: [] };
    return { ...about, size: dataSize, complete: false, remarks: [NO_INDEX] };
  }
  if (takeSealedEnd(disk, chunk)) {
    const remarks = yield* verifyingSealed(disk, chunk, dataSize, indexSize);
    return { ...about, size: chunk.size, complete: true, remarks };
  }
  if (dataSize === undefined) {
    return { ...about, size: 0, complete: false, remarks: indexSize > 0 ? [NO_DATA] : [] };
  }
  return { ...about, complete: false, ...yield* verifyingOpen(disk, chunk, dataSize, instance === owner) };
}

const NO_INDEX: Remark = {
  damage: true,
  what: "its index is missing, so that nothing vouches for its bytes",
  next: "the bytes are taken as they are, and get an index",
};

const NO_DATA: Remark = {
  damage: true,
  what: "its data file is missing, and its index does not say that it was complete",
  next: "the index is kept; what other nodes hold of it is fetched",
};

function* verifyingSealed(
  disk: Disk,
  chunk: Chunk,
  dataSize: number | undefined,
  indexSize: number,
): Steps<Remark[]> {
  const remarks: Remark[] = [];
  const index = readIndex(disk, chunk);
  const file = openIfThere(disk, chunk.dataPath);
  try {
    const found = yield* examining(expectedIndex(index, chunk), fileReader(file));
    for (const range of joined(found.damaged)) {
      const what = file ? "these bytes fail their checksum, or are missing" : "the data file is missing";
      remarks.push({ damage: true, range, what, next: HEALED });
    }
    // The chunk is marked already where the record that says that it is complete had to be put right.
    if (found.rewritten || indexSize !== chunk.indexSize || chunk.damaged) {
      remarks.push({
        damage: true,
        what: "its index is damaged",
        next: "it is made anew from what is left of it, and from the data where that is intact",
      });
    }
  } finally {
    file?.close();
  }
  if ((dataSize ?? 0) > chunk.size) {
    remarks.push({
      damage: false,
      range: { from: chunk.size, to: dataSize! },
      what: "these bytes lie behind the end of the chunk",
      next: chunk.finalised
        ? "they are cut off: they were published again"
        : "they are left alone, and not served",
    });
  }
  return remarks;
}

const HEALED = "they are fetched from any node that has them, and kept as they are until one does";

function* verifyingOpen(
  disk: Disk,
  chunk: Chunk,
  dataSize: number,
  isOwn: boolean,
): Steps<{ size: number; remarks: Remark[] }> {
  const remarks: Remark[] = [];
  const index = readIndex(disk, chunk);
  const file = openIfThere(disk, chunk.dataPath);
  try {
    const found = yield* examining(index, fileReader(file));
    for (const range of joined(found.damaged)) {
      remarks.push({
        damage: true,
        range,
        what: "these bytes fail their checksum",
        next: isOwn
          ? "in a cluster the chunk ends before them, what is intact behind is published again, the rest set aside; " +
            "alone, what is intact is served"
          : "they and what lies behind are set aside, and fetched again from other nodes",
      });
    }
    const isRot = hasRotted(index, found.index.length);
    if (found.rewritten || isRot) {
      remarks.push({
        damage: true,
        what: "its index is damaged",
        next:
          "it is made anew where the data allows; if the chunk was complete, it is so again once that is known",
      });
    }
    if (dataSize > found.size) {
      remarks.push({
        damage: isRot,
        range: { from: found.size, to: dataSize },
        what: isRot
          ? "the records of these bytes are damaged"
          : "nothing vouches for these bytes, as after a crash",
        next: isRot ? "they are set aside; what other nodes hold of them is fetched" : "they are cut off",
      });
    }
    return { size: found.size, remarks };
  } finally {
    file?.close();
  }
}

/** Verifies what is remembered of a category's producers; `undefined` if nothing is. Throws `DiskError`. */
export function verifyProducers(disk: Disk, category: string): VerifiedChunk | undefined {
  const bytes = readFile(disk, `${categoryDirectory(category)}/${JOURNAL_FILE}`);
  if (!bytes) return undefined;
  const { damaged, torn } = eachEntry(bytes, () => {});
  const remarks: Remark[] = [];
  if (damaged > 0) {
    remarks.push({
      damage: true,
      what: `${damaged} bytes of it fail their checksum`,
      next: "batches that were remembered there are stored again if they are retried",
    });
  }
  if (torn > 0) {
    const range = { from: bytes.length - torn, to: bytes.length };
    remarks.push({
      damage: false,
      range,
      what: "nothing vouches for these bytes, as after a crash",
      next: "they are passed over",
    });
  }
  return { category, chunk: JOURNAL_FILE, size: bytes.length, complete: false, remarks };
}

/** Ranges that touch one another, as one. */
function joined(ranges: readonly ByteRange[]): ByteRange[] {
  const all: { from: number; to: number }[] = [];
  for (const { from, to } of ranges) {
    const last = all.at(-1);
    if (last && last.to === from) last.to = to;
    else all.push({ from, to });
  }
  return all;
}
