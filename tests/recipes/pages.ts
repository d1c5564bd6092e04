/**
 * What the pages of recipes show, as text, and as programs that run.
 *
 * A page's `ts` blocks, one after the other, are the file of the same name; those that open with `// name.ts` are
 * programs of their own, which use that file.
 *
 * @module
 */

/** Where pages and files are. */
export const RECIPES = new URL("../../docs/recipes/", import.meta.url);
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

/** A page, or a file beside it. */
export function read(name: string): string {
  return Deno.readTextFileSync(new URL(name, RECIPES));
}

/** The code that a page shows of the file of the same name. */
export function shownCode(page: string): string {
  return blocks(page).filter((block) => programName(block) === undefined).join("\n");
}

/** The programs of a page, by file name. */
export function programs(page: string): Map<string, string> {
  return new Map(
    blocks(page).flatMap((block) => {
      const name = programName(block);
      return name === undefined ? [] : [[name, block]];
    }),
  );
}

/**
 * Writes a page's programs, and the file that they use, into a directory, as a reader would who has installed the client.
 *
 * @param changes texts that are others here, as addresses are; each must be there
 * @returns the arguments with which Deno runs a program of the page
 */
export async function layOut(
  directory: string,
  name: string,
  changes: readonly [from: string, to: string][],
): Promise<(program: string) => string[]> {
  const files = programs(read(`${name}.md`));
  let all = Array.from(files.values()).join("");
  for (const [from, to] of changes) {
    if (!all.includes(from)) throw new Error(`${name}.md: no program has ${from}`);
    all = all.replaceAll(from, to);
    for (const [file, text] of files) files.set(file, text.replaceAll(from, to));
  }
  if (name !== "README") files.set(`${name}.ts`, read(`${name}.ts`));
  for (const [file, text] of files) {
    await Deno.writeTextFile(`${directory}/${file}`, text);
  }
  return (program) => ["run", "-A", "--no-check", "--config", CONFIG, `${directory}/${program}`];
}

function blocks(page: string): string[] {
  return Array.from(page.matchAll(/^```ts\n([\s\S]*?)^```$/gm), ([, code]) => code!);
}

function programName(block: string): string | undefined {
  return /^\/\/ (\w+\.ts)\n/.exec(block)?.[1];
}
