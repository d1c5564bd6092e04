/**
 * What the parts of one category share: its chunks, what is acknowledged, and how a change of either is told.
 *
 * Whatever changes a chunk or the acknowledged ones says so here, once: to the order of changes, which other nodes
 * follow, and to the watchers, which wake the tails.
 *
 * @module
 */
import { Acknowledged } from "./acknowledged.ts";
import { CategoryDirectory } from "./category_directory.ts";
import { ChangeEntry } from "./change_log.ts";
import type { Chunk } from "./chunk.ts";
import { ChunkList } from "./chunk_list.ts";
import type { StorageContext } from "./context.ts";
import type { RecoveredCategory } from "./recover.ts";

/** The state of one category. */
export class CategoryState {
  /** Chunks with readable bytes. */
  readonly chunks = new ChunkList();
  readonly directory: CategoryDirectory;
  acknowledged: Acknowledged;
  /** Places of the owners' acknowledged chunks in the order of changes. */
  #entries: Map<string, ChangeEntry> | undefined;

  /** @param found what recovery found; nothing for a category that has no directory yet */
  constructor(readonly name: string, readonly context: StorageContext, found?: RecoveredCategory) {
    this.directory = new CategoryDirectory(name, context, found !== undefined);
    this.acknowledged = found?.acknowledged ?? new Acknowledged();
    for (const chunk of (found?.chunks ?? []).toSorted((a, b) => a.number - b.number)) {
      this.chunks.add(chunk);
      this.noteOpen(chunk);
      context.changes.touch(chunk.change, undefined);
    }
    for (const owner of this.acknowledged.owners()) this.#touch(owner, undefined);
  }

  /** Whether this node is the owner. */
  isOwn(chunk: Chunk): boolean {
    return chunk.instance === this.context.options.instance;
  }

  /** Says that bytes of the chunk were published, or that it became complete or shorter. */
  changed(chunk: Chunk, source: string | undefined): void {
    this.chunks.add(chunk);
    this.context.changes.touch(chunk.change, source);
    this.context.watchers.notify(this.name);
  }

  /** Keeps the sets of those that somebody has to complete. */
  noteOpen(chunk: Chunk): void {
    const { incomplete, unsettled } = this.context;
    if (!chunk.complete && !this.isOwn(chunk)) incomplete.add(chunk);
    else incomplete.delete(chunk);
    if (!chunk.settled) unsettled.add(chunk);
    else unsettled.delete(chunk);
  }

  /** Completes a chunk that nothing is being appended to. */
  complete(chunk: Chunk, finalised: boolean, source: string | undefined): void {
    chunk.complete = true;
    chunk.recent = undefined;
    chunk.finalised = finalised;
    chunk.settled = true;
    this.noteOpen(chunk);
    this.context.sealer.add(chunk);
    this.changed(chunk, source);
  }

  /** Takes an acknowledged set that is on the device for the one that counts; removes the chunks that it covers. */
  acknowledge(
    acknowledged: Acknowledged,
    owner: string,
    chunks: readonly Chunk[],
    source: string | undefined,
  ): void {
    this.acknowledged = acknowledged;
    for (const chunk of chunks) this.#remove(chunk);
    this.context.meter.acknowledgedChunks += chunks.length;
    for (const chunk of this.context.prepared.values()) {
      if (chunk.category !== this.name) continue;
      if (acknowledged.has(chunk.instance, chunk.number)) this.#remove(chunk);
    }
    this.#touch(owner, source);
    this.context.watchers.notify(this.name);
  }

  /** A sync of the chunk's files failed: what they hold is not known any more before the next start. */
  poison(chunk: Chunk, error: unknown): void {
    chunk.poisoned = true;
    this.context.meter.syncFailures++;
    const message = error instanceof Error ? error.message : String(error);
    this.context.guard.poisoned(message);
    this.context.log.error("a sync failed: nothing more is appended to this chunk", {
      chunk: chunk.dataPath,
      error: message,
    });
  }

  /** The chunk's data is gone, and it with it; in a cluster it may come back from other nodes. */
  lose(chunk: Chunk): void {
    this.#forget(chunk);
    this.context.losses.count++;
  }

  #forget(chunk: Chunk): void {
    this.chunks.delete(chunk.name);
    this.context.prepared.delete(chunk.dataPath);
    this.context.incomplete.delete(chunk);
    this.context.unsettled.delete(chunk);
    this.context.changes.remove(chunk.change);
  }

  #remove(chunk: Chunk): void {
    this.#forget(chunk);
    this.directory.remove(chunk);
  }

  #touch(owner: string, source: string | undefined): void {
    this.#entries ??= new Map();
    const entry = this.#entries.get(owner) ?? new ChangeEntry(this.name, undefined, owner);
    this.#entries.set(owner, entry);
    this.context.changes.touch(entry, source);
  }
}
