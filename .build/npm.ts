/**
 * `deno task build:npm`: the client as a package for npm, in `dist/npm`.
 *
 * ```text
 * dist/npm/package.json      name, version, where things are
 * dist/npm/chukcha.js        the client: one ECMAScript module without imports
 * dist/npm/types/            its declarations, a file for each source
 * dist/npm/README.md, LICENSE
 * ```
 *
 * Nothing of the sources is rewritten: the client uses what Node 20, Bun and browsers have as well, so that putting its
 * modules into one is all that is needed. That is done by `deno bundle`; declarations come from TypeScript, whose
 * specifiers get the endings that other tools expect.
 *
 * Rejected: `deno bundle --declaration` (stops at an error in the runtime's own types for Node), esbuild (the bundler of
 * Deno is the same one), and dnt (it rewrites sources for runtimes of long ago).
 *
 * @module
 */
import ts from "typescript";
import { VERSION } from "../lib/version.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const ENTRY = `${ROOT}lib/client/mod.ts`;
const README = `${ROOT}.build/npm_readme.md`;

/** The package's description of itself. */
export const PACKAGE = {
  name: "chukcha",
  version: VERSION,
  description: "Client of Chukcha, an easy distributed event bus: for Node, Bun, Deno and browsers",
  keywords: ["chukcha", "event bus", "message queue", "log", "streaming"],
  license: "MIT",
  type: "module",
  sideEffects: false,
  engines: { node: ">=20" },
  main: "./chukcha.js",
  types: "./types/client/mod.d.ts",
  exports: {
    ".": { types: "./types/client/mod.d.ts", default: "./chukcha.js" },
    "./package.json": "./package.json",
  },
  files: ["chukcha.js", "types"],
} as const;

/** What declarations are made with; a project that uses them may be stricter. */
const OPTIONS: ts.CompilerOptions = {
  declaration: true,
  emitDeclarationOnly: true,
  rootDir: `${ROOT}lib`,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  allowImportingTsExtensions: true,
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  lib: [
    "lib.es2022.d.ts",
    "lib.es2023.array.d.ts",
    "lib.esnext.disposable.d.ts",
    "lib.dom.d.ts",
    "lib.dom.iterable.d.ts",
    "lib.dom.asynciterable.d.ts",
  ],
  types: [],
};

/** Builds the package into a directory, which is emptied before. */
export async function buildPackage(directory: string): Promise<void> {
  await Deno.remove(directory, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.mkdir(directory, { recursive: true });
  await bundle(`${directory}/chukcha.js`);
  await declare(`${directory}/types`);
  await Deno.writeTextFile(`${directory}/package.json`, `${JSON.stringify(PACKAGE, undefined, 2)}\n`);
  await Deno.copyFile(README, `${directory}/README.md`);
  await Deno.copyFile(`${ROOT}LICENSE`, `${directory}/LICENSE`);
}

async function bundle(file: string): Promise<void> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "browser", "--output", file, ENTRY],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { success, stdout, stderr } = await command.output();
  if (success) return;
  const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
  throw new Error(`deno bundle ${ENTRY} failed:\n${said}`);
}

async function declare(directory: string): Promise<void> {
  const program = ts.createProgram([ENTRY], { ...OPTIONS, outDir: directory });
  const written = new Map<string, string>();
  const { emitSkipped, diagnostics } = program.emit(undefined, (path, text) => written.set(path, text));
  const problems = [...ts.getPreEmitDiagnostics(program), ...diagnostics];
  if (emitSkipped || problems.length > 0) {
    const host = {
      getCanonicalFileName: (name: string) => name,
      getCurrentDirectory: () => ROOT,
      getNewLine: () => "\n",
    };
    throw new Error(`declarations of ${ENTRY}:\n${ts.formatDiagnostics(problems, host)}`);
  }
  for (const [path, text] of written) {
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(path, asPublished(text));
  }
}

/** Specifiers as they are resolved everywhere, and the library that `await using` needs, wherever it is named. */
function asPublished(text: string): string {
  const specifiers = text.replace(/(from |import\()"(\.[^"]+)\.ts"/g, '$1"$2.js"');
  return /AsyncDisposable|asyncDispose/.test(text)
    ? `/// <reference lib="esnext.disposable" />\n${specifiers}`
    : specifiers;
}

if (import.meta.main) await buildPackage(`${ROOT}dist/npm`);
