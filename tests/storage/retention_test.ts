/**
 * @module Tests of `lib/storage/retention.ts` and `time_observer.ts`: rules over a store, under a clock that is set.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  type CategoryLimits,
  parseCategoryChoice,
  parseCategoryLimits,
} from "../../lib/protocol/category_limits.ts";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { RETENTION_CHECK_MS, RETENTION_GRACE_MS } from "../../lib/protocol/limits.ts";
import type { StoreOptions } from "../../lib/storage/context.ts";
import { NEW_CONSUMER } from "../../lib/storage/consumer_record.ts";
import { OBSERVED_TIME_FILE } from "../../lib/storage/observed_time_file.ts";
import { readFile } from "../../lib/storage/publish_file.ts";
import { hasRetention, Retention } from "../../lib/storage/retention.ts";
import { parseDuration, parseSize } from "../../lib/quantities.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { chunkOf } from "./two_nodes.ts";
import { bytes, openOn, readText, type World } from "./world.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
/** How late something is deleted at most after the clock was set. */
const LATE_MS = 15 * 60_000;

const ages = (text: string): CategoryLimits => parseCategoryLimits(text, parseDuration, "a duration");
const sizes = (text: string): CategoryLimits => parseCategoryLimits(text, parseSize, "a size");

interface Rules {
  readonly age?: string;
  readonly size?: string;
  readonly consumed?: string;
}

/** A store with retention, from start to start on one disk and under one clock. */
class Kept {
  readonly clock = new FakeClock();
  disk = new MemoryDisk();
  world!: World;
  retention!: Retention;
  heard = new Map<string, number>();
  toldMs = (): number | undefined => Infinity;

  /** Starts as a new process. */
  async start(rules: Rules, options: Partial<StoreOptions> = {}): Promise<this> {
    this.world = await openOn(this.disk, { chunkBytesMax: 10, ...options }, this.clock);
    this.retention = new Retention({
      store: this.world.store,
      disk: this.disk,
      clock: this.clock,
      log: this.world.log,
      rules: {
        age: ages(rules.age ?? "off"),
        size: sizes(rules.size ?? "off"),
        consumed: parseCategoryChoice(rules.consumed ?? "off"),
      },
      finaliseAfterMs: DAY,
      heardMs: () => this.heard,
      toldMs: () => this.toldMs(),
    });
    this.retention.start();
    await settle();
    return this;
  }

  /** Stops as one that is asked to. */
  async stop(): Promise<void> {
    await this.retention.close();
    await this.world.store.close();
  }

  /** The process is gone, with whatever it had not saved. */
  async die(): Promise<void> {
    const { disk } = this;
    this.disk = disk.kill();
    await this.retention.close();
    await this.world.store.close().catch(() => {});
  }

  /** Lets time pass, look by look. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= RETENTION_CHECK_MS) {
      this.clock.advance(Math.min(left, RETENTION_CHECK_MS));
      await settle();
    }
  }

  /** Writes one chunk, which the next one completes. */
  async write(category: string, text = "123456789"): Promise<void> {
    await this.world.store.append(category, bytes(`${text}\n`), false);
    await settle();
  }

  numbers(category = "web"): number[] {
    return this.world.store.listChunks(category).map(({ name }) => Number(name.slice(-9)));
  }

  warnings(): string[] {
    return this.world.log.of("warn", "error");
  }
}

Deno.test("Retention deletes chunks when their last message is as old as the rule says", async () => {
  const kept = await new Kept().start({ age: "logs.*=3h,audit=off,1d" });
  for (const category of ["logs.web", "audit", "orders"]) {
    await kept.write(category);
    await kept.write(category);
  }
  await kept.pass(2 * HOUR);
  for (const category of ["logs.web", "audit", "orders"]) await kept.write(category);
  await kept.pass(HOUR - 2 * RETENTION_CHECK_MS);
  assertEquals(kept.numbers("logs.web"), [0, 1, 2]);
  await kept.pass(3 * RETENTION_CHECK_MS);
  assertEquals([kept.numbers("logs.web"), kept.numbers("audit"), kept.numbers("orders")], [[2], [0, 1, 2], [
    0,
    1,
    2,
  ]]);
  assertEquals(kept.retention.status().deletedChunks, 2);
  await kept.pass(22 * HOUR);
  assertEquals([kept.numbers("logs.web"), kept.numbers("audit"), kept.numbers("orders")], [[], [0, 1, 2], [
    2,
  ]]);
  assert(kept.world.log.lines.includes("info: chunks have expired and are deleted"));
  await kept.stop();
  await kept.start({ age: "3h" });
  await kept.write("logs.web");
  assertEquals(kept.numbers("logs.web"), [3], "a number is never used again");
  await kept.stop();
});

Deno.test("Retention says at the start what a rule would delete, and deletes nothing in the time that is left to stop it", async () => {
  const kept = await new Kept().start({});
  for (let i = 0; i < 5; i++) await kept.write("web");
  await kept.pass(8 * HOUR);
  await kept.write("web");
  await kept.stop();
  await kept.start({ age: "7h" });
  assertMatch(
    kept.warnings().join(),
    /chunks have expired and will be deleted after these minutes.*correct --retention-age.*"chunks":5,"bytes":50,"minutes":10,"categories":1,"most":"web \(5\)"/,
  );
  assertMatch(
    kept.retention.check().message,
    /^5 chunks \(50 bytes\) have expired; nothing is deleted in the next 600 s$/,
  );
  await kept.pass(RETENTION_GRACE_MS - RETENTION_CHECK_MS);
  assertEquals(kept.numbers().length, 6);
  await kept.stop();
  await kept.start({ age: "7d" });
  assertEquals(kept.warnings(), []);
  await kept.pass(HOUR);
  assertEquals(kept.numbers().length, 6);
  await kept.stop();
  await kept.start({ age: "7h" });
  await kept.pass(RETENTION_GRACE_MS);
  assertEquals(kept.numbers(), [5]);
  assertMatch(kept.retention.check().message, /^5 expired chunks \(50 bytes\) deleted/);
  await kept.stop();
});

Deno.test("Retention deletes nothing because the clock was set ahead, and goes on when it is right again", async () => {
  const kept = await new Kept().start({ age: "7d" });
  await kept.write("web");
  await kept.write("web");
  await kept.pass(HOUR);
  kept.clock.jump(YEAR);
  await kept.write("web");
  await kept.write("web");
  await kept.pass(HOUR);
  assertEquals(kept.numbers(), [0, 1, 2, 3]);
  assertMatch(kept.warnings().join(), /the wall clock was set, or this machine slept.*"stepMs":31536000000/);
  kept.clock.jump(-YEAR);
  await kept.write("web");
  await kept.write("web");
  await kept.pass(6 * DAY);
  assertEquals(kept.numbers(), [0, 1, 2, 3, 4, 5]);
  assertEquals(kept.warnings().length, 2, "once for each time that it was set");
  await kept.pass(DAY - 2 * HOUR);
  assertEquals(kept.numbers(), [2, 3, 4, 5], "in their time");
  await kept.pass(HOUR + LATE_MS);
  assertEquals(kept.numbers(), [4, 5], "those from a year ahead, too");
  await kept.pass(HOUR);
  assertEquals(kept.numbers(), []);
  await kept.stop();
});

Deno.test("Retention deletes nothing early because the clock stood in the past for a while", async () => {
  const kept = await new Kept().start({ age: "7d" });
  await kept.write("web");
  await kept.pass(HOUR);
  kept.clock.jump(-YEAR);
  await kept.write("web");
  await kept.pass(HOUR);
  kept.clock.jump(2 * YEAR);
  await kept.write("web");
  await kept.pass(6 * DAY + 20 * HOUR);
  assertEquals(kept.numbers(), [0, 1, 2]);
  await kept.pass(5 * HOUR);
  assertEquals(kept.numbers(), []);
  await kept.stop();
});

for (const how of ["stop", "die"] as const) {
  Deno.test(`Retention deletes nothing after a restart under a clock that is a year ahead (${how})`, async () => {
    const kept = await new Kept().start({ age: "7d" });
    for (let i = 0; i < 4; i++) {
      await kept.write("web");
      await kept.pass(HOUR + 5 * 60_000);
    }
    await kept[how]();
    kept.clock.jump(YEAR);
    await kept.start({ age: "7d" });
    await kept.pass(DAY);
    assertEquals(kept.numbers(), [0, 1, 2, 3]);
    await kept[how]();
    kept.clock.jump(-YEAR);
    await kept.start({ age: "7d" });
    await kept.pass(DAY);
    await kept[how]();
    await kept.start({ age: "7d" });
    await kept.pass(3 * DAY);
    assertEquals(kept.numbers(), [0, 1, 2, 3]);
    await kept.pass(2 * DAY + HOUR);
    assertEquals(kept.numbers(), []);
    await kept.stop();
  });
}

Deno.test("Retention remembers that the clock was set, although the process dies soon after", async () => {
  const kept = await new Kept().start({ age: "1d" });
  await kept.pass(23 * HOUR);
  kept.clock.jump(-YEAR);
  await kept.pass(2 * 60_000);
  await kept.write("web");
  await kept.pass(2 * 60_000);
  await kept.die();
  kept.clock.jump(YEAR);
  await kept.start({ age: "1d" });
  await kept.pass(3 * HOUR);
  assertEquals(kept.numbers(), [0]);
  await kept.stop();
});

Deno.test("Retention counts no time in which the node was switched off", async () => {
  const kept = await new Kept().start({ age: "2d" });
  await kept.write("web");
  await kept.stop();
  kept.clock.advance(10 * DAY);
  await kept.start({ age: "2d" });
  assertEquals(kept.warnings(), []);
  await kept.pass(2 * DAY - HOUR);
  assertEquals(kept.numbers(), [0]);
  await kept.pass(2 * HOUR);
  assertEquals(kept.numbers(), []);
  await kept.stop();
});

Deno.test("Retention that is new begins with the newest message, not with what the clock says", async () => {
  const kept = new Kept();
  const { store } = await openOn(kept.disk, { chunkBytesMax: 10 }, kept.clock);
  await store.append("web", bytes("123456789\n"), false);
  kept.clock.advance(3 * DAY);
  await store.append("web", bytes("123456789\n"), false);
  await store.close();
  kept.clock.jump(YEAR);
  await kept.start({ age: "2d" });
  await kept.pass(HOUR);
  assertEquals(kept.numbers(), [1], "the first was three days older than the second, whatever day it is");
  await kept.pass(2 * DAY);
  assertEquals(kept.numbers(), []);
  await kept.stop();
});

Deno.test("Retention by size deletes the oldest chunks of a category that holds more, not the one being written", async () => {
  const kept = await new Kept().start({ size: "web=30b,*=1kb" });
  for (let i = 0; i < 6; i++) {
    await kept.write("web");
    await kept.write("other");
    await kept.pass(60_000);
  }
  await kept.pass(RETENTION_GRACE_MS);
  assertEquals([kept.numbers(), kept.numbers("other")], [[3, 4, 5], [0, 1, 2, 3, 4, 5]]);
  await kept.stop();
  await kept.start({ size: "1b" });
  for (let i = 0; i < 2; i++) await kept.write("web");
  await kept.pass(RETENTION_GRACE_MS + RETENTION_CHECK_MS);
  assertEquals(kept.numbers(), []);
  assertEquals(kept.numbers("other"), []);
  await kept.write("web");
  await kept.pass(5 * 60_000);
  assertEquals(kept.numbers(), [8], "an open chunk is never deleted");
  await kept.stop();
});

Deno.test("Retention lets a download of what expires meanwhile end, and then says what became of the chunk", async () => {
  const kept = await new Kept().start({ age: "1h" }, { chunkBytesMax: 4 << 20 });
  const line = `${"x".repeat(1023)}\n`;
  await kept.write("web", (line.repeat(3000)).slice(0, -1));
  await kept.pass(15 * 60_000);
  const range = await kept.world.store.read("web", "n-chunk000000000", 0, 4 << 20);
  assert(range.body instanceof ReadableStream);
  const reader = range.body.getReader();
  let received = (await reader.read()).value!.length;
  assert(received < range.size);
  await kept.pass(2 * HOUR);
  assertEquals(kept.numbers(), []);
  for (let part = await reader.read(); !part.done; part = await reader.read()) received += part.value.length;
  assertEquals(received, 3000 * 1024);
  const error = await assertRejects(
    () => kept.world.store.read("web", "n-chunk000000000", 0, 100),
    ChukchaError,
  );
  assertEquals(error.code, "chunk_not_found");
  assertMatch(error.message, /was acknowledged by a reader, or has expired, and is deleted/);
  await kept.stop();
});

Deno.test("Retention that cannot delete says so once, and goes on by itself", async () => {
  const kept = await new Kept().start({ age: "1h" });
  await kept.write("web");
  await kept.write("orders");
  kept.disk.faults.readOnly = true;
  await kept.pass(2 * HOUR);
  assertEquals(kept.numbers(), [0]);
  assertEquals(kept.retention.check().ok, false);
  assertMatch(kept.retention.check().message, /^expired chunks stay: delete expired chunks of orders/);
  assertEquals(kept.retention.status().dueChunks, 2);
  assertEquals(kept.warnings().filter((line) => line.includes("could not be deleted")).length, 1);
  assertEquals(kept.warnings().filter((line) => line.includes("could not be saved")).length, 1);
  kept.disk.faults.readOnly = false;
  await kept.pass(RETENTION_CHECK_MS);
  assertEquals([kept.numbers(), kept.retention.check().ok], [[], true]);
  await kept.stop();
});

Deno.test("Retention begins anew, loudly, where what was seen of time cannot be read", async () => {
  const kept = await new Kept().start({ age: "1d" });
  await kept.write("web");
  await kept.stop();
  const file = kept.disk.open(OBSERVED_TIME_FILE, { write: true });
  file.truncate(5);
  file.close();
  kept.clock.jump(YEAR);
  await kept.start({ age: "1d" });
  assertMatch(kept.warnings().join(), /what was seen of time cannot be read/);
  await kept.pass(23 * HOUR);
  assertEquals(kept.numbers(), [0]);
  await kept.stop();
  assert(readFile(kept.disk, OBSERVED_TIME_FILE)!.length > 5);
});

Deno.test("Retention that is closed in the middle of a look leaves nothing running", async () => {
  const kept = await new Kept().start({ size: "1b" });
  for (let i = 0; i < 600; i++) await kept.world.store.append("web", bytes("123456789\n"), false);
  kept.clock.advance(RETENTION_GRACE_MS);
  const closed = kept.retention.close();
  await settle();
  await closed;
  const left = kept.numbers().length;
  await kept.world.store.close();
  assertEquals(kept.clock.timerCount, 0);
  await kept.start({});
  assertEquals(kept.numbers().length, left);
  await kept.stop();
});

Deno.test("Retention that loses its power at any operation leaves each chunk whole or gone, and finishes after the start", async () => {
  for (let at = 1;; at++) {
    const kept = await new Kept().start({ age: "1h" });
    for (let i = 0; i < 3; i++) await kept.write("web");
    await kept.pass(HOUR - 2 * RETENTION_CHECK_MS);
    const { disk } = kept;
    let operations = 0;
    let crashed: MemoryDisk | undefined;
    disk.faults.before = () => {
      if (++operations === at) crashed = disk.crash();
      return undefined;
    };
    await kept.pass(3 * RETENTION_CHECK_MS);
    if (!crashed) {
      assertEquals(kept.numbers(), []);
      assert(at > 10, `${at} operations`);
      await kept.stop();
      return;
    }
    await kept.retention.close();
    await kept.world.store.close().catch(() => {});
    kept.disk = crashed;
    await kept.start({ age: "1h" });
    for (const number of kept.numbers()) {
      assertEquals(await readText(kept.world.store, "web", `n-chunk00000000${number}`), "123456789\n");
    }
    await kept.pass(HOUR + RETENTION_GRACE_MS);
    assertEquals(kept.numbers(), [], `operation ${at}`);
    await kept.write("web");
    assertEquals(kept.numbers(), [3], "a number is never used again");
    await kept.stop();
  }
});

/** Names of the chunks of a category that are there. */
function numbers(kept: Kept, category: string): number[] {
  return kept.world.store.listChunks(category).map(({ name }) => Number(name.slice(-9)));
}

Deno.test("Retention by consumers deletes what each of them has acknowledged wholly, in order", async () => {
  const kept = await new Kept().start({ consumed: "audit=off,web" });
  for (const category of ["web", "audit", "other"]) {
    for (let i = 0; i < 4; i++) await kept.write(category);
    const consumers = kept.world.store.consumers(category);
    for (const name of ["x", "y"]) {
      for (const number of [0, 1, 2]) {
        await consumers.acknowledge(name, chunkOf(number), 0, name === "y" && number === 1 ? 9 : 10);
      }
    }
  }
  await kept.pass(RETENTION_GRACE_MS + 2 * RETENTION_CHECK_MS);
  assertEquals([numbers(kept, "web"), numbers(kept, "audit")], [[1, 2, 3], [0, 1, 2, 3]]);
  await kept.world.store.consumers("web").acknowledge("y", chunkOf(1), 9, 10);
  await kept.pass(RETENTION_CHECK_MS);
  assertEquals(numbers(kept, "web"), [1, 2, 3], "passed, and not yet asked twice");
  await kept.pass(RETENTION_CHECK_MS);
  assertEquals([numbers(kept, "web"), numbers(kept, "other")], [[3], [0, 1, 2, 3]]);
  await kept.stop();
});

Deno.test("Retention by consumers deletes nothing where there is none, and forgotten ones do not count", async () => {
  const kept = await new Kept().start({ consumed: "*" });
  for (let i = 0; i < 3; i++) await kept.write("web");
  const consumers = kept.world.store.consumers("web");
  await kept.pass(RETENTION_GRACE_MS + 3 * RETENTION_CHECK_MS);
  assertEquals(numbers(kept, "web"), [0, 1, 2]);
  await consumers.begin("stuck", "earliest");
  await consumers.begin("x", "latest");
  await kept.pass(3 * RETENTION_CHECK_MS);
  assertEquals(numbers(kept, "web"), [0, 1, 2]);
  await consumers.forget("x");
  await consumers.forget("stuck");
  await kept.pass(3 * RETENTION_CHECK_MS);
  assertEquals(numbers(kept, "web"), [0, 1, 2], "there is none again");
  await consumers.begin("y", "latest");
  await kept.pass(2 * RETENTION_CHECK_MS);
  assertEquals(numbers(kept, "web"), []);
  await kept.stop();
});

Deno.test("Retention by consumers waits until every peer has told what it knew when a chunk was passed", async () => {
  const kept = await new Kept().start({ consumed: "*" });
  const told: { ms: number | undefined } = { ms: undefined };
  kept.toldMs = () => told.ms;
  for (let i = 0; i < 3; i++) await kept.write("web");
  await kept.world.store.consumers("web").begin("x", "latest");
  await kept.pass(RETENTION_GRACE_MS + 3 * RETENTION_CHECK_MS);
  assertEquals(numbers(kept, "web"), [0, 1, 2], "one cannot be asked");
  told.ms = kept.clock.monotonic() - 2 * RETENTION_CHECK_MS;
  await kept.pass(RETENTION_CHECK_MS);
  assertEquals(numbers(kept, "web"), [0, 1, 2], "one has not told since");
  told.ms = kept.clock.monotonic();
  // What it told is a consumer that has not passed.
  kept.world.store.mergeConsumer("web", "new", NEW_CONSUMER, "run");
  await kept.pass(3 * RETENTION_CHECK_MS);
  assertEquals(numbers(kept, "web"), [0, 1, 2]);
  await kept.world.store.consumers("web").forget("new");
  await kept.pass(RETENTION_CHECK_MS);
  told.ms = kept.clock.monotonic();
  await kept.pass(RETENTION_CHECK_MS);
  assertEquals(numbers(kept, "web"), []);
  await kept.stop();
});

Deno.test("Retention by consumers spares a chunk that a seek has made unread since it was passed", async () => {
  const kept = await new Kept().start({ consumed: "*" });
  for (let i = 0; i < 3; i++) await kept.write("web");
  const consumers = kept.world.store.consumers("web");
  await kept.pass(RETENTION_GRACE_MS);
  await consumers.begin("x", "latest");
  await kept.pass(RETENTION_CHECK_MS);
  await consumers.seek("x", [{ chunk: chunkOf(1), offset: 0 }]);
  await kept.pass(2 * RETENTION_CHECK_MS);
  assertEquals(numbers(kept, "web"), [1, 2]);
  await kept.stop();
});

Deno.test("Retention by consumers says at the start what would go, and spares it for these minutes", async () => {
  const kept = await new Kept().start({});
  for (let i = 0; i < 3; i++) await kept.write("web");
  await kept.world.store.consumers("web").begin("x", "latest");
  await kept.stop();
  await kept.start({ consumed: "web" });
  assertMatch(
    kept.world.log.of("warn").join(),
    /retention: chunks have expired.*--retention-consumed.*"chunks":3/,
  );
  await kept.pass(RETENTION_GRACE_MS - 1);
  assertEquals(numbers(kept, "web"), [0, 1, 2]);
  await kept.pass(2 * RETENTION_CHECK_MS);
  assertEquals(numbers(kept, "web"), []);
  await kept.stop();
});

Deno.test("hasRetention is false where every rule says off", () => {
  assertEquals(hasRetention({ age: ages("off"), size: [], consumed: parseCategoryChoice("off") }), false);
  assertEquals(hasRetention({ age: [], size: sizes("a=1mb,off"), consumed: [] }), true);
  assertEquals(hasRetention({ age: [], size: [], consumed: parseCategoryChoice("web") }), true);
});
