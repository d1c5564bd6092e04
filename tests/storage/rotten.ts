/**
 * A complete chunk, what can become of its files, and what it is when it is whole again.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { KIB } from "../../lib/protocol/limits.ts";
import type { Chunk } from "../../lib/storage/chunk.ts";
import type { Donor } from "../../lib/storage/heal.ts";
import { RECORD_BYTES } from "../../lib/storage/index_record.ts";
import type { Store } from "../../lib/storage/store.ts";
import { settle } from "../support/fake_clock.ts";
import { checkServed, serve } from "../support/invariants.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { carry, carryEnd, chunkOf, openNode } from "./two_nodes.ts";
import { bytes, type World } from "./world.ts";

/** The chunk, and its files. */
export const CHUNK = chunkOf(0);
export const DATA = `c/${CHUNK}`;
export const INDEX = `${DATA}.idx`;
/** Several groups, and one of several records. */
export const BATCHES = [
  bytes("first\n"),
  bytes(`${"x".repeat(70 * KIB)}\n${"y".repeat(80 * KIB)}\n`),
  bytes("two\nthree\n"),
  bytes(`${"z".repeat(40 * KIB)}\n`),
  bytes("last\n"),
];

const owner = await openNode("n", new MemoryDisk(), { chunkBytesMax: 1 << 20 });
for (const batch of BATCHES) await owner.store.append("c", batch, true);
await owner.store.close();

/** A copy of it, complete and sealed. */
async function copied(): Promise<MemoryDisk> {
  const source = await openNode("n", owner.disk.kill().clone());
  source.store.settle("c", CHUNK, false);
  const { store, disk } = await openNode("m");
  await carry(source.store, store, "c", CHUNK, () => 100 * KIB);
  assert(carryEnd(source.store, store, "c", CHUNK));
  await store.close();
  await source.store.close();
  return disk.kill().clone();
}

/** The disk of its owner, and that of another node. */
export const OWNED = owner.disk.kill().clone();
export const COPIED = await copied();
/** Its bytes. */
export const GOOD = OWNED.peek(DATA);
export const SIZE = GOOD.length;

/** Gives what the good chunk has. */
export const whole: Donor = (_chunk: Chunk, from: number, to: number): Promise<Uint8Array> =>
  Promise.resolve(GOOD.slice(from, to));

type Change = (content: Uint8Array<ArrayBuffer>) => Uint8Array;

/** Flips bits in some bytes; counted from the end where negative. */
export const flipped = (...places: number[]): Change => (content) => {
  for (const at of places) content[at < 0 ? content.length + at : at]! ^= 0x11;
  return content;
};

/** What can become of the files, by name. */
export const ROT: readonly (readonly [what: string, change: (disk: MemoryDisk) => void])[] = [
  ["the first byte", (disk) => disk.plant(DATA, flipped(0)(disk.peek(DATA)))],
  ["a byte in the middle", (disk) => disk.plant(DATA, flipped(100 * KIB)(disk.peek(DATA)))],
  ["the last byte", (disk) => disk.plant(DATA, flipped(-1)(disk.peek(DATA)))],
  [
    "bytes in several places",
    (disk) => disk.plant(DATA, flipped(3, 66 * KIB, 90 * KIB, -3)(disk.peek(DATA))),
  ],
  ["every byte", (disk) => disk.plant(DATA, disk.peek(DATA).fill(0))],
  ["the data, cut short", (disk) => disk.plant(DATA, disk.peek(DATA).subarray(0, 77_777))],
  ["the data, empty", (disk) => disk.plant(DATA, new Uint8Array())],
  ["the data file, gone", (disk) => disk.remove(DATA)],
  ["the end of the first record", (disk) => disk.plant(INDEX, flipped(0)(disk.peek(INDEX)))],
  ["the checksum of a record", (disk) => disk.plant(INDEX, flipped(2 * RECORD_BYTES + 21)(disk.peek(INDEX)))],
  ["the record that says complete", (disk) => disk.plant(INDEX, flipped(-20)(disk.peek(INDEX)))],
  ["the index, longer", (disk) => disk.plant(INDEX, Uint8Array.from([...disk.peek(INDEX), 1, 2, 3]))],
  ["the index, cut short", (disk) => disk.plant(INDEX, disk.peek(INDEX).subarray(0, 70))],
  ["the index file, gone", (disk) => disk.remove(INDEX)],
  ["a byte, and the record that vouches for it", (disk) => {
    disk.plant(DATA, flipped(100 * KIB)(disk.peek(DATA)));
    disk.plant(INDEX, flipped(2 * RECORD_BYTES + 3)(disk.peek(INDEX)));
  }],
  ["a byte, and the record before the one that vouches for it", (disk) => {
    disk.plant(DATA, flipped(100 * KIB)(disk.peek(DATA)));
    disk.plant(INDEX, flipped(RECORD_BYTES + 3)(disk.peek(INDEX)));
  }],
  ["a byte, and the end of the index", (disk) => {
    disk.plant(DATA, flipped(100 * KIB)(disk.peek(DATA)));
    disk.plant(INDEX, flipped(-20, -60)(disk.peek(INDEX)));
  }],
  ["a byte, and the whole index", (disk) => {
    disk.plant(DATA, flipped(100 * KIB)(disk.peek(DATA)));
    disk.plant(INDEX, disk.peek(INDEX).fill(9));
  }],
];

/** Lets everything happen that `ms` bring. */
export async function pass({ clock }: World, ms: number, stepMs = 500): Promise<void> {
  for (let left = ms; left > 0; left -= stepMs) {
    clock.advance(Math.min(stepMs, left));
    for (let i = 0; i < 3; i++) await settle();
  }
}

/** Reads everything, as someone who does not mind damage: whoever heals learns of it. */
export async function look(store: Store): Promise<void> {
  const [served] = await serve(store, "c", 32 * KIB);
  if (served) checkServed(served, BATCHES);
}

/** The chunk is whole, on the disk and for readers. */
export async function assertWhole({ store, disk }: World): Promise<void> {
  const [served] = await serve(store, "c", 32 * KIB);
  checkServed(served!, BATCHES);
  assertEquals([served!.info, served!.damage], [{ name: CHUNK, complete: true, size: SIZE }, []]);
  assertEquals(disk.peek(DATA), GOOD);
  assert(store.checkChunks().ok);
}
