/**
 * The help: of the whole program, and of each command, out of the same descriptions that are parsed by.
 *
 * @module
 */
import type { Command, Flag } from "./command.ts";
import { HELP_FLAG } from "./flags.ts";

const EXIT_STATUS = `Exit status:
  0    done
  1    failed; stderr says why. \`verify\`: something is damaged
  2    the command line is wrong
  10   \`status\`: the node is not healthy
  130  ended by Ctrl-C or SIGTERM before it was done`;

/** Lines of columns, each as wide as its widest cell. */
export function columns(rows: readonly (readonly string[])[], indent = "  "): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length));
  const line = (row: readonly string[]) => row.map((cell, i) => cell.padEnd(widths[i]!)).join("  ");
  return rows.map((row) => `${indent}${line(row)}`.trimEnd()).join("\n");
}

/** Help of the whole program. */
export function overview(commands: readonly Command[]): string {
  return `chukcha - an easy distributed event bus

Usage: chukcha COMMAND [ARGUMENT…] [--flag…]

Commands:
${columns(commands.map(({ name, positionals, summary }) => [[name, ...positionals].join(" "), summary]))}

Try it:
  chukcha serve &
  echo hello | chukcha write greetings
  chukcha tail greetings

\`chukcha COMMAND --help\` tells more about each.

Environment:
  CHUKCHA_SERVER  the node that commands talk to (http://127.0.0.1:8080)
  CHUKCHA_CONFIG  the configuration file of \`serve\`
  CHUKCHA_…       each setting of \`serve\`, as its help lists them

${EXIT_STATUS}`;
}

/** Help of one command. */
export function commandHelp({ name, positionals, summary, about, flags, examples }: Command): string {
  const usage = ["chukcha", name, ...positionals, "[--flag…]"].join(" ");
  return [
    `${usage}\n${summary[0]!.toUpperCase()}${summary.slice(1)}.`,
    ...about,
    `Flags:\n${columns([...flags, HELP_FLAG].map(describe))}`,
    `Examples:\n${examples.map(([line, what]) => `  ${line}\n      ${what}`).join("\n")}`,
    EXIT_STATUS,
  ].join("\n\n");
}

function describe(flag: Flag): [string, string] {
  const short = flag.short === undefined ? "" : `-${flag.short}, `;
  const value = flag.placeholder === undefined ? "" : ` ${flag.placeholder}`;
  const fallback = flag.default === undefined ? "" : ` (default: ${flag.default})`;
  return [`${short}--${flag.name}${value}`, `${flag.help}${fallback}`];
}
