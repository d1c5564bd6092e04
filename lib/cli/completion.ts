/**
 * What can stand at a place of a command line, as far as the table of commands says: what completions are made from.
 *
 * @module
 */
import type { Command, Flag } from "./command.ts";
import { HELP_FLAG } from "./flags.ts";

/** What can stand there: some words, a path, a name that a node knows, or anything. */
export type Value =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "files" | "directories" | "categories" | "anything" };

/** One flag. */
export interface CompletedFlag {
  /** As it is typed: `--count`, and `-n` if it has a short form. */
  readonly spellings: readonly string[];
  readonly help: string;
  /** What follows it; absent for a switch. */
  readonly value?: Value;
}

/** One command, as completions see it. */
export interface Completed {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly CompletedFlag[];
  /** One for each positional argument. */
  readonly positionals: readonly Value[];
  /** The last one may come again. */
  readonly repeats: boolean;
}

/** All commands, `help` among them. */
export function completed(commands: readonly Command[]): Completed[] {
  const names = { kind: "words", words: commands.map(({ name }) => name) } as const;
  return [
    ...commands.map(({ name, summary, flags, positionals }) => ({
      name,
      summary,
      flags: [...flags, HELP_FLAG].map(flagOf),
      positionals: positionals.map(valueOf),
      repeats: positionals.some((positional) => positional.includes("…")),
    })),
    { name: "help", summary: "show what a command does", flags: [], positionals: [names], repeats: false },
  ];
}

function flagOf({ name, short, placeholder, help }: Flag): CompletedFlag {
  const spellings = [`--${name}`, ...short === undefined ? [] : [`-${short}`]];
  return { spellings, help, ...placeholder !== undefined && { value: valueOf(placeholder) } };
}

/** What a placeholder stands for: `FILE`, `[CATEGORY…]`, `earliest|latest|TIME`. */
export function valueOf(placeholder: string): Value {
  const bare = placeholder.replace(/^\[|…?\]$/g, "");
  if (bare === "FILE") return { kind: "files" };
  if (bare === "DIR") return { kind: "directories" };
  if (bare === "CATEGORY") return { kind: "categories" };
  // What is written small is meant as it is.
  const words = bare.includes("|") ? bare.split("|").filter((word) => /^[a-z]+$/.test(word)) : [];
  return words.length > 0 ? { kind: "words", words } : { kind: "anything" };
}
