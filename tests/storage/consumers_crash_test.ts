/**
 * Every operation of the disk at which a process, or a machine, can die while consumers acknowledge, move and are
 * forgotten: what was answered is there afterwards, but for the acknowledgements of the last second in a power cut, and
 * never is anything acknowledged that nobody acknowledged.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { CONSUMERS_SYNC_MS } from "../../lib/protocol/limits.ts";
import {
  type ConsumerRecord,
  mergeConsumers,
  NEW_CONSUMER,
  sameConsumer,
} from "../../lib/storage/consumer_record.ts";
import { ConsumersFile, readConsumers } from "../../lib/storage/consumers_file.ts";
import { DiskError } from "../../lib/storage/disk.ts";
import type { Store } from "../../lib/storage/store.ts";
import { settle } from "../support/fake_clock.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { chunkOf } from "./two_nodes.ts";
import { bytes, openOn, type World } from "./world.ts";

const C = "web";
const NAMES = ["x", "y"];
const SIZE = 64;

/** What was known to be there when something was answered. */
interface Known {
  readonly records: ReadonlyMap<string, ConsumerRecord>;
  /** The same, as far as it must survive a power cut. */
  readonly durable: ReadonlyMap<string, ConsumerRecord>;
}

function recordsOf(store: Store): Map<string, ConsumerRecord> {
  const records = NAMES.map((name) => [name, store.consumerRecord(C, name)] as const);
  return new Map(records.filter((one): one is [string, ConsumerRecord] => one[1] !== undefined));
}

/** Whether all of `known` is in `records`: merging it changes nothing. */
function covers(
  records: ReadonlyMap<string, ConsumerRecord>,
  known: ReadonlyMap<string, ConsumerRecord>,
): boolean {
  return Array.from(known).every(([name, record]) => {
    const found = records.get(name);
    return found !== undefined && sameConsumer(mergeConsumers(found, record), found);
  });
}

/** A life of two consumers; calls `answered` after each step. Ends early when the disk dies. */
async function live(world: World, answered: (known: Known) => void): Promise<void> {
  const { store, clock, disk } = world;
  const consumers = store.consumers(C);
  let durable: ReadonlyMap<string, ConsumerRecord> = new Map();
  const step = async (run: () => Promise<unknown>, isDurable: boolean) => {
    if (disk.dead) return;
    const before = recordsOf(store);
    let failed = false;
    await run().catch(() => failed = true);
    if (disk.dead || failed) return;
    const records = recordsOf(store);
    // A sync puts what was acknowledged before it began on the device as well.
    if (isDurable) durable = new Map([...before, ...records]);
    answered({ records, durable });
  };
  const ack = (name: string, from: number, to: number) => {
    return step(() => consumers.acknowledge(name, chunkOf(0), from, to), false);
  };
  const second = async () => {
    const before = recordsOf(store);
    clock.advance(CONSUMERS_SYNC_MS);
    await settle();
    if (disk.dead) return;
    durable = before;
    answered({ records: recordsOf(store), durable });
  };
  await step(() => consumers.begin("x", "latest"), true);
  await step(() => consumers.seek("x", "earliest"), true);
  await ack("x", 0, 8);
  await ack("y", 16, 24);
  await second();
  await Promise.all([ack("x", 8, 16), ack("x", 24, 32), ack("y", 0, 8)]);
  await step(() => consumers.forget("y"), true);
  await ack("x", 32, 40);
  await step(() => consumers.seek("y", "latest"), true);
  await ack("x", 40, 48);
  await second();
  await ack("x", 48, 56);
}

/** A store with one chunk, and the disk that it is on. */
async function ground(): Promise<MemoryDisk> {
  const { store, disk } = await openOn(new MemoryDisk());
  await store.append(C, bytes("1234567\n".repeat(SIZE / 8)), true);
  await store.close();
  return disk.kill();
}

const BASE = await ground();

/** Runs a life on a disk that dies at its `n`-th operation; `undefined` if it does not come to that. */
async function dying(n: number): Promise<{ disk: MemoryDisk; known: Known } | undefined> {
  const disk = BASE.clone();
  const world = await openOn(disk);
  let known: Known = { records: new Map(), durable: new Map() };
  disk.dieAt(n, new SeededRandom(n));
  await live(world, (now) => known = now);
  if (disk.dead) return { disk, known };
  disk.dieNever();
  await world.store.close();
  return undefined;
}

/** Opens what is left, and opens it again after a clean stop; returns what is known there. */
async function survivors(disk: MemoryDisk): Promise<Map<string, ConsumerRecord>> {
  const { store } = await openOn(disk);
  const found = recordsOf(store);
  await store.consumers(C).acknowledge("z", chunkOf(0), 0, 8);
  await store.close();
  const { store: again } = await openOn(disk.crash());
  assert(covers(recordsOf(again), found), "a clean stop loses nothing");
  assert(again.consumerRecord(C, "z"));
  await again.close();
  return found;
}

/** What the next process finds: all of it, or what a power cut leaves, at the least and as dice have it. */
const DEATHS: Readonly<Record<string, readonly ((disk: MemoryDisk, n: number) => MemoryDisk)[]>> = {
  process: [(disk) => disk.kill()],
  machine: [
    (disk) => disk.crash(),
    ...[1, 2, 3, 4].map((seed) => (disk: MemoryDisk, n: number) => {
      return disk.crash({ random: new SeededRandom(1000 * n + seed), blockBytes: 16 });
    }),
  ],
};

for (const [what, deaths] of Object.entries(DEATHS)) {
  Deno.test(`consumers: a ${what} that dies at any operation leaves what was answered`, async () => {
    let count = 0;
    for (const [i, after] of deaths.entries()) {
      for (let n = 1;; n++) {
        const died = await dying(n);
        if (!died) break;
        count++;
        const found = await survivors(after(died.disk, n));
        const must = what === "process" ? died.known.records : died.known.durable;
        assert(covers(found, must), `operation ${n}, ${i}: ${show(found)} has not all of ${show(must)}`);
        neverMore(found);
      }
    }
    assert(count > 40 * deaths.length, `${count} deaths`);
  });
}

/** What nobody ever acknowledged is unread wherever it stands: bytes 56 and on of the first epochs. */
function neverMore(found: ReadonlyMap<string, ConsumerRecord>): void {
  const x = found.get("x");
  if (!x || x.epoch === 0) return;
  const unread = x.owners.get("n");
  assertEquals(unread?.at(-1)?.end ?? undefined, undefined);
  if (unread) assert(unread.at(-1)!.start.number === 0 && unread.at(-1)!.start.offset <= 56, show(found));
}

function show(records: ReadonlyMap<string, ConsumerRecord>): string {
  return JSON.stringify(Array.from(records, ([name, { owners, ...rest }]) => [name, rest, [...owners]]));
}

Deno.test("ConsumersFile writes over what was longer, and never over what was saved last", async () => {
  const disk = new MemoryDisk();
  disk.makeDirectory(C);
  const file = new ConsumersFile(disk, C, []);
  const at = (epoch: number, names = ["x"]) =>
    new Map(names.map((name) => [name, { ...NEW_CONSUMER, epoch }]));
  file.save(at(1, ["a", "b", "c", "x"]));
  file.save(at(2));
  file.save(at(3));
  assertEquals(readConsumers(disk, C).torn, []);
  assertEquals(readConsumers(disk, C).records.get("x")?.epoch, 3);
  disk.faults.writeBytesMax = 7;
  disk.faults.before = (operation) => {
    disk.faults.before = () => "failed";
    return operation === "open" ? undefined : "failed";
  };
  assertThrows(() => file.save(at(4)), DiskError);
  disk.faults.before = () => undefined;
  assertEquals(readConsumers(disk, C).records.get("x")?.epoch, 3);
  file.save(at(5));
  assertEquals([readConsumers(disk, C).records.get("x")?.epoch, readConsumers(disk, C).torn], [5, []]);
  await file.tidy();
  assertEquals(disk.list(C), []);
});
