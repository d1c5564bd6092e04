/**
 * `chukcha read`: every message of every chunk, once, to stdout; with `--consumer`, those that it has not acknowledged.
 *
 * @module
 */
import { type ChukchaClient, ChukchaError, type ChunkInfo } from "../client/mod.ts";
import { KIB, READ_BYTES_MAX } from "../protocol/limits.ts";
import { formatDuration, formatSize } from "../quantities.ts";
import { ChunkCopy } from "./chunk_copy.ts";
import { type Command, EXIT, Failure, type Invocation, UsageError } from "./command.ts";
import { categoryArgument, chunkArgument, connect, consumerArgument, NODE_FLAGS } from "./connect.ts";
import { COUNT_FLAG, MessageLimit } from "./message_limit.ts";
import { Progress } from "./progress.ts";
import { readAsConsumer, type ReadConsumerOptions } from "./read_consumer.ts";
import { RETRY_FLAG, RETRY_FOR_MS_DEFAULT, RETRY_FOR_MS_MAX } from "./retry.ts";

/** The command. */
export const read: Command = {
  name: "read",
  positionals: ["CATEGORY"],
  summary: "print every message that is there, once",
  about: [
    "Chunk by chunk, in the order in which they are listed, up to the sizes that they have at the start. The bytes come\n" +
    "as they were written. Nothing is acknowledged by it.",
    "When a connection breaks, the reading goes on at the byte where it stopped. A chunk that somebody acknowledges\n" +
    "meanwhile is left out, with a note.",
    "With --consumer it prints what that consumer has not acknowledged, as much as there is at the start, and\n" +
    "acknowledges what was printed: the next time it prints what came since.",
  ],
  flags: [
    { name: "chunk", placeholder: "NAME", help: "only this chunk" },
    {
      name: "consumer",
      placeholder: "NAME",
      help: "read as this consumer, and acknowledge what was printed",
    },
    COUNT_FLAG,
    { name: "max-size", placeholder: "SIZE", help: "bytes to ask for at once", default: "16MiB" },
    RETRY_FLAG,
    ...NODE_FLAGS,
  ],
  examples: [
    ["chukcha read web > all.log", "into a file"],
    ["chukcha read web | grep -c ' 500 '", "into a pipe"],
    ["chukcha read web --chunk node-chunk000000000", "one chunk"],
    ["chukcha read web --consumer nightly > new.log", "what came since this ran last"],
  ],
  run,
};

async function run({ positionals, flags, env, terminal, signal }: Invocation): Promise<number> {
  const category = categoryArgument(positionals[0]);
  const rangeBytes = flags.size("max-size", KIB, READ_BYTES_MAX) ?? READ_BYTES_MAX;
  const retryForMs = flags.duration("retry-for", 0, RETRY_FOR_MS_MAX) ?? RETRY_FOR_MS_DEFAULT;
  const limit = MessageLimit.of(flags);
  const chunk = flags.text("chunk");
  if (chunk !== undefined) chunkArgument(chunk, "--chunk");
  const consumer = flags.text("consumer");
  if (consumer !== undefined) consumerArgument(consumer, "--consumer");
  if (consumer !== undefined && chunk !== undefined) {
    throw new UsageError("give either --chunk or --consumer: a consumer reads whatever is next");
  }
  const client = connect({ flags, env });
  const note = (line: string) => terminal.note(`chukcha read: ${line}`);
  const isShown = terminal.watched && !terminal.outputIsTerminal;
  let progress = new Progress(terminal, { enabled: false });
  const options = {
    category,
    rangeBytes,
    retryForMs,
    limit,
    signal,
    note,
    begin: (totalBytes: number) => void (progress = new Progress(terminal, { enabled: isShown, totalBytes })),
    write: async (bytes: Uint8Array) => {
      await terminal.write(bytes);
      progress.add(bytes.length);
    },
  };
  if (consumer !== undefined) {
    await readAsConsumer(client, { ...options, consumer });
  } else {
    const chunks = chosen(await client.listChunks(category, { signal }), category, chunk);
    if (chunks.length === 0 && terminal.watched) terminal.note(`category "${category}" has no chunks`);
    await readChunks(client, chunks, options);
  }
  progress.end();
  if (isShown) terminal.note(`${formatSize(progress.bytes)} read in ${formatDuration(progress.elapsedMs)}`);
  return EXIT.ok;
}

async function readChunks(
  client: ChukchaClient,
  chunks: readonly ChunkInfo[],
  options: Omit<ReadConsumerOptions, "consumer">,
): Promise<void> {
  const { limit, begin, note } = options;
  begin(chunks.reduce((sum, { size }) => sum + size, 0));
  const write = async (bytes: Uint8Array) => {
    await options.write(limit.take(bytes));
    if (limit.isReached) throw new Enough();
  };
  try {
    for (const chunk of chunks) {
      const copy = new ChunkCopy(client, { ...options, chunk, write });
      await copy.run().catch(leaveOut(chunk, copy, note));
    }
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
  }
}

/** As many messages were printed as were asked for. */
class Enough extends Error {}

function chosen(
  listed: readonly ChunkInfo[],
  category: string,
  name: string | undefined,
): readonly ChunkInfo[] {
  if (name === undefined) return listed;
  const found = listed.find((chunk) => chunk.name === name);
  if (!found) {
    throw new Failure(`category "${category}" has no chunk "${name}": see \`chukcha chunks ${category}\``);
  }
  return [found];
}

/** Somebody else acknowledged the chunk: its messages are done with, and no reason to stop. */
function leaveOut({ name, size }: ChunkInfo, copy: ChunkCopy, note: (line: string) => void) {
  return (error: unknown) => {
    if (!(error instanceof ChukchaError) || error.code !== "chunk_not_found") throw error;
    note(
      `chunk "${name}" was acknowledged meanwhile: ${formatSize(size - copy.doneBytes)} of it are left out`,
    );
  };
}
