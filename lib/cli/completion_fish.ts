/**
 * Completions for fish: one rule for each command, and for each of its flags.
 *
 * @module
 */
import type { Completed, CompletedFlag, Value } from "./completion.ts";

/** The script. */
export function fishCompletion(commands: readonly Completed[]): string {
  const rules = commands.flatMap((command) => [
    `complete -c chukcha -n __chukcha_begins -a ${command.name} -d ${quoted(command.summary)}`,
    ...command.flags.map((flag) => flagRule(command, flag)),
    ...command.positionals.map((value, i) => positionalRule(command, value, i)),
  ]);
  return `# Completions of chukcha for fish: chukcha completions fish | source
function __chukcha_begins
  test (count (commandline -opc)) -eq 1
end
# Whether this is the command, and, if that is said, so many arguments are there already: at least $argv[2], at most $argv[3].
function __chukcha_is
  set -l words (commandline -opc)
  test (count $words) -gt 1; and test $words[2] = $argv[1]; or return 1
  test (count $argv) -gt 1; or return 0
  set -l count 0
  set -l skips 0
  for word in $words[3..-1]
    if test $skips -eq 1
      set skips 0
    else if string match -q -- '-*' $word
      contains -- $word $argv[4..-1]; and set skips 1
    else
      set count (math $count + 1)
    end
  end
  test $count -ge $argv[2] -a $count -le $argv[3]
end
complete -c chukcha -f
${rules.filter((rule) => rule !== "").join("\n")}`;
}

function flagRule({ name }: Completed, { spellings, help, value }: CompletedFlag): string {
  const [long, short] = spellings;
  const shorter = short === undefined ? "" : ` -s ${short.slice(1)}`;
  return `complete -c chukcha -n '__chukcha_is ${name}' -l ${long!.slice(2)}${shorter}${
    argumentsOf(value)
  } -d ${quoted(help)}`;
}

function positionalRule({ name, flags, positionals, repeats }: Completed, value: Value, i: number): string {
  if (value.kind === "anything") return "";
  const most = repeats && i === positionals.length - 1 ? 999_999 : i;
  const valued = flags.filter((flag) => flag.value !== undefined).flatMap(({ spellings }) => spellings);
  const condition = `__chukcha_is ${name} ${i} ${most} ${valued.join(" ")}`.trimEnd();
  return `complete -c chukcha -n '${condition}'${argumentsOf(value).replace(/^ -[rx]/, "")}`;
}

function argumentsOf(value: Value | undefined): string {
  switch (value?.kind) {
    case undefined:
      return "";
    case "words":
      return ` -x -a ${quoted(value.words.join(" "))}`;
    case "files":
      return " -r -F";
    case "directories":
      return ` -x -a '(__fish_complete_directories)'`;
    case "categories":
      return ` -x -a '(chukcha categories 2>/dev/null)'`;
    case "anything":
      return " -x";
  }
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
