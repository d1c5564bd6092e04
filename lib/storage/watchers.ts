/**
 * Who waits for news of a category, which need not exist yet.
 *
 * A watcher is told once that something was published, then asks the category itself: nothing is queued for it, so a
 * slow one costs nothing.
 *
 * @module
 */

/** The watchers of all categories of a store. */
export class Watchers {
  readonly #byCategory = new Map<string, Set<() => void>>();

  /** Calls `notify` whenever bytes are published in `category`, until the returned function is called. */
  add(category: string, notify: () => void): () => void {
    const set = this.#byCategory.get(category) ?? new Set();
    this.#byCategory.set(category, set);
    set.add(notify);
    return () => {
      set.delete(notify);
      if (set.size === 0 && this.#byCategory.get(category) === set) this.#byCategory.delete(category);
    };
  }

  /** Whether anybody watches `category`. */
  has(category: string): boolean {
    return this.#byCategory.size > 0 && this.#byCategory.has(category);
  }

  /** Tells the watchers of `category`. */
  notify(category: string): void {
    if (this.#byCategory.size === 0) return;
    this.#byCategory.get(category)?.forEach((notify) => notify());
  }
}
