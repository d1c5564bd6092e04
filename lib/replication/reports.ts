/**
 * What a peer is still to be told: which copies came to be held here, and what others said that they hold.
 *
 * An entry stays until a poll that carried it was answered. What is told of a copy is what is true when the poll is made,
 * so that a copy which grows in between is one entry and not many.
 *
 * Bounded by the copies there are; one poll carries at most {@linkcode REPLICATION_HELD_MAX}.
 *
 * @module
 */
import { REPLICATION_HELD_MAX } from "../protocol/limits.ts";
import type { ClusterContext } from "./context.ts";
import type { Held } from "./peer.ts";

/** One of this node's own copies, by name; or the word of another node. */
type Entry = { readonly category: string; readonly chunk: string } | Held;

/** What one poll carries of it. */
export interface Load {
  readonly held: readonly Held[];
  /** There is more than fits. */
  readonly more: boolean;
  /** The poll was answered. */
  told(): void;
}

/** Reports to one peer. */
export class Reports {
  readonly #context: ClusterContext;
  readonly #entries = new Map<string, Entry>();

  constructor(context: ClusterContext) {
    this.#context = context;
  }

  /** This node's copy of a chunk has changed. */
  add(category: string, chunk: string): void {
    this.#entries.set(`${category}/${chunk}`, { category, chunk });
  }

  /** Another node has said that it holds this. */
  pass(held: Held): void {
    this.#entries.set(`${held.instance}/${held.category}/${held.chunk}`, held);
  }

  /** Own copies among it. */
  own(): { category: string; chunk: string }[] {
    return [...this.#entries.values()].filter((entry) => !("instance" in entry));
  }

  /** For the next poll. */
  load(): Load {
    const entries = [...this.#entries.entries().take(REPLICATION_HELD_MAX)];
    return {
      held: entries.flatMap(([, entry]) => this.#heldOf(entry)),
      more: this.#entries.size > entries.length,
      told: () => {
        for (const [key, entry] of entries) if (this.#entries.get(key) === entry) this.#entries.delete(key);
      },
    };
  }

  #heldOf(entry: Entry): Held[] {
    if ("instance" in entry) return [entry];
    const { own: { instance, incarnation }, store } = this.#context;
    const chunk = store.chunk(entry.category, entry.chunk);
    return chunk ? [{ ...entry, instance, incarnation, size: chunk.size, synced: chunk.synced }] : [];
  }
}
