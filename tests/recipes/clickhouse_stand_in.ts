/**
 * Stands for ClickHouse: takes inserts over HTTP as its documentation says, remembers tokens as a table with
 * `non_replicated_deduplication_window` does, keeps the rows as they came, and shows what `FINAL` would.
 *
 * Now and then it fails before it stored anything, with a 500 or with a 200 that has an error in a header; or afterwards,
 * by never answering or by saying that it does not know.
 *
 * It refuses what ClickHouse would refuse: a GET that changes something, a wrong password, a body that is not
 * JSONEachRow, settings it does not know.
 *
 * @module
 */
import { SeededRandom } from "../support/seeded_random.ts";

const SETTINGS = [
  "insert_deduplication_token",
  "async_insert",
  "date_time_input_format",
  "input_format_skip_unknown_fields",
  "wait_end_of_query",
];
const WINDOW = 1_000;

/** A row of the recipe's table. */
export interface Row {
  readonly event_id: string;
  readonly at: string;
  readonly page: string;
  readonly ms: number;
}

/** What it was asked, and how that ended. */
export interface Asked {
  readonly token: string | null;
  readonly outcome:
    | "stored"
    | "known"
    | "failed"
    | "error header"
    | "stored, not answered"
    | "stored, said to be unknown";
}

/** A server that records the inserts. */
export class ClickHouseStandIn implements AsyncDisposable {
  /** As they came: equal ones are not merged. */
  readonly rows: Row[] = [];
  readonly asked: Asked[] = [];
  /** Statements that are no inserts. */
  readonly statements: string[] = [];
  /** What ClickHouse would have refused. */
  readonly refused: string[] = [];
  readonly #tokens: string[] = [];
  readonly #random: SeededRandom;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #hanging = new AbortController();

  /** @param troublePercent of the inserts, how many fail in one of the ways above */
  constructor(private readonly troublePercent: number, seed: number) {
    this.#random = new SeededRandom(seed);
    const onListen = (): void => {};
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen },
      (request) => this.#answer(request),
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Rows per page, as `FINAL` has them: of those with equal keys, the last. */
  final(): Record<string, number> {
    const byKey = new Map(this.rows.map((row) => [JSON.stringify([row.page, row.at, row.event_id]), row]));
    const pages: Record<string, number> = {};
    for (const { page } of byKey.values()) pages[page] = (pages[page] ?? 0) + 1;
    return pages;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hanging.abort();
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const query = searchParams.get("query") ?? "";
    const body = await request.bytes();
    const wrong = complaint(request, searchParams);
    if (wrong !== undefined) {
      this.refused.push(wrong);
      return new Response(`Code: 62. DB::Exception: ${wrong}`, { status: 500 });
    }
    if (!/^INSERT /.test(query)) {
      this.statements.push(query);
      return new Response("");
    }
    const token = searchParams.get("insert_deduplication_token");
    const trouble = this.#random.below(100) < this.troublePercent ? this.#random.below(4) : undefined;
    if (trouble === 0) {
      this.asked.push({ token, outcome: "failed" });
      return new Response("Code: 241. DB::Exception: Memory limit exceeded", { status: 500 });
    }
    if (trouble === 1) {
      this.asked.push({ token, outcome: "error header" });
      return new Response("Code: 241. DB::Exception", { headers: { "x-clickhouse-exception-code": "241" } });
    }
    const known = token !== null && this.#tokens.includes(token);
    if (!known) {
      const rows = parse(body);
      if (typeof rows === "string") {
        this.refused.push(rows);
        return new Response(`Code: 117. DB::Exception: ${rows}`, { status: 400 });
      }
      this.rows.push(...rows);
      if (token !== null) this.#tokens.push(token);
      if (this.#tokens.length > WINDOW) this.#tokens.shift();
    }
    if (trouble === 2) {
      this.asked.push({ token, outcome: "stored, not answered" });
      const gone = AbortSignal.any([request.signal, this.#hanging.signal]);
      await new Promise((resolve) => gone.addEventListener("abort", resolve));
      return new Response("");
    }
    if (trouble === 3) {
      this.asked.push({ token, outcome: "stored, said to be unknown" });
      return new Response("Code: 319. DB::Exception: Unknown status of insert", { status: 500 });
    }
    this.asked.push({ token, outcome: known ? "known" : "stored" });
    return new Response("");
  }
}

/** What ClickHouse has against a request. */
function complaint(request: Request, params: URLSearchParams): string | undefined {
  if (request.method !== "POST") return "Cannot execute query in readonly mode";
  if (request.headers.get("x-clickhouse-user") !== "default") return "Authentication failed";
  if (request.headers.get("x-clickhouse-key") !== "secret") return "Authentication failed";
  const unknown = [...params.keys()].filter((name) => name !== "query" && !SETTINGS.includes(name));
  return unknown.length === 0 ? undefined : `Unknown setting ${unknown}`;
}

/** The rows of a body in JSONEachRow, with the columns of the table and no others; or what is wrong with it. */
function parse(body: Uint8Array): Row[] | string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body).split("\n").filter((line) => line !== "")
      .map((line) => {
        const { event_id, at, page, ms } = JSON.parse(line) as Row;
        if (!/^[0-9a-f-]{36}$/.test(event_id)) throw new Error(`Cannot parse uuid ${event_id}`);
        return { event_id, at: new Date(at).toISOString(), page, ms: Math.trunc(ms) };
      });
  } catch (error) {
    return String(error);
  }
}
