/**
 * `chukcha status`: how a node is, for people, and as an exit status for probes.
 *
 * @module
 */
import type { ChukchaClient, NodeStatus } from "../client/mod.ts";
import { type Command, EXIT, Interrupted, type Invocation } from "./command.ts";
import { connect, JSON_FLAG, NODE_FLAGS } from "./connect.ts";
import { explain } from "./explain.ts";
import { sleep } from "./retry.ts";
import { statusReport } from "./status_report.ts";
import type { Terminal } from "./terminal.ts";

/** Often enough to watch a node catch up. */
const WATCH_MS = 1000;

/** The command. */
export const status: Command = {
  name: "status",
  positionals: [],
  summary: "show how a node is; exit status 10 if it is not healthy",
  about: [
    "Exit status 1 means that there is no node to ask.",
    "In a cluster it also shows each other node: whether it answers, what this node still has to take from it, and what\n" +
    "it said that it still has to take from this one.",
  ],
  flags: [{ name: "watch", help: "show it again every second until Ctrl-C" }, JSON_FLAG, ...NODE_FLAGS],
  examples: [
    ["chukcha status", "for people"],
    ["chukcha status --watch", "see a node start, or catch up"],
    ["chukcha status --json --server http://node-2:8080", "for programs"],
  ],
  run,
};

async function run({ flags, env, terminal, signal }: Invocation): Promise<number> {
  const client = connect({ flags, env });
  const words = (found: NodeStatus) => flags.on("json") ? JSON.stringify(found) : statusReport(found);
  const found = await client.status({ signal });
  if (flags.on("watch")) return await watch(client, found, words, { terminal, signal });
  await terminal.print(words(found));
  return exitStatus(found);
}

/** Goes on while the node is away: that is one of the things to watch. The exit status is that of the last answer. */
async function watch(
  client: ChukchaClient,
  first: NodeStatus,
  words: (found: NodeStatus) => string,
  { terminal, signal }: Pick<Invocation, "terminal" | "signal">,
): Promise<number> {
  let code = exitStatus(first);
  let shown = words(first);
  try {
    for (;;) {
      await show(terminal, shown);
      await sleep(WATCH_MS, signal);
      try {
        const found = await client.status({ signal });
        code = exitStatus(found);
        shown = words(found);
      } catch (error) {
        signal.throwIfAborted();
        code = EXIT.failed;
        shown = explain(error);
      }
    }
  } catch (error) {
    if (error instanceof Interrupted) return code;
    throw error;
  }
}

/** On a screen each answer replaces the one before it, line by line, so that nothing flickers; a file gets them all. */
function show(terminal: Terminal, text: string): Promise<void> {
  if (!terminal.outputIsTerminal) return terminal.print(text);
  return terminal.print(`\x1b[H${text.replaceAll("\n", "\x1b[K\n")}\x1b[K\n\x1b[J`);
}

function exitStatus({ healthy }: NodeStatus): number {
  return healthy ? EXIT.ok : EXIT.unhealthy;
}
