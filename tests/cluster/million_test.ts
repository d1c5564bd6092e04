/**
 * Everything that is promised about events, from one end to the other: they go through a producer into a cluster of three
 * processes that are killed one at a time, and out through four workers of one consumer that are killed at random, and
 * die between commit and ack besides. Each worker applies the recipe for PostgreSQL.
 *
 * In the end every event's id is there, and each was booked exactly once. How many came twice is printed.
 *
 * `MILLION_EVENTS` says how many events (1000000 is the long form), `TEST_SEED` brings a run's choices back (not its
 * timing).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Sql } from "postgres";
import { createTables, type Payment } from "../../docs/recipes/postgresql.ts";
import { type Chukcha, connect, withEventId } from "../../lib/client/mod.ts";
import { listingOf, partsOf, TestCluster } from "../support/cluster.ts";
import { eventually, pause } from "../support/eventually.ts";
import type { Member } from "../support/member.ts";
import { Postgres, postgresql } from "../support/postgres.ts";
import { report } from "../support/report.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { testWith } from "../support/skip.ts";
import { Workers } from "../support/workers.ts";

const EVENTS = Number(Deno.env.get("MILLION_EVENTS") ?? 100_000);
/** Written around one kill. */
const EVENTS_PER_KILL = 25_000;
const KILLS_MIN = 6;
const WORKERS = 4;
const ACCOUNTS = 1_000;
/** Behind the first event of a portion, so that a kill meets writes that are under way. */
const KILL_AFTER_MS_MAX = 100;
/** A node stays away so long at most; one of so many much longer, so that a producer goes elsewhere. */
const DOWN_MS_MAX = 500;
const LONG_DOWN_EACH = 4;
const LONG_DOWN_MS = 3_000;
/** One of the workers is killed after so long at most. */
const WORKER_LIFE_MS_MAX = 2_500;
/** Of a hundred batches, with how many a worker dies between commit and ack. */
const DIES_PERCENT = 5;
/** Whatever happens, something is booked within this time as long as there is something to book. */
const PROGRESS_MS_MAX = 60_000;

const payment = (number: number): Omit<Payment, "event_id"> => ({
  account: `account ${number % ACCOUNTS}`,
  amount: number % 997,
});

/** Sends all events, some around each kill; returns their ids, and how many kills there were. */
async function send(
  chukcha: Chukcha,
  kill: () => Promise<void>,
): Promise<{ ids: Set<string>; kills: number; ms: number }> {
  const ids = new Set<string>();
  const kills = Math.max(KILLS_MIN, Math.ceil(EVENTS / EVENTS_PER_KILL));
  const startMs = performance.now();
  const stored: Promise<unknown>[] = [];
  await using producer = chukcha.producer("payments");
  for (let i = 0; i < kills; i++) {
    const killed = kill();
    for (let number = ids.size; number < EVENTS * (i + 1) / kills; number++) {
      const event = withEventId(payment(number));
      ids.add(event.event_id);
      await producer.ready;
      stored.push(producer.send(event));
    }
    await killed;
  }
  await producer.flush();
  await Promise.all(stored);
  return { ids, kills, ms: performance.now() - startMs };
}

/** Kills workers at random until told to stop. */
async function killAtRandom(workers: Workers, random: SeededRandom, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await pause(random.below(WORKER_LIFE_MS_MAX));
    if (!stop.aborted) workers.kill(random.below(WORKERS));
  }
}

/** What a node's log holds: how often each id is there. */
async function logged(member: Member): Promise<{ messages: number; ids: Set<string> }> {
  const ids = new Set<string>();
  let messages = 0;
  for (const chunk of await listingOf(member)) {
    for await (const part of partsOf(member, chunk)) {
      for (const line of new TextDecoder().decode(part).split("\n").slice(0, -1)) {
        ids.add((JSON.parse(line) as Payment).event_id);
        messages++;
      }
    }
  }
  return { messages, ids };
}

/** What is booked, by account. */
async function booked(sql: Sql): Promise<Map<string, string>> {
  const rows = await sql<{ account: string; payments: number; amount: number }[]>`
    SELECT account, payments::integer, amount::integer FROM balances`;
  return new Map(rows.map(({ account, payments, amount }) => [account, `${payments}, ${amount}`]));
}

/** Resolves when so much is booked; throws when nothing more is for a long time. */
async function everythingBooked(sql: Sql): Promise<void> {
  for (let before = -1; before < EVENTS;) {
    const more = (now: { total: number }): boolean => now.total > before || now.total >= EVENTS;
    const now = await eventually("more is booked", () => total(sql), more, PROGRESS_MS_MAX);
    before = now.total;
  }
}

/** How many payments are booked. */
async function total(sql: Sql): Promise<{ total: number }> {
  const [row] = await sql<
    [{ total: number }]
  >`SELECT coalesce(sum(payments), 0)::integer AS total FROM balances`;
  return row;
}

/** What must be booked in the end. */
function expected(): Map<string, string> {
  const sums = new Map<string, [payments: number, amount: number]>();
  for (let i = 0; i < EVENTS; i++) {
    const { account, amount } = payment(i);
    const [count, sum] = sums.get(account) ?? [0, 0];
    sums.set(account, [count + 1, sum + amount]);
  }
  return new Map(Array.from(sums, ([account, [count, sum]]) => [account, `${count}, ${sum}`]));
}

testWith(
  `${EVENTS} events through kills of nodes and workers: every id arrives, each is booked exactly once`,
  [postgresql()],
  async () => {
    const seed = Number(Deno.env.get("TEST_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
    const random = new SeededRandom(seed);
    await using server = await Postgres.start();
    await using cluster = await TestCluster.start();
    const servers = cluster.members.map(({ url }) => url);
    const sql = server.connect();
    await createTables(sql);

    const script = new URL("booking_worker.ts", import.meta.url).pathname;
    await using workers = new Workers({
      count: WORKERS,
      args: (
        number,
      ) => [
        "run",
        "-A",
        "--no-check",
        script,
        servers.join(","),
        server.host,
        `w${number}`,
        `${DIES_PERCENT}`,
      ],
    });
    const stop = new AbortController();
    const killing = killAtRandom(workers, new SeededRandom(seed + 1), stop.signal);

    const startMs = performance.now();
    const { ids, kills, ms } = await send(connect({ servers }), async () => {
      const member = random.pick(cluster.members);
      await pause(random.below(KILL_AFTER_MS_MAX));
      await member.kill();
      await pause(random.below(LONG_DOWN_EACH) === 0 ? LONG_DOWN_MS : random.below(DOWN_MS_MAX));
      await member.start();
    });
    await everythingBooked(sql).catch(async (error) => {
      throw new Error(`${error.message}\n${await whatIsMissing(cluster, sql, ids)}\n${workers.output}`);
    });
    const bookedMs = performance.now() - startMs;
    stop.abort();
    await killing;
    await eventually("everything is acknowledged at every node", () => lagOf(cluster), (lag) => lag === 0);

    await cluster.converged();
    const { delivered = 0, fresh = 0 } = workers.sums;
    const log = await logged(cluster.at(0));
    report(
      `${EVENTS} events, seed ${seed}: written in ${
        (ms / 1000).toFixed(1)
      } s with ${kills} kills of nodes, booked ` +
        `after ${(bookedMs / 1000).toFixed(1)} s with ${workers.deaths} deaths of workers; ` +
        `${log.messages - log.ids.size} twice in the log, ${delivered - EVENTS} delivered more than once ` +
        `(of ${delivered}; ${fresh} said to be new by those who lived to say it)`,
    );
    assertEquals(log.ids.size, EVENTS, "ids in the log");
    assert(log.ids.isSubsetOf(ids), "an id in the log that was never sent");
    const rows = await sql<{ event_id: string }[]>`SELECT event_id FROM applied`;
    assertEquals(
      new Set(rows.map(({ event_id }) => event_id)).symmetricDifference(ids).size,
      0,
      "ids that arrived",
    );
    assertEquals(await booked(sql), expected());
    assertEquals(workers.output, "", "what workers said that ended by themselves");
    assert(workers.deaths > WORKERS, "hardly any worker died");
    await sql.end();
  },
);

/** Bytes that the consumer has not acknowledged, by the node that knows of the most. */
async function lagOf(cluster: TestCluster): Promise<number> {
  const lags = await Promise.all(cluster.live.map(async (member) => {
    const answer = await member.ask("/consumers?category=payments");
    const consumers = JSON.parse(answer.text) as { consumer: string; lag_bytes: number }[];
    return consumers.find(({ consumer }) => consumer === "booking")?.lag_bytes ?? Infinity;
  }));
  return Math.max(...lags);
}

/** Where what was not booked got lost. */
async function whatIsMissing(cluster: TestCluster, sql: Sql, ids: ReadonlySet<string>): Promise<string> {
  const rows = await sql<{ event_id: string }[]>`SELECT event_id FROM applied`;
  const missing = ids.difference(new Set(rows.map(({ event_id }) => event_id)));
  const parts = [`${missing.size} are not booked`];
  for (const member of cluster.live) {
    const { ids: there } = await logged(member);
    const consumers = await member.ask("/consumers?category=payments");
    parts.push(
      `${member.instance}: ${missing.intersection(there).size} of them in its log; ${consumers.text}`,
    );
  }
  return parts.join("\n");
}
