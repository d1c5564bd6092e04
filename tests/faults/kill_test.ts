/**
 * `kill -9` in the middle of writing, and a restart, again and again.
 *
 * Several writers keep a book of what they were told. What was answered with 200 before any of the kills is there in
 * the end, whole; what was refused is not; nothing else is, but what was perhaps written.
 *
 * `TEST_KILLS` sets the number of rounds, `TEST_SEED` brings a run's choices back (not its timing).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { ErrorBody } from "../../lib/protocol/errors.ts";
import { type ChildNode, startChildNode, temporaryDirectory } from "../support/node.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { Book, type Fate, message } from "./book.ts";

const ROUNDS = Number(Deno.env.get("TEST_KILLS") ?? 50);
const CATEGORIES = ["alpha", "beta", "gamma"];
const WRITERS = 6;
const MESSAGE_BYTES_MAX = 400_000;
/** Bytes of one message, and messages of a batch: from one short line to about 300 KB, and one that is refused. */
const SHAPES: readonly (readonly [length: number, messages: number])[] = [
  [24, 1],
  [24, 1],
  [30, 100],
  [1000, 10],
  [1000, 300],
  [70_000, 1],
  [300_000, 1],
  [MESSAGE_BYTES_MAX + 1, 1],
];
/** Small chunks, so that many kills meet a rotation. */
const FLAGS = ["--max-chunk-size", "512KiB", "--max-message-size", String(MESSAGE_BYTES_MAX)];
/** The kill comes while a write is under way, after this many answers at most. */
const ANSWERS_MAX = 150;

interface Batch {
  readonly numbers: readonly number[];
  readonly length: number;
}

/** Writes batches, one after the other, to one category, until the node is gone. */
class Writer {
  #next = 0;
  /** A batch whose fate is not known, and which is to be sent again. */
  #again: Batch | undefined;

  constructor(readonly id: number, readonly book: Book, readonly random: SeededRandom) {}

  /** @param answered called after each answer */
  async write(node: ChildNode, answered: () => void): Promise<void> {
    const category = CATEGORIES[this.id % CATEGORIES.length]!;
    for (;;) {
      const batch = this.#again ?? this.#make();
      this.#again = undefined;
      const { numbers, length } = batch;
      this.book.sending(this.id, numbers, length);
      const body = numbers.map((number) => message(this.id, number, length) + "\n").join("");
      const sync = this.random.below(2);
      const fate = await send(node, `/write?category=${category}&sync_each_write=${sync}`, body);
      if (fate === "gone") {
        // Half of them are tried again, as a shipper would.
        if (this.random.below(2) === 0) this.#again = batch;
        return;
      }
      this.book.answered(this.id, numbers, fate);
      answered();
    }
  }

  #make(): Batch {
    const [length, messages] = this.random.pick(SHAPES);
    const numbers = Array.from({ length: messages }, () => this.#next++);
    return { numbers, length };
  }
}

/** What the answer says; `gone` if there was none. */
async function send(node: ChildNode, path: string, body: string): Promise<Fate | "gone"> {
  let response: Response;
  let text: string;
  try {
    response = await node.fetch(path, { method: "POST", body });
    text = await response.text();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return "gone";
  }
  if (response.status === 200) return "ok";
  const answer: ErrorBody = JSON.parse(text);
  return answer.error.written;
}

async function linesOf(node: ChildNode): Promise<{ name: string; lines: string[] }[]> {
  const chunks: { name: string; lines: string[] }[] = [];
  for (const category of CATEGORIES) {
    for (const { name, size } of await node.listChunks(category)) {
      const bytes = await node.read(category, name);
      assertEquals(bytes.length, size, name);
      assertEquals(bytes.at(-1), 10, name);
      const lines = new TextDecoder().decode(bytes).split("\n").slice(0, -1);
      chunks.push({ name: `${category}/${name}`, lines });
    }
  }
  return chunks;
}

Deno.test(`kill -9 while writing, ${ROUNDS} times: every answered message is there, whole, and nothing else is`, async () => {
  const seed = Number(Deno.env.get("TEST_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  const random = new SeededRandom(seed);
  const book = new Book();
  const writers = Array.from(
    { length: WRITERS },
    (_, id) => new Writer(id, book, new SeededRandom(seed + id + 1)),
  );
  await using directory = await temporaryDirectory();
  const startMs = performance.now();
  let torn = 0;
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
    await Promise.all([...running, killed.promise]);
    if (node.output.includes("cut a torn tail")) torn++;
  }

  await using node = await startChildNode(directory.path, ...FLAGS);
  const chunks = await linesOf(node);
  const held = chunks.reduce((sum, { lines }) => sum + lines.length, 0);
  // deno-lint-ignore no-console
  console.info(
    `${ROUNDS} kills in ${
      Math.round(performance.now() - startMs)
    } ms, seed ${seed}: ${book.size} messages sent, ` +
      `${book.count("ok")} ok, ${book.count("no")} no, ${book.count("maybe")} maybe; ${held} held in ` +
      `${chunks.length} chunks; ${torn} starts found a torn tail`,
  );
  assertEquals(book.complaints(chunks), []);
  assert(book.count("ok") > ROUNDS, "hardly anything was written");
  assert(book.count("no") > 0, "nothing was refused");
  assert(chunks.length > ROUNDS, "hardly any chunk was completed");
});
