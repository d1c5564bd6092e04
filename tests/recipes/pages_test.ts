/**
 * The pages of recipes show the code that the other tests here run: the `ts` blocks of a page, one after the other, are
 * the file of the same name. The programs besides are run by `cluster_test.ts`.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { read, RECIPES, shownCode } from "./pages.ts";

const NAMES = ["sqlite", "postgresql", "full_text", "clickhouse"];

/** A file behind the comment that it opens with. */
function code(text: string): string {
  return text.replace(/^\/\*\*[\s\S]*?\*\/\n\s*/, "");
}

for (const name of NAMES) {
  Deno.test(`docs/recipes/${name}.md shows all of ${name}.ts, in its order`, () => {
    assertEquals(shownCode(read(`${name}.md`)), code(read(`${name}.ts`)));
  });
}

Deno.test("docs/recipes/README.md leads to every recipe, and every link of the pages leads somewhere", () => {
  const files = Array.from(Deno.readDirSync(RECIPES), ({ name }) => name);
  assertEquals(
    files.toSorted(),
    ["README.md", ...NAMES.flatMap((name) => [`${name}.md`, `${name}.ts`])].toSorted(),
  );
  for (const name of NAMES) assert(read("README.md").includes(`](${name}.md)`), `README.md: ${name}`);
  for (const page of files.filter((name) => name.endsWith(".md"))) {
    for (const [, link] of read(page).matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)) {
      assert(Deno.statSync(new URL(link!, RECIPES)), `${page}: ${link}`);
    }
  }
});
