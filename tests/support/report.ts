/**
 * Figures that a test run prints: how long something took is worth knowing, also where it is no reason to fail.
 *
 * @module
 */

/** Prints one line. */
export function report(line: string): void {
  // deno-lint-ignore no-console
  console.info(line);
}
