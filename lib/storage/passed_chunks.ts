/**
 * Which chunks every consumer of their category is done with, for certain: what `--retention-consumed` deletes.
 *
 * A chunk goes if there was a moment at which every consumer that there was, at any node, had acknowledged all of it. One
 * node cannot know that of one moment. But what it knows of consumers only grows, and a consumer that was not there
 * cannot have been passed over. So a chunk is marked when all consumers known here are done with it, and goes at a later
 * look, if
 *
 * - every peer has told, since it was marked, all that it knew then: consumers that it made before, and seeks, are known
 *   here by now (what a peer makes after it has told comes after that moment);
 * - all consumers known here are still done with it;
 * - there is at least one, and none that found no room here.
 *
 * So nothing goes while a peer cannot be asked, nor soon after a start, when none has been. Marks are in memory: after a
 * start they are made anew. Consumers that are forgotten do not count. One that begins at the earliest begins with what
 * is there: a chunk that was marked before may go a moment later.
 *
 * Rejected: asking each peer before each deletion (one more call for what polls tell anyhow), and deleting at once what
 * is passed here (a consumer that another node has just made would miss it, without having been told).
 *
 * @module
 */
import { type CategoryLimits, limitFor } from "../protocol/category_limits.ts";
import type { Chunk } from "./chunk.ts";
import type { ChunkList } from "./chunk_list.ts";
import type { Clock } from "./clock.ts";

/** What it is built from. */
export interface PassedSeams {
  readonly clock: Pick<Clock, "monotonic">;
  /** The categories that the rule is for. */
  readonly rule: CategoryLimits;
  /** Whether all consumers known here are done with a chunk; `undefined` if the category has none. */
  passed(category: string): ((chunk: Chunk) => boolean) | undefined;
  /** Until when this node has heard of all that happened at every peer; `undefined` if one of them cannot be asked. */
  toldMs(): number | undefined;
}

/** Up to a number, all of an owner's chunks that were here had been passed at a time. */
interface Mark {
  readonly number: number;
  readonly atMs: number;
}

/** What consumers are done with. */
export class PassedChunks {
  readonly #seams: PassedSeams;
  /** By category and owner, of the last look. */
  readonly #marks = new Map<string, ReadonlyMap<string, Mark>>();

  constructor(seams: PassedSeams) {
    this.#seams = seams;
  }

  /**
   * Looks at a category; whether a chunk of it may go. `undefined`: none may.
   *
   * @param spare nothing goes at this look: it says what would, by what is known here
   */
  of(category: string, chunks: ChunkList, spare: boolean): ((chunk: Chunk) => boolean) | undefined {
    const passed = this.#seams.passed(category);
    if (!passed || limitFor(this.#seams.rule, category) === undefined) {
      this.#marks.delete(category);
      return undefined;
    }
    const marked = this.#marks.get(category);
    this.#mark(category, chunks, passed);
    if (spare) return passed;
    const toldMs = this.#seams.toldMs();
    if (!marked || toldMs === undefined) return undefined;
    return (chunk) => {
      const mark = marked.get(chunk.instance);
      return mark !== undefined && chunk.number <= mark.number && mark.atMs <= toldMs && passed(chunk);
    };
  }

  /** Costs what is passed and still here. */
  #mark(category: string, chunks: ChunkList, passed: (chunk: Chunk) => boolean): void {
    const marks = new Map<string, Mark>();
    const atMs = this.#seams.clock.monotonic();
    for (const owner of chunks.owners()) {
      let number = -1;
      for (const chunk of chunks.ofOwner(owner)) {
        if (!chunk.complete || !passed(chunk)) break;
        number = chunk.number;
      }
      if (number >= 0) marks.set(owner, { number, atMs });
    }
    if (marks.size > 0) this.#marks.set(category, marks);
    else this.#marks.delete(category);
  }
}
