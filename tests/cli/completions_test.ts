/**
 * Completions, by the shells that use them: what they offer is what the table of commands says.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { valueOf } from "../../lib/cli/completion.ts";
import { startLocalNode } from "../support/node.ts";
import { testWith, tool } from "../support/skip.ts";
import { run } from "./program.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const SCRIPT_MS_MAX = 20_000;
/** Command lines with what is offered at their end; a word that is begun is the last one. */
const CASES: readonly (readonly [line: string, offered: readonly string[]])[] = [
  ["ta", ["tail"]],
  ["tail ", ["weather", "web"]],
  ["tail wea", ["weather"]],
  ["tail -n 3 wea", ["weather"]],
  ["tail --from latest w", ["weather", "web"]],
  ["tail web ", []],
  ["tail --from ", ["earliest", "latest"]],
  ["tail --consumer ", []],
  ["tail --cons", ["--consumer"]],
  ["chunks --js", ["--json"]],
  ["write web not", ["note.txt"]],
  ["write web note.txt not", ["note.txt"]],
  ["serve --log-format ", ["json", "text"]],
  ["serve --config not", ["note.txt"]],
  ["completions ", ["bash", "fish", "zsh"]],
  ["help see", ["seek"]],
];

/** What a script prints, run by a shell that finds `chukcha` on its path, in a directory with one file. */
async function scripted(shell: string, script: string): Promise<string> {
  await using node = await startLocalNode();
  await node.write("web", "1\n");
  await node.write("weather", "sun\n");
  const directory = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${directory}/bin`);
    await Deno.writeTextFile(`${directory}/note.txt`, "");
    await Deno.writeTextFile(
      `${directory}/bin/chukcha`,
      `#!/bin/sh\nexec "${Deno.execPath()}" run -A "${MAIN}" "$@"\n`,
      { mode: 0o755 },
    );
    const { code, stdout, stderr } = await run(node.url, ["completions", shell]);
    assertEquals([code, stderr], [0, ""]);
    await Deno.writeFile(`${directory}/completions`, stdout);
    await Deno.writeTextFile(`${directory}/script`, script);
    const ended = await new Deno.Command(shell, {
      args: [...shell === "zsh" ? ["-f"] : [], `${directory}/script`],
      cwd: directory,
      env: {
        CHUKCHA_SERVER: node.url,
        PATH: `${directory}/bin:${Deno.env.get("PATH")}`,
        HOME: directory,
        TERM: "dumb",
        NO_COLOR: "1",
      },
      stdin: "null",
      signal: AbortSignal.timeout(SCRIPT_MS_MAX),
    }).output();
    assertEquals([ended.code, new TextDecoder().decode(ended.stderr)], [0, ""]);
    return new TextDecoder().decode(ended.stdout);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** The lines behind each `== line`, sorted. */
function byLine(output: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const part of output.split("== ").slice(1)) {
    const [line, ...offered] = part.split("\n").map((text) => text.split("\t")[0]!);
    found.set(line!, offered.filter((text) => text !== "").sort());
  }
  return found;
}

testWith(
  "completions bash: everything that the table of commands has, and nothing else",
  [tool("bash")],
  async () => {
    const words = (line: string) => line.split(" ").map((word) => `"${word}"`).join(" ");
    const all = COMMANDS.map(({ name }) => `${name} --`);
    const equals = ["tail --from = ea", "tail --from = latest w"];
    const script = `source completions
offer() {
  COMP_WORDS=(chukcha "\${@:2}") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  [[ $(complete -p chukcha) =~ -F\\ ([^ ]+) ]] && "\${BASH_REMATCH[1]}"
  printf '%s\\n' "== $1" "\${COMPREPLY[@]}"
}
${
      [...CASES.map(([line]) => line), ...all, ...equals].map((line) => `offer "${line}" ${words(line)}`)
        .join("\n")
    }`;
    const found = byLine(await scripted("bash", script));
    for (const [line, offered] of CASES) assertEquals(found.get(line), offered, line);
    for (const { name, flags } of COMMANDS) {
      const wanted = [...flags.map((flag) => `--${flag.name}`), "--help"].sort();
      assertEquals(found.get(`${name} --`), wanted, name);
    }
    // What bash makes of --from=ea, and of --from=latest w.
    assertEquals(equals.map((line) => found.get(line)), [["earliest"], ["weather", "web"]]);
  },
);

testWith("completions fish: the same", [tool("fish")], async () => {
  const all = COMMANDS.map(({ name }) => `${name} --`);
  const lines = [...CASES.map(([line]) => line), ...all];
  const script = `source completions\n${
    lines.map((line) => `echo "== ${line}"\ncomplete -C "chukcha ${line}"`).join("\n")
  }`;
  const found = byLine(await scripted("fish", script));
  for (const [line, offered] of CASES) assertEquals(found.get(line), offered, line);
  for (const { name, flags } of COMMANDS) {
    const wanted = [...flags.map((flag) => `--${flag.name}`), "--help"].sort();
    assertEquals(found.get(`${name} --`), wanted, name);
  }
});

testWith("completions zsh: a word that is begun is completed in a terminal", [tool("zsh")], async () => {
  const lines = CASES.filter(([, offered]) => offered.length === 1).map(([line]) => line);
  // ^T shows what the line has become; all keys are there before the first one is looked at, so nothing is waited for.
  const script = `zmodload zsh/zpty
zpty -b inner "zsh -f -i"
zpty -w inner 'PS1= PS2= ; unsetopt beep; setopt nolistbeep; autoload -U compinit; compinit -u -D; source completions'
zpty -w inner 'show() { print -r -- "[\${BUFFER}]"; BUFFER= }; zle -N show; bindkey "^T" show; print "[rea""dy]"'
zpty -r inner output '*\\[ready\\]*'
for line in ${lines.map((line) => `"${line}"`).join(" ")}; do
  zpty -n -w inner "chukcha $line"$'\\t\\x14'
  zpty -r inner output $'*\\\\[chukcha*\\\\]*'
  print -r -- "== $line"
  print -r -- "\${\${output##*\\[chukcha }%%\\]*}"
done
zpty -d inner`;
  const found = byLine(await scripted("zsh", script));
  for (const [line, [offered]] of CASES.filter(([, offered]) => offered.length === 1)) {
    const wanted = [...line.split(" ").slice(0, -1), offered].join(" ");
    assertEquals(found.get(line)?.map((text) => text.replace(/[= ]$/, "")), [wanted], line);
  }
});

Deno.test("completions: what a placeholder stands for", () => {
  assertEquals(valueOf("[CATEGORY…]").kind, "categories");
  assertEquals(valueOf("[FILE…]").kind, "files");
  assertEquals(valueOf("DIR").kind, "directories");
  assertEquals(valueOf("TIME|off"), { kind: "words", words: ["off"] });
  assertEquals(valueOf("[PATTERN=]SIZE,…").kind, "anything");
  // Each command says what its arguments are in words that are known here.
  assert(COMMANDS.every(({ positionals }) => positionals.every((name) => valueOf(name).kind !== undefined)));
});

Deno.test("completions: of a shell that is not known, it says which ones are", async () => {
  const { code, stderr } = await run("http://127.0.0.1:9", ["completions", "tcsh"]);
  assertEquals([code, stderr.includes('"tcsh" is no shell that is known: bash, zsh or fish')], [2, true]);
});
