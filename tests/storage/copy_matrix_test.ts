/**
 * Every way in which the files of a copy can be cut short, zero-filled or hit by a flipped bit before it was sealed: the
 * store opens on each of them with a prefix of the owner's chunk, and what is missing can be fetched again.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { DAMAGED_SUFFIX } from "../../lib/storage/damaged_copy.ts";
import { checkServed, serve } from "../support/invariants.ts";
import type { MemoryDisk } from "../support/memory_disk.ts";
import { settle } from "../support/fake_clock.ts";
import { carry, carryEnd, chunkOf, messages, openNode } from "./two_nodes.ts";
import { bytes, openOn } from "./world.ts";

const CHUNK = chunkOf(0);
const DATA = `c/${CHUNK}`;
const INDEX = `${DATA}.idx`;
const BATCHES = ["one\n", "two\nthree\n", "\n", "\0\0\n\0\n", "the last one\n"].map(bytes);
const SIZE = BATCHES.reduce((sum, { length }) => sum + length, 0);

const owner = await openNode("n");
for (const batch of BATCHES) await owner.store.append("c", batch, true);
await owner.store.finish();

/** A copy in pieces of two groups at most, whose process died. */
async function copied(): Promise<MemoryDisk> {
  const { store, disk } = await openNode("m");
  await carry(owner.store, store, "c", CHUNK, () => 14);
  return disk.kill().clone();
}

const BASE = await copied();

/** Opens the copy with one file changed, checks what is there, fetches the rest. Returns what was there. */
async function survive(path: string, change: (content: Uint8Array) => Uint8Array): Promise<number> {
  const disk = BASE.clone();
  disk.plant(path, change(disk.peek(path)));
  const { store } = await openNode("m", disk);
  const [found] = await serve(store, "c", 9);
  if (found) checkServed(found, BATCHES);
  assertEquals(found?.damage ?? [], []);
  await carry(owner.store, store, "c", CHUNK);
  assert(carryEnd(owner.store, store, "c", CHUNK));
  const [all] = await serve(store, "c", 9);
  checkServed(all!, BATCHES);
  assertEquals([all!.info.size, all!.damage], [SIZE, []]);
  assertEquals(disk.peek(DATA), owner.disk.peek(DATA));
  await store.close();
  const again = await openNode("m", disk.kill().crash());
  assertEquals([again.log.of("error"), again.store.listChunks("c")], [[], [all!.info]]);
  await again.store.close();
  return found?.info.size ?? 0;
}

for (const path of [DATA, INDEX]) {
  for (const [what, cut] of [["cut", true], ["zero-filled from there", false]] as const) {
    Deno.test(`recovery of a copy: ${path} ${what}, at every length`, async () => {
      let last = 0;
      for (let at = 0; at <= BASE.peek(path).length; at++) {
        const size = await survive(path, (content) => cut ? content.subarray(0, at) : content.fill(0, at));
        assert(size >= last, `at ${at}: ${size} after ${last}`);
        last = size;
      }
      assertEquals(last, SIZE);
    });
  }

  Deno.test(`recovery of a copy: a flipped bit anywhere in ${path}`, async () => {
    for (let at = 0; at < BASE.peek(path).length; at++) {
      await survive(path, (content) => content.fill(content[at]! ^ 4, at, at + 1));
    }
  });
}

Deno.test("recovery of a copy: what lies behind a hole is set aside, and nothing refuses the start over it", async () => {
  const broken = BASE.clone();
  broken.plant(DATA, broken.peek(DATA).fill(7, 5, 6));
  for (let at = 0;; at++) {
    const disk = broken.clone();
    if (at > 0) disk.dieAt(at);
    const opened = await openNode("m", disk).catch(() => undefined);
    if (at > 0 && !opened) await openNode("m", disk.crash()).then(({ store }) => store.close());
    if (!opened) continue;
    assertEquals(opened.store.listChunks("c"), []);
    assertEquals(disk.peek(DATA + DAMAGED_SUFFIX), broken.peek(DATA));
    await opened.store.close();
    if (at > 0) break;
  }
  const full = broken.clone();
  full.faults.before = (operation, path) =>
    operation === "write" && path.includes(DAMAGED_SUFFIX) ? "full" : undefined;
  const { store } = await openNode("m", full);
  assertEquals(store.listChunks("c").map(({ size, damaged }) => [size, damaged]), [[SIZE, true]]);
  await store.close();
  // Alone there is nobody to fetch it from.
  const alone = await openOn(broken.clone(), { instance: "m" });
  assertEquals(alone.store.listChunks("c"), [{ name: CHUNK, complete: false, size: SIZE, damaged: true }]);
  assert(alone.log.of("warn").some((line) => line.includes("--peers")));
  await alone.store.close();
});

Deno.test("settle: an own chunk with a hole ends before it, and what is intact behind is there again", async () => {
  const { store, disk } = await openNode("n");
  for (const batch of BATCHES) await store.append("c", batch, true);
  const base = disk.kill();
  for (const [at, lost] of [[1, "one"], [5, "three two"], [15, "\0\0 \0"]] as const) {
    const broken = base.clone();
    broken.plant(DATA, broken.peek(DATA).fill(7, at, at + 1));
    const next = await openNode("n", broken);
    assertEquals(next.store.listChunks("c").map(({ complete, damaged }) => [complete, damaged]), [[
      false,
      true,
    ]]);
    assert(!next.store.settle("c", CHUNK, false));
    assert(!next.store.settle("c", CHUNK, false));
    await settle();
    assertEquals([...next.store.unsettled()], []);
    const expected = (await messages(owner.store, "c")).filter((line) => !lost.split(" ").includes(line));
    assertEquals(await messages(next.store, "c"), expected, `hole at ${at}`);
    assertEquals(next.store.isAcknowledged("c", "n", 0), at === 1);
    assert(next.store.listChunks("c").every(({ damaged }) => !damaged));
    assert(broken.snapshot().has(DATA + DAMAGED_SUFFIX));
    await next.store.close();
    const again = await openNode("n", broken.kill().crash());
    assertEquals([await messages(again.store, "c"), again.log.of("error")], [expected, []]);
    assert(again.store.listChunks("c").every(({ complete, damaged }) => complete && !damaged));
    await again.store.close();
  }
});
