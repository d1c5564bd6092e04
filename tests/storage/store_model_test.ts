/**
 * Random histories of a store against a plain model of what it promised.
 *
 * `CHUKCHA_MODEL_SECONDS` makes it run that long instead of a fixed number of histories. A failure prints the seed and
 * the shortest history that fails.
 *
 * @module
 */
import fc from "fast-check";
import { Model, type Spec, type Step } from "./store_model.ts";

const RUNS = 400;
const SECONDS = Number(Deno.env.get("CHUKCHA_MODEL_SECONDS") ?? 0);

const dice = fc.nat(2 ** 31);
const length = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 8, max: 120 }) }, {
  weight: 1,
  arbitrary: fc.integer({ min: 8, max: 3500 }),
});
const spec: fc.Arbitrary<Spec> = fc.record({
  category: fc.nat(2),
  lengths: fc.array(length, { minLength: 1, maxLength: 4 }),
  sync: fc.boolean(),
});
const append: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant("append" as const),
  batches: fc.array(spec, { minLength: 1, maxLength: 6 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: append },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("read" as const), dice }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(70_000) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("ack" as const), dice }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("fault" as const),
      fault: fc.constantFrom(
        "full" as const,
        "sync" as const,
        "short" as const,
        "inodes" as const,
        "none" as const,
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("stop" as const, "kill" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("crash" as const), dice: fc.option(dice, { nil: undefined }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("die" as const),
      after: fc.integer({ min: 1, max: 30 }),
      power: fc.boolean(),
      dice,
    }),
  },
);

Deno.test("Store: random histories of appends, reads, rotations, acks, faults, stops, kills and power cuts", async () => {
  const history = fc.asyncProperty(
    fc.array(step, { minLength: 1, maxLength: 40, size: "max" }),
    async (steps) => {
      const model = await Model.start();
      for (const one of steps) await model.play(one);
      await model.finish();
    },
  );
  await fc.assert(
    history,
    SECONDS > 0 ? { numRuns: 1e9, interruptAfterTimeLimit: SECONDS * 1000 } : { numRuns: RUNS },
  );
});
