/**
 * The names of a store's categories, sorted: made once, and added to as categories come. None ever goes.
 *
 * Whether a category is listed is asked of all in the order in which they came, which is that of their places in memory:
 * in the order of names, 100,000 of them took 90 ms instead of 10, nearly all of it waiting for memory.
 *
 * Rejected: sorting the names for each listing (80 ms as well), and a flag that is kept up to date wherever the first chunk
 * of a category comes or goes (a place that forgets it would be wrong for ever).
 *
 * @module
 */

/** What is asked of a category. */
interface Listed {
  readonly name: string;
  /** Whether anything was ever stored in it. */
  readonly known: boolean;
}

/** Lists categories by name. */
export class CategoryNames {
  readonly #categories: ReadonlyMap<string, Listed>;
  /** In the order in which they came. */
  readonly #names: string[] = [];
  /** Places in that, by name. */
  readonly #order: number[] = [];
  /** How many were in order when it was asked last. */
  #sorted = 0;

  /** @param categories those there are, as they come */
  constructor(categories: ReadonlyMap<string, Listed>) {
    this.#categories = categories;
  }

  /** Names of those that anything was ever stored in, sorted. */
  list(): string[] {
    const known: boolean[] = [];
    for (const category of this.#categories.values()) {
      const at = known.push(category.known) - 1;
      if (at === this.#names.length) this.#order.push(this.#names.push(category.name) - 1);
    }
    this.#sort();
    return this.#order.filter((at) => known[at]).map((at) => this.#names[at]!);
  }

  /** Costs a look at each, where few have come: what was in order stays so. */
  #sort(): void {
    if (this.#sorted === this.#order.length) return;
    this.#sorted = this.#order.length;
    this.#order.sort((a, b) => this.#names[a]! < this.#names[b]! ? -1 : 1);
  }
}
