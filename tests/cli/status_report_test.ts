/**
 * @module Tests of `lib/cli/status_report.ts`.
 */
import { assertEquals } from "@std/assert";
import { statusReport } from "../../lib/cli/status_report.ts";
import type { NodeStatus } from "../../lib/protocol/types.ts";

const ALONE: NodeStatus = {
  instance: "node_1",
  incarnation: "9f2c41d8",
  version: "0.1.0",
  state: "serving",
  uptime_ms: 90_000,
  promise: "A write that was answered survives.",
  healthy: true,
  checks: [{ name: "serving", ok: true, message: "takes requests" }],
  categories: 1,
  chunks: 2,
  bytes: 2048,
  consumers: { count: 0, behind: [] },
  peers: [],
  disk: { path: "/data", free_bytes: 1024 ** 3, total_bytes: 2 * 1024 ** 3 },
  scrub: {
    interval_ms: 1000,
    last_round_ms: 86_400_000,
    chunks: 12,
    bytes: 3400,
    damaged: 3,
    healed: 2,
    unhealed: 1,
  },
  open: { files: 4, tails: 1, body_bytes: 0, connections: 7 },
  settings: {},
};

Deno.test("statusReport shows a node that is alone", () => {
  assertEquals(statusReport(ALONE).split("\n"), [
    "node_1 is healthy and serving",
    "A write that was answered survives.",
    "  ok   serving  takes requests",
    "  version  0.1.0, up 1m 30s, incarnation 9f2c41d8",
    "  stored   2 KiB in 2 chunks of 1 category",
    "  disk     1 GiB of 2 GiB free at /data",
    "  scrub    12 chunks looked at, last round ended 1970-01-02T00:00:00.000Z; 3 found damaged, 2 healed, 1 not",
    "  open     4 files, 1 tails, 0 B of bodies",
  ]);
});

Deno.test("statusReport shows the consumers that are furthest behind", () => {
  const indexer = {
    category: "web",
    consumer: "indexer",
    lag_bytes: 3072,
    lag_chunks: 2,
    leased_bytes: 10,
  };
  const mail = { category: "orders", consumer: "mail", lag_bytes: 0, lag_chunks: 0, leased_bytes: 0 };
  const rows = (count: number) =>
    statusReport({ ...ALONE, consumers: { count, behind: [indexer, mail] } }).split("\n").slice(3, -5);
  const table = [
    "  consumer  category  behind             on lease",
    "  indexer   web       3 KiB in 2 chunks  10 B",
    "  mail      orders    nothing            nothing",
  ];
  assertEquals(rows(2), table);
  assertEquals(rows(1002).at(-1)!.trim(), "and 1,000 more: see `chukcha consumers`");
});

Deno.test("statusReport shows the peers of a node as a table", () => {
  const fine = {
    instance: "node_2",
    url: "http://10.0.0.2:8080",
    reachable: true,
    since_ms: 60_000,
    behind_bytes: 0,
    behind_chunks: 0,
    lag_bytes: 0,
    last_error: null,
  };
  const peers = (...peers: NodeStatus["peers"]) => statusReport({ ...ALONE, peers }).split("\n").slice(3, -5);
  assertEquals(peers(fine), [
    "  peer                      lacking here  lacking there  address",
    "  node_2  reachable for 1m  nothing       nothing        http://10.0.0.2:8080",
  ]);
  const away = {
    ...fine,
    instance: "node_30",
    reachable: false,
    behind_bytes: 3072,
    behind_chunks: 1,
    lag_bytes: null,
    last_error: "connection refused",
  };
  assertEquals(peers({ ...fine, lag_bytes: 10 }, away), [
    "  peer                         lacking here      lacking there  address               last error",
    "  node_2   reachable for 1m    nothing           10 B           http://10.0.0.2:8080",
    "  node_30  UNREACHABLE for 1m  3 KiB in 1 chunk  not told       http://10.0.0.2:8080  connection refused",
  ]);
});
