/**
 * `chukcha write`: lines of stdin or files become messages.
 *
 * @module
 */
import { KIB, MIB, READ_BYTES_MAX, WRITE_TIMEOUT_MS_MAX } from "../protocol/limits.ts";
import { formatDuration, formatSize, plural } from "../quantities.ts";
import { type Batch, BatchSource, type Input } from "./batch_source.ts";
import { BatchSender } from "./batch_sender.ts";
import { type Command, EXIT, Failure, type Invocation } from "./command.ts";
import { categoryArgument, connect, NODE_FLAGS } from "./connect.ts";
import { Progress } from "./progress.ts";
import { RETRY_FLAG, RETRY_FOR_MS_DEFAULT, RETRY_FOR_MS_MAX } from "./retry.ts";

const BATCH_BYTES_DEFAULT = 1 * MIB;
/** Lines of a slow input wait this long for company. */
const LINGER_MS = 50;
const REPLICAS_MAX = 1000;

/** The command. */
export const write: Command = {
  name: "write",
  positionals: ["CATEGORY", "[FILE…]"],
  summary: "write lines of files, or of stdin, as messages",
  about: [
    "Lines are sent in order, in batches that are cut at line ends; a batch is stored whole or not at all. A slow\n" +
    "input is sent as it comes. A last line without its line end gets one. `-` as a file is stdin.",
    "While the node is away or busy, the batch is tried again. If it was perhaps written before that, a warning says\n" +
    "that its messages may be there twice.",
  ],
  flags: [
    { name: "batch-size", placeholder: "SIZE", help: "largest batch", default: "1MiB" },
    { name: "sync", help: "wait until a power loss of the node's machine would not matter" },
    {
      name: "min-sync-replicas",
      placeholder: "N",
      help: "wait until the loss of any N machines would not matter",
    },
    { name: "timeout", placeholder: "TIME", help: "how long the node may wait for that", default: "1m" },
    RETRY_FLAG,
    ...NODE_FLAGS,
  ],
  examples: [
    ["echo hello | chukcha write greetings", "one message"],
    ["chukcha write web --sync access.log.1 access.log", "two files, one after the other"],
    ["tail -f access.log | chukcha write web", "whatever is added, as it is added"],
  ],
  run,
};

async function run({ positionals, flags, env, terminal, signal }: Invocation): Promise<number> {
  const category = categoryArgument(positionals[0]);
  const files = positionals.slice(1);
  const client = connect({ flags, env });
  const source = new BatchSource(openInputs(files), {
    batchBytes: flags.size("batch-size", KIB, READ_BYTES_MAX) ?? BATCH_BYTES_DEFAULT,
    lingerMs: LINGER_MS,
    signal,
  });
  const typed = files.length === 0 && Deno.stdin.isTerminal();
  const totalBytes = await sizeOf(files);
  const progress = new Progress(terminal, { enabled: terminal.watched && !typed, totalBytes });
  const sender = new BatchSender(client, {
    category,
    write: {
      syncEachWrite: flags.on("sync") ? true : undefined,
      minSyncReplicas: flags.count("min-sync-replicas", 0, REPLICAS_MAX),
      timeoutMs: flags.duration("timeout", 1, WRITE_TIMEOUT_MS_MAX),
    },
    retryForMs: flags.duration("retry-for", 0, RETRY_FOR_MS_MAX) ?? RETRY_FOR_MS_DEFAULT,
    signal,
    note: (line) => terminal.note(line),
    locate: (line) => source.locate(line),
    onWritten: (bytes) => progress.add(bytes),
  });
  try {
    await sendAll(source.batches(), sender);
  } finally {
    progress.end();
  }
  if (terminal.watched) {
    const size = formatSize(progress.bytes);
    terminal.note(
      `${plural(sender.messages, "message")} written, ${size} in ${formatDuration(progress.elapsedMs)}`,
    );
  }
  return signal.aborted ? EXIT.interrupted : EXIT.ok;
}

/** Sends one batch while the next one is being read; a failure to send is not kept waiting by a slow input. */
async function sendAll(batches: AsyncGenerator<Batch, void>, sender: BatchSender): Promise<void> {
  let sending: Promise<void> = Promise.resolve();
  try {
    for (;;) {
      const reading = batches.next();
      const { value: batch } = await Promise.race([reading, sending.then(() => reading)]);
      await sending;
      if (!batch) return;
      sending = sender.send(batch);
    }
  } finally {
    // Also when reading failed: what was read before that is still to be written.
    await sending;
  }
}

async function* openInputs(files: readonly string[]): AsyncGenerator<Input> {
  if (files.length === 0) yield stdin();
  for (const path of files) yield path === "-" ? stdin() : await openFile(path);
}

function stdin(): Input {
  return { name: "", read: (buffer) => Deno.stdin.read(buffer), close() {} };
}

async function openFile(path: string): Promise<Input> {
  const fail = (error: unknown): never => {
    throw new Failure(`${path}: ${(error as Error).message}`, { cause: error });
  };
  const file = await Deno.open(path).catch(fail);
  return { name: path, read: (buffer) => file.read(buffer).catch(fail), close: () => file.close() };
}

/** Bytes of all files, before anything is sent: a misspelt name must not be found out after the first half. */
async function sizeOf(files: readonly string[]): Promise<number | undefined> {
  let total: number | undefined = files.length === 0 ? undefined : 0;
  for (const path of files) {
    if (path === "-") {
      total = undefined;
      continue;
    }
    const info = await Deno.stat(path).catch((error) => {
      throw new Failure(`${path}: ${error.message}`, { cause: error });
    });
    if (info.isDirectory) throw new Failure(`${path}: is a directory`);
    // Pipes and devices do not know their length.
    if (total !== undefined) total = info.isFile ? total + info.size : undefined;
  }
  return total;
}
