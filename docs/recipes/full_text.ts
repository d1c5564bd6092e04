/**
 * A full-text index of articles that is brought up to date by change notices. `full_text.md` tells why it is written
 * like this, and shows this file.
 *
 * @module
 */
import type { Batch } from "chukcha";
import { DatabaseSync } from "node:sqlite";

/** A message of the category "articles": this article is not what it was. */
export interface Notice {
  readonly id: string;
}

/** What is looked for, as its source holds it. */
export interface Article {
  readonly id: string;
  readonly title: string;
  readonly body: string;
}

/** Asks the source for the articles of these ids as they are now; one that does not exist is left out. */
export type Fetch = (ids: readonly string[]) => Promise<Iterable<Article>>;

/** Opens the index; makes its tables if it is new. */
export function openIndex(path: string): DatabaseSync {
  const index = new DatabaseSync(path);
  index.exec(`
    PRAGMA busy_timeout = 60000;
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS documents (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
    CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (title, body);
  `);
  return index;
}

/** Fetches each of these articles once, and makes its document what it is now. */
export async function refresh(index: DatabaseSync, ids: Iterable<string>, fetch: Fetch): Promise<void> {
  const wanted = [...new Set(ids)];
  const known = index.prepare("INSERT INTO documents (id) VALUES (?) ON CONFLICT DO NOTHING");
  const put = index.prepare(`
    INSERT OR REPLACE INTO words (rowid, title, body) SELECT number, ?, ? FROM documents WHERE id = ?`);
  const drop = index.prepare("DELETE FROM words WHERE rowid = (SELECT number FROM documents WHERE id = ?)");
  const forget = index.prepare("DELETE FROM documents WHERE id = ?");
  index.exec("BEGIN IMMEDIATE");
  try {
    const articles = new Map(Array.from(await fetch(wanted), (article) => [article.id, article]));
    for (const id of wanted) {
      const article = articles.get(id);
      if (article) {
        known.run(id);
        put.run(article.title, article.body, id);
      } else {
        drop.run(id);
        forget.run(id);
      }
    }
    index.exec("COMMIT");
  } finally {
    if (index.isTransaction) index.exec("ROLLBACK");
  }
}

/** Refreshes all that a consumer hears of, until its signal stops it. */
export async function work(
  index: DatabaseSync,
  batches: AsyncIterable<Batch>,
  fetch: Fetch,
): Promise<void> {
  for await (const batch of batches) {
    const notices = [...batch.json<Notice>()];
    await refresh(index, notices.map(({ id }) => id), fetch);
    await batch.ack();
  }
}

/** The ids of the articles that match, best first. */
export function search(index: DatabaseSync, query: string, limit = 10): string[] {
  const rows = index.prepare(`
    SELECT id FROM words JOIN documents ON number = words.rowid WHERE words MATCH ? ORDER BY rank LIMIT ?`);
  return rows.all(query, limit).map(({ id }) => String(id));
}

/** Opens a source of articles whose changes cannot be lost; makes its tables if it is new. */
export function openSource(path: string): DatabaseSync {
  const source = new DatabaseSync(path);
  source.exec(`
    PRAGMA busy_timeout = 10000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS articles (id TEXT PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, article TEXT NOT NULL) STRICT;
    CREATE TRIGGER IF NOT EXISTS article_new AFTER INSERT ON articles
      BEGIN INSERT INTO outbox (article) VALUES (new.id); END;
    CREATE TRIGGER IF NOT EXISTS article_changed AFTER UPDATE ON articles
      BEGIN INSERT INTO outbox (article) SELECT old.id UNION SELECT new.id; END;
    CREATE TRIGGER IF NOT EXISTS article_gone AFTER DELETE ON articles
      BEGIN INSERT INTO outbox (article) VALUES (old.id); END;
  `);
  return source;
}

/** Sends the notices of what was committed; returns how many. What is cut off in the middle is sent again. */
export async function relay(
  source: DatabaseSync,
  producer: { send(notice: Notice): Promise<unknown> },
): Promise<number> {
  const rows = source.prepare("SELECT number, article FROM outbox ORDER BY number LIMIT 1000").all();
  await Promise.all(rows.map(({ article }) => producer.send({ id: String(article) })));
  const sent = JSON.stringify(rows.map(({ number }) => number));
  source.prepare("DELETE FROM outbox WHERE number IN (SELECT value FROM json_each(?))").run(sent);
  return rows.length;
}

/** Asks a source in SQLite. */
export function fetchFrom(source: DatabaseSync): Fetch {
  return (ids) => {
    const rows = source.prepare(
      "SELECT id, title, body FROM articles WHERE id IN (SELECT value FROM json_each(?))",
    );
    return Promise.resolve(rows.all(JSON.stringify(ids)) as unknown as Article[]);
  };
}
