/**
 * `chukcha consumers`: who reads what, and how far each is behind.
 *
 * @module
 */
import type { ConsumerInfo } from "../client/mod.ts";
import { formatCursor } from "../protocol/position.ts";
import { formatCount, formatSize } from "../quantities.ts";
import { type Command, EXIT, type Invocation, UsageError } from "./command.ts";
import { categoryArgument, connect, consumerArgument, JSON_FLAG, NODE_FLAGS } from "./connect.ts";
import { columns } from "./help.ts";

/** The command. */
export const consumers: Command = {
  name: "consumers",
  positionals: ["[CATEGORY]"],
  summary: "list the consumers, and how far each is behind",
  about: [
    "One consumer a line: what it has not acknowledged (lag), in how many chunks, how much of that is on lease to its\n" +
    "workers at this node, and, for each owner, its next place. The places are what `chukcha seek` takes.",
    "--forget removes a consumer and its place, on all nodes. Used again, its name begins anew.",
  ],
  flags: [
    { name: "forget", placeholder: "NAME", help: "forget this consumer of CATEGORY" },
    JSON_FLAG,
    ...NODE_FLAGS,
  ],
  examples: [
    ["chukcha consumers", "of all categories"],
    ["chukcha consumers web --json", "of one, with exact numbers, as a JSON array"],
    ["chukcha consumers web --forget indexer", "a consumer that will not come back"],
  ],
  run,
};

async function run({ positionals, flags, env, terminal, signal }: Invocation): Promise<number> {
  const category = positionals[0] === undefined ? undefined : categoryArgument(positionals[0]);
  const client = connect({ flags, env });
  const forgotten = flags.text("forget");
  if (forgotten !== undefined) {
    if (category === undefined) throw new UsageError("--forget: say of which CATEGORY the consumer is");
    await client.forget(category, { consumer: consumerArgument(forgotten, "--forget"), signal });
    return EXIT.ok;
  }
  const found = await client.consumers(category, { signal });
  if (flags.on("json")) await terminal.print(JSON.stringify(found));
  else if (found.length > 0) await terminal.print(consumerTable(found));
  else if (terminal.watched) {
    const whose = category === undefined ? "" : `category "${category}" has `;
    terminal.note(
      `${whose}no consumers yet; \`chukcha tail ${category ?? "CATEGORY"} --consumer NAME\` makes one`,
    );
  }
  return EXIT.ok;
}

/** Several lines, without a `\n` behind the last one. */
export function consumerTable(found: readonly ConsumerInfo[]): string {
  const rows = found.map(({ category, consumer, lag_bytes, lag_chunks, leased_bytes, positions }) => [
    category,
    consumer,
    formatSize(lag_bytes),
    formatCount(lag_chunks),
    formatSize(leased_bytes),
    formatCursor(positions) || "-",
  ]);
  return columns([["category", "consumer", "lag", "chunks", "leased", "next"], ...rows], "");
}
