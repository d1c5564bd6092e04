/**
 * The command line of one command, taken apart and checked against the flags that the command has.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { quote } from "../protocol/errors.ts";
import { DURATION_RULE, parseDuration, parseSize, SIZE_RULE } from "../quantities.ts";
import { didYouMean } from "../suggest.ts";
import { type Command, type Flag, UsageError } from "./command.ts";

/** Flag of every command. */
export const HELP_FLAG: Flag = { name: "help", short: "h", help: "show this help" };

/** The flags that were given. */
export class Flags {
  readonly #given: ReadonlyMap<string, string | true>;

  constructor(given: ReadonlyMap<string, string | true>) {
    this.#given = given;
  }

  /** Whether a switch was given. */
  on(name: string): boolean {
    return this.#given.get(name) === true;
  }

  /** The text of a flag. */
  text(name: string): string | undefined {
    const value = this.#given.get(name);
    return typeof value === "string" ? value : undefined;
  }

  /** The bytes of a size, within bounds. */
  size(name: string, min: number, max: number): number | undefined {
    return this.#parsed(
      name,
      `${SIZE_RULE}, from ${min} to ${max}`,
      (text) => within(parseSize(text), min, max),
    );
  }

  /** The milliseconds of a duration, within bounds. */
  duration(name: string, minMs: number, maxMs: number): number | undefined {
    return this.#parsed(name, DURATION_RULE, (text) => within(parseDuration(text), minMs, maxMs));
  }

  /** A whole number, within bounds. */
  count(name: string, min: number, max: number): number | undefined {
    const parse = (text: string) => /^\d{1,15}$/.test(text) ? within(Number(text), min, max) : undefined;
    return this.#parsed(name, `a whole number from ${min} to ${max}`, parse);
  }

  /** All that were given, by name: what `serve` resolves its settings from. */
  entries(): Record<string, string | true> {
    return Object.fromEntries(this.#given);
  }

  #parsed<T>(name: string, rule: string, parse: (text: string) => T | undefined): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === undefined) throw new UsageError(`--${name}: ${quote(text)} is not ${rule}`);
    return value;
  }
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

/** What follows the name of a command. */
export interface ParsedLine {
  readonly positionals: readonly string[];
  readonly flags: Flags;
}

/**
 * Takes the arguments of a command apart.
 *
 * @throws UsageError naming the flag or the argument, and the rule
 */
export function parseLine(command: Command, args: readonly string[]): ParsedLine {
  const flags = [...command.flags, HELP_FLAG];
  const switches = flags.filter(({ placeholder }) => placeholder === undefined).map(({ name }) => name);
  const valued = flags.filter(({ placeholder }) => placeholder !== undefined);
  checkSwitchValues(args, switches);
  const parsed = parseArgs(args, {
    // "_" keeps a category like 1e3 the text that it is.
    string: [...valued.map(({ name }) => name), "_"],
    boolean: switches,
    alias: Object.fromEntries(flags.flatMap(({ name, short }) => short === undefined ? [] : [[name, short]])),
    unknown: (arg) => {
      if (!arg.startsWith("-") || arg === "-") return true;
      const name = arg.replace(/^-+/, "").replace(/=.*$/s, "");
      if (name === "token") {
        // Without its value.
        throw new UsageError(
          "--token: a token on a command line can be read by every user of the machine; " +
            "put it into a file for --token-file, or into CHUKCHA_TOKEN",
        );
      }
      throw new UsageError(`${arg}: no such flag${didYouMean(name, flags.map((flag) => flag.name), "--")}`);
    },
  });
  const given = new Map<string, string | true>();
  for (const name of switches) if (parsed[name] === true) given.set(name, true);
  for (const { name, placeholder } of valued) {
    const value = parsed[name];
    if (typeof value !== "string") continue;
    if (value === "") throw new UsageError(`--${name}: needs a value: --${name} ${placeholder}`);
    given.set(name, value);
  }
  const positionals = parsed._.map(String);
  if (!given.has("help")) checkPositionals(command, positionals);
  return { positionals, flags: new Flags(given) };
}

/** The parser takes every value of a switch but `false` for true; a `--sync=no` must not mean yes. */
function checkSwitchValues(args: readonly string[], switches: readonly string[]): void {
  const end = args.indexOf("--");
  for (const arg of end < 0 ? args : args.slice(0, end)) {
    const match = /^--([^=]+)=(.*)$/s.exec(arg);
    if (match && switches.includes(match[1]!) && !/^(true|false)$/.test(match[2]!)) {
      throw new UsageError(`--${match[1]}: ${quote(match[2]!)} is not true or false`);
    }
  }
}

function checkPositionals({ positionals: wanted }: Command, given: readonly string[]): void {
  const required = wanted.filter((name) => !name.startsWith("["));
  const missing = required[given.length];
  if (missing !== undefined) throw new UsageError(`${missing} is missing`);
  const unbounded = wanted.some((name) => name.includes("…"));
  const extra = unbounded ? undefined : given[wanted.length];
  if (extra !== undefined) throw new UsageError(`${quote(extra)}: one argument too many`);
}
