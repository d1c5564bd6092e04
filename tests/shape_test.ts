/**
 * Holds the shape of the code: the arrows between its parts, the seams, one place that builds, no cycles, and how a
 * file looks. The rules themselves are tried on planted text first, so that a rule that cannot fail is noticed.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { complaints } from "./shape/rules.ts";
import { scan } from "./shape/scan.ts";

const HEAD = "/** What it owns.\n *\n * @module\n */\n";

/** Complaints about planted files, given as path and what follows the opening comment. */
function planted(files: Record<string, string>): string[] {
  return complaints(Object.entries(files).map(([path, text]) => scan(path, HEAD + text)));
}

Deno.test("scan finds every form of import, and none in comments or strings", () => {
  const { imports } = scan(
    "a.ts",
    `import "a";
import type { B } from 'b';
import {
  c,
} from "c";
export * from "d";
const e = await import("e");
// import "no"
const s = 'import "no"' + \`from "no"\` + "\\" from 'no'";
const r = /["'] from "no"/; const x = Array.from("no");
`,
  );
  assertEquals(imports.map(({ specifier }) => specifier), ["a", "b", "c", "d", "e"]);
  assertEquals(imports.map(({ line }) => line), [1, 2, 5, 6, 7]);
  assertEquals(imports.map(({ typeOnly }) => typeOnly), [false, true, false, false, false]);
});

Deno.test("shape: a planted import against the arrows is told", () => {
  const allowed: [path: string, specifier: string][] = [
    ["lib/protocol/a.ts", "./b.ts"],
    ["lib/storage/a.ts", "../protocol/b.ts"],
    ["lib/storage/a.ts", "node:zlib"],
    ["lib/storage/deno_disk.ts", "node:fs"],
    ["lib/replication/a.ts", "../storage/b.ts"],
    ["lib/http/a.ts", "../replication/b.ts"],
    ["lib/http/a.ts", "hono"],
    ["lib/cli/a.ts", "../http/b.ts"],
    ["lib/cli/a.ts", "../node.ts"],
    ["lib/cli/a.ts", "@std/cli"],
    ["lib/client/a.ts", "../protocol/b.ts"],
    ["lib/node.ts", "./storage/b.ts"],
    ["main.ts", "./lib/cli/b.ts"],
  ];
  for (const [path, specifier] of allowed) {
    assertEquals(planted({ [path]: `import "${specifier}";\n` }), []);
  }
  const refused: [path: string, specifier: string][] = [
    ["lib/protocol/a.ts", "../storage/b.ts"],
    ["lib/protocol/a.ts", "node:fs"],
    ["lib/protocol/a.ts", "hono"],
    ["lib/storage/a.ts", "../replication/b.ts"],
    ["lib/storage/a.ts", "../http/b.ts"],
    ["lib/storage/a.ts", "@logtape/logtape"],
    ["lib/storage/a.ts", "node:fs"],
    ["lib/replication/a.ts", "../http/b.ts"],
    ["lib/http/a.ts", "../cli/b.ts"],
    ["lib/http/a.ts", "../node.ts"],
    ["lib/http/a.ts", "fast-check"],
    ["lib/client/a.ts", "../storage/b.ts"],
    ["lib/client/a.ts", "node:fs"],
    ["lib/node.ts", "./cli/b.ts"],
    ["lib/unheard_of/a.ts", "./b.ts"],
    ["lib/http/a.ts", "npm:hono"],
    ["tests/a.ts", "npm:fast-check"],
    ["main.ts", "jsr:@std/cli"],
  ];
  for (const [path, specifier] of refused) {
    assert(planted({ [path]: `import "${specifier}";\n` }).length > 0, `${path} may import ${specifier}`);
  }
});

Deno.test("shape: a planted word past the seams is told with its line", () => {
  for (
    const text of [
      "Deno.openSync(path)",
      "Date.now()",
      "new Date()",
      "setTimeout(f, 1)",
      "setInterval(f, 1)",
      "setImmediate(f)",
      "queueMicrotask(f)",
      "await fetch(url)",
      "crypto.randomUUID()",
      "Math.random()",
      "performance.now()",
      "globalThis.fetch(url)",
    ]
  ) {
    assertEquals(planted({ "lib/storage/a.ts": `${text};\n` }).length, 1, text);
    assertEquals(planted({ "lib/replication/a.ts": `${text};\n` }).length, 1, text);
    assertEquals(planted({ "lib/storage/clock.ts": `${text};\n` }), [], text);
    assertEquals(planted({ "lib/cli/a.ts": `${text};\n` }), [], text);
  }
  assertEquals(planted({ "lib/storage/a.ts": "\nDeno.x;\n" }), ["lib/storage/a.ts:6: Deno past the seams"]);
  assertEquals(
    planted({
      "lib/storage/a.ts":
        "// Date\npeer.fetch();\nclass P {\n  fetch(a: A,\n    b: B): C;\n}\nconst s = 'Date';\n",
    }),
    [],
  );
});

Deno.test("shape: building a seam outside of node.ts is told", () => {
  const clock = { "lib/storage/clock.ts": "export class SystemClock implements Clock {}\n" };
  const use = "const clock = new SystemClock();\n";
  assertEquals(planted({ ...clock, "lib/node.ts": use, "tests/a_test.ts": use }), []);
  assertEquals(planted({ ...clock, "lib/http/a.ts": use }), [
    "lib/http/a.ts:5: new SystemClock outside of lib/node.ts",
  ]);
});

Deno.test("shape: a cycle is told once", () => {
  const files = {
    "lib/http/c.ts": 'import "./a.ts";\n',
    "lib/http/a.ts": 'import "./b.ts";\n',
    "lib/http/b.ts": 'import "./c.ts";\n',
  };
  assertEquals(planted(files), [
    "lib/http/a.ts:1: a cycle: lib/http/a.ts -> lib/http/b.ts -> lib/http/c.ts",
  ]);
  assertEquals(planted({ ...files, "lib/http/b.ts": "" }), []);
  assertEquals(planted({ ...files, "lib/http/b.ts": 'import type { C } from "./c.ts";\n' }), []);
});

Deno.test("shape: a function that goes into a property without a name is told", () => {
  const refused = [
    "a.b = () => 1",
    "this.#b = (): void => {}",
    "a[b] = function () {}",
    "a.b = async (c) => c",
  ];
  const allowed = [
    "const b = () => 1;\na.b = b",
    "({ b: () => 1 })",
    "a.b = c(() => 1)",
    "a.b = (c + d)",
    "a.b === (() => 1)",
  ];
  for (const text of refused) {
    assertEquals(planted({ "lib/http/a.ts": `${text};\n` }).length, 1, text);
    assertEquals(planted({ "lib/cli/a.ts": `${text};\n`, "tests/a.ts": `${text};\n` }), [], text);
  }
  for (const text of allowed) assertEquals(planted({ "lib/http/a.ts": `${text};\n` }), [], text);
});

Deno.test("shape: a file's look is told", () => {
  assertEquals(complaints([scan("lib/http/a.ts", "export {};\n")]).length, 1);
  assertEquals(complaints([scan("lib/http/a.ts", "// @module\n/** x */\n")]).length, 1);
  assertEquals(planted({ "lib/http/camelCase.ts": "" }).length, 1);
  assertEquals(planted({ "lib/http/kebab-case.ts": "" }).length, 1);
  assertEquals(planted({ "lib/http/a.ts": `// ${"TO" + "DO"} later\n` }).length, 1);
});

Deno.test("shape: the sources have it", async () => {
  const root = new URL("../", import.meta.url);
  const paths = ["main.ts", ...await filesBelow(root, "lib"), ...await filesBelow(root, "tests")];
  const present = paths.filter((path) => path !== "main.ts" || exists(new URL(path, root)));
  const sources = present.map((path) => scan(path, Deno.readTextFileSync(new URL(path, root))));
  assert(sources.filter(({ path }) => path.startsWith("lib/")).length > 10, "the sources were not found");
  assertEquals(complaints(sources), []);
});

async function filesBelow(root: URL, directory: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(new URL(directory, root))) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) found.push(...await filesBelow(root, path));
    else if (/\.(ts|js)$/.test(entry.name)) found.push(path);
  }
  return found.toSorted();
}

function exists(url: URL): boolean {
  try {
    return Deno.statSync(url).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
