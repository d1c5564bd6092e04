/**
 * The recipe for ClickHouse, against a server that stands for it: whatever is handed out and however inserts fail, each
 * view counts once.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Batch } from "../../lib/client/mod.ts";
import { insert, query, TABLE, VIEWS, work } from "../../docs/recipes/clickhouse.ts";
import { report } from "../support/report.ts";
import { ClickHouseStandIn } from "./clickhouse_stand_in.ts";
import { eventId } from "./event_ids.ts";
import { Death, Handouts } from "./handouts.ts";

const EVENTS = 1_000;
const PAGES = 7;
const TROUBLE_PERCENT = 30;
const ACCESS = { user: "default", password: "secret" };

/** A view, as a producer has it: more than the table has columns. */
const view = (number: number): string =>
  JSON.stringify({
    event_id: eventId(number),
    at: new Date(Date.UTC(2026, number % 12, 1)).toISOString(),
    page: `/page/${number % PAGES}`,
    ms: number,
    agent: "curl",
  });

function batchOf(lines: readonly string[], offset: number): Batch {
  const bytes = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
  const done = () => Promise.resolve("done" as const);
  const piece = {
    chunk: "node_1-chunk000000003",
    offset,
    nextOffset: offset + bytes.length,
    epoch: 0,
    bytes,
  };
  return new Batch("web", piece, { ack: done, release: done, extend: done });
}

Deno.test("ClickHouse: inserts that fail, or are stored and not answered, of batches cut anew: each view counts once", async () => {
  await using server = new ClickHouseStandIn(TROUBLE_PERCENT, 7);
  const clickhouse = { ...ACCESS, url: server.url, timeoutMs: 100 };
  await query(clickhouse, { query: TABLE });
  await query(clickhouse, { query: VIEWS });
  assertEquals(server.statements, [TABLE, VIEWS]);
  const lines = Array.from({ length: EVENTS }, (_, i) => view(i));
  const handouts = new Handouts("web", [...lines, ...lines.slice(0, 100)], 8);
  await handouts.drain((batches) =>
    work(clickhouse, batches, 3).catch((error) => {
      // A worker that gave up is as good as dead: what it had comes again.
      throw error instanceof Error && !(error instanceof Death) ? new Death(error.message) : error;
    }), 4);
  const expected = Array.from({ length: PAGES }, (_, i) => [`/page/${i}`, Math.ceil((EVENTS - i) / PAGES)]);
  assertEquals(server.final(), Object.fromEntries(expected));
  assertEquals(server.refused, []);
  const outcomes: Record<string, number> = {};
  for (const { outcome } of server.asked) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  report(`${EVENTS} views: ${server.rows.length} rows before merging; inserts ${JSON.stringify(outcomes)}`);
  assertEquals(Object.keys(outcomes).length, 6, "not everything happened that can");
  assert(server.rows.length > EVENTS, "no row was stored twice");
});

Deno.test("ClickHouse: a batch that is sent again as it is is stored once; one that is cut in another way has another token", async () => {
  await using server = new ClickHouseStandIn(0, 9);
  const clickhouse = { ...ACCESS, url: server.url };
  const lines = [view(1), view(2)];
  const whole = batchOf(lines, 40);
  await insert(clickhouse, whole);
  await insert(clickhouse, whole);
  assertEquals(server.rows.length, 2);
  await insert(clickhouse, batchOf(lines.slice(0, 1), 40));
  await insert(clickhouse, batchOf(lines.slice(1), 40 + lines[0]!.length + 1));
  assertEquals(server.rows.length, 4);
  const first = 40 + lines[0]!.length + 1;
  const last = first + lines[1]!.length + 1;
  assertEquals(server.asked.map(({ token, outcome }) => [token, outcome]), [
    [`web/node_1-chunk000000003:40-${last}`, "stored"],
    [`web/node_1-chunk000000003:40-${last}`, "known"],
    [`web/node_1-chunk000000003:40-${first}`, "stored"],
    [`web/node_1-chunk000000003:${first}-${last}`, "stored"],
  ]);
});

Deno.test("ClickHouse: what it says against an insert is what the worker ends with", async () => {
  await using server = new ClickHouseStandIn(0, 10);
  const clickhouse = { ...ACCESS, url: server.url };
  const broken = batchOf([view(1), "no json"], 0);
  await assertRejects(() => insert(clickhouse, broken), Error, "with 400: Code: 117");
  await assertRejects(() => insert({ ...clickhouse, password: "" }, broken), Error, "Authentication failed");
  assertEquals(server.rows, []);
});
