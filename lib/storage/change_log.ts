/**
 * What changed in a store, in order of last change: chunks, per category and owner the acknowledged ones, and per
 * category the places of its consumers.
 *
 * Each of them is in the list once, with the number of its last change; a change moves it to the end and gives it the
 * next number. So whoever remembers a number is told what changed since in one pass, each thing once however often it
 * changed, and the list is as long as there are things. Nothing is written: another run of the process numbers anew.
 *
 * A change is on the way of every group commit: it moves a few pointers. A page costs what is in it, plus what is newer
 * than its start; for readers that go through it page by page the places where pages ended are kept, so that
 * 1,000,000 entries cost one pass.
 *
 * Rejected: a journal of events (it grows with the changes, not with the things, and needs a horizon behind which
 * readers begin anew).
 *
 * @module
 */
import { CHANGE_BOOKMARKS_MAX } from "../protocol/limits.ts";
import type { Chunk } from "./chunk.ts";

/** That a chunk, an owner's acknowledged chunks, or the place of a consumer changed. */
export interface Change {
  /** Number of its last change. */
  readonly seq: number;
  readonly category: string;
  /** The chunk; or else */
  readonly chunk?: Chunk;
  /** the owner whose acknowledged chunks grew; or else */
  readonly acknowledged?: string;
  /** the name of the consumer. */
  readonly consumer?: string;
  /** Process of another node that the change came from; `undefined` for this node's own doing. */
  readonly source: string | undefined;
}

/** A thing's place in the list. */
export class ChangeEntry {
  seq = 0;
  source: string | undefined;
  before: ChangeEntry | undefined;
  after: ChangeEntry | undefined;
  /** Bookmarks that stand on it. */
  marks = 0;

  constructor(
    readonly category: string,
    readonly chunk: Chunk | undefined,
    readonly acknowledged: string | undefined,
    readonly consumer?: string,
  ) {}
}

/** Stands behind `entry`, the last one whose number is not above `seq`; `undefined`: before all. */
interface Bookmark {
  readonly seq: number;
  entry: ChangeEntry | undefined;
}

/** The list. */
export class ChangeLog {
  #oldest: ChangeEntry | undefined;
  #newest: ChangeEntry | undefined;
  #latest = 0;
  /** Where the last pages ended, the oldest first. */
  readonly #bookmarks = new Map<number, Bookmark>();
  readonly #watchers = new Set<(change: Change) => void>();

  /** Number of the last change; 0 before the first. */
  get latest(): number {
    return this.#latest;
  }

  /** Says that `entry` changed: puts it, or moves it, to the end. */
  touch(entry: ChangeEntry, source: string | undefined): void {
    entry.source = source;
    if (entry !== this.#newest || entry.marks > 0) {
      if (entry.seq > 0) this.#unlink(entry);
      entry.before = this.#newest;
      if (this.#newest) this.#newest.after = entry;
      else this.#oldest = entry;
      this.#newest = entry;
    }
    entry.seq = ++this.#latest;
    if (this.#watchers.size === 0) return;
    const change = toChange(entry);
    this.#watchers.forEach((watcher) => watcher(change));
  }

  /** Takes `entry` out: there is nothing more to be told of it. */
  remove(entry: ChangeEntry): void {
    if (entry.seq === 0) return;
    this.#unlink(entry);
    entry.seq = 0;
  }

  /** Changes after number `seq`, the oldest first, at most `max`. */
  since(seq: number, max: number): { changes: readonly Change[]; more: boolean } {
    const changes: Change[] = [];
    let entry = this.#firstAfter(seq);
    for (; entry && changes.length < max; entry = entry.after) changes.push(toChange(entry));
    const end = entry ? entry.before : this.#newest;
    if (entry && end) this.#mark(end);
    return { changes, more: entry !== undefined };
  }

  /** Calls `fn` at each change, until the returned function is called. `fn` only takes note: it must not throw. */
  watch(fn: (change: Change) => void): () => void {
    this.#watchers.add(fn);
    return () => void this.#watchers.delete(fn);
  }

  #firstAfter(seq: number): ChangeEntry | undefined {
    const bookmark = this.#bookmarks.get(seq);
    if (bookmark) return bookmark.entry ? bookmark.entry.after : this.#oldest;
    if (!this.#oldest || this.#oldest.seq > seq) return this.#oldest;
    let entry = this.#newest;
    if (!entry || entry.seq <= seq) return undefined;
    while (entry.before && entry.before.seq > seq) entry = entry.before;
    return entry;
  }

  #mark(entry: ChangeEntry): void {
    const { seq } = entry;
    const known = this.#bookmarks.get(seq);
    this.#bookmarks.delete(seq);
    this.#bookmarks.set(seq, known ?? { seq, entry });
    if (known) return;
    entry.marks++;
    if (this.#bookmarks.size <= CHANGE_BOOKMARKS_MAX) return;
    const [oldest] = this.#bookmarks.values();
    this.#bookmarks.delete(oldest!.seq);
    if (oldest!.entry) oldest!.entry.marks--;
  }

  #unlink(entry: ChangeEntry): void {
    const { before, after } = entry;
    if (before) before.after = after;
    else this.#oldest = after;
    if (after) after.before = before;
    else this.#newest = before;
    entry.before = entry.after = undefined;
    if (entry.marks === 0) return;
    // Whoever stopped here goes on behind the one before.
    for (const bookmark of this.#bookmarks.values()) if (bookmark.entry === entry) bookmark.entry = before;
    if (before) before.marks += entry.marks;
    entry.marks = 0;
  }
}

function toChange({ seq, category, chunk, acknowledged, consumer, source }: ChangeEntry): Change {
  if (chunk) return { seq, category, chunk, source };
  if (consumer !== undefined) return { seq, category, consumer, source };
  return { seq, category, acknowledged: acknowledged!, source };
}
