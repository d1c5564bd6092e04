/**
 * The recipe for SQLite: whatever is handed out, each view counts once.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Batch } from "../../lib/client/mod.ts";
import { apply, open, prune, withPlaces, work } from "../../docs/recipes/sqlite.ts";
import { temporaryDirectory } from "../support/node.ts";
import { report } from "../support/report.ts";
import { eventId } from "./event_ids.ts";
import { Handouts } from "./handouts.ts";

const EVENTS = 3_000;
const PAGES = 7;

const page = (number: number): string => `/page/${number % PAGES}`;

/** What `views` must hold after so many events. */
function expected(events: number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < events; i++) counts[page(i)] = (counts[page(i)] ?? 0) + 1;
  return counts;
}

function counted(db: ReturnType<typeof open>): Record<string, number> {
  const rows = db.prepare("SELECT page, count FROM views ORDER BY page").all();
  return Object.fromEntries(rows.map((row) => [row.page, row.count]));
}

Deno.test("SQLite: in any order, in pieces cut anew, with deaths between commit and ack, each view counts once", async () => {
  await using directory = await temporaryDirectory();
  using db = open(`${directory.path}/views.db`);
  const lines = Array.from(
    { length: EVENTS },
    (_, i) => JSON.stringify({ event_id: eventId(i), page: page(i) }),
  );
  // What a producer sent twice, because it was not answered: at another place of the log.
  const handouts = new Handouts("web", [...lines, ...lines.slice(100, 600)], 1);
  await handouts.drain((batches) => work(db, batches));
  report(
    `${EVENTS} views, 500 of them twice in the log: ${handouts.delivered} delivered, ${handouts.deaths} deaths`,
  );
  assert(handouts.delivered > 2 * EVENTS && handouts.deaths > 10, "nothing was delivered twice");
  assertEquals(counted(db), expected(EVENTS));
});

Deno.test("SQLite: a batch with a view that cannot be applied leaves nothing behind, and can be applied without it", () => {
  using db = open(":memory:");
  const views = [{ event_id: eventId(1), page: "/a" }, { event_id: eventId(2), page: "/b" }];
  const broken = { event_id: eventId(3) } as unknown as (typeof views)[0];
  assertThrows(() => apply(db, [...views, broken]));
  assertEquals(counted(db), {});
  assertEquals(apply(db, views), 2);
  assertEquals(apply(db, views), 0);
  assertEquals(counted(db), { "/a": 1, "/b": 1 });
});

Deno.test("SQLite: a message that has no id is known by its place, however its batch is cut", async () => {
  using db = open(":memory:");
  // Characters of several bytes: places are bytes.
  const pages = Array.from({ length: 500 }, (_, i) => ({ page: `/söder/${i % 5}` }));
  const handouts = new Handouts("web", pages.map((view) => JSON.stringify(view)), 2);
  await handouts.drain(async (batches) => {
    for await (const batch of batches) {
      apply(db, withPlaces(batch));
      await batch.ack();
    }
  });
  assertEquals(Object.values(counted(db)), [100, 100, 100, 100, 100]);
  const done = () => Promise.resolve("done" as const);
  const bytes = new TextEncoder().encode('{"page":"/ö"}\n{"page":"/"}\n');
  const piece = { chunk: "node-chunk000000001", offset: 40, nextOffset: 40 + bytes.length, epoch: 0, bytes };
  const batch = new Batch("web", piece, { ack: done, release: done, extend: done });
  const ids = Array.from(withPlaces(batch), ({ event_id }) => event_id);
  assertEquals(ids, ["web/node-chunk000000001:40", "web/node-chunk000000001:55"]);
});

Deno.test("SQLite: prune forgets the ids that are older than a time, and no other", () => {
  using db = open(":memory:");
  const old = Date.UTC(2026, 0, 1);
  const recent = Date.UTC(2026, 6, 1);
  const views = [old, old + 1, recent - 1, recent, recent + 1].map((ms, i) => ({
    event_id: eventId(i, ms),
    page: "/",
  }));
  assertEquals(apply(db, views), 5);
  assertEquals(prune(db, new Date(recent)), 3);
  assertEquals(apply(db, views.slice(3)), 0);
  assertEquals(apply(db, views), 3);
});
