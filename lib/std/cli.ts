/**
 * The door to the standard library's argument parser: the npm build ships no types, `cli.d.ts` gives them.
 *
 * @module
 */
// @ts-types="./cli.d.ts"
export * from "deno-std/cli/parse_args.js";
