/**
 * The door to the standard library's streams: the npm build ships no types, `streams.d.ts` gives them.
 *
 * @module
 */
// @ts-types="./streams.d.ts"
export * from "deno-std/streams/text_line_stream.js";
