/** @module Tests of `lib/storage/category_names.ts`: a listing is always all that were ever known, in order. */
import { assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { CategoryNames } from "../../lib/storage/category_names.ts";

Deno.test("CategoryNames lists those that hold or held something, whenever and however many come", () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ add: fc.array(fc.tuple(fc.string({ maxLength: 4 }), fc.boolean()), { maxLength: 200 }) }),
      fc.record({ fill: fc.nat(1_000) }),
      fc.constant({ list: true } as const),
    ),
    { maxLength: 20 },
  );
  fc.assert(fc.property(steps, (all) => {
    const categories = new Map<string, { readonly name: string; known: boolean }>();
    const names = new CategoryNames(categories);
    const lists: [listed: readonly string[], expected: readonly string[]][] = [];
    for (const step of [...all, { list: true } as const]) {
      if ("add" in step) {
        for (const [name, known] of step.add) {
          if (!categories.has(name)) categories.set(name, { name, known });
        }
      } else if ("fill" in step) {
        const category = [...categories.values()][step.fill];
        if (category) category.known = true;
      } else {
        const expected = [...categories.values()].filter(({ known }) => known).map(({ name }) => name).sort();
        const listed = names.list();
        assertEquals(listed, expected);
        assertStrictEquals(names.list(), listed, "the same until others come");
        // Whoever has one goes on with it.
        lists.push([listed, expected]);
      }
    }
    for (const [listed, expected] of lists) assertEquals(listed, expected);
  }));
});

Deno.test("CategoryNames goes on listing what held something, also when nothing of it is left", () => {
  const category = { name: "c", known: true };
  const names = new CategoryNames(new Map([["c", category]]));
  assertEquals(names.list(), ["c"]);
  category.known = false;
  assertEquals(names.list(), ["c"]);
});
