/**
 * From the arguments of the program to its exit status: finds the command, runs it, and tells what went wrong.
 *
 * @module
 */
import { didYouMean } from "../suggest.ts";
import { quote } from "../protocol/errors.ts";
import { type Command, EXIT, Interrupted, OutputClosed, UsageError } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { explain } from "./explain.ts";
import { parseLine } from "./flags.ts";
import { commandHelp, overview } from "./help.ts";
import { onSignals } from "./signals.ts";
import { Terminal } from "./terminal.ts";

/** Runs the program; returns its exit status. */
export async function run(args: readonly string[], terminal: Terminal = new Terminal()): Promise<number> {
  const [first, ...rest] = args;
  const name = SPELLINGS[first ?? ""] ?? first;
  if (name === undefined) {
    terminal.note(overview(COMMANDS));
    return EXIT.usage;
  }
  if (name === "help") return await help(rest[0], terminal);
  const command = COMMANDS.find((command) => command.name === name);
  if (!command) return unknownCommand(name, terminal);
  return await runCommand(command, rest, terminal);
}

/** What people type by habit. */
const SPELLINGS: Readonly<Record<string, string>> = {
  "--help": "help",
  "-h": "help",
  "--version": "version",
  "-V": "version",
};

async function help(topic: string | undefined, terminal: Terminal): Promise<number> {
  const command = COMMANDS.find(({ name }) => name === topic);
  if (topic !== undefined && !command) return unknownCommand(topic, terminal);
  return await ending(
    async () => {
      await terminal.print(command ? commandHelp(command) : overview(COMMANDS));
      return EXIT.ok;
    },
    "chukcha help",
    terminal,
  );
}

function unknownCommand(name: string, terminal: Terminal): number {
  const known = [...COMMANDS.map((command) => command.name), "help"];
  terminal.note(`chukcha: ${quote(name)}: no such command${didYouMean(name, known)}; see \`chukcha help\``);
  return EXIT.usage;
}

async function runCommand(command: Command, args: readonly string[], terminal: Terminal): Promise<number> {
  const signals = onSignals();
  const status = await ending(
    async () => {
      const { positionals, flags } = parseLine(command, args);
      if (flags.on("help")) {
        await terminal.print(commandHelp(command));
        return EXIT.ok;
      }
      return await command.run({
        positionals,
        flags,
        env: Deno.env.toObject(),
        terminal,
        signal: signals.signal,
      });
    },
    `chukcha ${command.name}`,
    terminal,
  );
  signals.release();
  return status;
}

/** Turns every way in which something can end into an exit status, and the line that goes with it. */
async function ending(act: () => Promise<number>, who: string, terminal: Terminal): Promise<number> {
  try {
    return await act();
  } catch (error) {
    terminal.progress();
    if (error instanceof OutputClosed) return EXIT.ok;
    if (error instanceof Interrupted) return EXIT.interrupted;
    if (error instanceof UsageError) {
      terminal.note(`${who}: ${error.message}; see \`${who} --help\``);
      return EXIT.usage;
    }
    terminal.note(`${who}: ${explain(error)}`);
    return (error as Error).cause instanceof Interrupted ? EXIT.interrupted : EXIT.failed;
  }
}
