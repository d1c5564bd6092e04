/**
 * The client where it is said to run: one example, byte for byte the same, in Deno from the sources, and in Node and Bun
 * from the package that `deno task build:npm` makes, each against a real node; its declarations in a strict project.
 *
 * @module
 */
import { assertEquals, assertFalse, assertMatch } from "@std/assert";
import ts from "typescript";
import { buildPackage, PACKAGE } from "../../.build/npm.ts";
import { startLocalNode } from "../support/node.ts";
import { testWith, tool } from "../support/skip.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const EXAMPLE = `${ROOT}docs/examples/events.mjs`;
const PRINTED = "10000 events, sum 495000\n";

/** A project that is as strict as it can be, declarations of others included. */
const STRICT: ts.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  skipLibCheck: false,
  noEmit: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ["lib.es2022.d.ts", "lib.dom.d.ts"],
  types: [],
};

/** The package, built by the first test that wants it. */
let built: Promise<string> | undefined;

function build(): Promise<string> {
  return built ??= (async () => {
    const directory = await Deno.makeTempDir({ prefix: "chukcha-package-" });
    globalThis.addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));
    await buildPackage(`${directory}/chukcha`);
    return directory;
  })();
}

/** A directory of a project that has the package installed. */
async function project(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "chukcha-npm-" });
  await Deno.symlink(await build(), `${path}/node_modules`);
  await Deno.copyFile(EXAMPLE, `${path}/events.mjs`);
  await Deno.writeTextFile(`${path}/package.json`, '{ "type": "module" }\n');
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Runs a program to its end; returns what it printed, or throws with all of it. */
async function output(program: string, args: string[], cwd: string): Promise<string> {
  const command = new Deno.Command(program, { args, cwd, stdin: "null", stdout: "piped", stderr: "piped" });
  const { code, stdout, stderr } = await command.output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: ended with ${code}\n${out}\n${err}`);
  return out!;
}

Deno.test("the example runs in Deno", async () => {
  await using node = await startLocalNode();
  assertEquals(await output(Deno.execPath(), ["run", "-A", EXAMPLE, node.url], ROOT), PRINTED);
});

testWith("the example runs unchanged in Node, with the package", [tool("node")], async () => {
  await using node = await startLocalNode();
  await using dir = await project();
  assertEquals(await output("node", ["events.mjs", node.url], dir.path), PRINTED);
});

testWith("the example runs unchanged in Bun, with the package", [tool("bun")], async () => {
  await using node = await startLocalNode();
  await using dir = await project();
  assertEquals(await output("bun", ["events.mjs", node.url], dir.path), PRINTED);
});

Deno.test("the package is one module without imports, and says what it is", async () => {
  await using dir = await project();
  const directory = `${dir.path}/node_modules/chukcha`;
  const code = await Deno.readTextFile(`${directory}/chukcha.js`);
  assertFalse(/^import /m.test(code));
  // What Node 20 does not have, or does not parse.
  assertFalse(
    /\bDeno\.|withResolvers|^\s*(?:await )?using /m.test(code.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "")),
  );
  assertEquals(JSON.parse(await Deno.readTextFile(`${directory}/package.json`)), structuredClone(PACKAGE));
  const names = Array.from(Deno.readDirSync(directory), ({ name }) => name).toSorted();
  assertEquals(names, ["LICENSE", "README.md", "chukcha.js", "package.json", "types"]);
  assertMatch(await Deno.readTextFile(`${directory}/README.md`), /npm|Node/);
});

Deno.test("the declarations are good in a strict project, and refuse what is wrong", async () => {
  await using dir = await project();
  const good = [
    'import { type Batch, type BatchOutcome, ChukchaError, connect, withEventId } from "chukcha";',
    'const chukcha = connect({ servers: ["http://127.0.0.1:8080"], token: () => "secret" });',
    'const producer = chukcha.producer("web", { lingerMs: 5, duplicates: "refuse" });',
    "const { chunk, offset }: { chunk: string; offset: number } = await producer.send(withEventId({ user: 1 }));",
    'const consumer = chukcha.consumer("web", { name: "indexer", from: new Date(), prefetch: 0 });',
    "const work = async (batch: Batch): Promise<BatchOutcome> => {",
    "  for (const { user } of batch.json<{ user: number }>()) user.toFixed();",
    "  return await batch.ack();",
    "};",
    "for await (const batch of consumer) await work(batch);",
    'for await (const piece of chukcha.tail("web", { cursor: `${chunk}:${offset}` })) [...piece.texts()];',
    "export const isFull = (error: unknown) => error instanceof ChukchaError && error.code === 'disk_full';",
    "await consumer[Symbol.asyncDispose]();",
  ].join("\n");
  const sources = {
    good,
    option: good.replace("lingerMs: 5", 'lingerMs: "5"'),
    method: good.replace("batch.ack()", "batch.acknowledge()"),
    code: good.replace("'disk_full'", "'no_such_code'"),
  };
  const paths = Object.keys(sources).map((name) => `${dir.path}/${name}.ts`);
  await Promise.all(Object.values(sources).map((source, i) => Deno.writeTextFile(paths[i]!, source)));
  const problems = ts.getPreEmitDiagnostics(ts.createProgram(paths, STRICT));
  const found = problems.map(({ file, messageText }) => {
    const name = file?.fileName.split("/").at(-1) ?? "everywhere";
    return `${name}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
  assertEquals(
    found.map((problem) => problem.split(":")[0]).toSorted(),
    ["code.ts", "method.ts", "option.ts"],
    found.join("\n"),
  );
});
