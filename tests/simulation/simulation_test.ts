/**
 * Simulated histories as tests: those in which a mistake was once found, some more, and that planted bugs are found.
 *
 * `SIMULATE_HISTORIES` says how many (CI runs 10,000); `deno task simulate` runs any number.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { formatTraces, runFleet } from "./fleet.ts";
import { historyOf } from "./history.ts";
import { allKept, formatKept } from "./kept.ts";
import { PLANTS } from "./planted.ts";
import { EVENTS_MIN, run } from "./run.ts";
import { shrink } from "./shrink.ts";

const HISTORIES = Number(Deno.env.get("SIMULATE_HISTORIES") ?? 150);
/** Every planted bug is found within this many histories; the table in `docs/simulation.md` has the figures. */
const PLANTED_MAX = 600;

for (const { name, cause, history } of allKept()) {
  Deno.test(`simulation: history ${name}, in which ${cause}`, async () => {
    const { violation } = await run(history);
    assertEquals(violation?.message, undefined);
  });
}

Deno.test("simulation: two runs of one seed are the same, event for event", async () => {
  const one = await run(historyOf(7), { keepTrace: true });
  const other = await run(historyOf(7), { keepTrace: true });
  assertEquals(other.lines, one.lines);
  assertEquals(other.hash, one.hash);
});

Deno.test("simulation: seeds mean the same elsewhere: another process, place, language, and way to run code", async () => {
  const here = await runFleet({ first: 1, histories: 8, workers: 2 });
  const script = fileURLToPath(new URL("./main.ts", import.meta.url));
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
  const circumstances = [
    { flags: "--jitless", env: { TZ: "Pacific/Chatham", LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" } },
    { flags: "--hash-seed=4711,--no-opt", env: { TZ: "America/St_Johns", LANG: "C" } },
  ];
  for (const { flags, env } of circumstances) {
    const args = ["run", "-A", "--no-check", "--config", config, `--v8-flags=${flags}`, script];
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [...args, "--histories", "8", "--workers", "1"],
      cwd: "/",
      env,
    }).output();
    assertStringIncludes(new TextDecoder().decode(stdout), formatTraces(here));
  }
});

Deno.test("simulation: no history breaks an invariant", async () => {
  const sum = await runFleet({ first: 1, histories: HISTORIES, workers: navigator.hardwareConcurrency });
  const [failure] = sum.failures;
  if (failure) {
    const shrunk = await shrink(historyOf(failure.seed), failure.invariant);
    throw new Error(
      `seed ${failure.seed}: ${failure.message}\nonce its cause is known, keep this in tests/simulation/found:\n` +
        formatKept(shrunk, ""),
    );
  }
  assertEquals(sum.histories, HISTORIES);
  // For whoever wants to compare it with another machine's.
  const line = `${sum.histories} histories, ${sum.events} events, ${formatTraces(sum)}\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(line));
  assert(sum.eventsMin >= EVENTS_MIN, `a history has only ${sum.eventsMin} events`);
});

Deno.test("simulation: what fails is shrunk to what it takes to fail", async () => {
  const plant = PLANTS.find(({ name }) => name === "does not pass on what it acknowledges")!;
  const history = historyOf(1);
  const { violation } = await run(history, { plant });
  assertEquals(violation?.invariant, "Converges");
  const shrunk = await shrink(history, "Converges", { plant });
  assert(shrunk.faults.length <= 2, `${shrunk.faults.length} of ${history.faults.length} faults are left`);
  assert(shrunk.steps.length <= 4, `${shrunk.steps.length} of ${history.steps.length} steps are left`);
  assert(shrunk.steps.some(({ kind }) => kind === "ack"));
});

for (const { name } of PLANTS) {
  Deno.test(`simulation: finds a node that ${name}`, async () => {
    const sum = await runFleet({ first: 1, histories: PLANTED_MAX, workers: 1, plant: name });
    assert(sum.failures.length > 0, `not found in ${sum.histories} histories`);
  });
}
