/**
 * The README's commands, run as they stand there: a node is started, everything else is one shell script against it,
 * and each `text` block behind a `sh` block is what that printed. Only ports and directories are others, and `npx --yes deno@…` is the Deno that runs this test.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { DEFAULT_SETTINGS, defaultText, environmentName, SETTINGS } from "../lib/settings.ts";
import { startListening } from "./support/listening.ts";
import { testWith, tool } from "./support/skip.ts";

const ROOT = new URL("../", import.meta.url);
const README = await Deno.readTextFile(new URL("README.md", ROOT));
/** A command that waits for ever is a mistake of the README, or of ours. */
const SECONDS_MAX = 60;
const MARK = "--- next block ---";

/** A block of shell commands, and what it prints if the README says so. */
interface Block {
  readonly commands: string;
  readonly prints?: string;
}

const [start, tests, ...others] = blocksOf(README);

Deno.test("README: the first two commands start a node and pass the tests, with this very Deno", () => {
  assertEquals(start!.commands, `npx --yes deno@${Deno.version.deno} run -A main.ts serve\n`);
  assertEquals(tests!.commands, `npx --yes deno@${Deno.version.deno} task test\n`);
  const ci = Deno.readTextFileSync(new URL(".ci/run", ROOT));
  const [, deno] = /^deno="(.*)"$/m.exec(ci)!;
  const called = Array.from(ci.matchAll(/^count \d+ \$deno (.*)$/gm), ([, task]) => `${deno} ${task}\n`);
  assert(called.includes(tests!.commands), `CI calls ${called}`);
});

testWith(
  "README: every command does what it says",
  [tool("bash"), tool("curl"), tool("timeout")],
  async () => {
    const directory = await Deno.makeTempDir();
    await Deno.mkdir(`${directory}/bin`);
    await writeNpx(`${directory}/bin/npx`);
    const env = {
      PATH: `${directory}/bin:${Deno.env.get("PATH")}`,
      CHUKCHA_LISTEN: "127.0.0.1:0",
      CHUKCHA_DATA_DIR: `${directory}/data`,
      NO_COLOR: "1",
    };
    const decade = freeDecade();
    {
      await using node = await startListening("bash", {
        args: ["-c", `exec ${start!.commands}`],
        cwd: ROOT,
        env,
      });
      const script = others.map(({ commands }) =>
        commands.replaceAll("http://127.0.0.1:8080", node.url)
          .replaceAll("127.0.0.1:900", `127.0.0.1:${decade}`)
          .replaceAll("./chukcha-cluster", `${directory}/cluster`)
      );
      // Jobs as a person's shell has them; what a block started must not outlive one that fails.
      const opening = "set -eum -o pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || :' EXIT\n";
      const command = new Deno.Command("timeout", {
        args: [String(SECONDS_MAX), "bash", "-c", `${opening}${script.join(`echo '${MARK}'\n`)}`],
        cwd: ROOT,
        env: { PATH: env.PATH, NO_COLOR: "1", CHUKCHA_SERVER: node.url },
      });
      const { code, stdout, stderr } = await command.output();
      const printed = new TextDecoder().decode(stdout).split(`${MARK}\n`);
      assertEquals(code, 0, `${printed.join("")}${new TextDecoder().decode(stderr)}`);
      assertEquals(printed, others.map(({ prints }, i) => prints ?? printed[i]!));
    }
    await Deno.remove(directory, { recursive: true });
  },
);

Deno.test("README: the table of settings has every setting, with its default", () => {
  const rows = README.split("\n").filter((line) => /^\| `--[a-z-]+` +\| `CHUKCHA_/.test(line));
  const told = rows.map((line) => line.split("|").slice(1, 4).map((cell) => cell.replaceAll("`", "").trim()));
  const expected = SETTINGS.map((row) => [`--${row.flag}`, environmentName(row.flag), defaultText(row)]);
  const plain = (cells: string[][]): string[][] =>
    cells.map((row) => row.map((cell) => cell.replaceAll(" ", "")));
  assertEquals(plain(told), plain(expected));
  assert(Object.keys(DEFAULT_SETTINGS).length > 0);
});

Deno.test("README: every link into the checkout leads somewhere", () => {
  const pages = ["bench", "dependencies", "operations", "security"].map((page) => `docs/${page}.md`);
  for (const path of ["README.md", ...pages]) {
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    for (const [, link] of text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      assert(Deno.statSync(new URL(link!, new URL(path, ROOT))), `${path}: ${link}`);
    }
  }
});

/** What stands for the 900 of 9001, 9002 and 9003, so that these are free. */
function freeDecade(): number {
  for (let tries = 0; tries < 1000; tries++) {
    const decade = 1024 + Math.floor(Math.random() * 2000);
    if ([1, 2, 3].every((i) => isFree(10 * decade + i))) return decade;
  }
  throw new Error("no three ports are free");
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}

function blocksOf(markdown: string): Block[] {
  const fenced = /^```sh\n([\s\S]*?)^```$(?:\n+```text\n([\s\S]*?)^```$)?/gm;
  return Array.from(markdown.matchAll(fenced), ([, commands, prints]) => ({
    commands: commands!,
    ...(prints === undefined ? {} : { prints }),
  }));
}

/** An `npx` that runs this Deno and nothing else: the real one would ask the package registry each time. */
async function writeNpx(path: string): Promise<void> {
  const expected = `--yes deno@${Deno.version.deno}`;
  assertMatch(expected, /^--yes deno@\d/);
  const script =
    `#!/bin/sh\n[ "$1 $2" = "${expected}" ] || exit 99\nshift 2\nexec "${Deno.execPath()}" "$@"\n`;
  await Deno.writeTextFile(path, script, { mode: 0o755 });
}
