/**
 * A plain model of what a store promised, beside a real store on a simulated disk: what the property tests drive.
 *
 * Every message is unique, so whatever is read back says which batch it belongs to. After each restart everything is
 * read and held against what was answered before: promised batches are there at their places, batches answered `no` are
 * not, nothing is invented, order is kept, batches are whole, numbers are new, and what was acknowledged stays away.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { parseChunkName } from "../../lib/protocol/names.ts";
import type { StoreOptions } from "../../lib/storage/context.ts";
import type { Store } from "../../lib/storage/store.ts";
import { serve, type Served, servedWithinPublished } from "../support/invariants.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { type CrashDice, CrashError, MemoryDisk } from "../support/memory_disk.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { type LogLines, openOn, OPTIONS } from "./world.ts";

const CATEGORIES = ["a", "b.x", "lock"];
const SMALL: Partial<StoreOptions> = {
  chunkBytesMax: 3000,
  rotateIntervalMs: 60_000,
  openFilesMax: 4,
  // Each start finds one, of which some chunks are gone and others are missing.
  checkpointChunksMin: 1,
};
/** What an open itself may need; more than this means that it does not end. */
const OPEN_ATTEMPTS = 3;

type Fate = "pending" | "ok" | "no" | "maybe";

interface Batch {
  readonly id: number;
  readonly category: string;
  readonly bytes: Uint8Array;
  readonly lines: readonly string[];
  fate: Fate;
  /** Where it is, once known: by the answer, or because it was found. */
  place: { chunk: string; offset: number } | undefined;
  /** It must survive a crash of the machine: it was synced, or found after a clean stop. */
  durable: boolean;
  /** It was not found after a crash that may have taken it: it must not come back. */
  lost: boolean;
}

/** One step of a history. */
export type Step =
  | { readonly kind: "append"; readonly batches: readonly Spec[] }
  | { readonly kind: "read"; readonly dice: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "ack"; readonly dice: number }
  | { readonly kind: "fault"; readonly fault: "full" | "sync" | "short" | "inodes" | "none" }
  | { readonly kind: "stop" | "kill" }
  | { readonly kind: "crash"; readonly dice: number | undefined }
  /** Dies in the middle of the step that follows, or else at its end. */
  | { readonly kind: "die"; readonly after: number; readonly power: boolean; readonly dice: number };

/** A batch to be made. */
export interface Spec {
  readonly category: number;
  /** Lengths of its messages. */
  readonly lengths: readonly number[];
  readonly sync: boolean;
}

/** A store, its disk, and what is known of both. */
export class Model {
  #disk = new MemoryDisk();
  #clock = new FakeClock();
  #store!: Store;
  #log!: LogLines;
  readonly #batches: Batch[] = [];
  readonly #byLine = new Map<string, Batch>();
  readonly #acknowledged = new Set<string>();
  /** Chunks acknowledged by a call whose answer never came. */
  readonly #maybeAcknowledged = new Set<string>();
  /** Chunks of which a crash took a part out of the middle. */
  readonly #damaged = new Set<string>();
  /** Chunk names that held something, and the run in which they began. */
  readonly #runOf = new Map<string, number>();
  #run = 0;
  #death: Extract<Step, { kind: "die" }> | undefined;

  /** Opens the store for the first time. */
  static async start(): Promise<Model> {
    const model = new Model();
    await model.#open();
    return model;
  }

  /** Plays one step, and checks what can be checked. */
  async play(step: Step): Promise<void> {
    if (step.kind === "die") {
      this.#death = step;
      this.#disk.dieAt(step.after, new SeededRandom(step.dice));
      return;
    }
    await this.#perform(step);
    if (!this.#death) return;
    const { power, dice } = this.#death;
    this.#death = undefined;
    await this.#restart(() => power ? this.#crash({ random: new SeededRandom(dice) }) : this.#disk.kill());
  }

  /** Stops the store; after that everything must be there once more. */
  async finish(): Promise<void> {
    await this.play({ kind: "fault", fault: "none" });
    await this.play({ kind: "stop" });
    await this.play({ kind: "crash", dice: undefined });
    await this.#store.close();
  }

  async #perform(step: Exclude<Step, { kind: "die" }>): Promise<void> {
    switch (step.kind) {
      case "append":
        await Promise.all(step.batches.map((spec) => this.#append(spec)));
        return;
      case "read":
        return await this.#readSomewhere(new SeededRandom(step.dice));
      case "wait":
        this.#clock.advance(step.ms);
        return;
      case "ack":
        return await this.#acknowledge(new SeededRandom(step.dice));
      case "fault":
        return this.#setFault(step.fault);
      case "stop":
        if (!this.#disk.dead) await this.#stop();
        return;
      case "kill":
        return await this.#restart(() => this.#disk.kill());
      case "crash":
        return await this.#restart(() =>
          this.#crash(step.dice === undefined ? undefined : { random: new SeededRandom(step.dice) })
        );
    }
  }

  // --- what is done to the store ---

  async #append({ category, lengths, sync }: Spec): Promise<void> {
    const id = this.#batches.length;
    const name = CATEGORIES[category % CATEGORIES.length]!;
    const lines = lengths.map((length, i) => `${id}.${i}:`.padEnd(length, i % 3 === 0 ? "\0" : "x"));
    const batch: Batch = {
      id,
      category: name,
      bytes: new TextEncoder().encode(lines.map((line) => line + "\n").join("")),
      lines,
      fate: "pending",
      place: undefined,
      durable: false,
      lost: false,
    };
    this.#batches.push(batch);
    lines.forEach((line) => this.#byLine.set(line, batch));
    const run = this.#run;
    try {
      const { chunk, offset, size } = await this.#store.append(name, batch.bytes, sync);
      assertEquals(size, batch.bytes.length);
      batch.fate = "ok";
      batch.place = { chunk, offset };
      batch.durable = sync;
      this.#noteChunk(name, chunk, run);
    } catch (error) {
      if (!(error instanceof ChukchaError)) throw error;
      // A process that is dead can no longer answer.
      batch.fate = this.#disk.dead ? "maybe" : error.written;
    }
  }

  /** NumberNeverReused: a chunk that is appended to began in this run. */
  #noteChunk(category: string, chunk: string, run: number): void {
    const key = `${category}/${chunk}`;
    const began = this.#runOf.get(key) ?? run;
    if (began !== run || this.#acknowledged.has(key)) throw new Error(`NumberNeverReused: ${key}`);
    this.#runOf.set(key, run);
  }

  async #readSomewhere(random: SeededRandom): Promise<void> {
    const placed = this.#batches.filter(({ fate, place, category, lost }) =>
      fate === "ok" && place && !lost && !this.#isGone(category, place.chunk) &&
      !this.#damaged.has(`${category}/${place.chunk}`)
    );
    if (placed.length === 0 || this.#disk.dead) return;
    const { category, place, bytes } = random.pick(placed);
    const within = random.below(bytes.length);
    const sizeMax = 1 + random.below(4000);
    const chunk = this.#contentOf(category, place!.chunk);
    const offset = place!.offset + within;
    const atStart = offset === 0 || chunk[offset - 1] === 10;
    const wanted = chunk.subarray(offset, offset + sizeMax);
    const whole = wanted.subarray(0, wanted.lastIndexOf(10) + 1);
    try {
      const { body } = await this.#store.read(category, place!.chunk, offset, sizeMax);
      assertEquals(atStart, true, "WholeMessages: read from inside of a message");
      assertEquals(
        body instanceof Uint8Array && new TextDecoder().decode(body),
        new TextDecoder().decode(whole),
      );
    } catch (error) {
      if (!(error instanceof ChukchaError)) throw error;
      if (this.#disk.dead) return;
      if (error.code === "invalid_offset" && (!atStart || whole.length === 0)) return;
      throw new Error(`read of ${category}/${place!.chunk} at ${offset}: ${error.message}`, { cause: error });
    }
  }

  /** What is known to be in a chunk. */
  #contentOf(category: string, chunk: string): Uint8Array {
    const inside = this.#batches.filter((batch) =>
      batch.category === category && batch.place?.chunk === chunk && !batch.lost
    );
    const content = new Uint8Array(
      Math.max(0, ...inside.map(({ place, bytes }) => place!.offset + bytes.length)),
    );
    for (const { place, bytes } of inside) content.set(bytes, place!.offset);
    return content;
  }

  async #acknowledge(random: SeededRandom): Promise<void> {
    const category = random.pick(CATEGORIES);
    const chunks = this.#store.listChunks(category);
    if (chunks.length === 0) return;
    const { name, complete, size } = random.pick(chunks);
    const key = `${category}/${name}`;
    try {
      const called = this.#store.acknowledge(category, name, size);
      this.#maybeAcknowledged.add(key);
      await called;
      assertEquals(complete, true, `${key} was acknowledged while written to`);
      this.#acknowledged.add(key);
    } catch (error) {
      if (!(error instanceof ChukchaError)) throw error;
      if (error.code === "not_complete") {
        this.#maybeAcknowledged.delete(key);
        assertEquals(complete, false, `${key}: ${error.message}`);
      }
    }
  }

  #setFault(fault: Extract<Step, { kind: "fault" }>["fault"]): void {
    const { faults } = this.#disk;
    if (this.#disk.dead) return;
    const { freeBytes, totalBytes } = this.#disk.space();
    Object.assign(faults, {
      bytesMax: Infinity,
      inodesMax: Infinity,
      writeBytesMax: Infinity,
      before: () => undefined,
    });
    if (fault === "full") faults.bytesMax = totalBytes - freeBytes + 100;
    if (fault === "short") faults.writeBytesMax = 50;
    if (fault === "inodes") faults.inodesMax = 1;
    if (fault === "sync") {
      faults.before = (operation) =>
        operation === "sync" || operation === "sync directory" ? "failed" : undefined;
    }
  }

  async #stop(): Promise<void> {
    await this.#store.close().catch((error) => {
      if (!(error instanceof CrashError)) throw error;
    });
    // It died on the way: `play` restarts it.
    if (this.#disk.dead) return;
    const sound = this.#log.of("error").length === 0;
    const disk = this.#disk.kill();
    await this.#restart(() => disk);
    if (!sound) return;
    for (const batch of this.#batches) if (batch.place && !batch.lost) batch.durable = true;
  }

  // --- restarts ---

  #crash(dice: CrashDice | undefined): MemoryDisk {
    for (const batch of this.#batches) {
      // What was found before but never synced may go now; if it was answered, it was promised no more than this.
      if (!batch.durable && batch.fate === "ok") batch.fate = "maybe";
    }
    return this.#disk.crash(dice);
  }

  async #restart(next: () => MemoryDisk): Promise<void> {
    this.#disk = next();
    this.#run++;
    await this.#open();
    await this.#check();
  }

  async #open(): Promise<void> {
    for (let attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
      this.#clock = new FakeClock(this.#clock.now());
      try {
        ({ store: this.#store, log: this.#log } = await openOn(this.#disk, SMALL, this.#clock));
        return;
      } catch (error) {
        if (!(error instanceof CrashError)) throw error;
        this.#disk = this.#disk.kill();
      }
    }
    throw new Error(`the store of ${OPTIONS.instance} does not open`);
  }

  #isGone(category: string, chunk: string): boolean {
    const key = `${category}/${chunk}`;
    return this.#acknowledged.has(key) || this.#maybeAcknowledged.has(key);
  }

  async #check(): Promise<void> {
    for (const category of CATEGORIES) {
      const all = await serve(this.#store, category, 700);
      const found = new Map<Batch, string[]>();
      let lastId = -1;
      for (const served of all) {
        servedWithinPublished(served);
        const key = `${category}/${served.info.name}`;
        if (this.#acknowledged.has(key)) throw new Error(`NoResurrection: ${key} was acknowledged`);
        if (served.damage.length > 0) this.#damaged.add(key);
        if (!this.#runOf.has(key)) this.#runOf.set(key, this.#run - 1);
        lastId = this.#checkOrder(category, served, found, lastId);
      }
      this.#settleFates(category, found, all);
    }
  }

  /** NoInvention, OrderPerChunk, and that each batch is where it was said to be. Returns the last batch's id. */
  #checkOrder(category: string, served: Served, found: Map<Batch, string[]>, lastId: number): number {
    const { name } = served.info;
    for (const { offset, bytes } of served.pieces) {
      let at = offset;
      for (const line of new TextDecoder().decode(bytes).split("\n").slice(0, -1)) {
        const batch = this.#byLine.get(line);
        if (!batch || batch.category !== category) {
          throw new Error(`NoInvention: ${JSON.stringify(line)} in ${name}`);
        }
        const lines = found.get(batch) ?? [];
        if (lines.length === 0 && batch.id < lastId) {
          throw new Error(`OrderPerChunk: ${batch.id} after ${lastId}`);
        }
        if (lines.includes(line)) throw new Error(`delivered twice: ${JSON.stringify(line)}`);
        const within = batch.lines.slice(0, batch.lines.indexOf(line)).join("\n").length +
          (batch.lines[0] === line ? 0 : 1);
        const place = { chunk: name, offset: at - within };
        if (batch.place) assertEquals(place, batch.place, `batch ${batch.id} has moved`);
        batch.place = place;
        found.set(batch, [...lines, line]);
        lastId = batch.id;
        at += line.length + 1;
      }
    }
    return lastId;
  }

  #settleFates(category: string, found: Map<Batch, string[]>, all: readonly Served[]): void {
    const damaged = new Set(all.filter(({ damage }) => damage.length > 0).map(({ info }) => info.name));
    for (const batch of this.#batches) {
      if (batch.category !== category) continue;
      const { id, fate, lost, place } = batch;
      const lines = found.get(batch);
      // Its reader has said that it is done with it: even if that failed, nothing of it is owed any more.
      const gone = place && this.#isGone(category, place.chunk);
      if (lines && fate === "no") {
        throw new Error(`NoMeansNo: batch ${id} was certainly not written, and is there`);
      }
      if (lines && lost) throw new Error(`batch ${id} was gone after a crash, and is back`);
      if (lines && lines.length < batch.lines.length && !damaged.has(place!.chunk)) {
        throw new Error(`BatchAtomic: ${lines.length} of ${batch.lines.length} messages of batch ${id}`);
      }
      const whole = lines?.length === batch.lines.length;
      if ((fate === "ok" || batch.durable) && !whole && !gone) {
        throw new Error(
          `AckedDurable: batch ${id} (${batch.durable ? "synced" : "not synced"}) is not there`,
        );
      }
      if (fate === "pending" || fate === "maybe") batch.fate = whole ? "ok" : "maybe";
      if (!whole && !batch.durable && !gone) batch.lost = !damaged.has(place?.chunk ?? "");
      if (place && !parseChunkName(place.chunk)) throw new Error(`not a chunk: ${place.chunk}`);
    }
  }
}
