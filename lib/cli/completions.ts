/**
 * `chukcha completions`: a script that teaches a shell what can be typed.
 *
 * It is made from the table of commands, so it says what this version knows. The names of categories are asked for when
 * they are needed, of the node that commands would talk to.
 *
 * @module
 */
import { quote } from "../protocol/errors.ts";
import { type Command, EXIT, UsageError } from "./command.ts";
import { type Completed, completed } from "./completion.ts";
import { bashCompletion } from "./completion_bash.ts";
import { fishCompletion } from "./completion_fish.ts";
import { zshCompletion } from "./completion_zsh.ts";

const SHELLS: Readonly<Record<string, (commands: readonly Completed[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** The command; `commands` says of which ones, itself among them. */
export function completionsOf(commands: () => readonly Command[]): Command {
  return {
    name: "completions",
    positionals: ["bash|zsh|fish"],
    summary: "print a script that completes command lines in a shell",
    about: ["It completes commands, flags, some of their values, files, and the categories of the node."],
    flags: [],
    examples: [
      ["source <(chukcha completions bash)", "in ~/.bashrc; the same with zsh in ~/.zshrc, behind compinit"],
      ["chukcha completions fish > ~/.config/fish/completions/chukcha.fish", "once"],
    ],
    async run({ positionals, terminal }) {
      const [shell] = positionals;
      const make = Object.hasOwn(SHELLS, shell!) ? SHELLS[shell!] : undefined;
      if (!make) throw new UsageError(`${quote(shell!)} is no shell that is known: bash, zsh or fish`);
      await terminal.print(make(completed(commands())));
      return EXIT.ok;
    },
  };
}
