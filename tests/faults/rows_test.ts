/**
 * Every fault that must be survived has a test: `docs/faults.md` names them, and here they are looked for.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";

const TESTS = new URL("../", import.meta.url);
const TABLE = new URL("../../docs/faults.md", import.meta.url);

/** What must be survived. */
const FAULTS: readonly string[] = [
  "torn or zero-filled tail after power loss",
  "power loss, with what was synced",
  "owner lost an unsynced tail that a replica has",
  "fsync fails",
  "ENOSPC, short write",
  "a replica with a full disk",
  "no inodes left",
  "EMFILE",
  "read-only file system",
  "bit rot in a complete chunk",
  "replication answer cut short, duplicated, reordered, late",
  "one-way partition",
  "slow peer",
  "same name, empty disk",
  "two processes, one data dir",
  "two machines, one name",
  "clock jumps",
  "ack during a download; ack lost; ack twice",
  "node away for a year",
  "node gone for good",
  "client goes away mid-body",
  "slow client (slowloris)",
  "oversize batch or message, bad name, path traversal, garbage",
  "crash during rotation",
  "SIGTERM",
  "SIGKILL",
];

/** Files of this directory that bring no fault about. */
const OTHERS: readonly string[] = ["book_test.ts", "rows_test.ts", "big_log_test.ts", "categories_test.ts"];

interface Row {
  readonly fault: string;
  readonly file: string;
  readonly test: string;
}

/** The rows of the table; a row without a fault belongs to the one before it. */
function parseTable(text: string): Row[] {
  const rows: Row[] = [];
  for (const line of text.split("\n")) {
    const match = /^\| (.*?) *\| (\S+_test\.ts) *\| `(.+)` *\|$/.exec(line);
    if (!match) continue;
    const [, fault = "", file = "", test = ""] = match;
    rows.push({ fault: fault || rows.at(-1)?.fault || "", file, test });
  }
  return rows;
}

/**
 * Names of the tests in a source, as they are written there: the strings of calls that register tests, with
 * `${…}` where a value is put in.
 */
function testNames(source: string): string[] {
  const calls = /(?:Deno\.test|\btest[A-Z]\w*|\.step)\(\s*(?:\{\s*name:\s*)?(["`])((?:\\.|(?!\1)[^\\])*)\1/g;
  const variables = /\bconst name = (["`])((?:\\.|(?!\1)[^\\])*)\1/g;
  return [...source.matchAll(calls), ...source.matchAll(variables)].map(([, , name = ""]) =>
    name.replaceAll(/\\(["`])/g, "$1")
  );
}

Deno.test("docs/faults.md has a row for each fault, and no other", async () => {
  const rows = parseTable(await Deno.readTextFile(TABLE));
  assertEquals([...new Set(rows.map(({ fault }) => fault))], [...FAULTS]);
});

Deno.test("docs/faults.md names tests that exist", async () => {
  const missing: string[] = [];
  const names = new Map<string, string[]>();
  for (const { fault, file, test } of parseTable(await Deno.readTextFile(TABLE))) {
    try {
      if (!names.has(file)) names.set(file, testNames(await Deno.readTextFile(new URL(file, TESTS))));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      names.set(file, []);
    }
    if (!names.get(file)!.some((name) => name.includes(test))) missing.push(`${fault}: ${file}: ${test}`);
  }
  assertEquals(missing, []);
});

Deno.test("docs/faults.md names every test file of tests/faults", async () => {
  const named = new Set(parseTable(await Deno.readTextFile(TABLE)).map(({ file }) => file));
  const files = [...Deno.readDirSync(new URL("faults/", TESTS))].map(({ name }) => name);
  const forgotten = files.filter((name) =>
    name.endsWith("_test.ts") && !OTHERS.includes(name) && !named.has(`faults/${name}`)
  );
  assertEquals(forgotten, []);
});

Deno.test("the register's own tools find names, and miss what is not there", () => {
  const source =
    'Deno.test("a fault is survived", () => {});\ntestWith(\n  `${N} kills`,\n  [], fn);\n"not a test";';
  assertEquals(testNames(source), ["a fault is survived", "${N} kills"]);
  assert(
    parseTable("| x | a/b_test.ts | `c` |\n|   | a/d_test.ts | `e` |").every(({ fault }) => fault === "x"),
  );
});
