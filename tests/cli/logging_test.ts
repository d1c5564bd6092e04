/**
 * The log: its two forms, its levels, that a sentence is not a template, and that neither a message that repeats itself
 * nor a reader that has stopped reading does harm.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { startLogging } from "../../lib/cli/logging.ts";
import { LogWriter } from "../../lib/cli/log_writer.ts";
import {
  LOG_MESSAGES_MAX,
  LOG_QUEUE_BYTES_MAX,
  LOG_REPEATS_INTERVAL_MS,
  LOG_REPEATS_MAX,
} from "../../lib/protocol/limits.ts";
import type { LogFormat, LogLevel } from "../../lib/settings.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

/** A log under a clock that stands still, and what it has written. */
function logged(level: LogLevel, format: LogFormat) {
  const clock = new FakeClock();
  let text = "";
  const write = (bytes: Uint8Array): Promise<number> => {
    // Less than it is given, as a pipe may.
    const some = bytes.subarray(0, 7);
    text += new TextDecoder().decode(some);
    return Promise.resolve(some.length);
  };
  const { log, close } = startLogging({ level, format, write, clock });
  const lines = async (): Promise<string[]> => {
    await settle();
    while (text !== "" && !text.endsWith("\n")) await settle();
    return text.split("\n").slice(0, -1);
  };
  return { log, close, clock, lines };
}

Deno.test("startLogging writes one line each, from its level on", async () => {
  const { log, close, lines } = logged("warn", "text");
  log.info("not this");
  log.warn("braces {a} stay", { a: 1, text: "two words", left: undefined });
  await close();
  const [line, ...more] = await lines();
  assertEquals(more, []);
  assertMatch(line!, /^\d{4}-\d\d-\d\dT[\d:.]+Z WRN braces \{a\} stay a=1 text="two words"$/);
});

Deno.test("startLogging writes JSON lines whose names never change", async () => {
  const { log, close, lines } = logged("debug", "json");
  log.debug("d");
  log.info("i");
  log.warn('w "quoted"\nand {braces}', { chunk: "c", bytes: 7, whole: true, left: undefined });
  log.error("e", { time: "t", level: "l", message: "m" });
  await close();
  const parsed = (await lines()).map((line) => JSON.parse(line));
  for (const { time } of parsed) assertMatch(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assertEquals(parsed.map(({ time: _, ...rest }) => rest), [
    { level: "debug", message: "d" },
    { level: "info", message: "i" },
    { level: "warn", message: 'w "quoted"\nand {braces}', chunk: "c", bytes: 7, whole: true },
    { level: "error", message: "e", time_: "t", level_: "l", message_: "m" },
  ]);
  assertEquals(Object.keys(parsed[2]).slice(0, 3), ["time", "level", "message"]);
});

Deno.test("a message that comes too often is left out and counted, while others are told", async () => {
  const { log, close, clock, lines } = logged("info", "json");
  const messages = async () => (await lines()).map((line) => JSON.parse(line));
  for (let i = 0; i < LOG_REPEATS_MAX + 90; i++) log.error("it fails", { i });
  log.error("why it fails");
  log.warn("it fails");
  let told = await messages();
  assertEquals(told.length, LOG_REPEATS_MAX + 2);
  assertEquals(told.slice(-2).map(({ level, message }) => [level, message]), [["error", "why it fails"], [
    "warn",
    "it fails",
  ]]);
  // Nothing more of it comes, and that it did is told all the same.
  clock.advance(LOG_REPEATS_INTERVAL_MS);
  told = await messages();
  const { time: _, ...last } = told.at(-1);
  assertEquals(last, {
    level: "error",
    message: "lines of one message were left out, it came too often",
    of: "it fails",
    suppressed: 90,
  });
  assertEquals(told.length, LOG_REPEATS_MAX + 3);
  log.error("it fails", { i: "again" });
  assertEquals((await messages()).at(-1).i, "again");
  for (let i = 0; i < LOG_REPEATS_MAX; i++) log.error("it fails");
  await close();
  assertEquals((await messages()).at(-1).suppressed, 1);
  assertEquals(clock.timerCount, 0);
});

Deno.test("messages without number take bounded room, and the level debug has no bound", async () => {
  const { log, close, lines } = logged("debug", "json");
  for (let i = 0; i < LOG_REPEATS_MAX + 5; i++) log.debug("all of it");
  assertEquals((await lines()).length, LOG_REPEATS_MAX + 5);
  for (let i = 0; i < LOG_MESSAGES_MAX + 100; i++) log.info(`message ${i}`);
  await close();
  const after = (await lines()).slice(LOG_REPEATS_MAX + 5).map((line) => JSON.parse(line));
  assertEquals(after.length, LOG_MESSAGES_MAX + LOG_REPEATS_MAX + 1);
  assertEquals([after.at(-1).of, after.at(-1).suppressed], ["(various)", 100 - LOG_REPEATS_MAX]);
});

Deno.test("LogWriter: lines that nobody takes are dropped beyond its bound, and that is told", async () => {
  const written: string[] = [];
  let release = (): void => {};
  let stuck = true;
  const writer = new LogWriter(async (bytes) => {
    if (stuck) await new Promise<void>((resolve) => release = resolve);
    written.push(new TextDecoder().decode(bytes));
    return bytes.length;
  }, (lines) => `dropped ${lines}\n`);
  const line = "x".repeat(1023) + "\n";
  const kept = LOG_QUEUE_BYTES_MAX / line.length;
  for (let i = 0; i < kept + 50; i++) writer.add(line);
  await settle();
  assertEquals(written, []);
  stuck = false;
  release();
  await writer.close();
  assertEquals([written.length, written.at(-1)], [kept + 1, "dropped 50\n"]);
});

Deno.test("LogWriter: what cannot be written is dropped, and told when it can be again", async () => {
  const written: string[] = [];
  let broken = true;
  const writer = new LogWriter((bytes) => {
    if (broken) return Promise.reject(new Deno.errors.BrokenPipe("gone"));
    written.push(new TextDecoder().decode(bytes));
    return Promise.resolve(bytes.length);
  }, (lines) => `dropped ${lines}\n`);
  for (const line of ["a\n", "b\n", "c\n"]) {
    writer.add(line);
    await settle();
  }
  broken = false;
  writer.add("d\n");
  await writer.close();
  assertEquals(written, ["d\n", "dropped 3\n"]);
});

Deno.test("LogWriter.close does not wait for ever for a reader that takes nothing", async () => {
  let release = (): void => {};
  const writer = new LogWriter(
    (bytes) => new Promise((resolve) => release = () => resolve(bytes.length)),
    () => "",
  );
  writer.add("a\n");
  await settle();
  const startMs = performance.now();
  await writer.close();
  assert(performance.now() - startMs < 5_000);
  release();
  await settle();
});
