/**
 * What every chunk holds, as its owner published it: the truth that each copy is held against.
 *
 * A chunk's content only ever grows, by what one process of its owner appends, group by group. Any copy anywhere, at any
 * time, is as long as the owner's was after one of these groups, with the same checksum. That one rule is PrefixAlways,
 * BatchAtomic, WholeMessages, NoInvention and CorruptNeverServed for copies.
 *
 * @module
 */
import type { Chunk } from "../../lib/storage/chunk.ts";
import type { Store } from "../../lib/storage/store.ts";
import type { DiskLife } from "./holdings.ts";
import type { Life } from "./timeline.ts";
import { Violation } from "./violation.ts";

interface Known {
  /** The process that began it, and the disk that it began it on. */
  readonly life: Life;
  readonly disk: DiskLife;
  content: Uint8Array;
  /** CRC at the end of each group. */
  readonly ends: Map<number, number>;
}

/** All chunks that ever were. */
export class Registry {
  readonly #known = new Map<string, Known>();

  /** The owner has published more. */
  grew(category: string, chunk: Chunk, store: Store, life: Life, disk: DiskLife): void {
    const key = `${category}/${chunk.name}`;
    const known = this.#knownOr(key, life, disk);
    if (chunk.size === known.content.length) return this.check(category, chunk, life.name);
    if (known.life !== life) {
      throw new Violation(
        "NumberNeverReused",
        `${key} is appended to by another process than the one that began it`,
      );
    }
    if (chunk.size < known.content.length) {
      throw new Violation("OwnerOnlyAppends", `${key} shrank from ${known.content.length} to ${chunk.size}`);
    }
    this.#extend(known, key, category, chunk, store);
  }

  /** Whether another process began it, and published at least as much as there is: then this one only looks after it. */
  isOlder(category: string, chunk: Chunk, life: Life): boolean {
    const known = this.#known.get(`${category}/${chunk.name}`);
    return known !== undefined && known.life !== life && chunk.size <= known.content.length;
  }

  /** What a start found of an own chunk: perhaps one group more than was published, from the process before. */
  recovered(category: string, chunk: Chunk, store: Store, life: Life, disk: DiskLife): void {
    const key = `${category}/${chunk.name}`;
    const known = this.#knownOr(key, life, disk);
    if (chunk.size > known.content.length) return this.#extend(known, key, category, chunk, store);
    // With a hole in it, its checksum is that of what it was.
    if (!chunk.damaged) this.check(category, chunk, life.name);
  }

  #knownOr(key: string, life: Life, disk: DiskLife): Known {
    let known = this.#known.get(key);
    if (!known) {
      this.#known.set(key, known = { life, disk, content: new Uint8Array(), ends: new Map([[0, 0]]) });
    }
    return known;
  }

  #extend(known: Known, key: string, category: string, chunk: Chunk, store: Store): void {
    const piece = store.readPiece(category, chunk.name, known.content.length, Number.MAX_SAFE_INTEGER);
    if (!piece || piece.offset + piece.bytes.length !== chunk.size) {
      throw new Violation("ServedWithinPublished", `${key}: what was published last cannot be read whole`);
    }
    const content = new Uint8Array(chunk.size);
    content.set(known.content);
    content.set(piece.bytes, known.content.length);
    known.content = content;
    known.ends.set(chunk.size, chunk.rolling);
  }

  /** A copy is what the owner published, up to the end of a group. */
  check(category: string, chunk: Chunk, where: string): void {
    const key = `${category}/${chunk.name}`;
    const known = this.#known.get(key);
    if (!known) throw new Violation("NoInvention", `${where} holds ${key}, which nobody wrote`);
    if (chunk.size > known.content.length) {
      throw new Violation(
        "OwnerOnlyAppends",
        `${where} holds ${chunk.size} bytes of ${key}, the owner published ${known.content.length}`,
      );
    }
    const rolling = known.ends.get(chunk.size);
    if (rolling === undefined) {
      throw new Violation("BatchAtomic", `${where}: ${key} ends at ${chunk.size}, inside of a group`);
    }
    if (rolling !== chunk.rolling) {
      throw new Violation("PrefixAlways", `${where}: ${key} differs within its ${chunk.size} bytes`);
    }
  }

  /** Whether it was begun on a disk that is lost. */
  isOfLostDisk(category: string, { name }: Chunk): boolean {
    return this.#known.get(`${category}/${name}`)?.disk.lost ?? false;
  }

  /** A disk is lost, and nobody has heard of anything that its owner wrote there: its numbers may be used again. */
  forgetLost(owner: string, category: string): void {
    for (const [key, { disk }] of [...this.#known]) {
      if (disk.lost && key.startsWith(`${category}/${owner}-chunk`)) this.#known.delete(key);
    }
  }

  /** What was served is what was written there. */
  served(category: string, name: string, offset: number, bytes: Uint8Array, where: string): void {
    const key = `${category}/${name}`;
    const content = this.#known.get(key)?.content ?? new Uint8Array();
    if (offset + bytes.length > content.length) {
      throw new Violation("ServedWithinPublished", `${where} served ${key} up to ${offset + bytes.length}`);
    }
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== content[offset + i]) {
        throw new Violation("CorruptNeverServed", `${where} served a wrong byte of ${key} at ${offset + i}`);
      }
    }
    if (bytes.length > 0 && bytes.at(-1) !== 10) {
      throw new Violation(
        "WholeMessages",
        `${where} served ${key} from ${offset}, ending inside of a message`,
      );
    }
  }

  /** All that was ever published, by `<category>/<chunk>`. */
  *contents(): Iterable<readonly [key: string, content: Uint8Array]> {
    for (const [key, { content }] of this.#known) yield [key, content];
  }

  /** The whole of a chunk. */
  contentOf(category: string, name: string): Uint8Array {
    return this.#known.get(`${category}/${name}`)?.content ?? new Uint8Array();
  }
}
