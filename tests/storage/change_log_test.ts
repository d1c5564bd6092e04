/**
 * The order of changes: what a reader that goes through it page by page is told, whatever changes meanwhile.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Change, ChangeEntry, ChangeLog } from "../../lib/storage/change_log.ts";

/** Entries that are told apart by their category. */
function entries(count: number): ChangeEntry[] {
  return Array.from({ length: count }, (_, i) => new ChangeEntry(`c${i}`, undefined, "n"));
}

function categories(changes: readonly Change[]): string[] {
  return changes.map(({ category }) => category);
}

Deno.test("ChangeLog: each entry once, in order of its last change", () => {
  const log = new ChangeLog();
  const [a, b, c] = entries(3) as [ChangeEntry, ChangeEntry, ChangeEntry];
  assertEquals([log.latest, log.since(0, 10)], [0, { changes: [], more: false }]);
  for (const entry of [a, b, c, a, a]) log.touch(entry, undefined);
  log.touch(b, "m");
  assertEquals(log.since(0, 10), {
    changes: [
      { seq: 3, category: "c2", acknowledged: "n", source: undefined },
      { seq: 5, category: "c0", acknowledged: "n", source: undefined },
      { seq: 6, category: "c1", acknowledged: "n", source: "m" },
    ],
    more: false,
  });
  assertEquals([log.latest, log.since(6, 10), log.since(99, 10)], [
    6,
    { changes: [], more: false },
    { changes: [], more: false },
  ]);
  log.remove(a);
  log.remove(a);
  assertEquals(categories(log.since(3, 10).changes), ["c1"]);
});

Deno.test("ChangeLog: watchers are told of each change until they stop", () => {
  const log = new ChangeLog();
  const [a] = entries(1) as [ChangeEntry];
  const seen: number[] = [];
  const unwatch = log.watch(({ seq }) => seen.push(seq));
  log.touch(a, undefined);
  log.touch(a, undefined);
  unwatch();
  log.touch(a, undefined);
  assertEquals(seen, [1, 2]);
});

type Step =
  | { readonly kind: "touch"; readonly entry: number }
  | { readonly kind: "remove"; readonly entry: number }
  | { readonly kind: "page"; readonly reader: number; readonly max: number };

Deno.test("ChangeLog: readers that page through it miss no change, and it is what a sorted list would be", () => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("touch" as const), entry: fc.nat(11) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), entry: fc.nat(11) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("page" as const),
        reader: fc.nat(2),
        max: fc.integer({ min: 1, max: 4 }),
      }),
    },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const log = new ChangeLog();
      const all = entries(12);
      const model = new Map<string, number>();
      const cursors = [0, 0, 0];
      for (const one of steps) {
        if (one.kind === "touch") {
          log.touch(all[one.entry]!, undefined);
          model.set(`c${one.entry}`, log.latest);
        } else if (one.kind === "remove") {
          log.remove(all[one.entry]!);
          model.delete(`c${one.entry}`);
        } else {
          const expected = [...model].filter(([, seq]) => seq > cursors[one.reader]!)
            .sort(([, x], [, y]) => x - y);
          const { changes, more } = log.since(cursors[one.reader]!, one.max);
          assertEquals(
            changes.map(({ category, seq }) => [category, seq]),
            expected.slice(0, one.max),
          );
          assertEquals(more, expected.length > one.max);
          cursors[one.reader] = changes.at(-1)?.seq ?? cursors[one.reader]!;
        }
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("ChangeLog: 200,000 entries are paged through in one pass, also while they change", () => {
  const log = new ChangeLog();
  const all = entries(200_000);
  for (const entry of all) log.touch(entry, undefined);
  const seen = new Set<string>();
  let seq = 0;
  let pages = 0;
  for (let more = true; more; pages++) {
    const page = log.since(seq, 100);
    more = page.more;
    for (const { category } of page.changes) seen.add(category);
    seq = page.changes.at(-1)!.seq;
    // The page's end itself moves, which is the place that was remembered.
    if (pages < 1000) log.touch(all[pages * 100 + 99]!, undefined);
  }
  assertEquals(seen.size, all.length);
  assert(pages <= 2020, `${pages} pages`);
});
