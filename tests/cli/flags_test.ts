/**
 * The command line: what it is taken for, and what it refuses.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { type Command, UsageError } from "../../lib/cli/command.ts";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { parseLine } from "../../lib/cli/flags.ts";
import { commandHelp } from "../../lib/cli/help.ts";

const command: Command = {
  name: "try",
  positionals: ["CATEGORY", "[CHUNK]"],
  summary: "try it",
  about: [],
  flags: [
    { name: "sync", help: "a switch" },
    { name: "count", short: "n", placeholder: "N", help: "a value" },
  ],
  examples: [],
  run: () => Promise.resolve(0),
};

Deno.test("parseLine takes flags wherever they stand, and positionals as text", () => {
  for (
    const line of ["1e3 --sync --count 5", "--count=5 1e3 --sync", "-n5 --sync 1e3", "--sync=true -n 5 1e3"]
  ) {
    const { positionals, flags } = parseLine(command, line.split(" "));
    assertEquals(positionals, ["1e3"]);
    assertEquals([flags.on("sync"), flags.text("count"), flags.count("count", 1, 9)], [true, "5", 5]);
  }
  assertEquals(parseLine(command, ["--", "--sync"]).positionals, ["--sync"]);
  assertEquals(parseLine(command, ["-"]).positionals, ["-"]);
  assertEquals(parseLine(command, ["c", "--sync=false"]).flags.on("sync"), false);
});

Deno.test("parseLine names what it refuses", () => {
  const wanted: [string, string][] = [
    ["", "CATEGORY is missing"],
    ["a b c", `"c": one argument too many`],
    ["a --snyc", "--snyc: no such flag (did you mean --sync?)"],
    ["a -x", "-x: no such flag"],
    ["a --count", "--count: needs a value: --count N"],
    ["a --count --sync", "--count: needs a value: --count N"],
    ["a --sync=no", `--sync: "no" is not true or false`],
  ];
  for (const [line, message] of wanted) {
    const args = line.split(" ").filter((arg) => arg !== "");
    assertEquals(assertThrows(() => parseLine(command, args), UsageError).message, message);
  }
  const { flags } = parseLine(command, ["a", "-n", "10"]);
  assertThrows(
    () => flags.count("count", 1, 9),
    UsageError,
    `--count: "10" is not a whole number from 1 to 9`,
  );
});

Deno.test("every command has help with all of its flags and at least one example", () => {
  for (const command of COMMANDS) {
    const help = commandHelp(command);
    for (const { name } of command.flags) {
      assertEquals(help.includes(`--${name}`), true, `${command.name} --${name}`);
    }
    assertEquals(command.examples.length > 0, true, command.name);
  }
});
