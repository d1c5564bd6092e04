/**
 * What is counted for each category, with a bound on how many are told apart.
 *
 * Whoever names a category makes one, and each name that monitoring sees costs it memory for weeks. So the first ones
 * that are used have a row of their own, as long as the process lives, and all others share one.
 *
 * @module
 */

/** The counts of one category. All of them only grow. */
export class CategoryRow {
  /** Batches that were stored. */
  batches = 0;
  /** Messages in them. */
  messages = 0;
  /** Bytes in them, each message with its `\n`. */
  writtenBytes = 0;
  /** Bytes of messages that readers were given. */
  readBytes = 0;
  /** Requests that named the category and were refused. */
  refusals = 0;
}

/** Label of all categories that have no row of their own; no category can have this name. */
export const OTHER = "(other)";

/** The rows. */
export class CategoryRows {
  readonly #max: number;
  readonly #rows = new Map<string, CategoryRow>();
  /** Shared by all others. */
  readonly other: CategoryRow = new CategoryRow();

  /** @param max how many categories have rows of their own */
  constructor(max: number) {
    this.#max = max;
  }

  /** The row of a category that holds messages. */
  of(category: string): CategoryRow {
    const known = this.#rows.get(category);
    if (known) return known;
    if (this.#rows.size >= this.#max) return this.other;
    const row = new CategoryRow();
    this.#rows.set(category, row);
    return row;
  }

  /** Whether a category has a row of its own. */
  has(category: string): boolean {
    return this.#rows.has(category);
  }

  /** Every label with its row, that of all others last. */
  *all(): Generator<[label: string, row: CategoryRow]> {
    yield* this.#rows;
    yield [OTHER, this.other];
  }
}
