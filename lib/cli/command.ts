/**
 * What a command is: its words for the help, its flags, and what it does.
 *
 * @module
 */
import type { Flags } from "./flags.ts";
import type { Terminal } from "./terminal.ts";

/** What the exit status of the program means; the help says the same. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** `status` of a node that is not healthy. */
  unhealthy: 10,
  /** Ended by Ctrl-C or SIGTERM before it was done. */
  interrupted: 130,
} as const;

/** One flag of a command. */
export interface Flag {
  /** Without its dashes. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** What stands for the value in the help; absent for a switch. */
  readonly placeholder?: string;
  readonly help: string;
  /** As the help shows it. */
  readonly default?: string;
}

/** What a command is called with. */
export interface Invocation {
  readonly positionals: readonly string[];
  readonly flags: Flags;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly terminal: Terminal;
  /** Aborted by the first Ctrl-C or SIGTERM, with an {@linkcode Interrupted} as its reason. */
  readonly signal: AbortSignal;
}

/** One command. */
export interface Command {
  readonly name: string;
  /** Its positional arguments: `CATEGORY` one, `[CATEGORY]` one or none, `[FILE…]` any number. */
  readonly positionals: readonly string[];
  /** One phrase for the list of commands. */
  readonly summary: string;
  /** Paragraphs for its own help. */
  readonly about: readonly string[];
  readonly flags: readonly Flag[];
  /** Command lines, each with what it does. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** Does it; returns the exit status. */
  run(invocation: Invocation): Promise<number>;
}

/** The command line is wrong: exit status 2, and a pointer to the help. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Something that a person has to be told in one line: exit status 1. */
export class Failure extends Error {
  override readonly name = "Failure";
}

/** Whoever read our output has gone, as `head` does: there is nothing left to do, and nothing wrong. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** Why everything was aborted: Ctrl-C or SIGTERM. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}
