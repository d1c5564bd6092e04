/**
 * `chukcha seek`: has a consumer go on elsewhere.
 *
 * @module
 */
import { parseCursor, parseFrom } from "../protocol/position.ts";
import { type Command, EXIT, type Invocation, UsageError } from "./command.ts";
import { categoryArgument, connect, consumerArgument, JSON_FLAG, NODE_FLAGS } from "./connect.ts";
import { consumerTable } from "./consumers.ts";

/** The command. */
export const seek: Command = {
  name: "seek",
  positionals: ["CATEGORY", "CONSUMER", "TO"],
  summary: "have a consumer go on elsewhere: earliest, latest, a time or a place",
  about: [
    "TO is earliest (everything that is still there, again), latest (only what comes from now on), a time like\n" +
    "2026-11-22T10:00:00Z (UTC if it names no zone) or milliseconds since 1970, or places as `chukcha consumers` prints\n" +
    "them, CHUNK:OFFSET[,CHUNK:OFFSET…]; an owner that no place names stays where it is.",
    "What its workers have on lease is handed out anew, and what they acknowledge of it does not count. A consumer that\n" +
    "does not exist is made.",
  ],
  flags: [JSON_FLAG, ...NODE_FLAGS],
  examples: [
    ["chukcha seek web indexer earliest", "process everything once more"],
    ["chukcha seek web indexer 2026-11-22T10:00:00Z", "what came since a time"],
    ["chukcha seek web indexer node-chunk000000007:4096", "from a place on"],
  ],
  run,
};

async function run({ positionals, flags, env, terminal, signal }: Invocation): Promise<number> {
  const category = categoryArgument(positionals[0]);
  const consumer = consumerArgument(positionals[1]!, "CONSUMER");
  const to = targetArgument(positionals[2]!);
  const client = connect({ flags, env });
  const isKnown = (await client.consumers(category, { signal })).some((info) => info.consumer === consumer);
  const info = await client.seek(category, { consumer, to, signal });
  if (!isKnown) {
    terminal.note(
      `chukcha seek: category "${category}" had no consumer "${consumer}" before; it has one now`,
    );
  }
  await terminal.print(flags.on("json") ? JSON.stringify(info) : consumerTable([info]));
  return EXIT.ok;
}

function targetArgument(text: string) {
  try {
    if (text.includes(":") && text.includes("-chunk")) return parseCursor(text, "TO");
    parseFrom(text, "TO");
    return text;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}, or a place like node-chunk000000000:4096`);
  }
}
