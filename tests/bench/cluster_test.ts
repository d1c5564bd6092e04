/**
 * The sums of the cluster's part of the bench; and once, briefly, a catch-up between real processes.
 *
 * @module
 */
import { assertEquals, assertGreater, assertRejects, assertStringIncludes } from "@std/assert";
import {
  baselineOf,
  catchUpOf,
  CLUSTER_WRITES,
  clusterCaseName,
  type ClusterWrite,
} from "./cluster_cases.ts";
import { inGroups } from "./cluster_cases.ts";
import { type CatchUpRound, measureCatchUp, summarise } from "./cluster_catch_up.ts";
import { chunkHashes, fill } from "./cluster_data.ts";
import { LocalCluster } from "./cluster_nodes.ts";
import {
  catchUpToCsv,
  clusterToJson,
  formatCatchUp,
  formatCatchUpHead,
  formatWrite,
  formatWritesHead,
  judgeCatchUp,
  judgeWrite,
  writeToCsv,
} from "./cluster_report.ts";
import { type ClusterRound, type ClusterWriteResult, compare, figuresOf } from "./cluster_writes.ts";
import { formatFoot, isReached } from "./goals.ts";
import { endOwned, owned } from "./owned.ts";
import { formatCsv } from "./table.ts";

const MIB = 1024 * 1024;

/** A round of two seconds. */
function roundOf(requests: number, p50Micros: number, sameMs: number): ClusterRound {
  return {
    round: { requestsPerSecond: requests / 2, p50Micros, p99Micros: 10 * p50Micros, wrkBusy: 0.1 },
    requests,
    sameMs,
    processor: { writer: requests * 20, others: requests * 30 },
  };
}

function chosen(name: string): ClusterWrite {
  return CLUSTER_WRITES.find((one) => clusterCaseName(one) === name)!;
}

/** 1 MiB writes: 500/s without waiting and 400/s until everywhere; 200/s and 200/s with waiting. */
function comparison(): ClusterWriteResult[] {
  const memory = { writer: 100 * MIB, others: 80 * MIB };
  const baseline = figuresOf([roundOf(1000, 2000, 500)], memory);
  const waiting = figuresOf([roundOf(400, 4000, 0)], memory);
  const [first, second] = [chosen("cluster write 1 MiB N=0 x8"), chosen("cluster write 1 MiB N=1 x8")];
  return [compare(first, baseline, baseline), compare(second, waiting, baseline)];
}

function catchUpRound(tookMs: number): CatchUpRound {
  return {
    bytes: 1024 * MIB,
    tookMs,
    processor: { source: tookMs * 400, copy: tookMs * 900 },
    memory: { source: 90 * MIB, copy: tookMs * MIB / 10 },
    chunksCompared: 3,
  };
}

Deno.test("CLUSTER_WRITES are three loads with N = 0, 1, 2; goals are about N = 1", () => {
  assertEquals(CLUSTER_WRITES.length, 9);
  assertEquals(CLUSTER_WRITES.map(clusterCaseName).slice(0, 4), [
    "cluster write 100 B N=0 x1",
    "cluster write 100 B N=1 x1",
    "cluster write 100 B N=2 x1",
    "cluster write 100 B N=0 x8",
  ]);
  const goals = CLUSTER_WRITES.filter(({ goal }) => goal).map((one) => [clusterCaseName(one), one.goal!.of]);
  assertEquals(goals, [["cluster write 100 B N=1 x1", "p50_ms"], ["cluster write 1 MiB N=1 x8", "ratio"]]);
  assertEquals(clusterCaseName(catchUpOf(5120)), "cluster catch-up 5 GiB");
});

Deno.test("inGroups keeps together what is compared, and baselineOf adds what it is compared with", () => {
  assertEquals(inGroups(CLUSTER_WRITES).map(({ length }) => length), [3, 3, 3]);
  const [group, ...others] = inGroups([chosen("cluster write 1 MiB N=2 x8")]);
  assertEquals(others, []);
  assertEquals(baselineOf(group!), chosen("cluster write 1 MiB N=0 x8"));
});

Deno.test("figuresOf rates what was answered by the round, what is everywhere by the time until it was", () => {
  const figures = figuresOf([roundOf(1000, 2000, 500), roundOf(800, 3000, 0), roundOf(900, 2500, 2000)], {
    writer: 1,
    others: 2,
  });
  assertEquals(figures.answeredPerSecond, { median: 450, min: 400, max: 500 });
  assertEquals(figures.everywherePerSecond, { median: 400, min: 225, max: 400 });
  assertEquals(figures.sameMs, { median: 500, min: 0, max: 2000 });
  assertEquals(figures.p50Micros.median, 2500);
  assertEquals(figures.processorMicros, { writer: 20, others: 30 });
  const unknown = figuresOf([{ ...roundOf(1000, 2000, 500), processor: undefined }], undefined);
  assertEquals([unknown.processorMicros, unknown.memoryBytesMax], [undefined, undefined]);
});

Deno.test("writes are judged by N=0 of what was answered, and by p50", () => {
  const [baseline, waiting] = comparison();
  assertEquals([waiting!.ratio, waiting!.everywhereRatio], [0.4, 0.5]);
  assertEquals(judgeWrite(baseline!), undefined);
  assertEquals(isReached(judgeWrite(waiting!)!), false);
  assertStringIncludes(formatWrite(waiting!), "0.40/0.50");
  assertStringIncludes(formatWrite(waiting!), "0.5 missed");
  assertStringIncludes(formatWrite(baseline!), "524/419");

  const latency = (micros: number): ClusterWriteResult => {
    const figures = figuresOf([roundOf(1000, micros, 0)], undefined);
    return compare(chosen("cluster write 100 B N=1 x1"), figures, figures);
  };
  assertStringIncludes(formatWrite(latency(2990)), "<3 ms ok");
  assertStringIncludes(formatWrite(latency(2990)), "2.99 (2.99-2.99)");
  assertEquals(
    formatFoot([judgeWrite(latency(3000))!, judgeWrite(latency(1000))!]),
    "\n1 of 2 goals reached\n  missed: cluster write 100 B N=1 x1: 3.00 ms of <3 ms\n",
  );
});

Deno.test("a catch-up is told by its median, in bytes a second", () => {
  const result = summarise(catchUpOf(1024), [catchUpRound(2000), catchUpRound(4000), catchUpRound(1000)]);
  assertEquals(result.bytesPerSecond.median, 1024 * MIB / 2);
  assertEquals(result.processorMicros, { source: 800_000, copy: 1_800_000 });
  assertEquals(result.memoryBytesMax, { source: 90 * MIB, copy: 400 * MIB });
  assertStringIncludes(formatCatchUp(result), "537 (268-1074)");
  assertStringIncludes(formatCatchUp(result), "0.80/1.80");
  assertStringIncludes(formatCatchUp(result), "300 MB/s ok");
  assertEquals(isReached(judgeCatchUp(summarise(catchUpOf(1024), [catchUpRound(4000)]))), false);
});

Deno.test("tables have their cells below their titles, and programs get every figure", () => {
  const writes = comparison();
  const catchUp = summarise(catchUpOf(1024), [catchUpRound(2000)]);
  const titles = (head: string): string => head.trimEnd().split("\n").at(-1)!;
  assertEquals(formatWrite(writes[1]!).trimEnd().length, titles(formatWritesHead(2, 3)).length);
  assertEquals(formatCatchUp(catchUp).trimEnd().length, titles(formatCatchUpHead(3)).length);

  const [head, first, second, third] = formatCsv([...writes.map(writeToCsv), catchUpToCsv(catchUp)]).split(
    "\n",
  )
    .map((line) => line.split(","));
  assertEquals([first, second, third].map((line) => line!.length), Array(3).fill(head!.length));
  assertEquals(second![head!.indexOf("everywhere_ratio")], "0.500");
  assertEquals(second![head!.indexOf("goal_of")], "ratio");
  assertEquals(third![head!.indexOf("node_mb_s")], "536.9");
  assertEquals(third![head!.indexOf("connections")], "");

  const json = JSON.parse(JSON.stringify([writes[1]!, catchUp].map(clusterToJson)));
  assertEquals([json[0].name, json[0].replicas, json[0].ratio], ["cluster write 1 MiB N=1 x8", 1, 0.4]);
  assertEquals([json[1].name, json[1].bytes], ["cluster catch-up 1 GiB", 1024 * MIB]);
});

Deno.test("measureCatchUp starts a pair, compares what it holds, and leaves nothing behind", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const result = await measureCatchUp(catchUpOf(9), { seconds: 1, rounds: 1, directory, cold: true });
    assertGreater(result.bytesPerSecond.median, 0);
    assertEquals(result.chunksCompared, 1);
    assertEquals(Array.from(Deno.readDirSync(directory)), []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("LocalCluster: an error comes with what its nodes have printed, and nothing is left behind", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await assertRejects(
      async () => {
        await using cluster = await LocalCluster.create(directory, ["node_1", "node_2"]);
        await cluster.watched("a case", async () => {
          const { url } = await cluster.start("node_1", "--bootstrap");
          await fill(url, "bench", MIB);
          assertEquals((await chunkHashes(url, "bench")).size, 1);
          await cluster.start("node_2", "--listen", "nowhere");
        });
      },
      Error,
      "--- node_1:\n",
    );
    assertEquals(Array.from(Deno.readDirSync(directory)), []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("owned is ended once: by who made it, or with everything that is left", async () => {
  const ended: string[] = [];
  const make = (name: string): () => Promise<void> =>
    owned(() => {
      ended.push(name);
      return name === "fails" ? Promise.reject(new Error(name)) : Promise.resolve();
    });
  const [first] = [make("first"), make("fails"), make("last")];
  await first();
  assertEquals(ended, ["first"]);
  await endOwned();
  await endOwned();
  await first();
  assertEquals(ended, ["first", "fails", "last"]);
});
