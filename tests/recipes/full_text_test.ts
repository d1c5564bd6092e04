/**
 * The recipe for a full-text index: whatever notices come, in whatever order and however often, the index is what the
 * source is.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  fetchFrom,
  type Notice,
  openIndex,
  openSource,
  refresh,
  relay,
  search,
  work,
} from "../../docs/recipes/full_text.ts";
import { pause } from "../support/eventually.ts";
import { temporaryDirectory } from "../support/node.ts";
import { report } from "../support/report.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { Handouts } from "./handouts.ts";
import type { Order } from "./refresh_worker.ts";

const CHANGES = 1_000;
const IDS = 40;
const WORDS = ["alder", "birch", "cedar", "elder", "fir", "hazel", "larch", "maple", "oak", "pine"];
/** As long as this an indexer is given to do what it must not be able to do. */
const CANNOT_MS = 300;

type Database = ReturnType<typeof openSource>;

/** Changes, makes or deletes articles, as users of the source do. */
function change(source: Database, random: SeededRandom): void {
  const id = `article ${random.below(IDS)}`;
  const text = Array.from({ length: 5 }, () => random.pick(WORDS)).join(" ");
  if (random.below(4) === 0) source.prepare("DELETE FROM articles WHERE id = ?").run(id);
  else {
    source.prepare("INSERT OR REPLACE INTO articles (id, title, body) VALUES (?, ?, ?)").run(id, id, text);
  }
}

/** For every word, the articles that an index finds, and those that have it. */
function found(index: Database, source: Database): { byIndex: string[][]; bySource: string[][] } {
  const all = source.prepare("SELECT id, body FROM articles ORDER BY id").all();
  const bySource = WORDS.map((word) =>
    all.filter(({ body }) => String(body).includes(word)).map(({ id }) => String(id))
  );
  return { byIndex: WORDS.map((word) => search(index, word, 1000).toSorted()), bySource };
}

Deno.test("full-text index: notices in any order, twice, and from before and after a change lead to what the source is", async () => {
  await using directory = await temporaryDirectory();
  using source = openSource(`${directory.path}/articles.db`);
  using index = openIndex(`${directory.path}/index.db`);
  const random = new SeededRandom(5);
  for (let i = 0; i < CHANGES; i++) change(source, random);
  const notices: Notice[] = [];
  const producer = { send: (notice: Notice) => Promise.resolve(notices.push(notice)) };
  while (await relay(source, producer) > 0);
  assert(notices.length >= CHANGES / 2, `${notices.length} notices`);
  const handouts = new Handouts("articles", notices.map((notice) => JSON.stringify(notice)), 6);
  await handouts.drain((batches) => work(index, batches, fetchFrom(source)));
  const { byIndex, bySource } = found(index, source);
  assert(bySource.every((ids) => ids.length > 0 && ids.length < IDS), "nothing to tell apart");
  assertEquals(byIndex, bySource);
  assertEquals(
    search(index, "title: article AND body: oak", 1000).toSorted(),
    bySource[WORDS.indexOf("oak")],
  );
  report(`${notices.length} notices: ${handouts.delivered} delivered, ${handouts.deaths} deaths`);
});

Deno.test("full-text index: of two indexers at the same article the one that was let in last has fetched last", async () => {
  await using directory = await temporaryDirectory();
  const [index, source] = [`${directory.path}/index.db`, `${directory.path}/articles.db`];
  openIndex(index).close();
  using articles = openSource(source);
  const put = articles.prepare("INSERT OR REPLACE INTO articles (id, title, body) VALUES ('a', 'a', ?)");
  put.run("old");
  const indexers = [0, 1].map(() => {
    const worker = new Worker(new URL("refresh_worker.ts", import.meta.url).href, { type: "module" });
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const said = { fetched: Promise.withResolvers<void>(), done: Promise.withResolvers<void>() };
    worker.onmessage = ({ data }: MessageEvent<"fetched" | "done">) => said[data].resolve();
    worker.onerror = (event) => {
      event.preventDefault();
      said.done.reject(new Error(event.message));
    };
    const open = (): void => {
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
    };
    const order: Order = { index, source, ids: ["a"], gate };
    const start = (): void => worker.postMessage(order);
    return { worker, start, open, fetched: said.fetched.promise, done: said.done.promise };
  });
  const [slow, fast] = [indexers[0]!, indexers[1]!];
  slow.start();
  await slow.fetched;
  put.run("new");
  fast.open();
  fast.start();
  // It waits for the lock. Had it fetched and stored already, the slow one would now store the old text over it.
  await Promise.race([fast.done, pause(CANNOT_MS)]);
  slow.open();
  await Promise.all([slow.done, fast.done]);
  for (const { worker } of indexers) worker.terminate();
  using result = openIndex(index);
  assertEquals([search(result, "old"), search(result, "new")], [[], ["a"]]);
});

Deno.test("full-text index: a fetch that fails leaves the index as it was, and open for the next one", async () => {
  using source = openSource(":memory:");
  using index = openIndex(":memory:");
  source.exec("INSERT INTO articles (id, title, body) VALUES ('a', 'one', 'oak'), ('b', 'two', 'oak')");
  await refresh(index, ["a", "b", "a"], fetchFrom(source));
  source.exec("DELETE FROM articles");
  await assertRejects(
    () => refresh(index, ["a", "b"], () => Promise.reject(new Error("away"))),
    Error,
    "away",
  );
  assertEquals(search(index, "oak").toSorted(), ["a", "b"]);
  await refresh(index, ["a"], fetchFrom(source));
  assertEquals(search(index, "oak"), ["b"]);
});

Deno.test("full-text index: what was changed is sent until it is stored, also when an article gets another id", async () => {
  using source = openSource(":memory:");
  source.exec("INSERT INTO articles (id, title, body) VALUES ('a', 'one', 'oak')");
  await assertRejects(() => relay(source, { send: () => Promise.reject(new Error("away")) }), Error, "away");
  source.exec("UPDATE articles SET id = 'b'");
  const sent: string[] = [];
  const producer = { send: ({ id }: Notice) => Promise.resolve(sent.push(id)) };
  assertEquals(await relay(source, producer), 3);
  assertEquals(sent.toSorted(), ["a", "a", "b"]);
  assertEquals(await relay(source, producer), 0);
});
