/**
 * The bodies that are still on their way in.
 *
 * Owns: their count, and the moment at which there are none. It is here because the runtime's own shutdown cuts off
 * request bodies that are under way: a client in the middle of sending would be told that its body ended early, a 400,
 * and shippers drop what is answered so.
 *
 * @module
 */

/** Counts bodies from the first look at them until they are there, or have failed. */
export class ArrivingBodies {
  #count = 0;
  #waiting: (() => void)[] = [];

  /** One more is on its way. */
  begin(): void {
    this.#count++;
  }

  /** One that was on its way has arrived, or failed. */
  end(): void {
    if (--this.#count === 0) this.#waiting.splice(0).forEach((resolve) => resolve());
  }

  /** Resolves when none is under way. */
  none(): Promise<void> {
    return this.#count === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }
}
