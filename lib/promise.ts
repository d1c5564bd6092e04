/**
 * What the current settings survive, in one plain sentence: printed at start, and on the status page.
 *
 * @module
 */

/** What the promise depends on. */
export interface PromiseSettings {
  readonly syncEachWrite: boolean;
}

/**
 * The sentence.
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * assertStringIncludes(describePromise({ syncEachWrite: true }), "survives a power loss");
 * ```
 */
export function describePromise({ syncEachWrite }: PromiseSettings): string {
  return syncEachWrite
    ? "A write answered with 200 survives a power loss of this machine, but not the loss of its disk: " +
      "there is no other node to copy it to."
    : "A write answered with 200 survives the death of this process, but not a power loss of this machine " +
      "(--sync-each-write does), nor the loss of its disk: there is no other node to copy it to.";
}
