/**
 * Histories on file: those in which something was found once, as they were then.
 *
 * A seed means what the generator makes of it, and the generator changes; a history that is written down does not. One
 * line for each step and each fault, so that what changes in a file can be seen.
 *
 * @module
 */
import type { History } from "./history.ts";

const FOUND = new URL("./found/", import.meta.url);

/** A history that is kept, and what was wrong with the node in it. */
export interface Kept {
  readonly name: string;
  readonly cause: string;
  readonly history: History;
}

/** The text of a file. */
export function formatKept(history: History, cause: string): string {
  const { steps, faults, ...options } = history;
  const list = (name: string, items: readonly unknown[]): string =>
    `"${name}":[${items.map((item) => `\n${JSON.stringify(item)}`).join(",")}]`;
  const head = JSON.stringify({ cause, ...options }).slice(0, -1);
  return `${head},\n${list("faults", faults)},\n${list("steps", steps)}}\n`;
}

/** The history of a file's text. */
export function parseKept(name: string, text: string): Kept {
  const { cause, ...history } = JSON.parse(text) as History & { cause: string };
  return { name, cause, history };
}

/** All files of `found/`, by name. */
export function allKept(): Kept[] {
  return Array.from(Deno.readDirSync(FOUND), ({ name }) => name)
    .filter((name) => name.endsWith(".json"))
    .map((name) => parseKept(name.slice(0, -5), Deno.readTextFileSync(new URL(name, FOUND))))
    .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}
