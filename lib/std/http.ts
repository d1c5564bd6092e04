/**
 * The door to the standard library's HTTP helpers: the npm build ships no types, `http.d.ts` gives them.
 *
 * @module
 */
// @ts-types="./http.d.ts"
export { accepts } from "deno-std/http/negotiation.js";
// @ts-types="./http.d.ts"
export { ServerSentEventParseStream } from "deno-std/http/server_sent_event_parse_stream.js";
