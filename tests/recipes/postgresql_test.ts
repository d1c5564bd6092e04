/**
 * The recipe for PostgreSQL, against a server of its own: whatever is handed out, to however many workers, each payment
 * is booked once.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Sql } from "postgres";
import { apply, createTables, type Payment, prune, work } from "../../docs/recipes/postgresql.ts";
import { Postgres, postgresql } from "../support/postgres.ts";
import { report } from "../support/report.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { testWith } from "../support/skip.ts";
import { eventId } from "./event_ids.ts";
import { Handouts } from "./handouts.ts";

const WORKERS = 4;
const EVENTS = 5_000;
const ACCOUNTS = 50;
const ROUNDS = 40;

const payment = (number: number): Payment => ({
  event_id: eventId(number),
  account: `account ${number % ACCOUNTS}`,
  amount: number / 100,
});

/** What each account must hold after these payments. */
function expected(payments: readonly Payment[]): Record<string, [amount: number, payments: number]> {
  const accounts: Record<string, [number, number]> = {};
  for (const { account, amount } of payments) {
    const [sum, count] = accounts[account] ?? [0, 0];
    accounts[account] = [sum + Math.round(100 * amount), count + 1];
  }
  return accounts;
}

async function booked(sql: Sql): Promise<ReturnType<typeof expected>> {
  const rows = await sql`SELECT account, (100 * amount)::integer AS amount, payments::integer FROM balances`;
  return Object.fromEntries(rows.map(({ account, amount, payments }) => [account, [amount, payments]]));
}

testWith("recipe PostgreSQL", [postgresql()], async (t) => {
  await using server = await Postgres.start();
  const sql = server.connect(WORKERS);

  const step = (name: string, fn: () => Promise<void>): Promise<boolean> =>
    t.step(name, async () => {
      await sql`DROP TABLE IF EXISTS applied, balances`;
      await createTables(sql);
      await fn();
    });

  await step(
    `in any order, in pieces cut anew, by ${WORKERS} workers that die between commit and ack, each payment is booked once`,
    async () => {
      const payments = Array.from({ length: EVENTS }, (_, i) => payment(i));
      const lines = payments.map((event) => JSON.stringify(event));
      // What a producer sent twice, because it was not answered: at another place of the log.
      const handouts = new Handouts("payments", [...lines, ...lines.slice(1_000, 2_000)], 3);
      await handouts.drain((batches) => work(sql, batches), WORKERS);
      report(
        `${EVENTS} payments, 1000 of them twice: ${handouts.delivered} delivered, ${handouts.deaths} deaths`,
      );
      assert(handouts.delivered > 2 * EVENTS && handouts.deaths > 10, "nothing was delivered twice");
      assertEquals(await booked(sql), expected(payments));
    },
  );

  await step(
    "workers that apply the same payments at the same time, in other orders, wait for no one for ever",
    async () => {
      const random = new SeededRandom(4);
      for (let round = 0; round < ROUNDS; round++) {
        // Half of the rounds fight for the ids as well, the other half for the accounts alone.
        const shared = round % 2 === 0;
        const some = Array.from(
          { length: WORKERS },
          (_, worker) =>
            Array.from({ length: 50 + random.below(800) }, (_, i) => ({
              event_id: eventId(100_000 * round + (shared ? i : 1_000 * worker + i)),
              account: `account ${(shared ? i : random.below(1_000)) % 1_000}`,
              amount: i,
            })).toSorted(() => random.number() - 0.5),
        );
        const fresh = await Promise.all(some.map((events) => apply(sql, events)));
        const ids = new Set(some.flat().map(({ event_id }) => event_id));
        assertEquals(fresh.reduce((sum, count) => sum + count, 0), ids.size);
      }
    },
  );

  await step(
    "a batch with a payment that cannot be booked leaves nothing behind, and can be booked without it",
    async () => {
      const payments = [payment(1), payment(2), payment(2)];
      const broken = { ...payment(3), amount: "much" } as unknown as Payment;
      await assertRejects(() => apply(sql, [...payments, broken]), Error, "much");
      await assertRejects(() => apply(sql, [{ ...payment(3), event_id: undefined } as unknown as Payment]));
      assertEquals(await booked(sql), {});
      assertEquals(await apply(sql, payments), 2);
      assertEquals(await apply(sql, payments), 0);
      assertEquals(await apply(sql, []), 0);
      assertEquals(await booked(sql), expected(payments.slice(0, 2)));
    },
  );

  await step("prune forgets the ids that are older than a time, and no other", async () => {
    const old = Date.UTC(2026, 0, 1);
    const recent = Date.UTC(2026, 6, 1);
    const payments = [old, old + 1, recent - 1, recent, recent + 1]
      .map((ms, i) => ({ ...payment(i), event_id: eventId(i, ms) }));
    assertEquals(await apply(sql, payments), 5);
    assertEquals(await prune(sql, new Date(recent), 2), 3);
    assertEquals(await apply(sql, payments.slice(3)), 0);
    assertEquals(await apply(sql, payments), 3);
  });

  await sql.end();
});
