/**
 * The clients of a simulated cluster: they write and try again elsewhere, read, and acknowledge what they have read.
 *
 * A client knows what it was answered and nothing else. What it was not answered in time may have happened.
 *
 * @module
 */
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { parseChunkName } from "../../lib/protocol/names.ts";
import type { WriteResult } from "../../lib/protocol/types.ts";
import type { Stored } from "../../lib/storage/batches.ts";
import { type Batch, messagesOf } from "./book.ts";
import { stretches } from "./consumed.ts";
import type { Step } from "./history.ts";
import type { SimulatedNode } from "./node.ts";
import type { Life } from "./timeline.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** A batch that carries its sequence is tried so much more often, and that long after. */
const MORE_RETRIES = 4;
const RETRY_MS = 700;
/** How much longer than what it asked for a client waits. */
const PATIENCE_MS = 1_000;

class Late extends Error {}

/** All clients. */
export class Clients {
  readonly #world: World;
  readonly #lives: Life[];
  /** What a client was last answered, by client, disk and category. */
  readonly #lastOk = new Map<string, WriteResult>();
  /** Steps under way. */
  busy = 0;
  readonly counts = { ok: 0, no: 0, maybe: 0, known: 0, reads: 0, acks: 0, consumed: 0 };

  constructor(world: World, count: number) {
    this.#world = world;
    this.#lives = Array.from(
      { length: count },
      (_, i) => ({ name: `client${i}`, alive: true, pausedUntilMs: 0 }),
    );
  }

  /** Plans all steps. */
  plan(steps: readonly Step[]): void {
    for (const step of steps) {
      this.busy++;
      this.#world.timeline.schedule(step.atMs, () => void this.#do(step).finally(() => this.busy--));
    }
  }

  async #do(step: Step): Promise<void> {
    const life = this.#lives[step.client]!;
    try {
      if (step.kind === "write") await this.#write(life, step);
      else if (step.kind === "read") await this.#read(life, step);
      else if (step.kind === "ack") await this.#acknowledge(life, step);
      else await this.#consume(life, step);
    } catch (error) {
      if (!isTrouble(error)) this.#world.fail(error);
    }
  }

  /** Writes one batch, as often as the step says. */
  async write(life: Life, step: Extract<Step, { kind: "write" }>, batch: Batch): Promise<void> {
    const { nodes, timeline } = this.#world;
    const retries = step.sequenced ? step.retries + MORE_RETRIES : step.retries;
    for (let attempt = 0; attempt <= retries; attempt++) {
      if (step.sequenced && attempt > 0) await timeline.sleep(RETRY_MS, life);
      const node = nodes[(step.node + (step.sequenced ? 0 : attempt)) % nodes.length]!;
      const answer = await this.#attempt(life, node, step, batch);
      this.#world.trace(`${life.name} ${batch.messages[0]!.slice(0, 12)} at ${node.name}: ${answer}`);
      if (answer === "ok") {
        batch.answer = "ok";
        return;
      }
      if (answer === "maybe") batch.answer = "maybe";
      else if (batch.answer === "pending") batch.answer = "no";
    }
  }

  async #write(life: Life, step: Extract<Step, { kind: "write" }>): Promise<void> {
    const { book } = this.#world;
    const batch = book.open(this.#world.category(step.category), step.client, step.sizes);
    if (step.sequenced) batch.source = { producer: `client${step.client}`, sequence: book.batches.length };
    await this.write(life, step, batch);
    if (batch.answer !== "pending") this.counts[batch.answer]++;
  }

  async #attempt(
    life: Life,
    node: SimulatedNode,
    { sync, replicas, timeoutMs }: Extract<Step, { kind: "write" }>,
    batch: Batch,
  ): Promise<"ok" | "no" | "maybe"> {
    const { category } = batch;
    // What was answered before this was sent is before it: on the same disk, as far as it has forgotten nothing.
    const from = `${life.name} ${node.diskLife.id} ${node.diskLife.powerLosses} ${category}`;
    const before = this.#lastOk.get(from);
    try {
      const result = await this.#ask<Stored>(life, node, timeoutMs + PATIENCE_MS, async () => {
        batch.stored++;
        const result = await node.write(category, batch.bytes, { replicas, sync, timeoutMs }, batch.source);
        this.#world.bind(batch, category, result);
        return result;
      });
      // It lies where the first attempt was stored, and nobody was told of that in time.
      if (result.known) {
        this.counts.known++;
        return "ok";
      }
      if (before && !isBefore(before, result)) {
        throw new Violation(
          "OrderPerChunk",
          `${node.name} stored at ${result.chunk}/${result.offset} what was sent after ${before.chunk}/${before.offset}`,
        );
      }
      this.#lastOk.set(from, result);
      return "ok";
    } catch (error) {
      if (error instanceof ChukchaError && error.written === "no") return "no";
      if (!isTrouble(error)) throw error;
      // Nothing was sent where there was nobody to connect to.
      if (error instanceof Error && /refused|no route/.test(error.message)) return "no";
      return "maybe";
    }
  }

  async #read(
    life: Life,
    { node: index, category: c, sizeMax, atMs }: Extract<Step, { kind: "read" }>,
  ): Promise<void> {
    const node = this.#world.nodes[index]!;
    const category = this.#world.category(c);
    const chunks = await this.#ask(
      life,
      node,
      1_000,
      () => Promise.resolve(node.built!.store.listChunks(category)),
    );
    const chunk = chunks[Math.floor(atMs) % Math.max(1, chunks.length)];
    if (!chunk) return;
    for (let offset = 0; offset < chunk.size;) {
      const bytes = await this.#range(life, node, category, chunk.name, offset, sizeMax);
      if (bytes.length === 0) break;
      offset += bytes.length;
    }
    this.counts.reads++;
  }

  /** Reads a complete chunk at one node, and acknowledges it at another. */
  async #acknowledge(
    life: Life,
    { node: index, at, category: c, pick }: Extract<Step, { kind: "ack" }>,
  ): Promise<void> {
    const { nodes, book } = this.#world;
    const node = nodes[index]!;
    const category = this.#world.category(c);
    const chunks = await this.#ask(
      life,
      node,
      1_000,
      () => Promise.resolve(node.built!.store.listChunks(category)),
    );
    const chunk = chunks.filter(({ complete }) => complete)[pick];
    if (!chunk) return;
    for (let offset = 0; offset < chunk.size;) {
      const bytes = await this.#range(life, node, category, chunk.name, offset, 4_096);
      if (bytes.length === 0) return;
      for (const message of messagesOf(bytes)) book.released.add(message);
      offset += bytes.length;
    }
    const other = nodes[at]!;
    book.asked.add(`${category}/${chunk.name}`);
    await this.#ask(
      life,
      other,
      8_000,
      () => other.built!.service.acknowledge(category, chunk.name, chunk.size),
    );
    this.#world.trace(`${life.name} acknowledged ${chunk.name} at ${other.name}`);
    this.counts.acks++;
  }

  /** Reads at one node what a consumer has not read, and acknowledges it at another. */
  async #consume(
    life: Life,
    { node: index, at, category: c, consumer: n, pick, sizeMax }: Extract<Step, { kind: "consume" }>,
  ): Promise<void> {
    const { nodes, book } = this.#world;
    const node = nodes[index]!;
    const category = this.#world.category(c);
    const consumer = `consumer${n}`;
    const { epoch, all } = await this.#ask(life, node, 1_000, async () => {
      const { store } = node.built!;
      const place = await store.consumers(category).begin(consumer, "earliest");
      return { epoch: place.epoch, all: stretches(store, category, (owner) => place.unread(owner)) };
    });
    const stretch = all[pick % Math.max(1, all.length)];
    if (!stretch) return;
    const { chunk, from, to } = stretch;
    const bytes = await this.#range(life, node, category, chunk, from, Math.min(sizeMax, to - from));
    if (bytes.length === 0) return;
    const read = book.consumedBy(category, consumer);
    for (const message of messagesOf(bytes)) read.add(message);
    const other = nodes[at]!;
    const end = from + bytes.length;
    await this.#ask(
      life,
      other,
      2_000,
      () => other.built!.store.consumers(category).acknowledge(consumer, chunk, from, end, epoch),
    );
    this.#world.trace(`${consumer} acknowledged ${chunk} ${from} to ${end} at ${other.name}`);
    this.counts.consumed++;
  }

  async #range(
    life: Life,
    node: SimulatedNode,
    category: string,
    chunk: string,
    offset: number,
    sizeMax: number,
  ): Promise<Uint8Array> {
    const bytes = await this.#ask(life, node, 1_000, async () => {
      const { body } = await node.built!.store.read(category, chunk, offset, sizeMax);
      return body instanceof Uint8Array
        ? body.slice()
        : new Uint8Array(await new Response(body).arrayBuffer());
    });
    this.#world.registry.served(category, chunk, offset, bytes, node.name);
    return bytes;
  }

  /** Asks a node and waits, but not for ever. */
  async #ask<T>(life: Life, node: SimulatedNode, waitMs: number, answer: () => Promise<T>): Promise<T> {
    const { timeline, network } = this.#world;
    let cancel = (): void => {};
    const late = new Promise<never>((_, reject) =>
      cancel = timeline.schedule(waitMs, () => reject(new Late()), life)
    );
    const pending = network.call(life, node.name, () => node.target(), async () => {
      if (!node.built) throw new Late();
      return await answer();
    });
    pending.catch(() => {});
    late.catch(() => {});
    try {
      return await Promise.race([pending, late]);
    } finally {
      cancel();
    }
  }
}

/** Whether one place is before another: of one owner, by the chunks' numbers. */
function isBefore(one: WriteResult, other: WriteResult): boolean {
  const [a, b] = [parseChunkName(one.chunk)!.number, parseChunkName(other.chunk)!.number];
  return a < b || (a === b && one.offset + one.size <= other.offset);
}

/** What a client has to live with. */
function isTrouble(error: unknown): boolean {
  return error instanceof ChukchaError || error instanceof Late ||
    (error instanceof Error && /refused|reset|no route|crashed/.test(error.message));
}
