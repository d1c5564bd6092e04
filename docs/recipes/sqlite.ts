/**
 * Counts page views in SQLite, each exactly once. `sqlite.md` tells why it is written like this, and shows this file.
 *
 * @module
 */
import type { Batch } from "chukcha";
import { DatabaseSync } from "node:sqlite";

/** A message of the category "web". */
export interface View {
  readonly event_id: string;
  readonly page: string;
}

/** Opens the database; makes its tables if it is new. */
export function open(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  db.exec(`
    PRAGMA busy_timeout = 10000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS views (page TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS applied (event_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  `);
  return db;
}

/** Applies the effect of each view whose id is new, all in one transaction; returns how many were new. */
export function apply(db: DatabaseSync, views: Iterable<View>): number {
  const remember = db.prepare("INSERT INTO applied (event_id) VALUES (?) ON CONFLICT DO NOTHING");
  const count = db.prepare(
    "INSERT INTO views (page, count) VALUES (?, 1) ON CONFLICT (page) DO UPDATE SET count = count + 1",
  );
  let fresh = 0;
  db.exec("BEGIN IMMEDIATE");
  try {
    for (const { event_id, page } of views) {
      if (remember.run(event_id).changes === 0) continue;
      count.run(page);
      fresh++;
    }
    db.exec("COMMIT");
  } finally {
    if (db.isTransaction) db.exec("ROLLBACK");
  }
  return fresh;
}

/** Applies all that a consumer is handed out, until its signal stops it. */
export async function work(db: DatabaseSync, batches: AsyncIterable<Batch>): Promise<void> {
  for await (const batch of batches) {
    apply(db, batch.json<View>());
    await batch.ack();
  }
}

/** Each message with its place as its id: for messages that have none of their own. */
export function* withPlaces(batch: Batch): Generator<View> {
  let offset = batch.offset;
  for (const message of batch.messages()) {
    const { page } = JSON.parse(new TextDecoder().decode(message)) as { page: string };
    yield { event_id: `${batch.category}/${batch.chunk}:${offset}`, page };
    offset += message.length + 1;
  }
}

/** Forgets the ids that were made before a time; returns how many. */
export function prune(db: DatabaseSync, before: Date): number {
  const ms = before.getTime().toString(16).padStart(12, "0");
  const { changes } = db.prepare("DELETE FROM applied WHERE event_id < ?")
    .run(`${ms.slice(0, 8)}-${ms.slice(8)}-`);
  return Number(changes);
}
