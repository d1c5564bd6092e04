/**
 * Who waits to be told that places of a category's consumers have moved; the category need not exist yet.
 *
 * @module
 */

/** The watchers of the consumers of all categories of a store. */
export class ConsumerWatchers {
  readonly #byCategory = new Map<string, Set<(name: string) => void>>();

  /** Calls `fn` for each change in `category`, until the returned function is called. */
  add(category: string, fn: (name: string) => void): () => void {
    const set = this.#byCategory.get(category) ?? new Set();
    this.#byCategory.set(category, set);
    set.add(fn);
    return () => {
      set.delete(fn);
      if (set.size === 0 && this.#byCategory.get(category) === set) this.#byCategory.delete(category);
    };
  }

  /** Says that the consumer `name` of `category` has moved. */
  notify(category: string, name: string): void {
    this.#byCategory.get(category)?.forEach((fn) => fn(name));
  }
}
