/**
 * Every way in which the files of a small data directory can be cut short, zero-filled or hit by a flipped bit: the
 * store opens on each of them, and no invariant breaks.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { parseChunkName } from "../../lib/protocol/names.ts";
import { Chunk } from "../../lib/storage/chunk.ts";
import { DenoDisk } from "../../lib/storage/deno_disk.ts";
import type { Disk } from "../../lib/storage/disk.ts";
import { RECORD_BYTES } from "../../lib/storage/index_record.ts";
import { takeSealedEnd } from "../../lib/storage/sealed_end.ts";
import { CrashError, MemoryDisk } from "../support/memory_disk.ts";
import {
  checkServed,
  completeImmutable,
  numberNeverReused,
  serve,
  type Served,
  stillServed,
  type Written,
} from "../support/invariants.ts";
import { bytes, openOn } from "./world.ts";

const CATEGORY = "m";
const FIRST = "n-chunk000000000";
const LAST = "n-chunk000000001";
const BATCHES: Readonly<Record<string, readonly string[]>> = {
  [FIRST]: ["one\n", "two\nthree\n", "\n", "nul \0\0\n\0\n", "grüße\n", "a longer message at the end\n"],
  [LAST]: ["x\n", "batch of\nthree\nmessages\n", "\0\0\0\n", "\n\n", "the last one\n"],
};
const WRITTEN = new Map<string, Written>(
  Object.entries(BATCHES).map(([chunk, batches]) => [chunk, batches.map(bytes)]),
);

/** A directory with one sealed chunk and one that was being written to when the process died. */
async function smallDirectory(): Promise<MemoryDisk> {
  const first = await openOn(new MemoryDisk());
  for (const batch of WRITTEN.get(FIRST)!) await first.store.append(CATEGORY, batch, false);
  await first.store.close();
  const second = await openOn(first.disk.kill());
  for (const batch of WRITTEN.get(LAST)!) await second.store.append(CATEGORY, batch, false);
  return second.disk.kill().clone();
}

const BASE = await smallDirectory();

interface Outcome {
  readonly served: Map<string, Served>;
  readonly dataAfter: (chunk: string) => Uint8Array;
}

/** Opens the store on `disk`, checks everything, twice, with an append and a clean stop in between. */
async function survive(disk: MemoryDisk): Promise<Outcome> {
  const { store } = await openOn(disk);
  const before = await serve(store, CATEGORY, 16);
  for (const served of before) checkServed(served, WRITTEN.get(served.info.name)!);
  const used = disk.list(CATEGORY).map(({ name }) => name).filter((name) => /chunk\d+$/.test(name));
  const { chunk } = await store.append(CATEGORY, bytes("afterwards\n"), true);
  numberNeverReused(chunk, used);
  await store.close();

  const again = await openOn(disk.kill());
  const after = new Map((await serve(again.store, CATEGORY, 7)).map((served) => [served.info.name, served]));
  for (const served of before) {
    completeImmutable(served, after.get(served.info.name)!);
    if (served.damage.length === 0) filesEndWithChunk(disk, served);
  }
  await again.store.close();
  return {
    served: new Map(before.map((served) => [served.info.name, served])),
    dataAfter: (name) => again.disk.peek(`${CATEGORY}/${name}`),
  };
}

/** Nothing is left behind the end of a sealed chunk that a later start could take for a part of it. */
function filesEndWithChunk(disk: MemoryDisk, { info }: Served): void {
  const id = parseChunkName(info.name)!;
  const chunk = new Chunk(CATEGORY, id.instance, id.number, 0);
  assertEquals([takeSealedEnd(disk.clone(), chunk), chunk.size], [true, info.size]);
  assertEquals([disk.peek(chunk.dataPath).length, disk.peek(chunk.indexPath).length], [
    info.size,
    chunk.indexSize,
  ]);
}

/** The base with one file changed. */
function changed(path: string, change: (content: Uint8Array<ArrayBuffer>) => Uint8Array): MemoryDisk {
  const disk = BASE.clone();
  disk.plant(path, change(disk.peek(path)));
  return disk;
}

/** Says which case failed. */
async function each(cases: Iterable<string>, run: (name: string) => Promise<void>): Promise<void> {
  for (const name of cases) {
    try {
      await run(name);
    } catch (cause) {
      throw new Error(`case ${name}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
  }
}

function* numbers(below: number): Generator<string> {
  for (let n = 0; n < below; n++) yield String(n);
}

/** Ends of the batches of a chunk. */
function batchEnds(written: Written): number[] {
  let end = 0;
  return written.map(({ length }) => end += length);
}

const LAST_DATA = `${CATEGORY}/${LAST}`;
const LAST_INDEX = `${LAST_DATA}.idx`;
const LAST_ENDS = batchEnds(WRITTEN.get(LAST)!);

for (const [what, cut] of [["cut", true], ["zero-filled from there", false]] as const) {
  const damage = (at: number) => (content: Uint8Array): Uint8Array =>
    cut ? content.subarray(0, at) : content.fill(0, at);

  Deno.test(`recovery: the last data file ${what}, at every length, keeps the whole batches before`, async () => {
    const size = BASE.peek(LAST_DATA).length;
    await each(numbers(size + 1), async (name) => {
      const { served } = await survive(changed(LAST_DATA, damage(Number(name))));
      const intact = LAST_ENDS.filter((end) => end <= Number(name)).at(-1) ?? 0;
      assertEquals(served.get(LAST)?.info.size ?? 0, intact);
      stillServed(served.get(FIRST), FIRST, WRITTEN.get(FIRST)!, batchEnds(WRITTEN.get(FIRST)!).at(-1)!);
    });
  });

  Deno.test(`recovery: the last index ${what}, at every length, keeps the whole batches before`, async () => {
    const size = BASE.peek(LAST_INDEX).length;
    await each(numbers(size + 1), async (name) => {
      const { served } = await survive(changed(LAST_INDEX, damage(Number(name))));
      const intact = LAST_ENDS[Math.floor(Number(name) / RECORD_BYTES) - 1] ?? 0;
      assertEquals(served.get(LAST)?.info.size ?? 0, intact);
    });
  });

  Deno.test(`recovery: data and index of the last chunk ${what}, at all pairs of lengths`, async () => {
    const sizes = [BASE.peek(LAST_DATA).length, BASE.peek(LAST_INDEX).length];
    for (let data = 0; data <= sizes[0]!; data += 3) {
      for (let index = 0; index <= sizes[1]!; index += 13) {
        const disk = changed(LAST_DATA, damage(data));
        disk.plant(LAST_INDEX, damage(index)(disk.peek(LAST_INDEX)));
        await each([`${data}, ${index}`], async () => void await survive(disk));
      }
    }
  });
}

Deno.test("recovery: garbage behind the ends of the last files is cut off", async () => {
  await each(numbers(3 * RECORD_BYTES), async (name) => {
    const garbage = Uint8Array.from({ length: Number(name) }, (_, i) => (i * 37 + 11) % 256);
    const disk = changed(LAST_DATA, (content) => Uint8Array.from([...content, ...garbage]));
    disk.plant(LAST_INDEX, Uint8Array.from([...disk.peek(LAST_INDEX), ...garbage]));
    const { served } = await survive(disk);
    assertEquals(served.get(LAST)!.info.size, LAST_ENDS.at(-1));
  });
});

const FIRST_DATA = `${CATEGORY}/${FIRST}`;
const FIRST_INDEX = `${FIRST_DATA}.idx`;
const FIRST_ENDS = batchEnds(WRITTEN.get(FIRST)!);
const FIRST_SIZE = FIRST_ENDS.at(-1)!;

/** The parts of the chunk that are not served. */
function missing(served: Served): [from: number, to: number][] {
  const gaps: [number, number][] = [];
  let at = 0;
  for (const { offset, bytes } of served.pieces) {
    if (offset > at) gaps.push([at, offset]);
    at = offset + bytes.length;
  }
  if (at < served.info.size) gaps.push([at, served.info.size]);
  return gaps;
}

Deno.test("recovery: each flipped bit of a complete chunk's data costs the group that it is in and no other", async () => {
  const size = BASE.peek(FIRST_DATA).length;
  await each(numbers(size * 8), async (name) => {
    const [at, bit] = [Number(name) >> 3, Number(name) & 7];
    const disk = changed(FIRST_DATA, (content) => content.fill(content[at]! ^ (1 << bit), at, at + 1));
    const damaged = disk.peek(FIRST_DATA);
    const { served, dataAfter } = await survive(disk);
    const first = served.get(FIRST)!;
    const group = FIRST_ENDS.findIndex((end) => end > at);
    assertEquals(missing(first), [[FIRST_ENDS[group - 1] ?? 0, FIRST_ENDS[group]!]]);
    assert(first.damage.length > 0);
    assertEquals(dataAfter(FIRST), damaged, "the damaged file was not kept");
  });
});

Deno.test("recovery: each flipped bit of a complete chunk's index costs nothing", async () => {
  const size = BASE.peek(FIRST_INDEX).length;
  await each(numbers(size * 8), async (name) => {
    const [at, bit] = [Number(name) >> 3, Number(name) & 7];
    const disk = changed(FIRST_INDEX, (content) => content.fill(content[at]! ^ (1 << bit), at, at + 1));
    const { served } = await survive(disk);
    assertEquals([served.get(FIRST)!.info.size, missing(served.get(FIRST)!)], [FIRST_SIZE, []]);
  });
});

Deno.test("reading: each flipped byte of a complete chunk's index, while it is served, costs nothing", async () => {
  const size = BASE.peek(FIRST_INDEX).length;
  await each(numbers(size), async (name) => {
    const disk = BASE.clone();
    const { store } = await openOn(disk);
    const rotten = disk.peek(FIRST_INDEX);
    rotten[Number(name)]! ^= 0x41;
    disk.plant(FIRST_INDEX, rotten);
    const first = (await serve(store, CATEGORY, 9))[0]!;
    checkServed(first, WRITTEN.get(FIRST)!);
    assertEquals([first.info.size, missing(first), first.damage], [FIRST_SIZE, [], []]);
    await store.close();
  });
});

Deno.test("recovery: a complete chunk's data cut at every length is answered as damaged, not as shorter", async () => {
  await each(numbers(FIRST_SIZE), async (name) => {
    const disk = changed(FIRST_DATA, (content) => content.subarray(0, Number(name)));
    const { served } = await survive(disk);
    const first = served.get(FIRST)!;
    assertEquals(first.info, { name: FIRST, complete: true, size: FIRST_SIZE, damaged: true });
    const intact = FIRST_ENDS.filter((end) => end <= Number(name)).at(-1) ?? 0;
    assertEquals(missing(first), [[intact, FIRST_SIZE]]);
  });
});

Deno.test("recovery: it may itself be interrupted at every operation", async () => {
  for (let cut = 0; cut <= BASE.peek(LAST_INDEX).length; cut += 8) {
    const broken = changed(LAST_INDEX, (content) => content.subarray(0, cut));
    broken.plant(FIRST_INDEX, broken.peek(FIRST_INDEX).fill(0, 40, 70).subarray(0, -RECORD_BYTES));
    const whole = await survive(broken.clone());
    for (let n = 1;; n++) {
      const disk = broken.clone();
      disk.dieAt(n);
      const opened = await openOn(disk).then(() => true, (error) => {
        if (!(error instanceof CrashError)) throw error;
        return false;
      });
      const { served } = await survive(n % 2 === 0 ? disk.crash() : disk.kill());
      assertEquals(
        [...served.values()].map(({ info }) => info.size),
        [...whole.served.values()].map(({ info }) => info.size),
      );
      if (opened) break;
    }
  }
});

Deno.test("DenoDisk: a sample of the same damage on real files", async () => {
  const samples: [path: string, change: (content: Uint8Array<ArrayBuffer>) => Uint8Array][] = [
    [LAST_DATA, (content) => content.subarray(0, 5)],
    [LAST_DATA, (content) => content.fill(0, 20)],
    [LAST_INDEX, (content) => content.subarray(0, 70)],
    [LAST_INDEX, (content) => content.fill(0, 64)],
    [FIRST_DATA, (content) => content.fill(content[6]! ^ 4, 6, 7)],
    [FIRST_INDEX, (content) => content.fill(content[40]! ^ 4, 40, 41)],
  ];
  for (const [path, change] of samples) {
    const disk = changed(path, change);
    const expected = (await survive(disk.clone())).served;
    const root = Deno.makeTempDirSync();
    try {
      copyOut(disk, root);
      const { store } = await openOn<Disk>(new DenoDisk(root));
      const served = await serve(store, CATEGORY, 16);
      for (const one of served) {
        checkServed(one, WRITTEN.get(one.info.name)!);
        assertEquals(missing(one), missing(expected.get(one.info.name)!));
      }
      const { chunk } = await store.append(CATEGORY, bytes("afterwards\n"), true);
      numberNeverReused(chunk, [LAST]);
      await store.close();
    } finally {
      Deno.removeSync(root, { recursive: true });
    }
  }
});

function copyOut(disk: MemoryDisk, root: string): void {
  Deno.mkdirSync(`${root}/${CATEGORY}`);
  for (const path of disk.snapshot().keys()) Deno.writeFileSync(`${root}/${path}`, disk.peek(path));
}
