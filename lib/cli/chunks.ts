/**
 * `chukcha chunks`: the chunks of a category.
 *
 * @module
 */
import type { ChunkInfo } from "../client/mod.ts";
import { type Command, EXIT, type Invocation } from "./command.ts";
import { categoryArgument, connect, JSON_FLAG, NODE_FLAGS } from "./connect.ts";

/** The command. */
export const chunks: Command = {
  name: "chunks",
  positionals: ["CATEGORY"],
  summary: "list the chunks of a category",
  about: ["One chunk a line: its name, its size in bytes, and `complete` or `open`; `damaged` if it is."],
  flags: [JSON_FLAG, ...NODE_FLAGS],
  examples: [
    ["chukcha chunks web", "all that are not acknowledged"],
    ["chukcha chunks web --json", "as a JSON array"],
  ],
  run,
};

async function run({ positionals, flags, env, terminal, signal }: Invocation): Promise<number> {
  const category = categoryArgument(positionals[0]);
  const found = await connect({ flags, env }).listChunks(category, { signal });
  if (flags.on("json")) await terminal.print(JSON.stringify(found));
  else if (found.length > 0) await terminal.print(table(found));
  else if (terminal.watched) terminal.note(`category "${category}" has no chunks`);
  return EXIT.ok;
}

function table(found: readonly ChunkInfo[]): string {
  const nameWidth = Math.max(...found.map(({ name }) => name.length));
  const sizeWidth = Math.max(...found.map(({ size }) => String(size).length));
  return found.map(({ name, size, complete, damaged }) => {
    const state = `${complete ? "complete" : "open"}${damaged ? "  damaged" : ""}`;
    return `${name.padEnd(nameWidth)}  ${String(size).padStart(sizeWidth)}  ${state}`;
  }).join("\n");
}
