/**
 * `chukcha read`: every message of every chunk, once, to stdout.
 *
 * @module
 */
import { ChukchaError, type ChunkInfo } from "../client/mod.ts";
import { KIB, READ_BYTES_MAX } from "../protocol/limits.ts";
import { formatDuration, formatSize } from "../quantities.ts";
import { ChunkCopy } from "./chunk_copy.ts";
import { type Command, EXIT, Failure, type Invocation } from "./command.ts";
import { categoryArgument, chunkArgument, connect, NODE_FLAGS } from "./connect.ts";
import { Progress } from "./progress.ts";
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
  ],
  flags: [
    { name: "chunk", placeholder: "NAME", help: "only this chunk" },
    { name: "max-size", placeholder: "SIZE", help: "bytes to ask for at once", default: "16MiB" },
    RETRY_FLAG,
    ...NODE_FLAGS,
  ],
  examples: [
    ["chukcha read web > all.log", "into a file"],
    ["chukcha read web | grep -c ' 500 '", "into a pipe"],
    ["chukcha read web --chunk node-chunk000000000", "one chunk"],
  ],
  run,
};

async function run({ positionals, flags, env, terminal, signal }: Invocation): Promise<number> {
  const category = categoryArgument(positionals[0]);
  const rangeBytes = flags.size("max-size", KIB, READ_BYTES_MAX) ?? READ_BYTES_MAX;
  const retryForMs = flags.duration("retry-for", 0, RETRY_FOR_MS_MAX) ?? RETRY_FOR_MS_DEFAULT;
  const name = flags.text("chunk");
  if (name !== undefined) chunkArgument(name, "--chunk");
  const client = connect({ flags, env });
  const chunks = chosen(await client.listChunks(category, { signal }), category, name);
  if (chunks.length === 0 && terminal.watched) terminal.note(`category "${category}" has no chunks`);
  const progress = new Progress(terminal, {
    enabled: terminal.watched && !terminal.outputIsTerminal,
    totalBytes: chunks.reduce((sum, { size }) => sum + size, 0),
  });
  const note = (line: string) => terminal.note(`chukcha read: ${line}`);
  const write = async (bytes: Uint8Array) => {
    await terminal.write(bytes);
    progress.add(bytes.length);
  };
  for (const chunk of chunks) {
    const copy = new ChunkCopy(client, { category, chunk, rangeBytes, retryForMs, signal, note, write });
    await copy.run().catch(leaveOut(chunk, copy, note));
  }
  progress.end();
  if (terminal.watched && !terminal.outputIsTerminal) {
    terminal.note(`${formatSize(progress.bytes)} read in ${formatDuration(progress.elapsedMs)}`);
  }
  return EXIT.ok;
}

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
