/**
 * `deno task cluster`: a cluster on this machine, for trying it out. Each node is a `chukcha serve` of its own, with a
 * port and a directory of its own; what they log comes line by line with the node's name before it.
 *
 * A node that ends by itself leaves the others alone, as it would on a machine of its own. Ctrl-C or SIGTERM ends all
 * of them in order, a second one at once.
 *
 * Exit status: 0 if all ended because they were told to; 1 if one did not; 2 for a wrong command line; 130 after a
 * second Ctrl-C.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { EXIT } from "../lib/cli/command.ts";
import { onSignals } from "../lib/cli/signals.ts";
import { ClusterNode } from "./cluster_node.ts";

const USAGE = `Usage: deno task cluster [--nodes N] [--port PORT] [--dir DIR] [-- FLAG…]

  --nodes N    how many nodes (default: 3)
  --port PORT  port of the first one, the others follow; 0 takes free ones (default: 8080)
  --dir DIR    where their data is kept (default: ./chukcha-cluster)
  -- FLAG…     flags of \`chukcha serve\`, for every node`;
const NODES_MAX = 9;
const PORT_MAX = 65_535;
/** Below the ports that systems give to outgoing connections: there, what is free now may not be a moment later. */
const FREE_PORT_MIN = 10_240;
const FREE_PORT_MAX = 32_000;
const FREE_PORT_TRIES = 1000;
const COLOURS = [36, 33, 35, 32, 34, 31];
const WINDOWS = Deno.build.os === "windows";

/** What the command line asks for. */
interface Wanted {
  readonly nodes: number;
  readonly port: number;
  readonly directory: string;
  readonly flags: readonly string[];
}

async function main(args: readonly string[]): Promise<number> {
  const wanted = parse(args);
  if (wanted === undefined) {
    print(USAGE);
    return args.includes("--help") || args.includes("-h") ? EXIT.ok : EXIT.usage;
  }
  const nodes = startNodes(wanted);
  let killed = false;
  const signals = onSignals(() => {
    killed = true;
    nodes.forEach((node) => node.kill());
  });
  const stop = (): void => {
    print("stopping; Ctrl-C again ends all at once");
    nodes.forEach((node) => node.stop());
  };
  signals.signal.addEventListener("abort", stop, { once: true });
  // The terminal has gone; the nodes, which are detached from it, would go on without anybody to stop them.
  if (!WINDOWS) Deno.addSignalListener("SIGHUP", stop);
  const codes = await watch(nodes, wanted, signals.signal);
  if (!WINDOWS) Deno.removeSignalListener("SIGHUP", stop);
  signals.release();
  return killed ? EXIT.interrupted : codes.every((code) => code === EXIT.ok) ? EXIT.ok : EXIT.failed;
}

/** Says when all are ready, and when one has gone; resolves with all exit codes, that of one that went by itself not 0. */
async function watch(
  nodes: readonly ClusterNode[],
  wanted: Wanted,
  stopping: AbortSignal,
): Promise<number[]> {
  const ready = Promise.all(nodes.map((node) => node.ready())).then((all) => {
    if (!stopping.aborted && all.every(Boolean)) announce(nodes, wanted);
  });
  const codes = await Promise.all(nodes.map(async (node) => {
    const code = await node.ended;
    if (stopping.aborted) return code;
    const left = nodes.filter(({ running }) => running).length;
    print(
      `${node.instance} has ended with status ${code}; ${
        left === 0 ? "no node is left" : "the others go on"
      }`,
    );
    return code || EXIT.failed;
  }));
  await ready;
  return codes;
}

/** `undefined` for what cannot be meant; the reason is printed. */
function parse(args: readonly string[]): Wanted | undefined {
  let unknown: string | undefined;
  const { nodes, port, dir, help, "--": flags = [] } = parseArgs(args, {
    "--": true,
    string: ["nodes", "port", "dir"],
    boolean: ["help"],
    alias: { help: "h" },
    default: { nodes: "3", port: "8080", dir: "./chukcha-cluster" },
    unknown: (arg) => {
      unknown ??= arg;
      return false;
    },
  });
  if (help) return undefined;
  const count = whole(nodes, 1, NODES_MAX);
  const first = whole(port, 0, PORT_MAX + 1 - (count ?? 1));
  const wrong = unknown !== undefined
    ? `${unknown}: no such argument`
    : count === undefined
    ? `--nodes: "${nodes}" is not a whole number from 1 to ${NODES_MAX}`
    : first === undefined
    ? `--port: "${port}" is not a port with room for ${count}`
    : dir === ""
    ? "--dir: needs a path"
    : undefined;
  if (wrong !== undefined) print(`${wrong}\n`);
  if (wrong !== undefined || count === undefined || first === undefined) return undefined;
  return { nodes: count, port: first === 0 ? freePort(count) : first, directory: String(dir), flags };
}

function whole(text: unknown, min: number, max: number): number | undefined {
  const value = /^\d{1,6}$/.test(String(text)) ? Number(text) : NaN;
  return value >= min && value <= max ? value : undefined;
}

/** The first of so many ports in a row on which nobody listens. */
function freePort(count: number): number {
  for (let tries = 0; tries < FREE_PORT_TRIES; tries++) {
    const first = FREE_PORT_MIN + Math.floor(Math.random() * (FREE_PORT_MAX - FREE_PORT_MIN));
    if (Array.from({ length: count }, (_, i) => first + i).every(isFree)) return first;
  }
  throw new Error(`no ${count} free ports in a row from ${FREE_PORT_MIN} to ${FREE_PORT_MAX}`);
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}

function startNodes({ nodes, port, directory, flags }: Wanted): ClusterNode[] {
  const members = Array.from({ length: nodes }, (_, i) => ({
    instance: `node_${i + 1}`,
    listen: `127.0.0.1:${port + i}`,
  }));
  const peers = members.map(({ instance, listen }) => `${instance}=http://${listen}`).join(",");
  const coloured = Deno.stdout.isTerminal() && !Deno.noColor;
  return members.map(({ instance, listen }, i) => {
    const own = ["--instance", instance, "--listen", listen, "--data-dir", `${directory}/${instance}`];
    const colour = COLOURS[i % COLOURS.length]!;
    const prefix = coloured ? `\x1b[${colour}m${instance} │\x1b[0m` : `${instance} │`;
    return new ClusterNode({
      instance,
      url: `http://${listen}`,
      args: [...own, "--peers", peers, ...flags],
      onLine: (line) => print(`${prefix} ${line}`),
    });
  });
}

/** Where they are, and what to try first. */
function announce(nodes: readonly ClusterNode[], { directory }: Wanted): void {
  const first = nodes[0]!;
  const last = nodes.at(-1)!;
  print(`
The cluster is ready; its data is in ${directory}.

${nodes.map(({ instance, url }) => `  ${instance}  ${url}`).join("\n")}

Write to one node and read from another; see what they say of each other:

  curl --data-binary 'hello' '${first.url}/write?category=greetings'
  deno run -A main.ts read greetings --server ${last.url}
  deno run -A main.ts status --server ${first.url}     or ${first.url}/status in a browser

Ctrl-C stops all.
`);
}

/** Whole lines; whoever read them may have gone, which is no reason to end. */
function print(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
