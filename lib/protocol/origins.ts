/**
 * Origins of web pages, as browsers name them: a scheme, a host, and a port where it is not the usual one.
 *
 * ```text
 * https://app.example,http://127.0.0.1:3000      pages from there
 * *                                              pages from everywhere
 * ```
 *
 * @module
 */

/**
 * Parses a list of origins; `undefined` if it is none. Each comes out as browsers send it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseOrigins } from "./origins.ts";
 * assertEquals(parseOrigins("https://App.example:443, *"), ["https://app.example", "*"]);
 * assertEquals(parseOrigins("https://app.example/page"), undefined);
 * ```
 */
export function parseOrigins(text: string): readonly string[] | undefined {
  const parts = text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  const origins = parts.map((part) => part === "*" ? part : originOf(part));
  return origins.every((origin) => origin !== undefined) ? origins : undefined;
}

function originOf(text: string): string | undefined {
  if (!/^https?:\/\/[^/?#@\s]+\/?$/i.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text).origin;
}
