/**
 * `docs/limits.md` and `lib/protocol/limits.ts` speak of the same bounds.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import * as limits from "../../lib/protocol/limits.ts";

/** Units, and no bounds. */
const UNITS = ["KIB", "MIB"];

Deno.test("docs/limits.md has every bound of limits.ts once in its tables, and no other", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/limits.md", import.meta.url));
  const listed = Array.from(text.matchAll(/^\| `([A-Z0-9_]+)` +\|/gm), (match) => match[1]!);
  const known = Object.keys(limits).filter((name) => !UNITS.includes(name));
  assertEquals(listed.toSorted(), known.toSorted());
});

Deno.test("every bound is a number above zero, whole unless it is a share", () => {
  for (const [name, value] of Object.entries(limits)) {
    assert(value > 0 && (Number.isSafeInteger(value) || name.endsWith("_SHARE")), `${name} is ${value}`);
  }
});
