/**
 * Runs one history: faults and clients first, and whatever is checked then is checked at once; then everything is healed,
 * and what is left is checked as a whole.
 *
 * @module
 */
import { ChukchaError } from "../../lib/protocol/errors.ts";
import type { Log } from "../../lib/protocol/log.ts";
import { type Answer, messagesOf } from "./book.ts";
import { checkDescriptors } from "./bounds.ts";
import { Clients } from "./clients.ts";
import { checkConsumed, placesOf } from "./consumed.ts";

import type { History } from "./history.ts";
import { Nemesis } from "./nemesis.ts";
import type { SimulatedNode } from "./node.ts";
import type { Plant } from "./planted.ts";
import { checkStoredOnce } from "./stored_once.ts";
import { Violation } from "./violation.ts";
import { World } from "./world.ts";

/** What came out. */
export interface Outcome {
  readonly violation: Violation | undefined;
  /** The same for every run of one history. */
  readonly hash: string;
  /** Events that happened. */
  readonly events: number;
  /** Simulated milliseconds from healing to convergence. */
  readonly convergedMs: number;
  readonly counts: Clients["counts"];
  readonly lines: readonly string[] | undefined;
}

/** How to run. */
export interface RunOptions {
  readonly plant?: Plant;
  readonly log?: Log;
  /** Keep what happened, line by line. */
  readonly keepTrace?: boolean;
}

/** Every history has at least as many events. */
export const EVENTS_MIN = 500;
/** Time to converge, besides what finalising takes. */
const CONVERGENCE_MS = 90_000;
/** So often it is looked whether the nodes agree. */
const LOOK_MS = 20;
/** How long a healed node may refuse a write. */
const PROBE_PATIENCE_MS = 60_000;
/** Between two attempts to write to a node that was healed. */
const PROBE_MS = 1_000;
/** Time to read everything in the end. */
const READS_MS = 60_000;
/** Number that no batch of a history has. */
const PROBE_CLIENT = 0;

/** Runs a history to its end, or to the first violation. */
export async function run(history: History, options: RunOptions = {}): Promise<Outcome> {
  const world = new World(history, options);
  const clients = new Clients(world, 3);
  const nemesis = new Nemesis(world);
  let convergedMs = 0;
  const isBroken = () => world.violation !== undefined;
  try {
    for (const node of world.nodes) world.startLater(node, 0);
    // A new cluster joins before anything happens to it: until then it takes nothing that could be lost.
    const joined = () => isBroken() || world.nodes.every(({ built }) => built?.store.joined);
    if (!await world.timeline.run(joined, 60_000)) throw new Violation("Live", "a new cluster does not join");
    const startMs = world.timeline.nowMs;
    clients.plan(history.steps);
    nemesis.plan(history.faults);
    await world.timeline.run(isBroken, startMs + history.endMs);
    // The few that would be shorter go on for a while as they are.
    const isLong = (): boolean => isBroken() || world.timeline.events >= EVENTS_MIN;
    await world.timeline.run(isLong, world.timeline.nowMs + 60_000);
    if (!isBroken()) convergedMs = await heal(world, clients, nemesis, history);
    if (!isBroken()) await settleReads(world);
  } catch (error) {
    world.fail(error);
  }
  return {
    violation: world.violation,
    hash: world.hash,
    events: world.timeline.events,
    convergedMs,
    counts: clients.counts,
    lines: world.lines,
  };
}

async function heal(world: World, clients: Clients, nemesis: Nemesis, history: History): Promise<number> {
  const { timeline } = world;
  world.trace("heals");
  nemesis.heal();
  const startMs = timeline.nowMs;
  const isGone = world.nodes.some(({ goneForGood }) => goneForGood);
  const untilMs = startMs + CONVERGENCE_MS + (isGone ? 2.5 * history.finaliseAfterMs : 0);
  let nextMs = 0;
  const done = (): boolean => {
    if (world.violation) return true;
    // Looking at everything costs as much as some events: it is not done after each of them.
    if (clients.busy > 0 || timeline.nowMs < nextMs) return false;
    nextMs = timeline.nowMs + LOOK_MS;
    // What has rotted is found by a whole round of looking for it, which a start begins anew.
    const roundsMs = 3 * (history.scrubIntervalMs ?? 0);
    const lastMs = Math.max(startMs, ...runningNodes(world).map(({ startedMs }) => startedMs));
    if (world.rotten && timeline.nowMs < lastMs + roundsMs) return false;
    return isQuiet(world);
  };
  if (!await timeline.run(done, untilMs)) throw new Violation("Converges", difference(world));
  const convergedMs = timeline.nowMs - startMs;
  if (world.violation) return convergedMs;
  await probe(world, clients);
  if (!await timeline.run(done, timeline.nowMs + CONVERGENCE_MS)) {
    throw new Violation("Converges", difference(world));
  }
  return convergedMs;
}

/** Live: the healed cluster takes a write with everything demanded, at every node. */
async function probe(world: World, clients: Clients): Promise<void> {
  const { timeline } = world;
  for (const node of runningNodes(world)) {
    // What a dead process had asked may arrive only now; nobody hangs up here, so that it counts as live for a while.
    const untilMs = timeline.nowMs + PROBE_PATIENCE_MS;
    for (;;) {
      const answer = await probeOnce(world, clients, node);
      if (world.violation || answer === "ok") break;
      if (answer !== "no" || timeline.nowMs > untilMs) {
        throw new Violation(
          "Live",
          `${node.name} answers "${answer}" to a write after everything was healed`,
        );
      }
      await timeline.run(() => world.violation !== undefined, timeline.nowMs + PROBE_MS);
    }
  }
}

async function probeOnce(world: World, clients: Clients, node: SimulatedNode): Promise<Answer> {
  const { timeline } = world;
  const batch = world.book.open(world.category(0), PROBE_CLIENT, [3]);
  let done = false;
  clients.write({ name: "probe", alive: true, pausedUntilMs: 0 }, {
    kind: "write",
    atMs: 0,
    client: PROBE_CLIENT,
    node: node.index,
    category: 0,
    sizes: [3],
    sync: true,
    replicas: runningNodes(world).length - 1,
    timeoutMs: 10_000,
    retries: 0,
  }, batch).finally(() => done = true);
  await timeline.run(() => done || world.violation !== undefined, timeline.nowMs + 30_000);
  return batch.answer;
}

function runningNodes(world: World): SimulatedNode[] {
  return world.nodes.filter(({ goneForGood }) => !goneForGood);
}

/** All nodes run, see each other, lack nothing, and list the same. */
function isQuiet(world: World): boolean {
  const running = runningNodes(world);
  for (const { built } of running) {
    if (!built || (world.rotten && built.store.totals().damaged > 0)) return false;
    for (const peer of built.cluster!.status()) {
      if (world.byName(peer.instance).goneForGood) continue;
      if (!peer.reachable || peer.behind_chunks > 0) return false;
    }
  }
  return new Set(running.map(listing)).size === 1 &&
    !listing(running[0]!).includes('"complete":false,"closed":true');
}

/** What a node lists, and whether a chunk that nobody appends to any more is complete. */
function listing({ built, world }: SimulatedNode): string {
  const { store } = built!;
  return JSON.stringify(
    store.listCategories().map((category) => [
      category,
      placesOf(store, category),
      store.listChunks(category).map(({ name, complete, size }) => {
        const owner = world.byName(name.slice(0, name.indexOf("-")));
        const known = owner.built?.store.chunk(category, name);
        const closed = owner.goneForGood || !known || !known.settled;
        return { name, size, complete, closed };
      }),
    ]),
  );
}

function difference(world: World): string {
  return runningNodes(world).map((node) => {
    const { name, built } = node;
    return `${name}: ${
      built ? `${listing(node)} ${JSON.stringify(built.cluster!.status())}` : "does not run"
    }`;
  }).join("\n");
}

/** Checks everything, while time goes on: a read may wait for what is being done to its chunk. */
async function settleReads(world: World): Promise<void> {
  const { timeline } = world;
  let done = false;
  const checked = checkAll(world).finally(() => done = true);
  checked.catch(() => {});
  if (!await timeline.run(() => done || world.violation !== undefined, timeline.nowMs + READS_MS)) {
    throw new Violation("Live", `a read of a healed node has not ended after ${READS_MS} ms`);
  }
  if (done) await checked;
}

/** What every node serves in the end, held against the clients' book. */
async function checkAll(world: World): Promise<void> {
  const { book } = world;
  const [first, ...others] = runningNodes(world);
  for (const { name, disk, built } of runningNodes(world)) {
    checkDescriptors(name, disk, built!.store);
    checkConsumed(world, name, built!.store);
  }
  const contents = await readAll(world, first!);
  for (const other of others) {
    const theirs = await readAll(world, other);
    for (const [key, content] of contents) {
      if (theirs.get(key) !== content) {
        throw new Violation("Converges", `${other.name} serves another ${key} than ${first!.name}`);
      }
    }
  }
  const found = new Map<string, number>();
  for (const content of contents.values()) {
    for (const message of messagesOf(new TextEncoder().encode(content))) {
      found.set(message, 1 + (found.get(message) ?? 0));
    }
  }
  for (const [message, times] of found) {
    const batch = book.byMessage.get(message);
    if (!batch) throw new Violation("NoInvention", `nobody sent ${JSON.stringify(message.slice(0, 40))}`);
    if (batch.answer === "no") {
      throw new Violation("NoMeansNo", `${message.slice(0, 20)} was refused for certain, and is there`);
    }
    // What is published again after an owner was taken for gone may be there more than once.
    if (!world.finalised && times > Math.max(1, batch.stored)) {
      throw new Violation(
        "NoInvention",
        `${message.slice(0, 20)} is there ${times} times, stored at most ${batch.stored} times`,
      );
    }
  }
  checkStoredOnce(world);
  for (const batch of book.batches) {
    if (batch.answer !== "ok" || !batch.mustBeThere) continue;
    for (const message of batch.messages) {
      if (!found.has(message) && !book.released.has(message)) {
        throw new Violation("AckedDurable", `${message.slice(0, 20)} was answered with 200 and is gone`);
      }
    }
  }
}

async function readAll(world: World, node: SimulatedNode): Promise<Map<string, string>> {
  const { store } = node.built!;
  const contents = new Map<string, string>();
  for (const category of store.listCategories()) {
    for (const { name, size } of store.listChunks(category)) {
      let text = "";
      for (let offset = 0; offset < size;) {
        const { body } = await store.read(category, name, offset, 16 * 1024 * 1024).catch(
          (error: unknown) => {
            if (!(error instanceof ChukchaError)) throw error;
            throw new Violation("CorruptNeverServed", `${node.name} cannot read ${name}: ${error.message}`);
          },
        );
        const bytes = body instanceof Uint8Array
          ? body
          : new Uint8Array(await new Response(body).arrayBuffer());
        if (bytes.length === 0) {
          throw new Violation("Live", `${node.name} serves nothing at ${offset} of ${name}`);
        }
        world.registry.served(category, name, offset, bytes, node.name);
        text += new TextDecoder().decode(bytes);
        offset += bytes.length;
      }
      contents.set(`${category}/${name}`, text);
    }
  }
  return contents;
}
