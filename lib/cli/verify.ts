/**
 * `chukcha verify`: looks for damage in a data directory that no node runs on.
 *
 * @module
 */
import { isCategory } from "../protocol/names.ts";
import { quote } from "../protocol/errors.ts";
import { formatCount, formatDuration, formatSize } from "../quantities.ts";
import { DEFAULT_SETTINGS } from "../settings.ts";
import { ACKNOWLEDGED_ADVICE, ACKNOWLEDGED_FILE } from "../storage/acknowledged.ts";
import { JOURNAL_FILE } from "../storage/batch_journal.ts";
import { decodeChecked } from "../storage/checked_json.ts";
import { CONSUMERS_ADVICE, CONSUMERS_FILE } from "../storage/consumers_file.ts";
import { type Disk, DiskError } from "../storage/disk.ts";
import { LOCK_FILE, NODE_FILE } from "../storage/node_file.ts";
import {
  type Candidate,
  candidates,
  type Remark,
  storedCategories,
  type VerifiedChunk,
  verifyConsumers,
  verifying,
  verifyProducers,
} from "../storage/verify_directory.ts";
import { type Command, EXIT, Failure, type Invocation, UsageError } from "./command.ts";
import { JSON_FLAG } from "./connect.ts";
import { Progress } from "./progress.ts";

/** Longer than this, Ctrl-C and the line of progress have to wait. */
const BREATH_MS = 50;

/** The command. */
export const verify: Command = {
  name: "verify",
  positionals: ["[CATEGORY…]"],
  summary: "look for damage in a data directory",
  about: [
    "Reads every chunk and holds it against its checksums. Nothing is changed. No node may run on the directory: one that\n" +
    "runs looks for damage by itself, see --scrub-interval of `chukcha serve`, and `chukcha status` tells what it found.",
    "Each line about a chunk says what is wrong, and what the next start makes of it. Ends with 1 if anything is damaged.",
  ],
  flags: [
    {
      name: "data-dir",
      placeholder: "DIR",
      help: "the directory, or CHUKCHA_DATA_DIR",
      default: DEFAULT_SETTINGS.dataDir,
    },
    JSON_FLAG,
  ],
  examples: [
    ["chukcha verify --data-dir /srv/chukcha", "everything"],
    ["chukcha verify web orders", "two categories of ./chukcha-data"],
    ["chukcha verify --json", "the same for a program"],
  ],
  run,
};

/** What a program is told. */
interface Report {
  readonly categories: number;
  readonly chunks: number;
  readonly bytes: number;
  /** Chunks, and lists of producers, that are damaged. */
  readonly damaged: number;
  /** Those about which there is something to say; in the place of a chunk's name, another file has its own. */
  readonly found: readonly VerifiedChunk[];
}

async function run({ positionals, flags, env, terminal, signal }: Invocation): Promise<number> {
  const path = flags.text("data-dir") ?? env.CHUKCHA_DATA_DIR ?? DEFAULT_SETTINGS.dataDir;
  const { openDataDirectory } = await import("../node.ts");
  const isThere = await Deno.stat(path).then((found) => found.isDirectory, () => false);
  if (!isThere) throw new Failure(`--data-dir: ${quote(path)} is not a directory`);
  const disk = openDataDirectory(path);
  try {
    return await withLock(disk, path, async () => {
      const owner = ownerOf(disk, path);
      const names = wantedOf(positionals, storedCategories(disk), path);
      const all = names.flatMap((name) => candidatesOf(disk, name));
      const totalBytes = all.reduce((sum, { bytes }) => sum + bytes, 0);
      const progress = new Progress(terminal, { enabled: terminal.watched && !flags.on("json"), totalBytes });
      const found: VerifiedChunk[] = [];
      const tell = async (verified: VerifiedChunk | undefined): Promise<void> => {
        if (!verified || verified.remarks.length === 0) return;
        found.push(verified);
        if (flags.on("json")) return;
        progress.end();
        await terminal.print(linesOf(verified));
      };
      for (const candidate of all) {
        await tell(await atLeisure(disk, candidate, owner, (bytes) => progress.add(bytes), signal));
      }
      for (const name of names) {
        await tell(verifyProducers(disk, name));
        for (const file of consumersOf(disk, name)) await tell(file);
      }
      progress.end();
      const damaged = found.filter(isDamaged).length;
      const report = { categories: names.length, chunks: all.length, bytes: totalBytes, damaged, found };
      if (flags.on("json")) await terminal.print(JSON.stringify(report));
      else terminal.note(`${summaryOf(report)} (in ${formatDuration(progress.elapsedMs)})`);
      return damaged === 0 ? EXIT.ok : EXIT.failed;
    });
  } catch (error) {
    if (error instanceof DiskError) throw new Failure(`verify ${path}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** Runs `fn` while no node can begin to use the directory. */
async function withLock(disk: Disk, path: string, fn: () => Promise<number>): Promise<number> {
  // Where there is none, no node ever ran there: it is a copy, and not even that file is to be made.
  let lock: { release(): void } | undefined;
  if (disk.sizeOf(LOCK_FILE) !== undefined) {
    try {
      lock = disk.lock(LOCK_FILE);
      if (!lock) {
        throw new Failure(
          `${path} is in use by a running node; stop it first, or ask it: \`chukcha status\` tells what it found ` +
            "damaged, and --scrub-interval how often it looks",
        );
      }
    } catch (error) {
      // What nobody can write to, no node uses.
      if (!(error instanceof DiskError) || error.kind !== "read_only") throw error;
    }
  }
  try {
    return await fn();
  } finally {
    lock?.release();
  }
}

function ownerOf(disk: Disk, path: string): string {
  if (disk.sizeOf(NODE_FILE) === undefined) {
    throw new Failure(`${path} has no ${NODE_FILE}, so it is not the data directory of a node`);
  }
  const file = disk.open(NODE_FILE, {});
  try {
    const bytes = new Uint8Array(file.size());
    file.read(bytes, 0);
    return String(decodeChecked(bytes).instance);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Failure(
      `${path}/${NODE_FILE} is damaged: ${error.message}; restore it, a node does not start without`,
    );
  } finally {
    file.close();
  }
}

function wantedOf(wanted: readonly string[], stored: readonly string[], path: string): readonly string[] {
  if (wanted.length === 0) return stored;
  for (const name of wanted) {
    if (!isCategory(name)) throw new UsageError(`${quote(name)}: not the name of a category`);
    if (!stored.includes(name)) throw new Failure(`category: ${quote(name)} is not in ${path}`);
  }
  return [...new Set(wanted)];
}

function candidatesOf(disk: Disk, category: string): Candidate[] {
  return startable(category, ACKNOWLEDGED_FILE, ACKNOWLEDGED_ADVICE, () => candidates(disk, category));
}

function consumersOf(disk: Disk, category: string): VerifiedChunk[] {
  return startable(category, CONSUMERS_FILE, CONSUMERS_ADVICE, () => verifyConsumers(disk, category));
}

/** What `read` finds. Throws what to do about a file without which no node starts. */
function startable<T>(category: string, file: string, advice: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Failure(
      `category ${
        quote(category)
      }: its ${file} is damaged (${error.message}); a node does not start with it: ${advice}`,
    );
  }
}

/** Verifies a chunk, letting signals and the screen have their turn. */
async function atLeisure(
  disk: Disk,
  candidate: Candidate,
  owner: string,
  count: (bytes: number) => void,
  signal: AbortSignal,
): Promise<VerifiedChunk> {
  const steps = verifying(disk, candidate, owner);
  let breathedMs = performance.now();
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    count(value);
    if (performance.now() - breathedMs < BREATH_MS) continue;
    await new Promise((resolve) => setTimeout(resolve, 0));
    signal.throwIfAborted();
    breathedMs = performance.now();
  }
}

function isDamaged({ remarks }: VerifiedChunk): boolean {
  return remarks.some(({ damage }) => damage);
}

function linesOf({ category, chunk, size, complete, remarks }: VerifiedChunk): string {
  const state = chunk === JOURNAL_FILE ? "" : complete ? ", complete" : ", open";
  const head = `${category}/${chunk}  ${formatCount(size)} bytes${state}`;
  return [head, ...remarks.map(lineOf)].join("\n");
}

function lineOf({ damage, range, what, next }: Remark): string {
  const where = range ? `bytes ${range.from} to ${range.to}: ` : "";
  return `  ${damage ? "DAMAGE" : "note  "}  ${where}${what}; at the next start: ${next}`;
}

function summaryOf({ categories, chunks, bytes, damaged, found }: Report): string {
  const notes = found.length - damaged;
  return `${formatCount(chunks)} chunks of ${formatCount(categories)} categories, ${formatSize(bytes)}: ` +
    (damaged === 0 ? "no damage" : `${formatCount(damaged)} damaged`) +
    (notes === 0 ? "" : `, ${formatCount(notes)} with something to note`);
}
