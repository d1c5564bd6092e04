/**
 * Simulated histories as tests: those in which a mistake was once found, some more, and that planted bugs are found.
 *
 * `SIMULATE_HISTORIES` says how many (CI runs 10,000); `deno task simulate` runs any number.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { runFleet } from "./fleet.ts";
import { historyOf } from "./history.ts";
import { PLANTS } from "./planted.ts";
import { run } from "./run.ts";
import { shrink } from "./shrink.ts";

const HISTORIES = Number(Deno.env.get("SIMULATE_HISTORIES") ?? 150);
const EVENTS_MIN = 500;
/** Every planted bug is found within this many histories; the table in `docs/simulation.md` has the figures. */
const PLANTED_MAX = 600;

/** Seeds in whose histories something was wrong with the node, and what; `docs/simulation.md` tells more. */
const FOUND: readonly (readonly [seed: number, cause: string])[] = [
  [74, "an own chunk with a hole that a power cut had made stayed different from its copies for ever"],
  [149, "an append that could not be cut back on a read-only disk gave the chunk up"],
  [486, "a node that others had taken for gone went on with a chunk that was complete elsewhere"],
  [585, "an acknowledgement was not told to a node that had told of another one meanwhile"],
  [1158, "a late message of a dead process locked the living one out for ever"],
  [2498, "a file opened while the disk was read-only could not be written afterwards"],
  [100250, "a chunk given up on a full disk was not asked for again"],
  [101669, "a damaged chunk was completed because a peer said so"],
  [4828, "a replica that had sealed a chunk did not say so to the writer who waited for it to be synced"],
  [700163, "a damaged chunk was never repaired, because more of it seemed to be on its way"],
];

for (const [seed, cause] of FOUND) {
  Deno.test(`simulation: seed ${seed}, in which ${cause}`, async () => {
    const { violation } = await run(historyOf(seed));
    assertEquals(violation?.message, undefined);
  });
}

Deno.test("simulation: two runs of one seed are the same, event for event", async () => {
  const one = await run(historyOf(7), { keepTrace: true });
  const other = await run(historyOf(7), { keepTrace: true });
  assertEquals(other.lines, one.lines);
  assertEquals(other.hash, one.hash);
});

Deno.test("simulation: no history breaks an invariant", async () => {
  const sum = await runFleet({ first: 1, histories: HISTORIES, workers: navigator.hardwareConcurrency });
  assertEquals(sum.failures, []);
  assertEquals(sum.histories, HISTORIES);
  assert(sum.eventsMin >= EVENTS_MIN, `a history has only ${sum.eventsMin} events`);
});

Deno.test("simulation: what fails is shrunk to what it takes to fail", async () => {
  const plant = PLANTS.find(({ name }) => name === "does not pass on what it acknowledges")!;
  const history = historyOf(1);
  const { violation } = await run(history, { plant });
  assertEquals(violation?.invariant, "Converges");
  const shrunk = await shrink(history, "Converges", { plant });
  assertEquals(shrunk.faults, []);
  assert(shrunk.steps.length <= 4, `${shrunk.steps.length} of ${history.steps.length} steps are left`);
  assert(shrunk.steps.some(({ kind }) => kind === "ack"));
});

for (const { name } of PLANTS) {
  Deno.test(`simulation: finds a node that ${name}`, async () => {
    const sum = await runFleet({ first: 1, histories: PLANTED_MAX, workers: 1, plant: name });
    assert(sum.failures.length > 0, `not found in ${sum.histories} histories`);
  });
}
