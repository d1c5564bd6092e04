/**
 * Completions for bash, without the package bash-completion: one function that knows all commands.
 *
 * @module
 */
import type { Completed, Value } from "./completion.ts";

/** The script. */
export function bashCompletion(commands: readonly Completed[]): string {
  return `# Completions of chukcha for bash: source <(chukcha completions bash)
_chukcha() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} i place=0
  COMPREPLY=()
  # bash takes --flag=value for three words.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  if ((COMP_CWORD == 1)); then
    _chukcha_words ${commands.map(({ name }) => name).join(" ")}
    return
  fi
  local flags valued positionals repeats
  case \${COMP_WORDS[1]} in
${commands.map(ofCommand).join("\n")}
    *) return ;;
  esac
  for ((i = 2; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      -*)
        # The value of a flag is no argument.
        if [[ \${COMP_WORDS[i + 1]} == = ]]; then
          ((i += 2))
        elif [[ " $valued " == *" \${COMP_WORDS[i]} "* ]]; then
          ((i++))
        fi
        ;;
      *) ((place++)) ;;
    esac
  done
  case "\${COMP_WORDS[1]} $prev" in
${commands.flatMap(flagValues).join("\n")}
  esac
  if [[ $cur == -* ]]; then
    _chukcha_words $flags
    return
  fi
  if [[ $repeats ]] && ((place >= \${#positionals[@]})); then place=$((\${#positionals[@]} - 1)); fi
  case "\${positionals[place]}" in
    files) compopt -o filenames 2>/dev/null; _chukcha_take -f ;;
    directories) compopt -o filenames 2>/dev/null; _chukcha_take -d ;;
    categories) _chukcha_words $(chukcha categories 2>/dev/null) ;;
    anything | "") ;;
    *) _chukcha_words \${positionals[place]} ;;
  esac
}
_chukcha_words() {
  _chukcha_take -W "$*"
}
# Without mapfile, which bash 3 does not have.
_chukcha_take() {
  local found
  while IFS= read -r found; do COMPREPLY+=("$found"); done < <(compgen "$@" -- "$cur")
}
complete -F _chukcha chukcha`;
}

function ofCommand({ name, flags, positionals, repeats }: Completed): string {
  const valued = flags.filter(({ value }) => value !== undefined).flatMap(({ spellings }) => spellings);
  return `    ${name})
      flags="${flags.map(({ spellings }) => spellings[0]).join(" ")}"
      valued="${valued.join(" ")}"
      positionals=(${positionals.map((value) => `"${word(value)}"`).join(" ")})
      repeats=${repeats ? 1 : ""}
      ;;`;
}

/** What can stand behind the flags that have a value. */
function flagValues({ name, flags }: Completed): string[] {
  return flags.flatMap(({ spellings, value }) => {
    if (value === undefined) return [];
    const pattern = spellings.map((spelling) => `"${name} ${spelling}"`).join(" | ");
    return [`    ${pattern}) positionals=("${word(value)}") place=0 repeats= ;;`];
  });
}

function word(value: Value): string {
  return value.kind === "words" ? value.words.join(" ") : value.kind;
}
