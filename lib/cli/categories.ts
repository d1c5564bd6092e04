/**
 * `chukcha categories`: the names of all categories.
 *
 * @module
 */
import { type Command, EXIT, type Invocation } from "./command.ts";
import { connect, JSON_FLAG, NODE_FLAGS } from "./connect.ts";

/** The command. */
export const categories: Command = {
  name: "categories",
  positionals: [],
  summary: "list the categories",
  about: ["One name a line, sorted."],
  flags: [JSON_FLAG, ...NODE_FLAGS],
  examples: [
    ["chukcha categories", "all names"],
    ["chukcha categories --json", "as a JSON array"],
  ],
  run,
};

async function run({ flags, env, terminal, signal }: Invocation): Promise<number> {
  const names = await connect({ flags, env }).listCategories({ signal });
  if (flags.on("json")) await terminal.print(JSON.stringify(names));
  else if (names.length > 0) await terminal.print(names.toSorted().join("\n"));
  else if (terminal.watched) {
    terminal.note("no categories yet; `echo hello | chukcha write greetings` makes one");
  }
  return EXIT.ok;
}
