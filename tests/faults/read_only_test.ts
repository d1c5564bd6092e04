/**
 * File systems that take no writes: the kernel has found an ext4 to be broken under a running node, or it was mounted so
 * before the start.
 *
 * The kernel refuses to remount read-only while files are open for writing; that it comes back under a running node is
 * held on a simulated disk, see `tests/storage/disk_guard_test.ts`.
 *
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { MIB } from "../../lib/protocol/limits.ts";
import { FileSystem } from "../support/file_systems.ts";
import { testWith } from "../support/skip.ts";
import { assertRefused, diskCheck, looping, mounting, startOn } from "./ground.ts";

const LINE = "x".repeat(999) + "\n";

testWith(
  "a file system that becomes read-only: writes are a 503, reads go on, /readyz is red, and SIGTERM ends it",
  looping,
  async (t) => {
    await using files = await FileSystem.ext4(16 * MIB);
    await using node = await startOn(files, "--max-chunk-size", "64KiB");
    const { member } = node;
    for (let i = 0; i < 130; i++) await member.write("web", LINE);
    const content = await member.readText("web");
    const [first] = await member.listChunks("web");
    await files.abort();

    await t.step("writes are refused, reads go on", async () => {
      for (let i = 0; i < 20; i++) assertRefused(await member.askWrite("web", LINE), "disk_failed");
      assertRefused(await member.askWrite("new", LINE), "disk_failed");
      assertRefused(await member.askWrite("web", LINE, "sync_each_write=1"), "disk_failed");
      assertEquals(await member.readText("web"), content);
      const { ready, ok, message } = await diskCheck(member);
      assertEquals([ready, ok], [503, false], message);
      // A sync may have been under way when it happened.
      assertMatch(message, /takes no writes|read-only/i);
      assertEquals((await member.ask("/livez")).status, 200);
    });

    await t.step("an acknowledgement says that it cannot be kept", async () => {
      const { status, error } = await member.ack("web", first!.name, first!.size);
      assertEquals([status, error?.code], [503, "disk_failed"]);
      assertEquals(await member.readText("web"), content);
    });

    await t.step("it is told in few lines, and ends in order", async () => {
      const lines = member.output.split("\n").filter((line) => /read-only|takes no writes/i.test(line));
      assertEquals(lines.length <= 8, true, lines.join("\n"));
      await member.stop();
    });

    await t.step("after the machine is started again, everything is there that was", async () => {
      await files.remount();
      await member.start();
      assertStringIncludes(content, await member.readText("web"));
      await member.write("web", LINE);
      await member.stop();
    });
  },
);

testWith("a start on a read-only file system says what is wrong, and changes nothing", mounting, async () => {
  await using files = await FileSystem.tmpfs(MIB);
  await using node = await startOn(files);
  const { member } = node;
  await member.write("web", LINE);
  await member.stop();
  await files.readOnly();
  const message = await member.launch().then(() => "it started", (error: Error) => error.message);
  assertStringIncludes(message, "cannot be used");
  assertStringIncludes(message, "must be able to write there");
  assertEquals(message.includes("defect"), false, message);
  await files.writable();
  await member.start();
  assertEquals(await member.readText("web"), LINE);
  await member.stop();
});
