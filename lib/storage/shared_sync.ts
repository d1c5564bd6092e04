/**
 * One sync for all who need it at the same time.
 *
 * A sync only vouches for what was there when it began. So whoever asks while one is under way waits for the next, and
 * all who ask meanwhile share that one: 10,000 new categories at once sync their parent directory a few times.
 *
 * @module
 */

/** Runs `sync` at most twice for any number of callers at the same time. */
export class SharedSync {
  readonly #sync: () => Promise<void>;
  #current: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(sync: () => Promise<void>) {
    this.#sync = sync;
  }

  /** Resolves after a sync that began after this call; rejects as it does. */
  run(): Promise<void> {
    if (!this.#current) return this.#begin();
    this.#next ??= this.#current.catch(() => {}).then(() => {
      this.#next = undefined;
      return this.#begin();
    });
    return this.#next;
  }

  #begin(): Promise<void> {
    const current = this.#sync().finally(() => {
      if (this.#current === current) this.#current = undefined;
    });
    this.#current = current;
    return current;
  }
}
