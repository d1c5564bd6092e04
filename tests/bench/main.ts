/**
 * `deno task bench`: how fast a node takes and gives messages, beside what `Deno.serve` alone can do; how fast they go
 * through the client; what a cluster of such nodes can do on one machine; with `--beside`, how the same work goes with what
 * people would pick instead; and, with `--growth`, how costs grow with what there is.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { runBeside } from "./beside/run.ts";
import { caseName, CASES } from "./cases.ts";
import { CLIENT_CASES, clientCaseName } from "./client_cases.ts";
import { runGrowth, TABLES } from "./growth/run.ts";
import { catchUpOf, CLUSTER_WRITES, clusterCaseName } from "./cluster_cases.ts";
import { thisMachine } from "./machine.ts";
import type { Plan } from "./measure.ts";
import { endOwnedOnSignals } from "./owned.ts";
import { type Chosen, type Form, run } from "./run.ts";

/** How long a node is looked at that has nothing to do. */
const GROWTH_IDLE_SECONDS = 6;

const HELP = `deno task bench [options]

Requests and megabytes per second of a node, each beside its floor: a bare Deno.serve
that reads the same body and answers the same JSON, or serves as many bytes from memory.
Then the client: messages a second through a producer and a consumer, and how long one
takes from the first to the second. Then a cluster of three nodes on this machine: writes
that wait for other nodes, and how fast an empty node catches up. wrk drives the load but
the client's (Debian: apt-get install wrk).

  --only PATTERN    cases whose name matches, as "^write 100 B x64"; --list shows the names
  --seconds N       length of a round (2)
  --rounds N        rounds of each server, after one to warm up (3)
  --catch-up-mib N  what an empty node has to take (1024)
  --url URL         measure a node that listens there, instead of starting one per case;
                    without the cluster
  --directory DIR   where data directories are made (the system's for temporary files)
  --cold            do not ready the file cache's memory before rounds of large writes
  --beside          instead, the same work by Redis and NATS side by side with a node:
                    by those of redis-server and nats-server that are installed
  --messages N      how many messages are ingested there (5000000)
  --plot FILE       draw what came out there, as SVG
  --growth          instead, what things cost as there are more of them: categories, chunks,
                    connections, consumers, nodes, larger messages (Linux)
  --max N           the largest size there (each table's own)
  --json, --csv     for programs, instead of the table
  --check           end with an error if a goal is missed
  --list            names of the cases
`;

/** Writes to the standard output; the one place that does. */
function print(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
}

async function main(args: readonly string[]): Promise<number> {
  const flags = parseArgs(args, {
    string: ["only", "seconds", "rounds", "url", "directory", "catch-up-mib", "messages", "plot", "max"],
    boolean: ["beside", "growth", "cold", "json", "csv", "check", "list", "help"],
    unknown: (name) => {
      throw new Error(`unknown argument ${name}; --help tells what there is`);
    },
  });
  if (flags["help"]) return print(HELP), 0;
  const form: Form = flags["json"] ? "json" : flags["csv"] ? "csv" : "table";
  const directory = String(flags["directory"] ?? Deno.env.get("TMPDIR") ?? "/tmp");
  if (flags["beside"]) {
    const asked = {
      only: new RegExp(String(flags["only"] ?? "")),
      messages: positive("--messages", flags["messages"], 5_000_000),
      rounds: positive("--rounds", flags["rounds"], 3),
      seconds: positive("--seconds", flags["seconds"], 5),
      directory,
      form,
      ...(flags["plot"] === undefined ? {} : { plot: String(flags["plot"]) }),
    };
    const isAllReached = await runBeside(asked, await thisMachine(), print);
    return flags["check"] && !isAllReached ? 1 : 0;
  }
  if (flags["growth"]) {
    if (flags["list"]) return print(TABLES.map(({ name }) => `${name}\n`).join("")), 0;
    const asked = {
      only: new RegExp(String(flags["only"] ?? "")),
      max: positive("--max", flags["max"], Number.MAX_SAFE_INTEGER),
      seconds: positive("--seconds", flags["seconds"], 1),
      rounds: positive("--rounds", flags["rounds"], 3),
      idleSeconds: GROWTH_IDLE_SECONDS,
      directory,
      form,
    };
    const isAllWell = await runGrowth(asked, await thisMachine(), print);
    return flags["check"] && !isAllWell ? 1 : 0;
  }
  const mib = positive("--catch-up-mib", flags["catch-up-mib"], 1024);
  const chosen = choose(new RegExp(String(flags["only"] ?? "")), mib, flags["url"] !== undefined);
  const names = [
    ...chosen.cases.map(caseName),
    ...chosen.clients.map(clientCaseName),
    ...[...chosen.clusterWrites, ...chosen.catchUps].map(clusterCaseName),
  ];
  if (flags["list"]) return print(names.map((name) => `${name}\n`).join("")), 0;
  if (names.length === 0) throw new Error(`--only: no case matches ${flags["only"]}`);
  const plan: Plan = {
    seconds: positive("--seconds", flags["seconds"], 2),
    rounds: positive("--rounds", flags["rounds"], 3),
    directory,
    cold: flags["cold"] === true,
    ...(flags["url"] === undefined ? {} : { url: String(flags["url"]) }),
  };
  const isAllReached = await run(chosen, plan, await thisMachine(), form, print);
  return flags["check"] && !isAllReached ? 1 : 0;
}

/** Cases by name; a node that listens already has no cluster of ours. */
function choose(pattern: RegExp, catchUpMib: number, isRunning: boolean): Chosen {
  const isChosen = (name: string): boolean => pattern.test(name);
  return {
    cases: CASES.filter((one) => isChosen(caseName(one))),
    clusterWrites: isRunning ? [] : CLUSTER_WRITES.filter((one) => isChosen(clusterCaseName(one))),
    clients: CLIENT_CASES.filter((one) => isChosen(clientCaseName(one))),
    catchUps: isRunning ? [] : [catchUpOf(catchUpMib)].filter((one) => isChosen(clusterCaseName(one))),
  };
}

function positive(name: string, text: unknown, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${name}: ${JSON.stringify(text)} is not a whole number above 0`);
}

endOwnedOnSignals();
Deno.exit(await main(Deno.args));
