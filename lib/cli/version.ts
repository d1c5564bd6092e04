/**
 * `chukcha version`.
 *
 * @module
 */
import { VERSION } from "../version.ts";
import { type Command, EXIT, type Invocation } from "./command.ts";
import { JSON_FLAG } from "./connect.ts";

/** The command. */
export const version: Command = {
  name: "version",
  positionals: [],
  summary: "print the version",
  about: ["Of the program, of the runtime that it runs on, and of the platform."],
  flags: [JSON_FLAG],
  examples: [["chukcha version", `chukcha ${VERSION} (deno …, x86_64-unknown-linux-gnu)`]],
  run,
};

async function run({ flags, terminal }: Invocation): Promise<number> {
  const found = { version: VERSION, deno: Deno.version.deno, platform: Deno.build.target };
  await terminal.print(
    flags.on("json")
      ? JSON.stringify(found)
      : `chukcha ${found.version} (deno ${found.deno}, ${found.platform})`,
  );
  return EXIT.ok;
}
