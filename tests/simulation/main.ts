/**
 * `deno task simulate`: a whole cluster in one process, through thousands of histories full of faults.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { type FleetOptions, formatTraces, runFleet } from "./fleet.ts";
import { type History, historyOf } from "./history.ts";
import { formatKept, parseKept } from "./kept.ts";
import { PLANTS } from "./planted.ts";
import { run } from "./run.ts";
import { shrink } from "./shrink.ts";
import type { Violation } from "./violation.ts";

const HELP = `deno task simulate [options]

Runs histories: three nodes or so, built from the code that ships, on simulated disks,
clocks and network, with everything going wrong that may. A seed stands for one history
and says everything about it. What fails is shrunk and printed.

  --seed S        one history, with what happened in it
  --file PATH     one that is kept in a file
  --keep PATH     writes what failed, shrunk, to a file of that kind
  --histories N   that many (1000)
  --minutes M     or as many as can be run in that time
  --first S       first seed (1)
  --workers N     threads (one per processor)
  --planted       how many histories it takes to find each planted bug (at most --histories)
`;

function print(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
}

async function main(args: readonly string[]): Promise<number> {
  const flags = parseArgs(args, {
    string: ["seed", "file", "keep", "histories", "minutes", "first", "workers"],
    boolean: ["planted", "help"],
    unknown: (name) => {
      throw new Error(`unknown argument ${name}; --help tells what there is`);
    },
  });
  if (flags["help"]) return print(HELP), 0;
  const text = (name: string): string | undefined =>
    flags[name] === undefined ? undefined : String(flags[name]);
  const keep = text("keep");
  const file = text("file");
  if (file !== undefined) return await one(parseKept(file, Deno.readTextFileSync(file)).history, keep);
  if (flags["seed"] !== undefined) return await one(historyOf(whole("--seed", flags["seed"], 1)), keep);
  const minutes = flags["minutes"] === undefined ? undefined : whole("--minutes", flags["minutes"], 1);
  const options = {
    first: whole("--first", flags["first"], 1),
    histories: minutes ? Number.MAX_SAFE_INTEGER / 2 : whole("--histories", flags["histories"], 1_000),
    workers: whole("--workers", flags["workers"], navigator.hardwareConcurrency),
  };
  if (flags["planted"]) return await planted(options);
  const untilMs = minutes ? performance.now() + minutes * 60_000 : Infinity;
  return await many({ ...options, untilMs }, keep);
}

async function many(options: FleetOptions, keep: string | undefined): Promise<number> {
  const startMs = performance.now();
  let shownMs = startMs;
  const sum = await runFleet({
    ...options,
    progress: (so) => {
      if (!Deno.stdout.isTerminal() && performance.now() - shownMs < 10_000) return;
      shownMs = performance.now();
      const text = `${so.histories} histories, ${rate(so.histories, startMs)}`;
      print(Deno.stdout.isTerminal() ? `\r${text}\x1b[K` : `${text}\n`);
    },
  });
  if (Deno.stdout.isTerminal()) print("\r\x1b[K");
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  print(
    `${sum.histories} histories of ${sum.eventsMin} and more events, ${sum.events} in all, in ${seconds} s ` +
      `(${rate(sum.histories, startMs)}); convergence took ${
        Math.round(sum.convergedMsMax)
      } simulated ms at most; ${formatTraces(sum)}\n`,
  );
  for (const { seed, message } of sum.failures) {
    print(`\nseed ${seed}: ${message}\nagain: deno task simulate --seed ${seed}\n`);
  }
  const [failure] = sum.failures;
  if (!failure || failure.invariant === "Deterministic") return failure ? 1 : 0;
  await reduce(historyOf(failure.seed), failure, keep);
  return 1;
}

async function one(history: History, keep: string | undefined): Promise<number> {
  const { seed } = history;
  const outcome = await run(history, { keepTrace: true });
  for (const line of outcome.lines ?? []) print(`${line}\n`);
  print(
    `\nseed ${seed}: trace ${outcome.hash}, ${outcome.events} events, ${JSON.stringify(outcome.counts)}\n`,
  );
  if (!outcome.violation) {
    print(`no invariant was broken; converged after ${Math.round(outcome.convergedMs)} simulated ms\n`);
    return 0;
  }
  print(`${outcome.violation.message}\n`);
  await reduce(history, outcome.violation, keep);
  return 1;
}

/** Leaves out what it takes not to fail, and tells what is left as the file that keeps it. */
async function reduce(
  history: History,
  { invariant, message }: Pick<Violation, "message"> & { invariant: string },
  keep: string | undefined,
): Promise<void> {
  print("\nshrinking…\n");
  const text = formatKept(await shrink(history, invariant), message.split("\n")[0]!);
  print(`${text}\n`);
  if (keep === undefined) {
    return print("--keep PATH writes it to a file; those in tests/simulation/found are tests\n");
  }
  Deno.writeTextFileSync(keep, text);
  print(`kept in ${keep}; name its cause there\n`);
}

async function planted(options: { first: number; histories: number; workers: number }): Promise<number> {
  let missed = 0;
  for (const { name } of PLANTS) {
    const sum = await runFleet({ ...options, plant: name });
    const seeds = sum.failures.map(({ seed }) => seed).sort((a, b) => a - b);
    const found = sum.failures.find(({ seed }) => seed === seeds[0]);
    if (!found) missed++;
    const took = found
      ? `${String(found.seed - options.first + 1).padStart(6)}  ${found.invariant}`
      : "not found";
    print(`${name.padEnd(58)} ${took}\n`);
  }
  return missed === 0 ? 0 : 1;
}

function rate(count: number, startMs: number): string {
  return `${(count / ((performance.now() - startMs) / 1000)).toFixed(0)} a second`;
}

function whole(name: string, text: unknown, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${name}: ${JSON.stringify(text)} is not a whole number above 0`);
}

Deno.exit(await main(Deno.args));
