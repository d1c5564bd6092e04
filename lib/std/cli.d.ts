// Types of the part of @std/cli that is used here; the sources are the standard library's own.

export interface ParseOptions {
  /** After the first `--`, all that follows goes into `"--"` instead of `_`. */
  "--"?: boolean;
  alias?: Record<string, string | readonly string[]>;
  boolean?: readonly string[] | boolean;
  collect?: readonly string[];
  default?: Record<string, unknown>;
  negatable?: readonly string[];
  stopEarly?: boolean;
  string?: readonly string[];
  /** Called with each argument that is not declared; returning `false` leaves it out of the result. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

export interface ParsedArgs {
  _: (string | number)[];
  "--"?: string[];
  [name: string]: unknown;
}

export function parseArgs(args: readonly string[], options?: ParseOptions): ParsedArgs;
