/**
 * Completions for zsh, by its `_arguments`: to be sourced, or put into `$fpath` as `_chukcha`.
 *
 * @module
 */
import type { Completed, CompletedFlag, Value } from "./completion.ts";

/** The script. */
export function zshCompletion(commands: readonly Completed[]): string {
  return `#compdef chukcha
# Completions of chukcha for zsh: source <(chukcha completions zsh)
_chukcha() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe -t commands command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${commands.map(ofCommand).join("\n")}
  esac
}
_chukcha_categories() {
  local -a names
  names=(\${(f)"$(_call_program categories chukcha categories 2>/dev/null)"})
  compadd -a names
}
if [[ $funcstack[1] == _chukcha ]]; then
  _chukcha "$@"
else
  compdef _chukcha chukcha
fi`;
}

function ofCommand({ name, flags, positionals, repeats }: Completed): string {
  const specs = [
    ...flags.map(flagSpec),
    ...positionals.map((value, i) => {
      const place = repeats && i === positionals.length - 1 ? "*" : `${i + 1}`;
      return quoted(`${place}: :${action(value)}`);
    }),
  ];
  return `    ${name})
      _arguments \\
${specs.map((spec) => `        ${spec}`).join(" \\\n")}
      ;;`;
}

/** Every spelling of a flag excludes the others. */
function flagSpec({ spellings, help, value }: CompletedFlag): string {
  const text = `[${help.replace(/[[\]:\\]/g, "\\$&")}]`;
  const excluded = spellings.length > 1 ? `(${spellings.join(" ")})` : "";
  return spellings.map((spelling) => {
    const takes = value === undefined ? "" : spelling.startsWith("--") ? "=" : "+";
    const argument = value === undefined ? "" : `: :${action(value)}`;
    return quoted(`${excluded}${spelling}${takes}${text}${argument}`);
  }).join(" \\\n        ");
}

function action(value: Value): string {
  switch (value.kind) {
    case "words":
      return `(${value.words.join(" ")})`;
    case "files":
      return "_files";
    case "directories":
      return "_files -/";
    case "categories":
      return "_chukcha_categories";
    case "anything":
      return " ";
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
