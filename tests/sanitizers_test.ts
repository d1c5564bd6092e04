/**
 * A test that leaves a file, a connection or a timer open fails: since Deno 2.8 only because `test` in `deno.json` asks
 * for it. That is tried on planted leaks, so that it is noticed when a version does not understand it any more.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { temporaryDirectory } from "./support/node.ts";

const CONFIG = new URL("../deno.json", import.meta.url).pathname;

/** Runs one test with the configuration of this project; returns its exit code and what it printed. */
async function run(body: string): Promise<{ code: number; text: string }> {
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/planted_test.ts`;
  await Deno.writeTextFile(file, `Deno.test("planted", async () => { ${body} });\n`);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "--config", CONFIG, file],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test("deno test tells of a file that is left open, by the configuration alone", async () => {
  const { code, text } = await run("await Deno.open(Deno.execPath());");
  assertEquals(code, 1, text);
  assertStringIncludes(text, "A file was opened during the test, but not closed");
});

Deno.test("deno test tells of a timer that is left running, by the configuration alone", async () => {
  const { code, text } = await run("await 0; setTimeout(() => {}, 60_000);");
  assertEquals(code, 1, text);
  assertStringIncludes(text, "A timer was started in this test, but never completed");
});

Deno.test("deno test passes one that leaves nothing", async () => {
  const { code, text } = await run("(await Deno.open(Deno.execPath())).close();");
  assertEquals(code, 0, text);
});
