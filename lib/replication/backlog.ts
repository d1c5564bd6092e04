/**
 * What one peer holds and this node lacks: a lane per (category, owner), each in the order of chunk numbers.
 *
 * Readers must not find later messages before earlier ones, so a lane is worked off from its front. Lanes are
 * independent of one another.
 *
 * Bounded by what the peer lists: an entry lives as long as something is to be done about it.
 *
 * @module
 */
import { parseChunkName } from "../protocol/names.ts";
import type { CopyState } from "./peer.ts";

/** One chunk to do something about. */
export interface Entry {
  readonly number: number;
  remote: CopyState;
  /** Bytes that are missing here. */
  lackBytes: number;
  /** Nothing can be done about it now: left alone until the peer says something new of it, or for a while. */
  resting: boolean;
}

/** The chunks of one owner in one category. */
export class Lane {
  /** By number. */
  readonly #entries = new Map<number, Entry>();
  /** Made anew after a chunk came that is not the last. */
  #sorted: Entry[] = [];
  /** Entries before this one in `#sorted` are gone. */
  #head = 0;
  #inOrder = true;
  /** Bytes that are missing here. */
  bytes = 0;

  constructor(readonly category: string, readonly owner: string) {}

  get size(): number {
    return this.#entries.size;
  }

  get(number: number): Entry | undefined {
    return this.#entries.get(number);
  }

  add(entry: Entry): void {
    this.#entries.set(entry.number, entry);
    const last = this.#sorted.at(-1);
    if (last && last.number > entry.number) this.#inOrder = false;
    this.#sorted.push(entry);
  }

  delete(number: number): void {
    this.#entries.delete(number);
  }

  /** The entries in order. */
  *inOrder(): Generator<Entry> {
    if (!this.#inOrder) {
      this.#sorted = [...this.#entries.values()].sort((a, b) => a.number - b.number);
      this.#head = 0;
      this.#inOrder = true;
    }
    while (this.#head < this.#sorted.length && this.#isGone(this.#sorted[this.#head]!)) this.#head++;
    if (this.#head > 1024 && this.#head * 2 > this.#sorted.length) {
      this.#sorted = this.#sorted.slice(this.#head);
      this.#head = 0;
    }
    const entries = this.#sorted;
    for (let i = this.#head; i < entries.length; i++) if (!this.#isGone(entries[i]!)) yield entries[i]!;
  }

  #isGone(entry: Entry): boolean {
    return this.#entries.get(entry.number) !== entry;
  }
}

/** All lanes of one peer. */
export class Backlog {
  readonly #lanes = new Map<string, Lane>();
  /** Bytes that are missing here. */
  bytes = 0;
  /** Chunks that something is to be done about. */
  chunks = 0;

  /** Whether nothing is to be done. */
  get isEmpty(): boolean {
    return this.chunks === 0;
  }

  /** The entry of a chunk. */
  get(category: string, owner: string, number: number): Entry | undefined {
    return this.lane(category, owner)?.get(number);
  }

  /** The lane of an owner in a category. */
  lane(category: string, owner: string): Lane | undefined {
    return this.#lanes.get(laneKey(category, owner));
  }

  /** What was left alone is tried again. */
  wakeAll(): void {
    for (const lane of this.#lanes.values()) {
      for (const entry of lane.inOrder()) entry.resting = false;
    }
  }

  /** Adds a chunk, or says anew what is known of it. */
  set(owner: string, number: number, remote: CopyState, lackBytes: number): void {
    const key = laneKey(remote.category, owner);
    let lane = this.#lanes.get(key);
    if (!lane) this.#lanes.set(key, lane = new Lane(remote.category, owner));
    const known = lane.get(number);
    if (known) {
      this.#add(lane, lackBytes - known.lackBytes);
      Object.assign(known, { remote, lackBytes, resting: false });
      return;
    }
    lane.add({ number, remote, lackBytes, resting: false });
    this.#add(lane, lackBytes);
    this.chunks++;
  }

  /** The local copy has grown: fewer bytes are missing. */
  lacks(entry: Entry, lackBytes: number): void {
    const { category, chunk } = entry.remote;
    const lane = this.lane(category, parseChunkName(chunk)!.instance);
    // An entry that is not in its lane any more is in no sum.
    if (lane?.get(entry.number) === entry) this.#add(lane, lackBytes - entry.lackBytes);
    entry.lackBytes = lackBytes;
  }

  /** Nothing is to be done about this chunk any more. */
  delete(category: string, owner: string, number: number): void {
    const key = laneKey(category, owner);
    const lane = this.#lanes.get(key);
    const entry = lane?.get(number);
    if (!lane || !entry) return;
    lane.delete(number);
    this.#add(lane, -entry.lackBytes);
    this.chunks--;
    if (lane.size === 0) this.#lanes.delete(key);
  }

  /** The lanes, those that something was done about last at the end. */
  lanes(): Lane[] {
    return [...this.#lanes.values()];
  }

  /** Puts a lane behind the others. */
  rotate(lane: Lane): void {
    const key = laneKey(lane.category, lane.owner);
    if (this.#lanes.get(key) !== lane) return;
    this.#lanes.delete(key);
    this.#lanes.set(key, lane);
  }

  clear(): void {
    this.#lanes.clear();
    this.bytes = 0;
    this.chunks = 0;
  }

  /** Bytes that are missing here, of each category that lacks some. */
  bytesByCategory(): Map<string, number> {
    const sums = new Map<string, number>();
    for (const { category, bytes } of this.#lanes.values()) {
      if (bytes > 0) sums.set(category, (sums.get(category) ?? 0) + bytes);
    }
    return sums;
  }

  #add(lane: Lane, bytes: number): void {
    lane.bytes += bytes;
    this.bytes += bytes;
  }
}

/** A name for a lane; neither part can hold a slash. */
export function laneKey(category: string, owner: string): string {
  return `${category}/${owner}`;
}
