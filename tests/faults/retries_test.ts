/**
 * `kill -9` in the middle of writing, and a restart, again and again, while every writer sends again, with the number
 * that it had, each batch that was not answered: in the end each batch is there exactly once.
 *
 * Writers have several batches in flight. A reader takes complete chunks and acknowledges them while they write, so that
 * many a retry comes when the chunk of the first attempt is gone.
 *
 * `TEST_KILLS` sets the number of rounds, `TEST_SEED` brings a run's choices back (not its timing).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { WriteResult } from "../../lib/protocol/types.ts";
import { type ChildNode, startChildNode, temporaryDirectory } from "../support/node.ts";
import { report } from "../support/report.ts";
import { SeededRandom } from "../support/seeded_random.ts";

const ROUNDS = Number(Deno.env.get("TEST_KILLS") ?? 20);
const CATEGORIES = ["alpha", "beta"];
const WRITERS = 6;
const IN_FLIGHT = 4;
/** Small chunks, so that many kills meet a rotation. */
const FLAGS = ["--max-chunk-size", "64KiB"];
/** The kill comes after this many answers at most. */
const ANSWERS_MAX = 200;
/** Lines of a batch, and bytes of a line. */
const SHAPES: readonly (readonly [lines: number, bytes: number])[] = [[1, 10], [1, 10], [3, 40], [20, 100], [
  1,
  9000,
]];

interface Batch {
  readonly sequence: number;
  readonly body: string;
}

/** What all writers were told, and what they lack. */
class Counts {
  answered = 0;
  unanswered = 0;
}

class Writer {
  readonly category: string;
  /** Sent, and not answered. */
  readonly open: Batch[] = [];
  next = 0;

  constructor(readonly id: number, readonly random: SeededRandom, readonly counts: Counts) {
    this.category = CATEGORIES[id % CATEGORIES.length]!;
  }

  /** Writes until the node is gone: first what was not answered before. */
  async write(node: ChildNode, answered: () => void): Promise<void> {
    const again = this.open.splice(0);
    const lane = async (): Promise<void> => {
      for (;;) {
        const batch = again.shift() ?? this.#make();
        const place = await this.send(node, batch);
        if (place === undefined) {
          this.open.push(batch);
          this.counts.unanswered++;
          return;
        }
        this.counts.answered++;
        answered();
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
    this.open.push(...again);
  }

  async send(node: ChildNode, { sequence, body }: Batch): Promise<WriteResult | undefined> {
    const sync = this.random.below(4) === 0 ? 1 : 0;
    const query =
      `category=${this.category}&producer=writer-${this.id}&sequence=${sequence}&sync_each_write=${sync}`;
    try {
      const response = await node.fetch(`/write?${query}`, { method: "POST", body });
      const text = await response.text();
      assertEquals(response.status, 200, text);
      return JSON.parse(text);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return undefined;
    }
  }

  #make(): Batch {
    const sequence = this.next++;
    const [lines, bytes] = this.random.pick(SHAPES);
    // All of one shape look alike but for who sent them: nothing else tells one batch from another.
    const body = Array.from(
      { length: lines },
      (_, line) => `${this.id}.${sequence}.${line}.`.padEnd(bytes, "x") + "\n",
    );
    return { sequence, body: body.join("") };
  }
}

/** Takes lines out of complete chunks, and acknowledges these, until the node is gone. */
async function consume(node: ChildNode, lines: string[], isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    for (const category of CATEGORIES) {
      try {
        await consumeOnce(node, category, lines);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        return;
      }
    }
  }
}

/** Lines of chunks whose acknowledgement was not answered: they may be there again. */
const doubtful = new Map<string, string[]>();

async function consumeOnce(node: ChildNode, category: string, lines: string[]): Promise<void> {
  const chunks = await node.listChunks(category);
  const present = new Set(chunks.map(({ name }) => `${category}/${name}`));
  for (const [key, taken] of doubtful) {
    if (!key.startsWith(`${category}/`)) continue;
    // Still there: it is read again. Gone: it was acknowledged.
    if (!present.has(key)) lines.push(...taken);
    doubtful.delete(key);
  }
  for (const { name, complete, size } of chunks) {
    if (!complete) continue;
    const taken = new TextDecoder().decode(await node.read(category, name)).split("\n").slice(0, -1);
    doubtful.set(`${category}/${name}`, taken);
    const answer = await node.fetch(`/ack?category=${category}&chunk=${name}&size=${size}`, {
      method: "POST",
    });
    assertEquals(answer.status, 200, await answer.text());
    doubtful.delete(`${category}/${name}`);
    lines.push(...taken);
  }
}

Deno.test(`kill -9 while writing, ${ROUNDS} times: what is sent again with its number is there exactly once`, async () => {
  const seed = Number(Deno.env.get("TEST_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  const random = new SeededRandom(seed);
  const counts = new Counts();
  const writers = Array.from(
    { length: WRITERS },
    (_, id) => new Writer(id, new SeededRandom(seed + id + 1), counts),
  );
  const lines: string[] = [];
  doubtful.clear();
  await using directory = await temporaryDirectory();
  const startMs = performance.now();
  for (let round = 0; round < ROUNDS; round++) {
    await using node = await startChildNode(directory.path, ...FLAGS);
    const enough = 1 + random.below(ANSWERS_MAX);
    let answers = 0;
    const killed = Promise.withResolvers<void>();
    const running = writers.map((writer) =>
      writer.write(node, () => {
        if (++answers === enough) node.kill().then(killed.resolve, killed.reject);
      })
    );
    const reading = consume(node, lines, () => answers >= enough);
    await Promise.all([...running, reading, killed.promise]);
  }

  let recognised: number;
  {
    await using node = await startChildNode(directory.path, ...FLAGS);
    for (const writer of writers) {
      for (const batch of writer.open) assert(await writer.send(node, batch));
      // And once more, long after it was answered.
      const last = writer.open.at(-1);
      if (last) assert(await writer.send(node, last));
    }
    for (const category of CATEGORIES) {
      await consumeOnce(node, category, lines);
      lines.push(...(await node.readText(category)).split("\n").slice(0, -1));
    }
    recognised = Number(
      /chukcha_recognised_batches_total (\d+)/.exec(await (await node.fetch("/metrics")).text())![1],
    );
  }
  const found = new Map<string, number>();
  for (const line of lines) {
    const [id, sequence, number] = line.split(".");
    const key = `${id}.${sequence}.${number}`;
    found.set(key, 1 + (found.get(key) ?? 0));
  }
  report(
    `${ROUNDS} kills in ${
      Math.round(performance.now() - startMs)
    } ms, seed ${seed}: ${counts.answered} batches ` +
      `answered, ${counts.unanswered} sent again after a kill; ${found.size} messages, each once`,
  );
  assertEquals([...found].filter(([, count]) => count !== 1), []);
  for (const { id, next } of writers) {
    for (let sequence = 0; sequence < next; sequence++) {
      assert(found.has(`${id}.${sequence}.0`), `batch ${sequence} of writer ${id} is missing`);
    }
  }
  assert(counts.unanswered >= ROUNDS, "hardly anything had to be sent again");
  assert(recognised > 0, "the last retries were not recognised");
});
