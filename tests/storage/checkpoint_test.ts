/**
 * The checkpoint: what it says comes back as it was, a start that has one comes to the same as a start without, and
 * believes nothing that is not so any more.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Checkpoint, CHECKPOINT_FILE, encodingCheckpoint } from "../../lib/storage/checkpoint.ts";
import { Chunk } from "../../lib/storage/chunk.ts";
import type { StoreOptions } from "../../lib/storage/context.ts";
import { drain } from "../../lib/storage/examine.ts";
import type { Store } from "../../lib/storage/store.ts";
import { passingOn } from "../support/faulty_disk.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { bytes, openOn, readText } from "./world.ts";

const C = "web";
/** One message is a chunk, and one chunk is worth a checkpoint. */
const OPTIONS: Partial<StoreOptions> = { chunkBytesMax: 1, checkpointChunksMin: 1 };
const FIRST = "web/n-chunk000000000";

function sealed(instance: string, number: number, finalised = false): Chunk {
  const chunk = new Chunk(C, instance, number, 0);
  Object.assign(chunk, { sealed: true, complete: true, finalised });
  Object.assign(chunk, { size: 2 ** 40 + number, synced: 2 ** 40 + number, indexSize: 64, timeMs: 1.7e12 });
  chunk.rolling = 2 ** 32 - 1 - number;
  return chunk;
}

const SAMPLE = [
  {
    directory: "=lock=",
    stamp: "17:42",
    names: ["acknowledged.json", "ünïcode ☃", "n-chunk000000009"],
    owners: [["n", [sealed("n", 0), sealed("n", 7, true)]], ["other_1", [sealed("other_1", 999_999_999)]]],
  },
  { directory: C, stamp: undefined, names: ["dropped"], owners: [] },
] as const;

Deno.test("a checkpoint says what was put into it", () => {
  const read = Checkpoint.decode(drain(encodingCheckpoint(SAMPLE)));
  const lock = read.of("=lock=")!;
  assertEquals([lock.stamp, [...lock.names]], ["17:42", [...SAMPLE[0].names]]);
  const facts = (chunk: Chunk) => {
    const { name, instance, number, size, synced, indexSize, rolling, timeMs } = chunk;
    const { sealed, complete, finalised, settled, unproven, bornMs } = chunk;
    return {
      name,
      instance,
      number,
      size,
      synced,
      indexSize,
      rolling,
      timeMs,
      sealed,
      complete,
      finalised,
      settled,
      unproven,
      bornMs,
    };
  };
  const wanted = SAMPLE[0].owners.flatMap(([, chunks]) =>
    chunks.map((chunk) => ({ ...facts(chunk), bornMs: 5 }))
  );
  assertEquals([...lock.chunks("lock", 5)].map(facts), wanted);
  const web = read.of(C)!;
  assertEquals([web.stamp, [...web.names], [...web.chunks(C, 0)]], [undefined, [], []]);
  assertEquals(read.of("unknown"), undefined);
});

Deno.test("a checkpoint that is cut short, longer or rotten anywhere is none", () => {
  const whole = drain(encodingCheckpoint(SAMPLE));
  for (let size = 0; size < whole.length; size++) {
    assertThrows(() => Checkpoint.decode(whole.subarray(0, size)), SyntaxError);
  }
  assertThrows(() => Checkpoint.decode(new Uint8Array([...whole, 0])), SyntaxError);
  for (let at = 0; at < whole.length; at++) {
    const rotten = whole.slice();
    rotten[at]! ^= 0x10;
    assertThrows(() => Checkpoint.decode(rotten), SyntaxError);
  }
});

/** Two categories, with everything that a directory may have: chunks, acknowledged ones, consumers, producers. */
async function fill(disk: MemoryDisk, chunks = 6): Promise<MemoryDisk> {
  const { store } = await openOn(disk, OPTIONS);
  for (let i = 0; i < chunks; i++) await store.append(C, bytes(`message ${i}\n`), false);
  await store.append("other", bytes("x\n"), true, { producer: "shop", sequence: 4 });
  await store.consumers(C).begin("reader", "earliest");
  const [first] = store.listChunks(C);
  await store.acknowledge(C, first!.name, first!.size);
  await store.close();
  return disk.kill();
}

/** A disk that notes which files below categories are opened, and which directories are listed. */
function noting(disk: MemoryDisk): MemoryDisk & { readonly opened: string[]; readonly listed: string[] } {
  const opened: string[] = [];
  const listed: string[] = [];
  const over = passingOn(disk, {
    open: (path, mode) => {
      if (path.includes("-chunk")) opened.push(path);
      return disk.open(path, mode);
    },
    list: (path) => {
      listed.push(path);
      return disk.list(path);
    },
  });
  return Object.assign(over, { opened, listed }) as unknown as ReturnType<typeof noting>;
}

/** What is known of everything. */
async function told(store: Store): Promise<unknown> {
  const categories = store.listCategories();
  const all = [];
  for (const category of categories) {
    for (const { name, ...chunk } of store.listChunks(category)) {
      const { rolling, timeMs, finalised } = store.chunk(category, name)!;
      const content = await readText(store, category, name).catch(String);
      all.push({ category, name, ...chunk, rolling, timeMs, finalised, content });
    }
    all.push(store.consumers(category).list());
  }
  return all;
}

/** Opens a copy of `disk` without its checkpoint, and tells what is known then. */
async function toldWithout(disk: MemoryDisk): Promise<unknown> {
  const copy = disk.clone();
  if (copy.sizeOf(CHECKPOINT_FILE) !== undefined) copy.remove(CHECKPOINT_FILE);
  const { store } = await openOn(copy, { ...OPTIONS, checkpointChunksMin: Infinity });
  const all = await told(store);
  await store.close();
  return all;
}

Deno.test("a start with a checkpoint opens no chunk, lists no category, and knows the same", async () => {
  const disk = await fill(new MemoryDisk());
  const wanted = await toldWithout(disk);
  const noted = noting(disk);
  const { store, log } = await openOn(noted, OPTIONS);
  assertEquals([noted.opened, noted.listed], [[], [""]]);
  assertEquals(await told(store), wanted);
  const stored = await store.append(C, bytes("next\n"), false);
  assertEquals(stored.chunk, "n-chunk000000006");
  const again = await store.append("other", bytes("x\n"), false, { producer: "shop", sequence: 4 });
  assertEquals([again.chunk, again.offset], ["n-chunk000000000", 0]);
  await store.close();
  assertEquals(log.of("warn", "error"), []);
});

Deno.test("without a checkpoint each chunk is opened, and with few chunks there is none", async () => {
  const disk = await fill(new MemoryDisk());
  const noted = noting(disk);
  const options = { ...OPTIONS, checkpointChunksMin: 100 };
  disk.remove(CHECKPOINT_FILE);
  const { store } = await openOn(noted, options);
  assert(noted.opened.length >= 6, `${noted.opened.length} chunks opened`);
  await store.close();
  assertEquals(disk.sizeOf(CHECKPOINT_FILE), undefined);
});

Deno.test("a checkpoint that is not worth it any more is removed", async () => {
  const disk = await fill(new MemoryDisk());
  const { store } = await openOn(disk, { ...OPTIONS, checkpointChunksMin: 100 });
  await store.close();
  assertEquals(disk.sizeOf(CHECKPOINT_FILE), undefined);
});

Deno.test("a process that is killed leaves the checkpoint that it wrote in the background", async () => {
  let disk = new MemoryDisk();
  const { store } = await openOn(disk, { ...OPTIONS, checkpointChunksMin: 4 });
  for (let i = 0; i < 40; i++) await store.append(C, bytes(`message ${i}\n`), false);
  // What is under way in the background is done when nothing else is to be done.
  for (let i = 0; i < 200; i++) await new Promise((resolve) => setTimeout(resolve));
  disk = disk.kill();
  const known = [...Checkpoint.decode(disk.peek(CHECKPOINT_FILE)).of(C)!.chunks(C, 0)].length;
  assert(known > 10 && known < 40, `${known} of 39 sealed chunks`);
  const wanted = await toldWithout(disk);
  const noted = noting(disk);
  const { store: next } = await openOn(noted, OPTIONS);
  const opened = new Set(noted.opened.map((path) => path.replace(".idx", "")));
  assertEquals(opened.size, 40 - known);
  assertEquals(await told(next), wanted);
  await next.close();
});

Deno.test("a checkpoint that is damaged is told, and not used", async () => {
  const disk = await fill(new MemoryDisk());
  disk.rot(CHECKPOINT_FILE, 300, 300);
  const wanted = await toldWithout(disk);
  const { store, log } = await openOn(disk, OPTIONS);
  assertEquals(log.of("warn", "error").length, 1);
  assert(log.of("warn")[0]!.includes("the checkpoint cannot be used"), log.of("warn")[0]!);
  assertEquals(await told(store), wanted);
  await store.close();
});

/** What may become of the files while no process runs; the directory changes with each. */
const CHANGES: Readonly<Record<string, (disk: MemoryDisk) => void>> = {
  "a file of somebody else comes": (disk) => disk.plant("web/note.txt", bytes("x")),
  "a chunk without an index comes": (disk) => disk.plant("web/n-chunk000000042", bytes("by hand\n")),
  "a chunk goes": (disk) => ["", ".idx"].forEach((end) => disk.remove(`web/n-chunk000000002${end}`)),
  "an index goes": (disk) => disk.remove("web/n-chunk000000002.idx"),
  "a data file goes": (disk) => disk.remove("web/n-chunk000000002"),
  "a data file is replaced by a shorter one": (disk) => replace(disk, "web/n-chunk000000002", bytes("mess")),
  "an index is replaced by an earlier one": (disk) =>
    replace(disk, "web/n-chunk000000002.idx", disk.peek("web/n-chunk000000002.idx").slice(0, 32)),
  "a data file is replaced by a longer one": (disk) =>
    replace(disk, "web/n-chunk000000002", bytes("message 2\nand more\n")),
  "the list of acknowledged chunks is that of later": (disk) =>
    replace(disk, "web/acknowledged.json", bytes('{"n":[[0,2]]}')),
  "a temporary file was left": (disk) => disk.plant("web/acknowledged.json.tmp", bytes("x")),
  "a directory comes": (disk) => disk.plant("new/n-chunk000000000", bytes("by hand\n")),
  "all files of a category go": (disk) => disk.list(C).forEach(({ name }) => disk.remove(`${C}/${name}`)),
};

function replace(disk: MemoryDisk, path: string, content: Uint8Array): void {
  disk.plant(`${path}.new`, content);
  disk.rename(`${path}.new`, path);
}

for (const [what, change] of Object.entries(CHANGES)) {
  Deno.test(`a start with a checkpoint comes to the same as one without: ${what}`, async () => {
    const disk = await fill(new MemoryDisk());
    change(disk);
    const wanted = await toldWithout(disk);
    const { store } = await openOn(disk, OPTIONS);
    assertEquals(await told(store), wanted);
    await store.close();
    // Nor is it told anything else by the checkpoint that was made of that.
    const noted = noting(disk.kill());
    const { store: next } = await openOn(noted, OPTIONS);
    assertEquals(await told(next), wanted);
    await next.close();
  });
}

Deno.test("what is damaged is in no checkpoint, and found again by each start", async () => {
  let disk = await fill(new MemoryDisk());
  replace(disk, FIRST.replace("000000000", "000000003"), bytes("mess"));
  for (let start = 0; start < 3; start++) {
    const { store } = await openOn(disk, OPTIONS);
    const damaged = store.listChunks(C).filter((chunk) => chunk.damaged).map(({ name }) => name);
    assertEquals(damaged, ["n-chunk000000003"]);
    await store.close();
    disk = disk.kill();
  }
});

Deno.test("what rots under a checkpoint is not served", async () => {
  const disk = await fill(new MemoryDisk());
  disk.rot("web/n-chunk000000003", 11, 10);
  const { store } = await openOn(disk, OPTIONS);
  const read = await readText(store, C, "n-chunk000000003").catch((error) => error.code);
  assertEquals(read, "damaged");
  await store.close();
});

Deno.test("a checkpoint that cannot be written is told, and the old one still counts", async () => {
  let disk = await fill(new MemoryDisk());
  const { store, log } = await openOn(disk, { ...OPTIONS, checkpointChunksMin: 2 });
  disk.faults.before = (operation, path) => {
    return operation === "open" && path.startsWith(CHECKPOINT_FILE) ? "full" : undefined;
  };
  for (let i = 0; i < 9; i++) await store.append(C, bytes(`more ${i}\n`), false);
  await store.close();
  assert(
    log.of("warn").length >= 1 && log.of("warn").every((line) => line.includes("checkpoint")),
    log.lines.join("\n"),
  );
  disk = disk.kill();
  const wanted = await toldWithout(disk);
  const { store: next } = await openOn(disk, OPTIONS);
  assertEquals(await told(next), wanted);
  await next.close();
});

Deno.test("whatever a crash leaves of a checkpoint, the next start comes to the same", async () => {
  for (const power of [false, true]) {
    for (let n = 1;; n++) {
      const disk = await fill(new MemoryDisk());
      const { store } = await openOn(disk, OPTIONS);
      for (let i = 0; i < 3; i++) await store.append(C, bytes(`more ${i}\n`), true);
      disk.dieAt(n, new SeededRandom(n));
      await store.close().catch(() => {});
      const survived = !disk.dead;
      disk.dieNever();
      const left = power ? disk.crash({ random: new SeededRandom(n) }) : disk.kill();
      const wanted = await toldWithout(left);
      const { store: next } = await openOn(left, OPTIONS);
      assertEquals(await told(next), wanted, `died at operation ${n}`);
      await next.close();
      if (survived) break;
      assert(n < 500, "it never ends");
    }
  }
});
