/**
 * `deno task bench`: how fast a node takes and gives messages, beside what `Deno.serve` alone can do.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { caseName, CASES } from "./cases.ts";
import { thisMachine } from "./machine.ts";
import { measure, type Plan, type Result } from "./measure.ts";
import { formatCsv, formatFoot, formatHead, formatJson, formatRow, missesGoal } from "./report.ts";

const HELP = `deno task bench [options]

Requests and megabytes per second of a node, each beside its floor: a bare Deno.serve
that reads the same body and answers the same JSON, or serves as many bytes from memory.
wrk drives the load (Debian: apt-get install wrk).

  --only PATTERN    cases whose name matches, as "write 100 B x64"; --list shows the names
  --seconds N       length of a round (2)
  --rounds N        rounds of each server, after one to warm up (3)
  --url URL         measure a node that listens there, instead of starting one per case
  --directory DIR   where data directories are made (the system's for temporary files)
  --cold            do not ready the file cache's memory before rounds of large writes
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
    string: ["only", "seconds", "rounds", "url", "directory"],
    boolean: ["cold", "json", "csv", "check", "list", "help"],
    unknown: (name) => {
      throw new Error(`unknown argument ${name}; --help tells what there is`);
    },
  });
  if (flags["help"]) return print(HELP), 0;
  const cases = CASES.filter((one) => new RegExp(String(flags["only"] ?? "")).test(caseName(one)));
  if (flags["list"]) return print(cases.map((one) => `${caseName(one)}\n`).join("")), 0;
  if (cases.length === 0) throw new Error(`--only: no case matches ${flags["only"]}`);
  const plan: Plan = {
    seconds: positive("--seconds", flags["seconds"], 2),
    rounds: positive("--rounds", flags["rounds"], 3),
    directory: String(flags["directory"] ?? Deno.env.get("TMPDIR") ?? "/tmp"),
    cold: flags["cold"] === true,
    ...(flags["url"] === undefined ? {} : { url: String(flags["url"]) }),
  };
  const machine = await thisMachine();
  const asTable = !flags["json"] && !flags["csv"];
  if (asTable) print(formatHead(machine, plan.seconds, plan.rounds));
  const results: Result[] = [];
  for (const one of cases) {
    const result = await measure(one, plan);
    results.push(result);
    if (asTable) print(formatRow(result));
  }
  if (asTable) print(formatFoot(results));
  if (flags["json"]) print(formatJson(machine, plan.seconds, plan.rounds, results));
  if (flags["csv"]) print(formatCsv(results));
  return flags["check"] && results.some(missesGoal) ? 1 : 0;
}

function positive(name: string, text: unknown, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${name}: ${JSON.stringify(text)} is not a whole number above 0`);
}

Deno.exit(await main(Deno.args));
