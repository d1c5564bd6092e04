/**
 * `/metrics` of whole nodes, read strictly: each number after a history that is known.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { RETENTION_CHECK_MS, RETENTION_GRACE_MS } from "../../lib/protocol/limits.ts";
import { parseCategoryLimits } from "../../lib/protocol/category_limits.ts";
import { parseSize } from "../../lib/quantities.ts";
import { metrics } from "../../lib/http/metrics.ts";
import { FAMILIES } from "../../lib/http/metric_families.ts";
import { METRICS_TYPE } from "../../lib/http/metrics_text.ts";
import { buildNode } from "../../lib/node.ts";
import { ERROR_STATUS } from "../../lib/protocol/errors.ts";
import { CENSUS_SLICE_CHUNKS, METRICS_CACHE_MS, METRICS_CATEGORIES_MAX } from "../../lib/protocol/limits.ts";
import type { WriteResult } from "../../lib/protocol/types.ts";
import { DEFAULT_SETTINGS, type Settings } from "../../lib/settings.ts";
import type { Category } from "../../lib/storage/category.ts";
import { Chunk } from "../../lib/storage/chunk.ts";
import { SystemClock } from "../../lib/storage/clock.ts";
import { Cluster, type SimulatedNode } from "../replication/world.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { type ParsedMetrics, parseMetrics } from "../support/metrics_parser.ts";
import { startLocalNode } from "../support/node.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { lacking, tool } from "../support/skip.ts";
import { LogLines } from "../storage/world.ts";

/** A node alone on a simulated disk, and a way to ask it. */
async function start(settings: Partial<Settings> = {}) {
  const clock = new FakeClock();
  const disk = new MemoryDisk();
  const built = await buildNode({ ...DEFAULT_SETTINGS, instance: "n", minFreeDisk: 0, ...settings }, {
    disk,
    clock,
    random: new SeededRandom(1),
    log: new LogLines(),
    connect: () => {
      throw new Error("there are no peers");
    },
  });
  const fetch = async (path: string, init?: RequestInit): Promise<Response> =>
    await built.app.fetch(new Request(`http://n${path}`, init));
  let last: ParsedMetrics | undefined;
  return {
    built,
    clock,
    disk,
    fetch,
    /** Sends a request whose answer is of no interest. */
    async ask(path: string, init?: RequestInit): Promise<number> {
      const response = await fetch(path, init);
      await response.bytes();
      return response.status;
    },
    async write(category: string, body: string, query = ""): Promise<WriteResult> {
      return await (await fetch(`/write?category=${category}${query}`, { method: "POST", body })).json();
    },
    /** Fresh metrics; nothing that counts has gone down since they were last asked for. */
    async metrics(): Promise<ParsedMetrics> {
      clock.advance(METRICS_CACHE_MS);
      const now = parseMetrics(await (await fetch("/metrics")).text());
      const series = now.series();
      for (const [key, value] of last?.rising() ?? []) {
        assert((series.get(key) ?? -1) >= value, `${key} was ${value} and is ${series.get(key)}`);
      }
      last = now;
      return now;
    },
    close: () => built.store.close(),
  };
}

const category = (name: string) => ({ category: name });

Deno.test("/metrics: what is written and read is counted for its category", async () => {
  const node = await start({ maxChunkSize: 64 });
  const { chunk } = await node.write("web", "one\ntwo\n");
  await node.write("web", "three");
  await node.write("logs", '{"a":1}\n');
  await node.write("logs", "");
  await node.write("web", "synced\n", "&sync_each_write=1");
  assertEquals(await node.ask(`/read?category=web&chunk=${chunk}&max_size=8`), 200);
  assertEquals(await node.ask(`/read?category=web&chunk=${chunk}`, { method: "HEAD" }), 200);
  const m = await node.metrics();
  assertEquals(m.value("chukcha_written_batches_total", category("web")), 3);
  assertEquals(m.value("chukcha_written_messages_total", category("web")), 4);
  assertEquals(m.value("chukcha_written_bytes_total", category("web")), 21);
  assertEquals(m.value("chukcha_written_messages_total", category("logs")), 1);
  assertEquals(m.value("chukcha_written_bytes_total", category("logs")), 8);
  assertEquals(m.value("chukcha_read_bytes_total", category("web")), 8);
  assertEquals(m.value("chukcha_read_bytes_total", category("logs")), 0);
  assertEquals(m.value("chukcha_written_bytes_total", category("(other)")), 0);
  assertEquals(m.value("chukcha_http_requests_total", { route: "/write", status: "200" }), 5);
  assertEquals(m.value("chukcha_http_requests_total", { route: "/read", status: "200" }), 2);
  assertEquals(m.value("chukcha_write_duration_seconds_count"), 4);
  assertEquals(m.value("chukcha_sync_duration_seconds_count"), 1);
  assertEquals(m.value("chukcha_group_commit_batches_sum"), 4);
  assertEquals(m.value("chukcha_held_bytes"), 29);
  assertEquals([m.value("chukcha_chunks"), m.value("chukcha_categories")], [2, 2]);
  assertEquals(m.value("chukcha_open_files"), 4);
  assertEquals(m.value("chukcha_disk_free_bytes"), node.built.store.space().freeBytes);

  // Too large for the chunk, which is complete then.
  await node.write("web", "x".repeat(60));
  assertEquals(await node.ask(`/ack?category=web&chunk=${chunk}&size=21`), 200);
  const after = await node.metrics();
  assertEquals([after.value("chukcha_acknowledged_chunks_total"), after.value("chukcha_held_bytes")], [
    1,
    69,
  ]);
  await node.close();
});

Deno.test("/metrics: what is refused is counted by its reason, its status and its category", async () => {
  const node = await start({ maxBatchSize: 100, maxMessageSize: 50 });
  const { chunk } = await node.write("web", "one\n");
  const post = (path: string, body = "x\n", headers: HeadersInit = {}) =>
    node.ask(path, { method: "POST", body, headers });
  const refused: [reason: string, status: number, path: string, ask: () => Promise<number>][] = [
    ["invalid_parameter", 400, "/write", () => post("/write?category=.web")],
    ["invalid_parameter", 400, "/write", () => post("/write?category=web&min_sync_replicas=1")],
    [
      "invalid_body",
      400,
      "/write",
      () => post("/write?category=web", "no gzip", { "content-encoding": "gzip" }),
    ],
    ["too_large", 413, "/write", () => post("/write?category=web", "x".repeat(101))],
    ["too_large", 413, "/write", () => post("/write?category=web", "x".repeat(51))],
    [
      "unsupported_encoding",
      415,
      "/write",
      () => post("/write?category=web", "x", { "content-encoding": "br" }),
    ],
    ["invalid_offset", 400, "/read", () => node.ask(`/read?category=web&chunk=${chunk}&off=1`)],
    ["chunk_not_found", 404, "/read", () => node.ask(`/read?category=web&chunk=n-chunk000000009`)],
    ["not_complete", 409, "/ack", () => node.ask(`/ack?category=web&chunk=${chunk}&size=4`)],
    ["not_found", 404, "(none)", () => node.ask("/nowhere")],
    ["method_not_allowed", 405, "/write", () => node.ask("/write?category=web")],
  ];
  const reasons = new Map<string, number>();
  const requests = new Map<string, number>();
  for (const [reason, status, path, ask] of refused) {
    assertEquals(await ask(), status, reason);
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    requests.set(`${path} ${status}`, (requests.get(`${path} ${status}`) ?? 0) + 1);
  }
  node.disk.faults.before = (operation) => operation === "write" ? "full" : undefined;
  assertEquals(await post("/write?category=web"), 503);
  assertEquals(await post("/write?category=unheard_of"), 503);
  reasons.set("disk_full", 2);
  node.disk.faults.before = (operation) => operation === "sync" ? "failed" : undefined;
  assertEquals(await post("/write?category=web&sync_each_write=1"), 503);
  reasons.set("disk_failed", 1);
  node.disk.faults.before = () => undefined;

  const m = await node.metrics();
  for (const code of Object.keys(ERROR_STATUS)) {
    assertEquals(m.value("chukcha_refusals_total", { reason: code }), reasons.get(code) ?? 0, code);
  }
  for (const [key, count] of requests) {
    const [route, status] = key.split(" ");
    assertEquals(m.value("chukcha_http_requests_total", { route: route!, status: status! }), count, key);
  }
  assertEquals(m.value("chukcha_http_requests_total", { route: "/write", status: "503" }), 3);
  assertEquals(m.value("chukcha_category_refusals_total", category("web")), 11);
  assertEquals(m.value("chukcha_category_refusals_total", category("(other)")), 1);
  assertEquals(m.find("chukcha_category_refusals_total", category("unheard_of")), undefined);
  assertEquals(m.value("chukcha_written_batches_total", category("web")), 1);
  assertEquals(m.value("chukcha_write_duration_seconds_count"), 1);
  assertEquals([m.value("chukcha_sync_failures_total"), m.value("chukcha_poisoned_files")], [1, 1]);
  assertEquals(m.value("chukcha_sync_duration_seconds_count"), 0);
  assertEquals(m.value("chukcha_check_ok", { check: "disk" }), 0);
  assertEquals(m.value("chukcha_check_ok", { check: "serving" }), 1);
  await node.close();
});

Deno.test("/metrics: what is in use now", async () => {
  const node = await start();
  await node.write("web", "one\n");
  const reader = (await node.fetch("/tail?category=web")).body!.getReader();
  const { value } = await reader.read();
  assertEquals(value?.length, 4);
  let send: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({ start: (controller) => void (send = controller) });
  const writing = node.ask("/write?category=web", { method: "POST", body });
  send!.enqueue(new TextEncoder().encode("two\n"));
  await settle();
  const during = await node.metrics();
  assertEquals(during.value("chukcha_open_tails"), 1);
  assert(during.value("chukcha_body_bytes_in_flight") > 0);
  assertEquals(during.value("chukcha_read_bytes_total", category("web")), 4);
  send!.close();
  assertEquals(await writing, 200);
  await reader.cancel();
  const after = await node.metrics();
  assertEquals([after.value("chukcha_open_tails"), after.value("chukcha_body_bytes_in_flight")], [0, 0]);
  await node.close();
});

Deno.test("/metrics: what has expired and waits, and what was deleted for it", async () => {
  const retentionSize = parseCategoryLimits("web=15B,off", parseSize, "a size");
  const node = await start({ retentionSize, maxChunkSize: 10 });
  for (const text of ["aaaaaaaaa", "bbbbbbbbb", "ccccccccc"]) await node.write("web", `${text}\n`);
  await node.built.store.finish();
  node.built.retention!.start();
  await settle();
  const numbers = async () => {
    const m = await node.metrics();
    return ["expiring_chunks", "expired_chunks_total", "expired_bytes_total"].map((name) =>
      m.value(`chukcha_${name}`)
    );
  };
  assertEquals(await numbers(), [2, 0, 0]);
  for (let ms = 0; ms <= RETENTION_GRACE_MS + RETENTION_CHECK_MS; ms += RETENTION_CHECK_MS) {
    node.clock.advance(RETENTION_CHECK_MS);
    await settle();
  }
  assertEquals(await numbers(), [0, 2, 20]);
  await node.built.retention!.close();
  await node.close();
});

Deno.test("/metrics: a damaged chunk is counted once a reader has met it", async () => {
  const node = await start();
  const { chunk } = await node.write("web", "one\n");
  assertEquals((await node.metrics()).value("chukcha_damaged_chunks"), 0);
  const file = node.disk.open(`web/${chunk}`, { write: true });
  file.write(new Uint8Array([0]), 0);
  file.close();
  assertEquals(await node.ask(`/read?category=web&chunk=${chunk}`), 503);
  const m = await node.metrics();
  assertEquals(m.value("chukcha_damaged_chunks"), 1);
  assertEquals([m.value("chukcha_found_damaged_chunks_total"), m.value("chukcha_unhealed_chunks")], [1, 1]);
  assertEquals(
    [m.value("chukcha_healed_chunks_total"), m.find("chukcha_scrub_last_round_timestamp_seconds")],
    [0, undefined],
  );
  assertEquals(m.value("chukcha_refusals_total", { reason: "damaged" }), 1);
  assertEquals(m.value("chukcha_check_ok", { check: "chunks" }), 0);
  await node.close();
});

/** Not `cluster.during`: nothing here waits for the clock, and numbers of the process come from real files. */
async function metricsOf(cluster: Cluster, node: SimulatedNode): Promise<ParsedMetrics> {
  cluster.clock.advance(METRICS_CACHE_MS);
  return parseMetrics(await (await node.fetch("/metrics")).text());
}

Deno.test("/metrics: of two nodes, one that cannot store what the other holds", async () => {
  const cluster = new Cluster(["a", "b"]);
  await cluster.startAll();
  const [a, b] = [cluster.node("a"), cluster.node("b")];
  await a.write("web", "one\n");
  await cluster.converged("web");
  b.disk.faults.before = (operation) => operation === "write" ? "full" : undefined;
  await a.write("web", "two two\n");
  const lacks = () => b.running.cluster!.meters()[0]!.behindBytes.get("web") === 8;
  await cluster.until(lacks, "b is known to be behind");
  await cluster.until(() => a.running.cluster!.meters()[0]!.lagBytes === 8, "a knows that");
  const behind = await metricsOf(cluster, b);
  assertEquals(behind.value("chukcha_replication_lag_bytes", { peer: "a", category: "web" }), 8);
  assertEquals(behind.value("chukcha_replication_lag_bytes", { peer: "a", category: "(other)" }), 0);
  assert(behind.value("chukcha_replication_lag_seconds", { peer: "a" }) >= METRICS_CACHE_MS / 1000);
  assert(behind.value("chukcha_replication_failures_total", { peer: "a" }) > 0);
  assertEquals(behind.value("chukcha_replication_received_bytes_total", { peer: "a" }), 4);
  assertEquals(behind.value("chukcha_replication_peer_reachable", { peer: "a" }), 1);
  assertEquals((await metricsOf(cluster, a)).value("chukcha_replication_peer_lag_bytes", { peer: "b" }), 8);

  b.disk.faults.before = () => undefined;
  await cluster.converged("web");
  await cluster.until(() => b.running.cluster!.meters()[0]!.behindMs === 0, "b knows that it lacks nothing");
  const current = await metricsOf(cluster, b);
  // It stays, as 0: a series that ends would leave an alert's last value standing.
  assertEquals(current.value("chukcha_replication_lag_bytes", { peer: "a", category: "web" }), 0);
  assertEquals(current.value("chukcha_replication_received_bytes_total", { peer: "a" }), 12);
  assertEquals(current.value("chukcha_replication_conflicts_total", { peer: "a" }), 0);

  cluster.link("a", "b", "cut");
  await cluster.until(() => !b.running.cluster!.meters()[0]!.reachable, "b misses a");
  assertEquals((await metricsOf(cluster, b)).value("chukcha_replication_peer_reachable", { peer: "a" }), 0);
  await cluster.close();
});

Deno.test("/metrics: what is lacked of categories without a label of their own is summed up for each peer", async () => {
  const node = await start();
  const { traffic } = node.built.service;
  for (let i = 0; i < METRICS_CATEGORIES_MAX - 1; i++) traffic.wrote(`c${i}`, 1, 1, 1);
  const peer = {
    instance: "b",
    reachable: true,
    behindBytes: new Map([["first", 1], ["second", 10], ["c0", 100], ["third", 1000]]),
    behindMs: 5,
    lagBytes: undefined,
    receivedBytes: 0,
    conflicts: 0,
    failures: 0,
  };
  const m = parseMetrics(await (await metrics({ ...node.built.service, peerMeters: () => [peer] })).text());
  const lag = (category: string) => m.find("chukcha_replication_lag_bytes", { peer: "b", category });
  assertEquals(["first", "second", "c0", "c1", "(other)"].map(lag), [1, undefined, 100, 0, 1010]);
  assertEquals(m.families.get("chukcha_replication_lag_bytes")!.samples.length, METRICS_CATEGORIES_MAX + 1);
  await node.close();
});

Deno.test("/metrics: GET and HEAD, with the format's type; unknown parameters do no harm", async () => {
  await using node = await startLocalNode();
  for (const path of ["/metrics", "/metrics?x=%FF"]) {
    const response = await node.fetch(path);
    assertEquals([response.status, response.headers.get("content-type")], [200, METRICS_TYPE]);
    parseMetrics(await response.text());
  }
  const head = await node.fetch("/metrics", { method: "HEAD" });
  assertEquals([head.status, head.headers.get("content-type"), await head.text()], [200, METRICS_TYPE, ""]);
});

Deno.test("/metrics: the process, the program, and every family that is defined", async () => {
  await using node = await startLocalNode();
  const m = parseMetrics(await (await node.fetch("/metrics")).text());
  assertEquals([...m.families.keys()], FAMILIES.map(({ name }) => name));
  const [build] = m.families.get("chukcha_build_info")!.samples;
  assertEquals([build!.labels["instance"], build!.value], [node.built.store.identity.instance, 1]);
  assert(m.value("process_cpu_seconds_total") > 0);
  assert(m.value("process_resident_memory_bytes") > 1e7);
  assert(Math.abs(m.value("process_start_time_seconds") * 1000 - performance.timeOrigin) < 1);
  if (Deno.build.os === "linux") {
    assert(m.value("process_open_fds") > 3 && m.value("process_open_fds") < m.value("process_max_fds"));
  }
});

Deno.test("/metrics: one answer serves all who ask within its time", async () => {
  const node = await start();
  const read = async (): Promise<number> => {
    const text = await (await node.fetch("/metrics")).text();
    return parseMetrics(text).value("chukcha_written_batches_total", category("(other)"));
  };
  const text = async (): Promise<string> => await (await node.fetch("/metrics")).text();
  const [one, two] = await Promise.all([text(), text()]);
  assertEquals(one, two);
  await node.write("web", "one\n");
  assertEquals(await text(), one);
  node.clock.advance(METRICS_CACHE_MS - 1);
  assertEquals(await text(), one);
  node.clock.advance(1);
  assertStringIncludes(await text(), 'chukcha_written_batches_total{category="web"} 1\n');
  assertEquals(await read(), 0);
  await node.close();
});

// A second opinion where it is installed (Debian: prometheus); the strict reader has looked at everything already.
const lack = lacking([tool("promtool")]);
Deno.test({
  name: `/metrics: promtool finds nothing to complain of${lack === undefined ? "" : ` (skipped: ${lack})`}`,
  ignore: lack !== undefined,
  async fn() {
    await using node = await startLocalNode();
    await node.write("web", "one\n");
    const text = await (await node.fetch("/metrics")).bytes();
    const process = new Deno.Command("promtool", {
      args: ["check", "metrics"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = process.stdin.getWriter();
    await writer.write(text);
    await writer.close();
    const { code, stdout, stderr } = await process.output();
    assertEquals(new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr), "");
    assertEquals(code, 0);
  },
});

Deno.test("/metrics: with 10,000 categories and 100,000 chunks, others wait some milliseconds at most", async () => {
  const clock = new SystemClock();
  const built = await buildNode({ ...DEFAULT_SETTINGS, instance: "n", minFreeDisk: 0 }, {
    disk: new MemoryDisk(),
    clock,
    random: new SeededRandom(1),
    log: new LogLines(),
    connect: () => {
      throw new Error("there are no peers");
    },
  });
  // As many files would take minutes to make.
  const { categories } = built.store as unknown as { categories: Map<string, Category> };
  for (let i = 0; i < 10_000; i++) {
    built.store.noteUsed(`c${i}`, 0);
    const { state } = categories.get(`c${i}`)!;
    for (let number = 0; number < 10; number++) {
      const chunk = new Chunk(`c${i}`, "other", number, 0);
      chunk.size = 7;
      state.chunks.add(chunk);
    }
    built.service.traffic.wrote(`c${i}`, 1, 7, 1);
  }
  const slices = 110_000 / CENSUS_SLICE_CHUNKS;
  let waitMsMin = Infinity;
  // The machine's other work comes and goes: what counts is the best of several.
  for (let round = 0; round < 8; round++) {
    const service = { ...built.service };
    let waitMs = 0;
    let turns = 0;
    let done = false;
    const answer = metrics(service).then((response) => response.text()).finally(() => done = true);
    for (let last = performance.now(); !done;) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      const now = performance.now();
      turns++;
      waitMs = Math.max(waitMs, now - last);
      last = now;
    }
    const m = parseMetrics(await answer);
    assertEquals([m.value("chukcha_chunks"), m.value("chukcha_held_bytes")], [100_000, 700_000]);
    assert(turns >= slices, `others went first ${turns} times`);
    waitMsMin = Math.min(waitMsMin, waitMs);
  }
  assert(waitMsMin < 20, `others waited ${waitMsMin} ms`);
  await built.store.close();
});
