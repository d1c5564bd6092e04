/**
 * The shape of the code as rules over its sources: who may import whom, where time, randomness and files come from,
 * and how a file looks. Each rule is a pure function from sources to complaints.
 *
 * @module
 */
import { lineOf, type Source } from "./scan.ts";

/** What a node is made of, from the wire up: each part may import those before it. */
const LAYERS = ["protocol", "storage", "replication", "consumers", "http"];
/** Single files directly in `lib/` that know nothing of the layers, or of the wire's words only. */
const SMALL = ["settings.ts", "version.ts", "quantities.ts", "suggest.ts", "promise.ts", "peers.ts"];

/** What each part of `lib/` may import besides itself: other parts, names of the import map, Node's own modules. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  std: ["deno-std/"],
  storage: ["protocol", "node:"],
  replication: ["protocol", "storage", "node:"],
  consumers: ["protocol", "storage"],
  http: [
    "protocol",
    "storage",
    "replication",
    "consumers",
    "console",
    "version.ts",
    "hono",
    "@std/http",
    "node:",
  ],
  client: ["protocol"],
  console: ["protocol", "client"],
  cli: [...LAYERS, ...SMALL, "client", "node.ts", "@std/cli", "@logtape/", "node:"],
  "node.ts": [...LAYERS, ...SMALL, "node_status.ts", "console", "hono", "@logtape/", "node:"],
  "node_status.ts": [...LAYERS, ...SMALL],
  "settings.ts": ["protocol", "quantities.ts", "suggest.ts", "peers.ts"],
  "peers.ts": ["protocol"],
  "version.ts": [],
  "quantities.ts": [],
  "suggest.ts": [],
  "promise.ts": [],
};

/** Where a seam meets the machine: the only files of storage and replication that may touch it. */
const SEAM_FILES: ReadonlySet<string> = new Set([
  "lib/storage/clock.ts",
  "lib/storage/random.ts",
  "lib/storage/deno_disk.ts",
  "lib/replication/peer_client.ts",
]);

const MACHINE_WORDS = [
  "Deno",
  "Date",
  "globalThis",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "clearTimeout",
  "clearInterval",
  "queueMicrotask",
  "fetch",
  "crypto",
  "performance",
];
const MACHINE = new RegExp(String.raw`(?<![.\w$])(?:(?:${MACHINE_WORDS.join("|")})\b|Math\.random\b)`, "g");
const FUNCTION_INTO_PROPERTY =
  /(?:[\w)\]]\s*\??\.\s*#?\w+|\w\])\s*=(?![=>])\s*(?:async\b\s*)?(?:function\b|\w+\s*=>|\([^()]*\)\s*(?::[^=;{}]*)?=>)/g;
const SNAKE_CASE = /^_?[a-z0-9]+(_[a-z0-9]+)*(\.d)?\.(ts|js)$/;
/** Written so that this file does not hold the words themselves. */
const LEFT_UNDONE = new RegExp(["TO" + "DO", "FIX" + "ME"].join("|"), "g");

/** All complaints about these files, each as `path:line: what`. */
export function complaints(sources: readonly Source[]): string[] {
  const found = sources.flatMap((source) => [
    ...opensWithModuleComment(source),
    ...hasSnakeCaseName(source),
    ...leavesNothingUndone(source),
    ...importsOnlyTheMap(source),
    ...followsTheArrows(source),
    ...asksTheSeams(source),
    ...namesFunctionsFirst(source),
  ]);
  return [...found, ...buildsInOnePlace(sources), ...hasNoCycles(sources)].toSorted();
}

function opensWithModuleComment({ path, text }: Source): string[] {
  if (path.endsWith(".d.ts")) return [];
  const opening = /^(?:#![^\n]*\n)?\/\*\*[\s\S]*?\*\//.exec(text)?.[0] ?? "";
  return opening.includes("@module") ? [] : [`${path}:1: does not open with a @module comment`];
}

function hasSnakeCaseName({ path }: Source): string[] {
  return SNAKE_CASE.test(path.split("/").at(-1)!) ? [] : [`${path}:1: the file's name is not snake_case`];
}

function leavesNothingUndone({ path, text }: Source): string[] {
  return Array.from(text.matchAll(LEFT_UNDONE), (m) => `${path}:${lineOf(text, m.index)}: ${m[0]}`);
}

/** Packages come through names of the import map, so that where they come from is said in one place. */
function importsOnlyTheMap({ path, imports }: Source): string[] {
  return imports.filter(({ specifier }) => /^(npm|jsr|https?|data|file):/.test(specifier))
    .map(({ specifier, line }) => `${path}:${line}: imports ${specifier} past the import map`);
}

function followsTheArrows({ path, imports }: Source): string[] {
  const part = partOf(path);
  if (part === undefined) return [];
  const allowed = MAY_IMPORT[part];
  if (!allowed) return [`${path}:1: lib/${part} is no part that the rules know`];
  return imports.flatMap(({ specifier, line }) => {
    const file = resolve(path, specifier);
    const target = file === undefined ? specifier : partOf(file);
    if (target === "node:fs" && path !== "lib/storage/deno_disk.ts" && partOf(path) === "storage") {
      return [`${path}:${line}: node:fs belongs to deno_disk.ts`];
    }
    const fine = target !== undefined &&
      (target === part ||
        allowed.some((name) => target === name || (/[:/]$/.test(name) && target.startsWith(name))));
    return fine ? [] : [`${path}:${line}: lib/${part} may not import ${specifier}`];
  });
}

/** Storage, replication and dispensing see time, randomness, files and peers only as they are passed in. */
function asksTheSeams({ path, words }: Source): string[] {
  if (!/^lib\/(storage|replication|consumers)\//.test(path) || SEAM_FILES.has(path)) return [];
  return Array.from(words.matchAll(MACHINE)).filter(({ index }) => !isDeclaration(words, index))
    .map((m) => `${path}:${lineOf(words, m.index)}: ${m[0]} past the seams`);
}

/**
 * No `a.b = () => …` in what runs for long. V8 makes such a function among its old objects, so that all that it can
 * reach outlives the collections of young ones: 1 to 2 KB a request, and pauses of 2 ms instead of 0.2.
 */
function namesFunctionsFirst({ path, words }: Source): string[] {
  if (!path.startsWith("lib/") || path.startsWith("lib/cli/")) return [];
  return Array.from(
    words.matchAll(FUNCTION_INTO_PROPERTY),
    (m) => `${path}:${lineOf(words, m.index)}: a function goes into a property before it has a name`,
  );
}

/** A method of that name, as `Peer` may have one: it opens a line, and a type or a body follows its parameters. */
function isDeclaration(words: string, index: number): boolean {
  const lineStart = words.lastIndexOf("\n", index) + 1;
  return /^\s+(?:async\s+)?$/.test(words.slice(lineStart, index)) &&
    /^\w+\([^)]*\)\s*[:{]/.test(words.slice(index));
}

/** What implements a seam is made by `lib/node.ts` alone; all others are given it. */
function buildsInOnePlace(sources: readonly Source[]): string[] {
  const implementing = /\bclass\s+(\w+)[^{]*\bimplements\s+(?:Clock|Random|Disk|Peer)\b/g;
  const library = sources.filter(({ path }) => path.startsWith("lib/"));
  const classes = library.flatMap(({ words }) => Array.from(words.matchAll(implementing), (m) => m[1]!));
  if (classes.length === 0) return [];
  const building = new RegExp(String.raw`\bnew\s+(?:${classes.join("|")})\b`, "g");
  return library.filter(({ path }) => path !== "lib/node.ts").flatMap(({ path, words }) =>
    Array.from(
      words.matchAll(building),
      (m) => `${path}:${lineOf(words, m.index)}: ${m[0]} outside of lib/node.ts`,
    )
  );
}

/**
 * No file reaches itself when it runs; a cycle is told once, from its first file by name. Imports of types alone are
 * left out: two files may speak of each other, and nothing of that is left when they run.
 */
function hasNoCycles(sources: readonly Source[]): string[] {
  const targets = new Map(
    sources.map((
      { path, imports },
    ) => [path, imports.flatMap((i) => i.typeOnly ? [] : resolve(path, i.specifier) ?? [])]),
  );
  const done = new Set<string>();
  const found = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) {
      const cycle = trail.slice(start);
      const first = cycle.indexOf(cycle.toSorted()[0]!);
      found.add([...cycle.slice(first), ...cycle.slice(0, first)].join(" -> "));
    } else if (!done.has(path)) {
      for (const target of targets.get(path) ?? []) visit(target, [...trail, path]);
      done.add(path);
    }
  };
  for (const path of targets.keys()) visit(path, []);
  return Array.from(found, (cycle) => `${cycle.split(" ")[0]}:1: a cycle: ${cycle}`);
}

/** The part of `lib/` a file belongs to: its folder, or the file itself; `undefined` outside. */
function partOf(path: string): string | undefined {
  return /^lib\/([^/]+)/.exec(path)?.[1];
}

/** The path that a relative specifier means; `undefined` for all others. */
function resolve(from: string, specifier: string): string | undefined {
  if (!/^\.{0,2}\//.test(specifier)) return undefined;
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}
