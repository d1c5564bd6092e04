/**
 * Every moment at which a process can die, or the disk fail, while batches with a producer are stored: whoever sends
 * again what was not answered finds each batch once; after a power cut, or a sync that failed, at least once.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import type { DiskErrorKind } from "../../lib/storage/disk.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { bytes, openOn, readText, type World } from "./world.ts";

/** Small chunks: some groups begin a new one. */
const OPTIONS = { chunkBytesMax: 60 };

interface Batch {
  readonly producer: string;
  readonly sequence: number;
  readonly text: string;
  readonly sync: boolean;
  /** Answered with 200. */
  answered: boolean;
}

/** Groups of batches: those of one are sent at the same time. */
function groups(): Batch[][] {
  const batch = (producer: string, sequence: number, sync = false): Batch => ({
    producer,
    sequence,
    text: `${producer}${sequence}\n`,
    sync,
    answered: false,
  });
  return [
    [batch("p", 0)],
    [batch("p", 1), batch("q", 5, true), batch("p", 2)],
    [batch("q", 6)],
    [batch("p", 3, true), batch("p", 4)],
    [batch("q", 7), batch("q", 8)],
  ];
}

/** Sends what was not answered, and between the groups the same message without a producer. */
async function send(world: World, all: readonly Batch[][]): Promise<void> {
  for (const group of all) {
    const plain = world.store.append("c", bytes("a message of nobody\n"), false).catch(noted);
    const sent = group.filter(({ answered }) => !answered).map((batch) => attempt(world, batch));
    await Promise.all([plain, ...sent]);
  }
}

async function attempt({ store }: World, batch: Batch): Promise<void> {
  const { producer, sequence, text, sync } = batch;
  await store.append("c", bytes(text), sync, { producer, sequence }).then(
    () => {
      batch.answered = true;
    },
    noted,
  );
}

/** What a client is told; anything else is a defect. */
function noted(error: unknown): void {
  if (!(error instanceof ChukchaError)) throw error;
}

/** Counts how often each batch is in these texts. */
function counts(texts: readonly string[], all: readonly Batch[][]): Record<string, number> {
  const lines = texts.join("").split("\n");
  return Object.fromEntries(
    all.flat().map(({ text }) => [text.trim(), lines.filter((line) => `${line}\n` === text).length]),
  );
}

/** Texts of all chunks, and with `acknowledging` an end of those that are complete. */
async function take({ store }: World, texts: string[], acknowledging: boolean): Promise<void> {
  for (const { name, complete, size } of store.listChunks("c")) {
    if (acknowledging && !complete) continue;
    texts.push(await readText(store, "c", name));
    if (acknowledging) await store.acknowledge("c", name, size);
  }
}

const EACH_ONCE = counts([groups().flat().map(({ text }) => text).join("")], groups());

for (const acknowledging of [false, true]) {
  const how = acknowledging ? ", the chunks acknowledged before the retry" : "";
  Deno.test(`Batches: the process dies at each operation${how}: sent again, each batch is there once`, async () => {
    let died = 0;
    for (let n = 1;; n++) {
      for (const torn of [undefined, new SeededRandom(n)]) {
        const first = await openOn(new MemoryDisk(), OPTIONS);
        const all = groups();
        first.disk.dieAt(n, torn);
        await send(first, all);
        if (!first.disk.dead) {
          assert(died > 60, `only ${died} moments`);
          return;
        }
        died++;
        const texts: string[] = [];
        const second = await openOn(first.disk.kill(), OPTIONS);
        if (acknowledging) await take(second, texts, true);
        // Killed once more before anything was sent again.
        const third = await openOn(second.disk.kill(), OPTIONS);
        await send(third, all);
        await take(third, texts, false);
        assertEquals(counts(texts, all), EACH_ONCE, `at operation ${n}${torn ? ", torn" : ""}`);
        assertEquals(third.log.of("error"), []);
        await third.store.close();
      }
    }
  });
}

Deno.test("Batches: the power goes at each operation: sent again, nothing is lost, and what was synced is there once", async () => {
  for (let n = 1;; n++) {
    for (const seed of [undefined, 1, 2, 3]) {
      const first = await openOn(new MemoryDisk(), OPTIONS);
      const all = groups();
      first.disk.dieAt(n);
      await send(first, all);
      if (!first.disk.dead) return;
      const dice = seed === undefined
        ? undefined
        : { random: new SeededRandom(seed * 1000 + n), blockBytes: 32 };
      const texts: string[] = [];
      const second = await openOn(first.disk.crash(dice), OPTIONS);
      const promised = all.flat().filter(({ answered, sync }) => answered && sync);
      // All of them: what was answered and not synced may be gone.
      all.flat().forEach((batch) => batch.answered = false);
      await send(second, all);
      await take(second, texts, false);
      const found = counts(texts, all);
      const about = `at operation ${n}, dice ${seed}: ${JSON.stringify(found)}`;
      for (const { text } of all.flat()) assert(found[text.trim()]! >= 1, about);
      for (const { text } of promised) assertEquals(found[text.trim()], 1, about);
      await second.store.close();
    }
  }
});

for (const kind of ["full", "read_only", "too_many_open", "failed"] satisfies DiskErrorKind[]) {
  Deno.test(`Batches: the disk says "${kind}" at each operation: sent again, each batch is there`, async () => {
    for (let n = 1;; n++) {
      const first = await openOn(new MemoryDisk(), OPTIONS);
      const all = groups();
      let operations = 0;
      let syncFailed = false;
      first.disk.faults.before = (operation) => {
        if (++operations !== n) return undefined;
        syncFailed = operation === "sync";
        return kind;
      };
      await send(first, all);
      if (operations < n) return;
      first.disk.faults.before = () => undefined;
      await send(first, all);
      assert(all.flat().every(({ answered }) => answered), `at operation ${n}: something is not stored`);
      const second = await openOn(first.disk.kill(), OPTIONS);
      all.flat().forEach((batch) => batch.answered = false);
      await send(second, all);
      const texts: string[] = [];
      await take(second, texts, false);
      const found = counts(texts, all);
      if (syncFailed) Object.entries(found).forEach(([, count]) => assert(count >= 1, `at operation ${n}`));
      else assertEquals(found, EACH_ONCE, `at operation ${n}`);
      await second.store.close();
    }
  });
}

Deno.test("Batches: a journal cut short, or with a flipped bit, anywhere, costs at most a batch that is stored again", async () => {
  const first = await openOn(new MemoryDisk(), OPTIONS);
  const all = groups();
  await send(first, all);
  const base = first.disk.kill().clone();
  const journal = base.peek("c/producers.journal");
  const cases: Uint8Array[] = [];
  for (let at = 0; at < journal.length; at++) {
    cases.push(journal.slice(0, at));
    const flipped = journal.slice();
    flipped[at]! ^= 1 << (at % 8);
    cases.push(flipped);
  }
  for (const [i, content] of cases.entries()) {
    const disk = base.clone();
    disk.plant("c/producers.journal", content);
    const second = await openOn(disk, OPTIONS);
    all.flat().forEach((batch) => batch.answered = false);
    await send(second, all);
    const texts: string[] = [];
    await take(second, texts, false);
    const found = counts(texts, all);
    Object.values(found).forEach((count) => assert(count === 1 || count === 2, `case ${i}`));
    const twice = Object.values(found).filter((count) => count === 2).length;
    if (i % 2 === 1) assertEquals(twice, 1, `case ${i}: one entry is damaged`);
    await second.store.close();
  }
});
