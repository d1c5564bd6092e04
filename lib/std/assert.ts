/**
 * The door to the standard library's assertions: the npm build ships no types, `assert.d.ts` gives them.
 *
 * @module
 */
// @ts-types="./assert.d.ts"
export * from "deno-std/assert/mod.js";
