/**
 * What the storage does with the chunks of a category by itself, from time to time: in this process, on the directory that
 * a node has just left, since nobody waits hours for it to come round.
 *
 * @module
 */
import { parseCategoryLimits } from "../../../lib/protocol/category_limits.ts";
import { RETENTION_BATCH_CHUNKS_MAX } from "../../../lib/protocol/limits.ts";
import { DenoDisk } from "../../../lib/storage/deno_disk.ts";
import { Retention } from "../../../lib/storage/retention.ts";
import type { Store } from "../../../lib/storage/store.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { spread } from "../measure.ts";
import { MESSAGE, ONE_BATCH_CHUNKS, openStore, withoutSyncs } from "./fill.ts";
import { during } from "./observe.ts";

const ROUNDS = 5;
const ROTATIONS = 200;
/** Longer than anything is old. */
const NEVER = "365000";

/** Processor time in microseconds, by the names of their figures. */
export async function measureStored(directory: string, category: string): Promise<Record<string, number>> {
  const store = await openStore(directory, ONE_BATCH_CHUNKS);
  try {
    const rotations = await own(async () => {
      for (let i = 0; i < ROTATIONS; i++) await store.append(category, MESSAGE, false);
    });
    const byAge = await median(ROUNDS, () => look(store, directory, "age"));
    const bySize = await median(ROUNDS, () => look(store, directory, "size"));
    const due = store.chunks(category)!.ofOwner(store.identity.instance).filter(({ complete }) => complete)
      .slice(0, RETENTION_BATCH_CHUNKS_MAX);
    const expired = await own(() => store.expire(category, due));
    return {
      "a chunk is completed and the next begun": rotations / ROTATIONS,
      "a look of retention by age, nothing is due": byAge,
      "a look of retention by size, nothing is due": bySize,
      // A category that has fewer cannot tell.
      ...due.length < RETENTION_BATCH_CHUNKS_MAX ? {} : { "256 chunks expire": expired },
    };
  } finally {
    await store.close();
  }
}

/** The look that a node makes at its start, which deletes nothing. */
async function look(store: Store, directory: string, rule: "age" | "size"): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const limits = parseCategoryLimits(NEVER, (text) => Number(text) * 86_400_000, "a number of days");
  const retention = new Retention({
    store,
    disk: withoutSyncs(new DenoDisk(directory)),
    clock: new FakeClock(Date.now()),
    log: {
      debug() {},
      info: (message) => message.includes("no chunk has expired") && ended.resolve(),
      warn: (message) => ended.reject(new Error(message)),
      error: (message) => ended.reject(new Error(message)),
    },
    rules: { age: [], size: [], consumed: [], [rule]: limits },
    finaliseAfterMs: Infinity,
    heardMs: () => new Map(),
    toldMs: () => Infinity,
  });
  retention.start();
  await ended.promise;
  await retention.close();
}

async function median(rounds: number, work: () => Promise<void>): Promise<number> {
  const all: number[] = [];
  for (let i = 0; i < rounds; i++) all.push(await own(work));
  return spread(all).median;
}

/** Processor time of this process for some work. */
async function own(work: () => Promise<void>): Promise<number> {
  return (await during([Deno.pid], work)).micros;
}
