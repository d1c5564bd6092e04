/**
 * The version of the program, as a constant: a compiled program has no `deno.json` to read it from.
 *
 * @module
 */

/** Semantic version; equal to the one in `deno.json`, which a test holds. */
export const VERSION = "0.1.0";
