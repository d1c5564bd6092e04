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
  /** Names of the others, in order; another array once one has come. */
  #names: readonly string[] = [];

  /** @param categories those there are, as they come; none of them goes */
  constructor(categories: ReadonlyMap<string, Listed>) {
    this.#categories = categories;
    this.#coming = categories.values();
  }

  /** Names of those that anything was ever stored in, sorted; the same array until there are others. */
  list(): readonly string[] {
    for (; this.#seen < this.#categories.size; this.#seen++) this.#empty.push(this.#coming.next().value!);
    const found = this.#empty.filter(({ known }) => known);
    if (found.length > 0) {
      this.#empty = this.#empty.filter(({ known }) => !known);
      this.#names = withNames(this.#names, found);
    }
    return this.#names;
  }
}

function withNames(sorted: readonly string[], found: readonly Listed[]): readonly string[] {
  const names = sorted.slice();
  if (found.length > INSERTED_MAX) {
    for (const { name } of found) names.push(name);
    return names.sort();
  }
  for (const { name } of found) names.splice(placeOf(names, name), 0, name);
  return names;
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
