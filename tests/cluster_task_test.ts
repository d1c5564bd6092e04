/**
 * `deno task cluster`: the command of `deno.json`, run on free ports.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { TextLineStream } from "@std/streams";
import { eventually } from "./support/eventually.ts";
import { freePorts } from "./support/member.ts";
import { temporaryDirectory } from "./support/node.ts";
import { os, testWith } from "./support/skip.ts";

const ROOT = new URL("../", import.meta.url);
/** Nothing here takes longer, unless it hangs. */
const RUN_MS_MAX = 60_000;

/** The task while it runs; what it printed so far. */
class Task implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly ended: Promise<number>;
  readonly #child: Deno.ChildProcess;

  constructor(...args: string[]) {
    const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
    const [program, ...command] = tasks.cluster.command.split(" ");
    assertEquals(program, "deno");
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...command, ...args],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const timer = setTimeout(() => this.signal("SIGTERM"), RUN_MS_MAX);
    const drained = this.#drain();
    this.ended = Promise.all([this.#child.status, drained]).then(([{ code }]) => code)
      .finally(() => clearTimeout(timer));
  }

  get text(): string {
    return this.lines.join("\n");
  }

  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }

  printed(pattern: RegExp): Promise<string> {
    return eventually(`it prints ${pattern}`, () => this.text, (text) => pattern.test(text));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGTERM");
    await this.ended;
  }

  async #drain(): Promise<void> {
    const lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
    for await (const line of lines) this.lines.push(line);
  }
}

async function answers(url: string): Promise<boolean> {
  return await fetch(`${url}/livez`).then((answer) => answer.text()).then(() => true, () => false);
}

testWith(
  "cluster task: three nodes side by side, what one takes the others have, Ctrl-C ends all",
  [os("linux", "darwin")],
  async () => {
    await using directory = await temporaryDirectory();
    await using task = new Task("--port", "0", "--dir", directory.path, "--", "--min-free-disk", "0");
    const told = await task.printed(/^Ctrl-C stops all\.$/m);
    const found = Array.from(
      told.matchAll(/^ {2}(node_\d) {2}(http:\S+)$/gm),
      ([, name, url]) => [name, url],
    );
    assertEquals(found.map(([name]) => name), ["node_1", "node_2", "node_3"]);
    const urls = found.map(([, url]) => url!);
    for (const [name, url] of found) assertMatch(told, new RegExp(`^${name} │ .* serves ${url}`, "m"));

    // The commands that it proposes, as far as they name addresses.
    assertStringIncludes(told, `curl --data-binary 'hello' '${urls[0]}/write?category=greetings'`);
    assertStringIncludes(told, `read greetings --server ${urls[2]}`);
    const written = await fetch(`${urls[0]}/write?category=greetings`, { method: "POST", body: "hello" });
    const { chunk } = await written.json();
    const path = `/read?category=greetings&chunk=${chunk}&off=0&max_size=1000`;
    for (const url of urls) {
      await eventually(
        `${url} has it`,
        () => fetch(`${url}${path}`).then((a) => a.text()),
        (text) => text === "hello\n",
      );
    }

    task.signal("SIGINT");
    // As `deno task` hands on what the terminal sent to all.
    task.signal("SIGINT");
    assertEquals(await task.ended, 0, task.text);
    for (const [name] of found) assertMatch(task.text, new RegExp(`^${name} │ .* stopped$`, "m"));
    assertEquals(await Promise.all(urls.map(answers)), [false, false, false]);
  },
);

testWith(
  "cluster task: a node that ends by itself is told of, and the others go on",
  [os("linux", "darwin")],
  async () => {
    await using directory = await temporaryDirectory();
    const { first, occupied } = portsWithOneTaken();
    using _listener = occupied;
    await using task = new Task("--port", String(first), "--dir", directory.path);
    await task.printed(/^node_2 has ended with status 1; the others go on$/m);
    assertMatch(task.text, /^node_2 │ .*another program uses this address/m);
    for (const port of [first, first + 2]) {
      await eventually("it answers", () => answers(`http://127.0.0.1:${port}`), Boolean);
    }
    task.signal("SIGINT");
    assertEquals(await task.ended, 1);
  },
);

Deno.test("cluster task: a mistaken command line is told, and nothing is started", async () => {
  for (const args of [["--nodes", "0"], ["--port", "65535"], ["--sync-each-write"], ["five"]]) {
    await using task = new Task(...args);
    assertEquals(await task.ended, 2);
    assert(task.text.includes(args[0]!) && task.text.includes("Usage: deno task cluster"), task.text);
  }
});

/** Three ports in a row of which the second one is in use. */
function portsWithOneTaken(): { first: number; occupied: Deno.Listener } {
  for (;;) {
    const [first = 0] = freePorts(1);
    try {
      return { first, occupied: Deno.listen({ hostname: "127.0.0.1", port: first + 1 }) };
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
