/**
 * Page views into ClickHouse, each counted exactly once. `clickhouse.md` tells why it is written like this, and shows
 * this file.
 *
 * @module
 */
import type { Batch } from "chukcha";

/** The table; each message of the category "web" is a row of it. */
export const TABLE = `
  CREATE TABLE IF NOT EXISTS web (
    event_id UUID,
    at DateTime64(3, 'UTC'),
    page LowCardinality(String),
    ms UInt32
  )
  ENGINE = ReplacingMergeTree
  PARTITION BY toYYYYMM(at)
  ORDER BY (page, at, event_id)
  SETTINGS non_replicated_deduplication_window = 1000`;

/** Views per page, each counted once, whatever has been merged so far. */
export const VIEWS = "SELECT page, count() AS views FROM web FINAL GROUP BY page ORDER BY page";

/** Where ClickHouse is, and who asks. */
export interface ClickHouse {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** @default 30000 */
  readonly timeoutMs?: number;
}

/** Has ClickHouse do something; returns its answer, or throws with what it says. */
export async function query(
  clickhouse: ClickHouse,
  params: Record<string, string>,
  body?: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const url = new URL(clickhouse.url);
  url.search = new URLSearchParams({ ...params, wait_end_of_query: "1" }).toString();
  const response = await fetch(url, {
    method: "POST",
    headers: { "x-clickhouse-user": clickhouse.user, "x-clickhouse-key": clickhouse.password },
    body: body ?? null,
    signal: AbortSignal.timeout(clickhouse.timeoutMs ?? 30_000),
  });
  const text = await response.text();
  if (response.ok && !response.headers.has("x-clickhouse-exception-code")) return text;
  throw new Error(`ClickHouse answers ${params.query} with ${response.status}: ${text.slice(0, 1000)}`);
}

/** Inserts a batch as it is. The same batch may be inserted any number of times. */
export async function insert(clickhouse: ClickHouse, batch: Batch): Promise<void> {
  await query(clickhouse, {
    query: "INSERT INTO web FORMAT JSONEachRow",
    insert_deduplication_token: `${batch.category}/${batch.chunk}:${batch.offset}-${batch.nextOffset}`,
    async_insert: "0",
    date_time_input_format: "best_effort",
    input_format_skip_unknown_fields: "1",
  }, batch.bytes);
}

/** Inserts all that a consumer is handed out, until its signal stops it. */
export async function work(
  clickhouse: ClickHouse,
  batches: AsyncIterable<Batch>,
  triesMax = 5,
): Promise<void> {
  for await (const batch of batches) {
    for (let tries = 1;; tries++) {
      try {
        await insert(clickhouse, batch);
        break;
      } catch (error) {
        if (tries === triesMax) throw error;
        await new Promise((resolve) => setTimeout(resolve, 2 ** tries * 100 * Math.random()));
      }
    }
    await batch.ack();
  }
}
