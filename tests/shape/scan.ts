/**
 * Reads TypeScript just well enough to know its imports and its words: comments, strings and regular expressions are
 * blanked, so that a rule on words is not fooled by prose. Offsets and lines stay those of the source.
 *
 * Rejected: the module graph that `deno info` prints. It knows the imports, but not the words, and it cannot be fed
 * the planted text by which the rules prove that they can fail.
 *
 * @module
 */

/** One import or re-export of a file. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** `import type`, `export type`: nothing of it is left when the program runs. */
  readonly typeOnly: boolean;
}

/** A file as the rules see it. */
export interface Source {
  /** Path from the root of the checkout, with `/`. */
  readonly path: string;
  readonly text: string;
  /** `text` with the inside of comments, strings and regular expressions replaced by spaces. */
  readonly words: string;
  readonly imports: readonly Import[];
}

/** Reads one file's text. */
export function scan(path: string, text: string): Source {
  const words = blank(text);
  return { path, text, words, imports: findImports(text, words) };
}

/** The line of an offset, counted from 1. */
export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

/** `from "x"`, `import "x"`, `import("x")`; the words hold the quotes, the text holds what is between them. */
function findImports(text: string, words: string): Import[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*)(["'])( *)\1/dg;
  return Array.from(words.matchAll(pattern), (match) => {
    const [start, end] = match.indices![2]!;
    return {
      specifier: text.slice(start, end),
      line: lineOf(text, match.index),
      typeOnly: isTypeOnly(words.slice(0, match.index)),
    };
  });
}

/** Whether the statement that these words end with began as `import type` or `export type`. */
function isTypeOnly(before: string): boolean {
  const begin = Array.from(before.matchAll(/\b(?:import|export)\b/g)).at(-1)?.index ?? before.length;
  return /^(?:import|export)\s+type\s/.test(before.slice(begin));
}

/**
 * In order: line comment, block comment, the three quoted forms, and a regular expression where one can begin. Code
 * within a template's `${}` is blanked too, which is all right for imports and leaves it unseen by rules on words.
 */
const TOKEN = new RegExp(
  [
    /\/\/[^\n]*/,
    /\/\*[\s\S]*?\*\//,
    /"(?:[^"\\\n]|\\[\s\S])*"/,
    /'(?:[^'\\\n]|\\[\s\S])*'/,
    /`(?:[^`\\]|\\[\s\S])*`/,
    /(?<=(?:[(,=:[!&|?{};>]|\breturn)\s*)\/(?![/*])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\//,
  ].map((part) => part.source).join("|"),
  "g",
);

function blank(text: string): string {
  return text.replace(TOKEN, (token) => {
    if (token.startsWith("//") || token.startsWith("/*")) return spaces(token);
    return token[0] + spaces(token.slice(1, -1)) + token.at(-1);
  });
}

function spaces(text: string): string {
  return text.replace(/[^\n]/g, " ");
}
