/**
 * The log: its two forms, its levels, and that a sentence is not a template.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { startLogging } from "../../lib/cli/logging.ts";

Deno.test("startLogging writes one line each, from its level on", () => {
  const lines: string[] = [];
  const { log, close } = startLogging({ level: "warn", format: "text", write: (line) => lines.push(line) });
  log.info("not this");
  log.warn("braces {a} stay", { a: 1, text: "two words", left: undefined });
  close();
  assertEquals(lines.length, 1);
  assertMatch(lines[0]!, /^\d{4}-\d\d-\d\dT[\d:.]+Z WRN braces \{a\} stay a=1 text="two words"\n$/);
});

Deno.test("startLogging writes JSON lines", () => {
  const lines: string[] = [];
  const { log, close } = startLogging({ level: "debug", format: "json", write: (line) => lines.push(line) });
  log.error("it failed", { chunk: "c" });
  close();
  const { level, message, chunk } = JSON.parse(lines[0]!);
  assertEquals([level, message, chunk], ["ERROR", "it failed", "c"]);
});
