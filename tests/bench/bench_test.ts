/**
 * The bench is where speed is judged, so its own sums are tested; and once, briefly, wrk against the floor.
 *
 * @module
 */
import { assert, assertEquals, assertGreater, assertStringIncludes, assertThrows } from "@std/assert";
import { testWith, tool } from "../support/skip.ts";
import { type Case, caseName, CASES, formatBytes } from "./cases.ts";
import { CLIENT_CASES, clientCaseName } from "./client_cases.ts";
import { clientToCsv, clientToJson, formatClient, judgeClient } from "./client_report.ts";
import { type Figures, type Result, spread } from "./measure.ts";
import { formatFoot, isReached } from "./goals.ts";
import { ownTimes, profileReport } from "./profile.ts";
import { formatJson, formatRow, judge, toCsv, toJson } from "./report.ts";
import { startFloor } from "./server.ts";
import { formatCsv } from "./table.ts";
import { parse, runWrk } from "./wrk.ts";

const WRITE: Case = { kind: "write", bytes: 100, connections: 8, goal: 0.8 };
const READ: Case = { kind: "read", bytes: 1000, connections: 1 };

function figuresOf(requestsPerSecond: number): Figures {
  return {
    requestsPerSecond: { median: requestsPerSecond, min: requestsPerSecond - 1, max: requestsPerSecond + 1 },
    p50Micros: 100,
    p99Micros: 2000,
    wrkBusy: 0.5,
    processorMicros: 12.5,
  };
}

function resultOf(measured: Case, node: number, floor: number): Result {
  return { case: measured, node: figuresOf(node), floor: figuresOf(floor), ratio: node / floor };
}

Deno.test("CASES are what the bench promises: five writes and three reads at 1, 8 and 64 connections", () => {
  assertEquals(CASES.length, 24);
  assertEquals(new Set(CASES.map(caseName)).size, 24);
  assertEquals(CASES.filter(({ goal }) => goal !== undefined).length, 2 + 3 + 6);
  assertEquals(CASES.map(caseName).slice(0, 2), ["write 100 B x1", "write 100 B x8"]);
  assertEquals([100, 4096, 1048576, 5 * 2 ** 30].map(formatBytes), ["100 B", "4 KiB", "1 MiB", "5 GiB"]);
});

Deno.test("spread takes a median that was measured", () => {
  assertEquals(spread([5, 1, 3]), { median: 3, min: 1, max: 5 });
  assertEquals(spread([4, 1, 3, 2]), { median: 2, min: 1, max: 4 });
  assertEquals(spread([10, 9]), { median: 9, min: 9, max: 10 });
});

Deno.test("parse refuses a round with errors, broken connections, short answers or none", () => {
  const good = {
    requests: 10,
    bytes: 99_999,
    micros: 1,
    failed: 0,
    broken: 0,
    p50Micros: 1,
    p99Micros: 1,
    wrkSeconds: 1,
  };
  const output = (change: Partial<typeof good>): string =>
    `Running 1s test\n${JSON.stringify({ ...good, ...change })}\n`;
  assertEquals(parse(output({}), READ).requests, 10);
  assertEquals(parse(output({ bytes: 5 }), WRITE).requests, 10);
  assertThrows(() => parse(output({ requests: 0 }), READ), Error, "nothing was answered");
  assertThrows(() => parse(output({ failed: 1 }), READ), Error, "1 answers were errors");
  assertThrows(() => parse(output({ broken: 2 }), READ), Error, "2 connections broke");
  assertThrows(() => parse(output({ bytes: 9_999 }), READ), Error, "fewer than asked for");
  assertThrows(() => parse("unable to connect\n", READ), Error, "no summary");
});

Deno.test("a report tells ratio, goal and throughput in all three forms", () => {
  const results = [resultOf(WRITE, 75, 100), resultOf(READ, 2_000_000, 1_000_000)];
  assertStringIncludes(formatRow(results[0]!), "75 (74-76)");
  assertStringIncludes(formatRow(results[0]!), "0.8 missed");
  const judged = results.map(judge);
  assertEquals(judged.map((one) => one && isReached(one)), [false, undefined]);
  assertEquals(formatFoot([judged[0]!]), "\n0 of 1 goals reached\n  missed: write 100 B x8: 0.75 of 0.8\n");
  const [head, first, second] = formatCsv(results.map(toCsv)).split("\n").map((line) => line.split(","));
  assertEquals([first!.length, second!.length], [head!.length, head!.length]);
  assertEquals(second![head!.indexOf("node_mb_s")], "2000.0");
  const machine = {
    time: "",
    processor: "",
    cores: 1,
    memoryGib: 1,
    system: "",
    deno: "",
    wrk: "",
    commit: "",
    load: 0,
  };
  assertEquals(JSON.parse(formatJson(machine, 1, 1, results.map(toJson))).results[0].name, "write 100 B x8");
});

testWith("wrk drives writes and reads against the floor", [tool("wrk")], async () => {
  const floor = await startFloor(READ.bytes);
  try {
    const written = await runWrk(floor.url, WRITE, ["write", "100", "/write"], 1);
    assertGreater(written.round.requestsPerSecond, 10);
    const paths = await Deno.makeTempFile();
    await Deno.writeTextFile(paths, "/a\n/b\n");
    const read = await runWrk(floor.url, READ, ["read", paths], 1);
    await Deno.remove(paths);
    assertGreater(read.requests, 10);
    assert(Deno.build.os !== "linux" || floor.processorMicros()! > 0);
  } finally {
    await floor.stop();
  }
});

Deno.test("a result of the client is told beside its goals, in every form", () => {
  assertEquals(CLIENT_CASES.map(clientCaseName), [
    "client produce 100 B",
    "client consume 100 B as bytes",
    "client consume 100 B as texts",
    "client consume 100 B as json",
    "client latency 100 B",
  ]);
  const at = (median: number) => ({ median, min: median - 1, max: median + 1 });
  const produced = { case: CLIENT_CASES[0]!, messagesPerSecond: at(999_999), floorPerSecond: at(2_000_000) };
  assertEquals(judgeClient(produced).map(isReached), [false]);
  assertStringIncludes(formatClient(produced), "1000000 messages/s missed");
  const late = {
    case: CLIENT_CASES[4]!,
    p50Ms: at(1.5),
    p99Ms: at(10),
    floorP50Ms: at(1),
    floorP99Ms: at(2),
  };
  assertEquals(judgeClient(late).map(isReached), [true, false]);
  assertStringIncludes(formatClient(late), "<2 ms ok, <10 ms missed");
  assertEquals(clientToCsv(late)["p99_ms"], "10.000");
  assertEquals((clientToJson(late) as { name: string }).name, "client latency 100 B");
});

Deno.test("profileReport shows own times by function and place, and what all others come to, without idle time", () => {
  const frame = (functionName: string, url = "", lineNumber = 0) => ({ functionName, url, lineNumber });
  const profile = {
    nodes: [
      { id: 1, callFrame: frame("(idle)") },
      { id: 2, callFrame: frame("write", "file:///src/chukcha/lib/http/write.ts", 19) },
      { id: 3, callFrame: frame("", "ext:core/00_infra.js", 2) },
      { id: 4, callFrame: frame("write", "file:///src/chukcha/lib/http/write.ts", 19) },
    ],
    samples: [1, 2, 3, 4],
    timeDeltas: [900, 50, 25, 25],
  };
  assertEquals(
    profileReport(ownTimes(profile), 1),
    " 75.0 %  write  lib/http/write.ts:20\n 25.0 %  1 others",
  );
});
