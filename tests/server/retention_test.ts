/**
 * Retention in a real process: what it says at its start and on `/status`, and what it leaves for the next one.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { decodeObservedTime, OBSERVED_TIME_FILE } from "../../lib/storage/observed_time_file.ts";
import type { NodeStatus } from "../../lib/protocol/types.ts";
import { freePorts, Member } from "../support/member.ts";

Deno.test("serve with retention says what its rules are and what they would delete, and saves the time it saw", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "chukcha-test-" });
  const flags = ["--retention-age", "logs.*=7d,audit=off,30d", "--retention-size", "logs.*=1GiB"];
  const node = new Member({ instance: "a", dataDir, port: freePorts(1)[0]!, peers: "", flags });
  await node.start();
  assertEquals((await node.askWrite("web", "one\n")).status, 200);
  const status: NodeStatus = JSON.parse((await node.ask("/status")).text);
  assertStringIncludes(
    status.promise,
    "A chunk expires, acknowledged or not, 7d after its last message in logs.*",
  );
  assertEquals(status.settings.retentionAge, "logs.*=7d,audit=off,*=30d");
  assertEquals(status.settings.retentionSize, "logs.*=1GiB");
  const check = status.checks.find(({ name }) => name === "retention");
  assertMatch(check!.message, /^0 chunks \(0 bytes\) have expired; nothing is deleted in the next \d+ s$/);
  await node.stop();
  assertMatch(node.output, /retention: no chunk has expired yet/);
  const { totalMs, stretches } = decodeObservedTime(await Deno.readFile(`${dataDir}/${OBSERVED_TIME_FILE}`));
  assert(totalMs > 0);
  assertEquals(stretches.length, 1);
  node.reconfigure({ flags: [] });
  await node.start();
  const without: NodeStatus = JSON.parse((await node.ask("/status")).text);
  assertStringIncludes(without.promise, "Nothing expires");
  assertEquals(without.checks.some(({ name }) => name === "retention"), false);
  await node.stop();
  await Deno.remove(dataDir, { recursive: true });
});
