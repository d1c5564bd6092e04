/**
 * `chukcha tail`: what is there, then what comes; with `--consumer`, what that one has not acknowledged.
 *
 * It takes the stream of events, not the plain lines: only events say where to go on after a break, so that nothing is
 * lost or repeated, and their signs of life tell a quiet category from a dead connection. The price is the node's work
 * for each message; what is there already is faster read by `chukcha read`.
 *
 * @module
 */
import { type ChukchaClient, isRetryable, TransportError } from "../client/mod.ts";
import { formatCursor, parseFrom } from "../protocol/position.ts";
import { parseChunkName } from "../protocol/names.ts";
import { categoryArgument, connect, connectAll, consumerArgument, NODE_FLAGS } from "./connect.ts";
import { type Command, EXIT, Interrupted, type Invocation, UsageError } from "./command.ts";
import { explain } from "./explain.ts";
import { COUNT_FLAG, MessageLimit } from "./message_limit.ts";
import { watchOutput } from "./output_watch.ts";
import { pauseBefore, sleep } from "./retry.ts";
import { tailAsConsumer } from "./tail_consumer.ts";

/** The command. */
export const tail: Command = {
  name: "tail",
  positionals: ["CATEGORY"],
  summary: "print what is there, and then what comes",
  about: [
    "Runs until Ctrl-C, or until --count messages are printed. When the connection breaks, it connects again and goes\n" +
    "on behind the last message that it printed. The category may not exist yet.",
    "Messages of one owner come in their order. For a lot of old messages, `chukcha read` is faster.",
    "With --consumer it reads as that consumer, whose place the cluster remembers: what was printed is acknowledged, and\n" +
    "does not come again, here or at another node; several that use one name share the messages. --from counts when the\n" +
    "consumer is new. What was printed counts as processed: into a pipe, use it only where that is so.",
  ],
  flags: [
    {
      name: "from",
      placeholder: "earliest|latest|TIME",
      help:
        "where to start; TIME like 2026-11-22T10:00:00Z (UTC if it names no zone) or milliseconds since 1970",
      default: "earliest",
    },
    {
      name: "consumer",
      placeholder: "NAME",
      help: "read as this consumer, and acknowledge what was printed",
    },
    COUNT_FLAG,
    ...NODE_FLAGS,
  ],
  examples: [
    ["chukcha tail web --from latest", "only what comes from now on"],
    ["chukcha tail web --from 2026-11-22T10:00:00Z | grep error", "since a time"],
    ["chukcha tail web -n 1", "the first message"],
    ["chukcha tail web --consumer indexer", "what the consumer indexer has not acknowledged, and what comes"],
  ],
  run,
};

async function run({ positionals, flags, env, terminal, signal }: Invocation): Promise<number> {
  const category = categoryArgument(positionals[0]);
  const from = flags.text("from") ?? "earliest";
  const consumer = flags.text("consumer");
  const limit = MessageLimit.of(flags);
  checkFrom(from);
  if (consumer !== undefined) consumerArgument(consumer, "--consumer");
  const servers = consumer === undefined ? undefined : connectAll({ flags, env });
  const client = connect({ flags, env });
  const note = (line: string) => terminal.note(`chukcha tail: ${line}`);
  const output = watchOutput();
  const either = AbortSignal.any([signal, output.signal]);
  try {
    if (servers) {
      const write = (bytes: Uint8Array) => terminal.write(bytes);
      const options = { category, consumer: consumer!, from, limit, signal: either, note, write };
      await tailAsConsumer(servers, options);
    } else {
      for await (const { bytes } of followForEver(client, { category, from, signal: either, note })) {
        await terminal.write(limit.take(bytes));
        if (limit.isReached) break;
      }
    }
  } catch (error) {
    // Ctrl-C is how a tail is meant to end.
    if (!(error instanceof Interrupted)) throw error;
  } finally {
    output.stop();
  }
  return EXIT.ok;
}

function checkFrom(from: string): void {
  try {
    parseFrom(from);
  } catch (error) {
    throw new UsageError(`--${(error as Error).message}`);
  }
}

interface FollowOptions {
  readonly category: string;
  readonly from: string;
  readonly signal: AbortSignal;
  readonly note: (line: string) => void;
}

/** Pieces of a tail over as many connections as it takes. Only the very first one has to come about. */
async function* followForEver(client: ChukchaClient, { category, from, signal, note }: FollowOptions) {
  // A break before the first message must not move the start, so "latest" is made a place at once.
  let start = from === "latest" ? await endOfCategory(client, category, signal) : { from };
  let wasConnected = false;
  for (let retry = 0;; retry++) {
    try {
      for await (const piece of client.follow(category, { ...start, signal })) {
        if (retry > 0) note("connected again");
        retry = 0;
        wasConnected = true;
        yield piece;
        start = { cursor: piece.cursor };
      }
    } catch (error) {
      if (!isRetryable(error)) throw error;
      wasConnected ||= !(error instanceof TransportError && error.neverConnected);
      if (!wasConnected) throw error;
      if (retry === 0) note(`${explain(error)}; connecting again`);
      await sleep(pauseBefore(retry, Math.random()), signal);
    }
  }
}

/** The place behind all that is there now: for each owner, the end of its last chunk. */
async function endOfCategory(
  client: ChukchaClient,
  category: string,
  signal: AbortSignal,
): Promise<{ cursor: string } | { from: string }> {
  const ends = new Map<string, { chunk: string; offset: number }>();
  for (const { name, size } of await client.listChunks(category, { signal })) {
    const id = parseChunkName(name);
    // The list is sorted by name: the last one of an owner wins.
    if (id) ends.set(id.instance, { chunk: name, offset: size });
  }
  return ends.size === 0 ? { from: "earliest" } : { cursor: formatCursor(ends.values()) };
}
