/**
 * The names of a store's categories that hold, or held, messages: sorted, and added to as they come. None ever goes.
 *
 * A listing looks at those categories alone that are new since the last one, or had nothing in them then: to ask 100,000
 * of them each time took 10 ms in the order of their places in memory, and 90 in that of their names, nearly all of it
 * waiting for memory.
 *
 * Rejected: sorting the names for each listing (80 ms), and a flag that is kept up to date wherever the first chunk of a
 * category comes or goes (a place that forgets it would be wrong for ever).
 *
 * @module
 */

/** What is asked of a category. */
interface Listed {
  readonly name: string;
  /** Whether anything was ever stored in it. */
  readonly known: boolean;
}

/** With more new names than this, all are sorted again; fewer are put in their places. */
const INSERTED_MAX = 64;

/** Lists categories by name. */
export class CategoryNames {
  readonly #categories: ReadonlyMap<string, Listed>;
  /** Goes on where it was as more come: it is never asked for one that is not there yet. */
  readonly #coming: Iterator<Listed>;
  #seen = 0;
  /** Those that had nothing in them. */
  #empty: Listed[] = [];
  /** Names of the others, in order. */
  readonly #names: string[] = [];

  /** @param categories those there are, as they come; none of them goes */
  constructor(categories: ReadonlyMap<string, Listed>) {
    this.#categories = categories;
    this.#coming = categories.values();
  }

  /** Names of those that anything was ever stored in, sorted; a copy. */
  list(): string[] {
    for (; this.#seen < this.#categories.size; this.#seen++) this.#empty.push(this.#coming.next().value!);
    const found = this.#empty.filter(({ known }) => known);
    if (found.length > 0) {
      this.#empty = this.#empty.filter(({ known }) => !known);
      this.#add(found);
    }
    return this.#names.slice();
  }

  #add(found: readonly Listed[]): void {
    if (found.length > INSERTED_MAX) {
      for (const { name } of found) this.#names.push(name);
      this.#names.sort();
    } else {
      for (const { name } of found) this.#names.splice(placeOf(this.#names, name), 0, name);
    }
  }
}

/** How many of the sorted names come before this one. */
function placeOf(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (names[middle]! < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
