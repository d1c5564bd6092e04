/**
 * The programs of the pages, as they stand there, against two real nodes: events that are in the log twice, since a
 * producer's answers got lost and it went to the other node, and workers that are killed.
 *
 * Only addresses, files and passwords are others, and leases are shorter.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type Article, openIndex, openSource, search } from "../../docs/recipes/full_text.ts";
import { open } from "../../docs/recipes/sqlite.ts";
import { connect, withEventId } from "../../lib/client/mod.ts";
import { CLIENT_SAME_NODE_TRIES } from "../../lib/protocol/limits.ts";
import { TestCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { temporaryDirectory } from "../support/node.ts";
import { Postgres, postgresql } from "../support/postgres.ts";
import { report } from "../support/report.ts";
import { testWith } from "../support/skip.ts";
import { Workers } from "../support/workers.ts";
import { ClickHouseStandIn } from "./clickhouse_stand_in.ts";
import { layOut } from "./pages.ts";

const EVENTS = 4_000;
const PORTIONS = 4;
/** The answer of each write of this number is lost. */
const LOST_EACH = 10;
/** So many requests to that node fail afterwards. */
const AWAY_REQUESTS = CLIENT_SAME_NODE_TRIES + 2;
const BATCH_BYTES = 8 * 1024;
const PAGES = 7;
const SERVERS = '["http://127.0.0.1:8080", "http://127.0.0.1:8081"]';
/** Enough that what a killed worker held comes again while the test still runs. */
const LEASE = "leaseMs: 500";

/** A page's programs, laid out and told of these nodes; `kills` ends one at a time while events are sent. */
class Recipe {
  private constructor(
    private readonly cluster: TestCluster,
    private readonly args: (program: string) => string[],
  ) {}

  static async layOut(
    cluster: TestCluster,
    directory: string,
    name: string,
    changes: [string, string][],
  ): Promise<Recipe> {
    const servers = JSON.stringify(cluster.members.map(({ url }) => url));
    await Deno.mkdir(`${directory}/${name}`);
    const args = await layOut(`${directory}/${name}`, name, [[SERVERS, servers], ...changes]);
    return new Recipe(cluster, args);
  }

  /** Runs a program to its end. */
  async run(program: string): Promise<void> {
    const command = new Deno.Command(Deno.execPath(), { args: this.args(program), stderr: "piped" });
    const { success, stderr } = await command.output();
    assert(success, new TextDecoder().decode(stderr));
  }

  /** Keeps programs running, and kills one after each portion; returns when the consumer has acknowledged everything. */
  async work(
    names: string[],
    category: string,
    consumer: string,
    portion: (number: number) => Promise<void>,
  ): Promise<void> {
    const args = (number: number): string[] => this.args(names[number]!);
    await using workers = new Workers({ count: names.length, args });
    for (let i = 0; i < PORTIONS; i++) {
      await portion(i);
      workers.kill(i % names.length);
    }
    await this.acknowledged(category, consumer).catch((error) => {
      throw new Error(`${error.message}\n${workers.output}`);
    });
    assert(workers.deaths <= PORTIONS, `they ended by themselves:\n${workers.output}`);
  }

  /** Resolves when a consumer has acknowledged everything, and both nodes know. */
  async acknowledged(category: string, consumer: string): Promise<void> {
    await eventually(
      `consumer ${consumer} has acknowledged everything`,
      () =>
        Promise.all(this.cluster.members.map(async (member) => {
          const { text } = await member.ask(`/consumers?category=${category}`);
          const all = JSON.parse(text) as { consumer: string; lag_bytes: number }[];
          return all.find((found) => found.consumer === consumer)?.lag_bytes;
        })),
      (lags) => lags.every((lag) => lag === 0),
    );
  }
}

/**
 * Sends events through a producer some of whose answers are lost, and whose node cannot be reached then for a while, so
 * that it sends these again at the other node.
 */
async function send(cluster: TestCluster, category: string, events: readonly object[]): Promise<void> {
  let writes = 0;
  let away: { origin: string; requests: number } | undefined;
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const { origin, pathname } = new URL(url);
    if (away?.origin === origin && away.requests-- > 0) throw new TypeError("the node cannot be reached");
    const response = await globalThis.fetch(url, init);
    if (pathname !== "/write" || ++writes % LOST_EACH !== 0) return response;
    await response.body?.cancel();
    away = { origin, requests: AWAY_REQUESTS };
    throw new TypeError("the answer was lost");
  };
  const chukcha = connect({ servers: cluster.members.map(({ url }) => url), fetch });
  await using producer = chukcha.producer(category, { batchBytes: BATCH_BYTES, duplicates: "allow" });
  await Promise.all(events.map((event) => producer.send(event)));
}

/** Messages of a category, and how many different ones these are. */
async function logged(
  cluster: TestCluster,
  category: string,
): Promise<[messages: number, different: number]> {
  const lines = (await cluster.at(0).readText(category)).split("\n").slice(0, -1);
  return [lines.length, new Set(lines).size];
}

testWith("recipes: the programs of the pages, against real nodes", [postgresql()], async (t) => {
  await using cluster = await TestCluster.start({ count: 2 });
  await using directory = await temporaryDirectory();
  const { path } = directory;
  const views = Array.from(
    { length: EVENTS },
    (_, i) =>
      withEventId({
        at: new Date(Date.UTC(2026, 0, i % 90)).toISOString(),
        page: `/page/${i % PAGES}`,
        ms: i,
      }),
  );
  const counts = Object.fromEntries(
    Array.from({ length: PAGES }, (_, i) => [`/page/${i}`, Math.ceil((EVENTS - i) / PAGES)]),
  );
  const portionOf = <T>(events: readonly T[], i: number): T[] =>
    events.slice(i * events.length / PORTIONS, (i + 1) * events.length / PORTIONS);

  await t.step("SQLite", async () => {
    const recipe = await Recipe.layOut(cluster, path, "sqlite", [
      ["views.db", `${path}/views.db`],
      ['name: "views"', `name: "views", ${LEASE}`],
    ]);
    await recipe.work(["main.ts"], "web", "views", (i) => send(cluster, "web", portionOf(views, i)));
    await cluster.converged();
    const [messages, different] = await logged(cluster, "web");
    report(`${EVENTS} views, ${messages - different} of them twice in the log`);
    assert(different === EVENTS && messages > different, "no view is in the log twice");
    using db = open(`${path}/views.db`);
    const rows = db.prepare("SELECT page, count FROM views").all();
    assertEquals(Object.fromEntries(rows.map((row) => [row.page, row.count])), counts);
  });

  await t.step("ClickHouse, from the same category", async () => {
    await using server = new ClickHouseStandIn(0, 1);
    const recipe = await Recipe.layOut(cluster, path, "clickhouse", [
      ["http://127.0.0.1:8123", server.url],
      ['password: ""', 'password: "secret"'],
      ['name: "clickhouse"', `name: "clickhouse", ${LEASE}`],
      ["16 * 1024 * 1024", "16 * 1024"],
    ]);
    await recipe.work(["main.ts", "main.ts"], "web", "clickhouse", () => Promise.resolve());
    assertEquals(server.final(), counts);
    assertEquals(server.refused, []);
  });

  await t.step("PostgreSQL", async () => {
    await using server = await Postgres.start();
    const connection = { host: server.host, database: "postgres", username: "chukcha" };
    const recipe = await Recipe.layOut(cluster, path, "postgresql", [
      ['"postgres://bank@127.0.0.1/bank"', `{ ...${JSON.stringify(connection)}, onnotice() {} }`],
      ['name: "booking"', `name: "booking", ${LEASE}`],
      ["1024 * 1024", "16 * 1024"],
    ]);
    const payments = Array.from(
      { length: EVENTS },
      (_, i) => withEventId({ account: `${i % 10}`, amount: i }),
    );
    await recipe.work(
      ["main.ts", "main.ts"],
      "payments",
      "booking",
      (i) => send(cluster, "payments", portionOf(payments, i)),
    );
    const sql = server.connect();
    const rows =
      await sql`SELECT sum(payments)::integer AS payments, sum(amount)::integer AS amount FROM balances`;
    assertEquals({ ...rows[0] }, { payments: EVENTS, amount: EVENTS * (EVENTS - 1) / 2 });
    await sql.end();
  });

  await t.step("full-text index", async () => {
    using source = openSource(`${path}/articles.db`);
    const recipe = await Recipe.layOut(cluster, path, "full_text", [
      ["articles.db", `${path}/articles.db`],
      ["index.db", `${path}/index.db`],
      ['name: "full-text"', `name: "full-text", ${LEASE}`],
    ]);
    const put = source.prepare("INSERT OR REPLACE INTO articles (id, title, body) VALUES (?, ?, ?)");
    await recipe.work(["main.ts", "relay.ts"], "articles", "full-text", async (i) => {
      for (let id = 0; id < 100; id++) put.run(`${id}`, `title ${id}`, `portion${i} word${id % 5}`);
      source.exec(`DELETE FROM articles WHERE id = '${i}'`);
      const left = source.prepare("SELECT count(*) AS rows FROM outbox");
      if (i === PORTIONS - 1) {
        await eventually("all notices are sent", () => left.get()!.rows, (rows) => rows === 0);
      }
    });
    using index = openIndex(`${path}/index.db`);
    const all = source.prepare("SELECT id, title, body FROM articles").all() as unknown as Article[];
    const last = `portion${PORTIONS - 1}`;
    assertEquals(search(index, last, 1000).toSorted(), all.map(({ id }) => id).toSorted());
    assertEquals(search(index, `portion0 OR portion1 OR portion2`, 1000), []);
    assertEquals(search(index, `word3 AND ${last}`, 1000).length, 19);
  });

  await t.step("an event with an id", async () => {
    const recipe = await Recipe.layOut(cluster, path, "README", []);
    const [before] = await logged(cluster, "web");
    await recipe.run("send.ts");
    await cluster.converged();
    const lines = (await cluster.at(0).readText("web")).split("\n").slice(0, -1);
    assertEquals(lines.length, before + 1);
    const event = lines.map((line) => JSON.parse(line)).find(({ page }) => page === "/");
    assertEquals(Object.keys(event).toSorted(), ["event_id", "page"]);
  });
});
