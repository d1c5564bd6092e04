/**
 * How costs grow with the size of a message: up to the largest that the settings allow.
 *
 * @module
 */
import { BATCH_BYTES_CEILING, KIB, MIB } from "../../../lib/protocol/limits.ts";
import { letGo } from "../data.ts";
import { warmFileCache } from "../file_cache.ts";
import { LARGE_BYTES } from "../measure.ts";
import type { Figure, Row } from "./figures.ts";
import { getJson, wrkReads, wrkRounds } from "./load.ts";
import { makeDirectory, memoryMib, startOn } from "./node.ts";
import type { GrowthPlan, GrowthTable } from "./table.ts";

const CATEGORY = "sizes";
/** With more, the largest would be more than a category's queue takes. */
const CONNECTIONS = 2;
const FILE_BYTES_PER_SECOND = 1024 * MIB;
/** Largest message, without its `\n`. */
const FLAGS = ["--max-batch-size", "16MiB", "--max-message-size", String(BATCH_BYTES_CEILING - 1)];

const FIGURES: readonly Figure[] = [
  { name: "write x2, a request", unit: "us", digits: 1, expected: "linear", noise: 5 },
  { name: "write x2, a MiB", unit: "us", expected: "any", noise: 0 },
  { name: "written", unit: "MB/s", digits: 2, expected: "any", noise: 0 },
  { name: "read x2, a request", unit: "us", digits: 1, expected: "linear", noise: 5 },
  { name: "read x2, a MiB", unit: "us", expected: "any", noise: 0 },
  { name: "read", unit: "MB/s", digits: 2, expected: "any", noise: 0 },
  { name: "resident memory", unit: "MiB", expected: "linear", noise: 50 },
];

/** The table. */
export const SIZES: GrowthTable = {
  name: "sizes",
  of: "bytes of a message",
  about:
    "Each write is one message, its \\n included (a single byte gets one); each read is one such message. One node " +
    `for all rows, which takes messages up to ${BATCH_BYTES_CEILING / MIB} MiB; processor time of the node.`,
  sizes: [1, 16, 256, 4 * KIB, 64 * KIB, 256 * KIB, 1 * MIB, 4 * MIB, BATCH_BYTES_CEILING],
  figures: FIGURES,
  measure,
};

async function* measure(sizes: readonly number[], plan: GrowthPlan): AsyncGenerator<Row> {
  const directory = await makeDirectory(plan.directory);
  try {
    const node = await startOn(directory.path, ...FLAGS);
    try {
      const warm = (bytes: number): Promise<void> => {
        if (bytes >= LARGE_BYTES) warmFileCache(plan.directory, plan.seconds * FILE_BYTES_PER_SECOND);
        return Promise.resolve();
      };
      for (const size of sizes) {
        const load = ["message", String(size), `/write?category=${CATEGORY}`];
        await warm(size);
        const written = await wrkRounds(node, { connections: CONNECTIONS, load }, plan, async () => {
          await letGo(node.url, CATEGORY);
          await warm(size);
        });
        const stored = Math.max(2, size);
        const read = await wrkReads(node, await lastMessages(node.url, stored), stored, plan, CONNECTIONS);
        yield {
          size,
          values: {
            "write x2, a request": written.micros,
            "write x2, a MiB": written.micros / stored * MIB,
            "written": written.perSecond * stored / 1e6,
            "read x2, a request": read.micros,
            "read x2, a MiB": read.micros / stored * MIB,
            "read": read.perSecond * stored / 1e6,
            "resident memory": memoryMib(node),
          },
        };
      }
    } finally {
      await node.stop();
    }
  } finally {
    await directory.remove();
  }
}

/** Paths of reads of the last messages of this size that were written, few enough to be in the file cache. */
async function lastMessages(url: string, bytes: number): Promise<string[]> {
  const chunks = await getJson<{ name: string; size: number }[]>({ url }, `/listChunks?category=${CATEGORY}`);
  const { name, size } = chunks.at(-1)!;
  const count = Math.min(8, Math.floor(size / bytes));
  return Array.from({ length: count }, (_, i) => {
    const offset = size - bytes * (count - i);
    return `/read?category=${CATEGORY}&chunk=${name}&off=${offset}&max_size=${bytes}`;
  });
}
