/**
 * The door to the standard library's YAML parser: the npm build ships no types, `yaml.d.ts` gives them.
 *
 * @module
 */
// @ts-types="./yaml.d.ts"
export * from "deno-std/yaml/parse.js";
