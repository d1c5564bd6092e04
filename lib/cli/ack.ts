/**
 * `chukcha ack`: says that chunks were processed, by everybody, which deletes them everywhere, or by one consumer.
 *
 * @module
 */
import type { ChukchaClient, ChunkInfo } from "../client/mod.ts";
import { formatSize } from "../quantities.ts";
import { type Command, EXIT, type Invocation, UsageError } from "./command.ts";
import { categoryArgument, chunkArgument, connect, consumerArgument, NODE_FLAGS } from "./connect.ts";

/** The command. */
export const ack: Command = {
  name: "ack",
  positionals: ["CATEGORY", "[CHUNK]"],
  summary: "say that a chunk was processed: it is deleted everywhere",
  about: [
    "Only a complete chunk can be acknowledged. Without --size, the size that it is listed with now counts; give the\n" +
    "size that you have read to be sure that nothing is deleted unread.",
    "--all-complete acknowledges every chunk that is complete now, read or not.",
    "With --consumer nothing is deleted: that consumer alone is done with the chunk's bytes from --offset to --size, and\n" +
    "is not given them any more. The chunk need not be complete.",
  ],
  flags: [
    { name: "size", placeholder: "SIZE", help: "bytes that were processed", default: "as listed" },
    { name: "consumer", placeholder: "NAME", help: "only this consumer is done with it" },
    { name: "offset", placeholder: "OFFSET", help: "with --consumer: where it begins", default: "0" },
    { name: "all-complete", help: "every complete chunk of the category" },
    ...NODE_FLAGS,
  ],
  examples: [
    ["chukcha ack web node-chunk000000000 --size 67108864", "what a reader does after its work"],
    ["chukcha ack web --all-complete", "make room"],
    ["chukcha ack web node-chunk000000000 --consumer indexer", "indexer skips this chunk"],
  ],
  run,
};

async function run({ positionals, flags, env, terminal, signal }: Invocation): Promise<number> {
  const category = categoryArgument(positionals[0]);
  const chunk = positionals[1];
  const all = flags.on("all-complete");
  const size = flags.size("size", 0, Number.MAX_SAFE_INTEGER);
  const consumer = flags.text("consumer");
  if (consumer !== undefined) consumerArgument(consumer, "--consumer");
  const offset = flags.size("offset", 0, Number.MAX_SAFE_INTEGER);
  if (offset !== undefined && (all || consumer === undefined)) {
    throw new UsageError("--offset goes with CHUNK and --consumer");
  }
  // Where it begins is always said: workers may have parts of it on lease.
  const whose = consumer === undefined ? {} : { consumer, offset: offset ?? 0 };
  if (all === (chunk !== undefined)) throw new UsageError("give either CHUNK or --all-complete");
  if (all && size !== undefined) throw new UsageError("--size goes with CHUNK, not with --all-complete");
  const client = connect({ flags, env });
  if (chunk !== undefined) {
    chunkArgument(chunk, "CHUNK");
    await client.ack(category, {
      chunk,
      size: size ?? await listedSize(client, category, chunk, signal),
      ...whose,
      signal,
    });
    return EXIT.ok;
  }
  for (const { name, size } of (await client.listChunks(category, { signal })).filter(isComplete)) {
    await client.ack(category, { chunk: name, size, ...whose, signal });
    await terminal.print(`${name}  ${formatSize(size)}`);
  }
  return EXIT.ok;
}

function isComplete({ complete }: ChunkInfo): boolean {
  return complete;
}

/** Size of a chunk; of one that is not listed, 0: the node then says whether it was acknowledged before. */
async function listedSize(
  client: ChukchaClient,
  category: string,
  chunk: string,
  signal: AbortSignal,
): Promise<number> {
  return (await client.listChunks(category, { signal })).find(({ name }) => name === chunk)?.size ?? 0;
}
