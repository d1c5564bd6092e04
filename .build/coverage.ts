/**
 * `deno task coverage`: runs all tests and prints line coverage as one table with a total; ends with an error below
 * the bound. Arguments go to `deno test`.
 *
 * Processes that tests start count too: Deno hands `DENO_COVERAGE_DIR` on to them, and each writes its own file when
 * it ends by itself (one that is killed with SIGKILL tells nothing). A file that no test loads does not occur in what
 * V8 reports; it is added here with none of its lines covered.
 *
 * @module
 */

const PERCENT_MIN = 90;
const ROOT = new URL("../", import.meta.url);
const DIRECTORY = new URL("coverage/", ROOT).pathname;

/** Lines of one file: how often each ran. */
type Lines = Map<number, number>;

async function main(args: readonly string[]): Promise<number> {
  await Deno.remove(DIRECTORY, { recursive: true }).catch((error: unknown) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  const tests = ["test", "-A", "--parallel", "--coverage-raw-data-only", "lib", "tests", ...args];
  if (!(await run(tests, "inherit")).success) return 1;
  const include = `--include=^${ROOT.href}(lib/|main\\.ts)`;
  const { success, text } = await run(["coverage", "--lcov", include, DIRECTORY], "piped");
  if (!success) return 1;
  const files = parseLcov(text);
  for (const path of ["main.ts", ...sources("lib")]) {
    if (!files.has(path)) files.set(path, unloaded(path));
  }
  const percent = report(files);
  if (percent < PERCENT_MIN) print(`line coverage is below ${PERCENT_MIN} %\n`);
  return percent < PERCENT_MIN ? 1 : 0;
}

async function run(args: string[], stdout: "inherit" | "piped"): Promise<{ success: boolean; text: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { DENO_COVERAGE_DIR: DIRECTORY },
    stdout,
    stderr: "inherit",
  });
  if (stdout === "inherit") return { success: (await command.spawn().status).success, text: "" };
  const { success, stdout: bytes } = await command.output();
  return { success, text: new TextDecoder().decode(bytes) };
}

/** `SF:<path>` opens a file, `DA:<line>,<count>` is a line of it. */
function parseLcov(text: string): Map<string, Lines> {
  const files = new Map<string, Lines>();
  let lines: Lines = new Map();
  for (const row of text.split("\n")) {
    if (row.startsWith("SF:")) files.set(row.slice(3 + ROOT.pathname.length), lines = new Map());
    const [, line, count] = /^DA:(\d+),(\d+)/.exec(row) ?? [];
    if (line) lines.set(Number(line), Number(count));
  }
  return files;
}

/** Paths of the files below a directory that hold code to run: not declarations, not types alone. */
function sources(directory: string): string[] {
  return Array.from(Deno.readDirSync(new URL(directory, ROOT))).flatMap(({ name, isDirectory }) => {
    const path = `${directory}/${name}`;
    if (isDirectory) return sources(path);
    if (!name.endsWith(".ts") || name.endsWith(".d.ts")) return [];
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    return /^(export )?(default |async |abstract )*(function|class|const|let)\b/m.test(text) ? [path] : [];
  });
}

function unloaded(path: string): Lines {
  const rows = Deno.readTextFileSync(new URL(path, ROOT)).split("\n");
  return new Map(rows.flatMap((row, i) => /^\s*(\/?\*|\/\/|$)/.test(row) ? [] : [[i + 1, 0]]));
}

/** Prints the table, least covered last where the eye is, and returns the total. */
function report(files: Map<string, Lines>): number {
  const rows = Array.from(files, ([path, lines]) => {
    const missed = Array.from(lines).filter(([, count]) => count === 0).map(([line]) => line);
    return { path, all: lines.size, missed };
  }).filter(({ all }) => all > 0);
  const percentOf = (all: number, missed: number): number => 100 * (all - missed) / Math.max(1, all);
  rows.sort((a, b) => percentOf(b.all, b.missed.length) - percentOf(a.all, a.missed.length));
  const all = rows.reduce((sum, row) => sum + row.all, 0);
  const total = percentOf(all, rows.reduce((sum, row) => sum + row.missed.length, 0));
  print("\n");
  for (const { path, all, missed } of rows) {
    const percent = percentOf(all, missed.length).toFixed(1).padStart(6);
    print(`${percent} %  ${path.padEnd(40)}${missed.length > 0 ? `  not: ${ranges(missed)}` : ""}\n`);
  }
  print(`\n${total.toFixed(1).padStart(6)} %  of ${all} lines in ${rows.length} files\n`);
  return total;
}

/** `3-5 9 12-20`, cut after a few. */
function ranges(lines: readonly number[]): string {
  const found: { first: number; last: number }[] = [];
  for (const line of lines) {
    const open = found.at(-1);
    if (open?.last === line - 1) open.last = line;
    else found.push({ first: line, last: line });
  }
  const shown = found.slice(0, 12).map(({ first, last }) => first === last ? `${first}` : `${first}-${last}`);
  return shown.join(" ") + (found.length > 12 ? " ..." : "");
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
