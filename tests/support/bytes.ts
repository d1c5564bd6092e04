/**
 * Comparing many bytes: `assertEquals` takes a second for a MiB.
 *
 * @module
 */
import { AssertionError } from "@std/assert";

/** Throws at the first byte that differs. */
export function assertBytes(actual: Uint8Array, expected: Uint8Array, what = "bytes"): void {
  const end = Math.min(actual.length, expected.length);
  let at = 0;
  while (at < end && actual[at] === expected[at]) at++;
  if (at === actual.length && at === expected.length) return;
  throw new AssertionError(
    `${what}: ${actual.length} and ${expected.length} bytes differ from byte ${at} on`,
  );
}
