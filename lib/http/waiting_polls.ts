/**
 * The long polls of other nodes that wait here: bounded for each of them.
 *
 * A node has one poll under way at a time. A few more are those that it gave up and of which this node has not heard
 * that yet; a whole crowd is somebody who uses its name, and must not hold memory for each.
 *
 * @module
 */
import { ChukchaError, quote } from "../protocol/errors.ts";
import { REPLICATION_POLLS_MAX } from "../protocol/limits.ts";

/** Counts polls by who asks. */
export class WaitingPolls {
  readonly #byInstance = new Map<string, number>();

  /** Runs `wait` as one poll of `instance`; throws `overloaded` at the bound. */
  async during<T>(instance: string, wait: () => Promise<T>): Promise<T> {
    const count = this.#byInstance.get(instance) ?? 0;
    if (count >= REPLICATION_POLLS_MAX) {
      throw new ChukchaError(
        "overloaded",
        `changes: ${count} polls of ${quote(instance)} wait here, the most there may be`,
      );
    }
    this.#byInstance.set(instance, count + 1);
    try {
      return await wait();
    } finally {
      const left = this.#byInstance.get(instance)! - 1;
      if (left > 0) this.#byInstance.set(instance, left);
      else this.#byInstance.delete(instance);
    }
  }
}
