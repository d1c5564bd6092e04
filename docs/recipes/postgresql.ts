/**
 * Books payments in PostgreSQL, each exactly once, with any number of workers. `postgresql.md` tells why it is written
 * like this, and shows this file.
 *
 * @module
 */
import type { Batch } from "chukcha";
import type { Sql } from "postgres";

/** A message of the category "payments". */
export interface Payment {
  readonly event_id: string;
  readonly account: string;
  readonly amount: number;
}

/** Makes the tables if they are not there; only one worker at a time, which `IF NOT EXISTS` does not see to. */
export async function createTables(sql: Sql): Promise<void> {
  await sql.begin(async (sql) => {
    await sql`SELECT pg_advisory_xact_lock(hashtext('booking'))`;
    await sql`CREATE TABLE IF NOT EXISTS applied (event_id uuid PRIMARY KEY)`;
    await sql`
      CREATE TABLE IF NOT EXISTS balances (
        account text PRIMARY KEY,
        amount numeric NOT NULL,
        payments bigint NOT NULL
      )`;
  });
}

/** Books each payment whose id is new, all in one transaction; returns how many were new. */
export async function apply(sql: Sql, payments: Iterable<Payment>): Promise<number> {
  const [row] = await sql<[{ fresh: number }]>`
    WITH incoming AS (
      SELECT DISTINCT ON (event_id) event_id, account, amount
      FROM json_to_recordset(${JSON.stringify([...payments])}::text::json)
        AS payment (event_id uuid, account text, amount numeric)
      ORDER BY event_id
    ), fresh AS (
      INSERT INTO applied (event_id)
      SELECT event_id FROM incoming ORDER BY event_id
      ON CONFLICT DO NOTHING
      RETURNING event_id
    ), booked AS (
      INSERT INTO balances AS b (account, amount, payments)
      SELECT account, sum(amount), count(*) FROM incoming JOIN fresh USING (event_id)
      GROUP BY account ORDER BY account
      ON CONFLICT (account) DO UPDATE
        SET amount = b.amount + excluded.amount, payments = b.payments + excluded.payments
    )
    SELECT count(*)::integer AS fresh FROM fresh`;
  return row.fresh;
}

/** Books all that a consumer is handed out, until its signal stops it. */
export async function work(sql: Sql, batches: AsyncIterable<Batch>): Promise<void> {
  for await (const batch of batches) {
    await apply(sql, batch.json<Payment>());
    await batch.ack();
  }
}

/** Forgets the ids that were made before a time, some at a time; returns how many. */
export async function prune(sql: Sql, before: Date, atOnce = 10_000): Promise<number> {
  const ms = before.getTime().toString(16).padStart(12, "0");
  const end = `${ms.slice(0, 8)}-${ms.slice(8)}-0000-0000-000000000000`;
  for (let pruned = 0;;) {
    const { count } = await sql`
      DELETE FROM applied WHERE event_id IN (
        SELECT event_id FROM applied WHERE event_id < ${end} ORDER BY event_id LIMIT ${atOnce} FOR UPDATE SKIP LOCKED
      )`;
    pruned += count;
    if (count < atOnce) return pruned;
  }
}
