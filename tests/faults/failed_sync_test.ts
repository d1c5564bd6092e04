/**
 * Syncs that fail: strace is attached to a running node and has the system calls answered with EIO, until it is detached.
 *
 * What was to be synced is *maybe*; its chunk is never gone on with; nothing new is begun before a file could be
 * written and synced; and none of that takes a restart to end.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { freePorts, Member } from "../support/member.ts";
import { temporaryDirectory } from "../support/node.ts";
import { report } from "../support/report.ts";
import { linuxRoot, type Need, testWith, tool } from "../support/skip.ts";
import { linesOf } from "../support/cluster.ts";
import { Writers } from "../support/writers.ts";
import { assertRefused, diskCheck } from "./ground.ts";

const ATTACH_MS_MAX = 10_000;

/** Whether one process may trace another here. */
function canTrace(): Need {
  const what = "rights to trace processes";
  try {
    const { success } = new Deno.Command("strace", {
      args: ["-o", "/dev/null", "-e", "inject=fdatasync:error=EIO", "true"],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).outputSync();
    return { what, present: success, given: true };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { what, present: false, given: true };
    throw error;
  }
}

const tracing: readonly Need[] = [linuxRoot(), tool("strace"), canTrace()];

/** System calls of a process that fail as long as this is not disposed of. */
class Injection implements AsyncDisposable {
  private constructor(
    private readonly strace: Deno.ChildProcess,
    private readonly drained: Promise<string>,
  ) {}

  /** @param inject as strace's option has it, `fdatasync:error=EIO` */
  static async into(pid: number, inject: string): Promise<Injection> {
    const [calls] = inject.split(":");
    const strace = new Deno.Command("strace", {
      args: ["-f", "-p", String(pid), "-e", `trace=${calls}`, "-e", `inject=${inject}`],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const attached = Promise.withResolvers<void>();
    const timer = setTimeout(() => attached.reject(new Error("strace did not attach")), ATTACH_MS_MAX);
    const drain = async (): Promise<string> => {
      let text = "";
      for await (const part of strace.stderr.pipeThrough(new TextDecoderStream())) {
        text += part;
        if (text.includes(`Process ${pid} attached`)) attached.resolve();
      }
      attached.reject(new Error(text));
      return text;
    };
    const drained = drain();
    await attached.promise.finally(() => clearTimeout(timer));
    return new Injection(strace, drained);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.strace.kill("SIGINT");
    await Promise.all([this.strace.status, this.drained]);
  }
}

async function startIn(directory: string, ...flags: string[]): Promise<AsyncDisposable & { member: Member }> {
  const [port = 0] = freePorts(1);
  const member = new Member({ instance: "node_1", dataDir: `${directory}/data`, port, peers: "", flags });
  await member.start();
  return { member, [Symbol.asyncDispose]: () => member.kill() };
}

const wellAgain = (member: Member) =>
  eventually("the disk is well again", () => diskCheck(member), ({ ready, ok }) => ready === 200 && ok);

testWith(
  "fdatasync fails: maybe; the chunk is never gone on with; no other one before a probe is synced; all by itself",
  tracing,
  async () => {
    await using directory = await temporaryDirectory();
    await using node = await startIn(directory.path);
    const { member } = node;
    await member.write("web", "first\n");
    assertEquals((await member.askWrite("web", "second\n", "sync_each_write=1")).status, 200);
    const startMs = performance.now();
    {
      await using _ = await Injection.into(member.pid, "fdatasync:error=EIO");
      const { status, error, text } = await member.askWrite("web", "maybe\n", "sync_each_write=1");
      assertEquals([status, error?.code, error?.written], [503, "disk_failed", "maybe"], text);
      for (const category of ["web", "new"]) {
        for (const sync of [0, 1]) {
          assertRefused(await member.askWrite(category, "no\n", `sync_each_write=${sync}`), "disk_failed");
        }
      }
      const { ready, message } = await diskCheck(member);
      assertEquals(ready, 503);
      assertStringIncludes(message, "a sync failed");
      assertEquals(await member.readText("web"), "first\nsecond\n");
    }
    const failedMs = performance.now();
    const { message } = await wellAgain(member);
    report(
      `failing for ${Math.round(failedMs - startMs)} ms; ready ${
        Math.round(performance.now() - failedMs)
      } ms after syncs worked again: ${message}`,
    );
    assertStringIncludes(message, "before a restart");
    assertEquals((await member.askWrite("web", "third\n", "sync_each_write=1")).status, 200);
    const [poisoned, next] = await member.listChunks("web");
    assertEquals([poisoned!.complete, poisoned!.size], [false, "first\nsecond\n".length]);
    assertEquals(next!.size, "third\n".length);
    await member.kill();
    await member.start();
    assertEquals((await diskCheck(member)).message.includes("restart"), false);
    const chunks = await member.listChunks("web");
    assertEquals(chunks[0]!.complete, true);
    const text = await member.readText("web");
    assertEquals(text.replace("maybe\n", ""), "first\nsecond\nthird\n");
    assertEquals((await member.ack("web", chunks[0]!.name, chunks[0]!.size)).status, 200);
    await member.stop();
  },
);

testWith(
  "fsync of a directory fails: no new chunk, certainly not written, and it resumes by itself",
  tracing,
  async () => {
    await using directory = await temporaryDirectory();
    await using node = await startIn(directory.path);
    const { member } = node;
    await member.write("web", "first\n");
    {
      await using _ = await Injection.into(member.pid, "fsync:error=EIO");
      for (let i = 0; i < 3; i++) assertRefused(await member.askWrite("new", "no\n"), "disk_failed");
      // What needs no directory goes on.
      assertEquals((await member.askWrite("web", "second\n")).status, 200);
      assertEquals((await diskCheck(member)).ready, 503);
    }
    await wellAgain(member);
    assertEquals((await member.askWrite("new", "yes\n")).status, 200);
    assertEquals(await member.readText("new"), "yes\n");
    await member.stop();
  },
);

testWith("syncs that fail now and then, under load: no 200 is lost, no refusal kept", tracing, async () => {
  await using directory = await temporaryDirectory();
  await using node = await startIn(directory.path, "--max-chunk-size", "256KiB");
  const { member } = node;
  const writers = new Writers({
    members: [member],
    count: 4,
    categories: ["a", "b"],
    params: "sync_each_write=1",
    seed: 1,
  });
  const stop = new AbortController();
  let writing: Promise<void> | undefined;
  {
    await using _ = await Injection.into(member.pid, "fdatasync:error=EIO:when=20+20");
    writing = writers.run(stop.signal);
    await eventually("some fail", () => writers.book.count("maybe"), (count) => count > 200);
  }
  const failed = writers.okMs.length;
  await eventually("it goes on", () => writers.okMs.length - failed, (count) => count > 100);
  stop.abort();
  await writing;
  await member.kill();
  await member.start();
  assertEquals(writers.book.complaints(await linesOf(member)), []);
  const { book } = writers;
  report(
    `syncs that fail now and then: ${book.size} messages sent, ${book.count("ok")} ok, ${
      book.count("no")
    } no, ` +
      `${book.count("maybe")} maybe, ${(await member.status()).chunks} chunks`,
  );
  assert(book.count("ok") > 100);
  await member.stop();
});
