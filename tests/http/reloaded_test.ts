/**
 * @module Tests of `lib/http/reloaded.ts`: when files are taken, and what those change that are not.
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Reloaded, Reloader } from "../../lib/http/reloaded.ts";
import { RELOAD_INTERVAL_MS } from "../../lib/protocol/limits.ts";
import { type Log, SILENT_LOG } from "../../lib/protocol/log.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { temporaryDirectory } from "../support/node.ts";

/** Texts of two files, of which none may say "bad"; and what was told of them. */
async function opened(path: string) {
  const told: string[] = [];
  const tell = (message: string) => void told.push(message);
  const log: Log = { ...SILENT_LOG, error: tell, info: tell, warn: tell };
  const changes: string[] = [];
  const reloaded = await Reloaded.open<string>({
    what: "the pair",
    files: [["--one", `${path}/one`], ["--two", `${path}/two`]],
    parse: (...texts) => {
      if (texts.includes("bad")) throw new Error("line 1: it is bad");
      return texts.join(" ");
    },
    secret: () => [`${path}/two`],
    changed: (value) => void changes.push(value),
  }, log);
  return { reloaded, told, changes };
}

Deno.test("Reloaded rejects at the start with setting, path and reason", async () => {
  await using directory = await temporaryDirectory();
  const { path } = directory;
  const error = await assertRejects(() => opened(path), Error);
  assertEquals(error.message, `--one "${path}/one" and --two "${path}/two": no such file`);
  await Deno.writeTextFile(`${path}/one`, "bad");
  await Deno.writeTextFile(`${path}/two`, "b");
  assertStringIncludes((await assertRejects(() => opened(path), Error)).message, ": line 1: it is bad");
});

Deno.test("Reloaded takes files once two looks saw the same, and all of them together", async () => {
  await using directory = await temporaryDirectory();
  const { path } = directory;
  await Deno.writeTextFile(`${path}/one`, "a");
  await Deno.writeTextFile(`${path}/two`, "b", { mode: 0o600 });
  const { reloaded, changes, told } = await opened(path);
  await reloaded.look();
  await reloaded.look();
  assertEquals([reloaded.value, changes.length], ["a b", 0]);

  await Deno.writeTextFile(`${path}/one`, "A longer one");
  await reloaded.look();
  assertEquals(reloaded.value, "a b");
  await Deno.writeTextFile(`${path}/two`, "B longer, too");
  await reloaded.look();
  assertEquals(reloaded.value, "a b");
  await reloaded.look();
  assertEquals(changes, ["A longer one B longer, too"]);

  await Deno.writeTextFile(`${path}/one`, "C");
  await reloaded.look(true);
  assertEquals(reloaded.value, "C B longer, too");
  await reloaded.look(true);
  assertEquals(changes.length, 2, "what is the same changes nothing");
  assertEquals(told.filter((message) => message.includes("was read again")).length, 2);
});

Deno.test("Reloaded goes on with what it had while files are bad or gone, and says so once", async () => {
  await using directory = await temporaryDirectory();
  const { path } = directory;
  await Deno.writeTextFile(`${path}/one`, "a");
  await Deno.writeTextFile(`${path}/two`, "b", { mode: 0o600 });
  const { reloaded, changes, told } = await opened(path);
  await Deno.writeTextFile(`${path}/one`, "bad");
  for (let i = 0; i < 5; i++) await reloaded.look();
  assertStringIncludes(reloaded.trouble!, "it is bad");
  assertEquals([reloaded.value, told.length], ["a b", 1]);
  await Deno.remove(`${path}/one`);
  for (let i = 0; i < 5; i++) await reloaded.look();
  assertStringIncludes(reloaded.trouble!, "no such file");
  assertEquals([reloaded.value, told.length], ["a b", 2]);
  await Deno.writeTextFile(`${path}/one`, "a");
  for (let i = 0; i < 2; i++) await reloaded.look();
  assertEquals([reloaded.trouble, changes.length, told.length], [undefined, 0, 3]);
});

Deno.test("Reloaded warns of a secret that every user can read", async () => {
  await using directory = await temporaryDirectory();
  const { path } = directory;
  await Deno.writeTextFile(`${path}/one`, "a", { mode: 0o644 });
  await Deno.writeTextFile(`${path}/two`, "b", { mode: 0o600 });
  assertEquals((await opened(path)).told, []);
  if (Deno.build.os === "windows") return;
  await Deno.chmod(`${path}/two`, 0o644);
  assertEquals((await opened(path)).told, ["every user of this machine can read the pair: chmod 600 it"]);
});

Deno.test("Reloader looks at intervals, at once when asked to, and no more once closed", async () => {
  const clock = new FakeClock();
  const looks: boolean[] = [];
  const look = (atOnce = false) => {
    looks.push(atOnce);
    return looks.length === 1 ? Promise.reject(new Error("stat failed")) : Promise.resolve();
  };
  const reloader = new Reloader([{ look }], clock, SILENT_LOG);
  for (let i = 0; i < 3; i++) {
    clock.advance(RELOAD_INTERVAL_MS);
    // What was begun before ends before this does.
    await reloader.now();
  }
  assertEquals(looks, [false, true, false, true, false, true]);
  await reloader.close();
  clock.advance(10 * RELOAD_INTERVAL_MS);
  assertEquals([looks.length, clock.timerCount], [6, 0]);
});
