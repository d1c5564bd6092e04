/**
 * Asks a node for things and says what each cost it: by wrk where there are many at once, one after the other where one
 * is long or needs to be looked at.
 *
 * @module
 */
import { parseErrorBody } from "../../../lib/protocol/errors.ts";
import { spread } from "../measure.ts";
import { runWrk } from "../wrk.ts";
import type { GrowthNode } from "./node.ts";
import { during, pause } from "./observe.ts";
import type { GrowthPlan } from "./table.ts";

/** A node that is asked. */
export type Asked = Pick<GrowthNode, "url" | "pid">;

/** What one round of wrk measured. */
export interface Loaded {
  /** Processor time of the node for each request. */
  readonly micros: number;
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** What wrk sends. */
export interface WrkLoad {
  readonly connections: number;
  /** Arguments of `load.lua`. */
  readonly load: readonly string[];
  /** Least size of an answer. */
  readonly answerBytes?: number;
}

/** One call may take this long in all its repetitions. */
const CALLS_MS_MAX = 3_000;
const WARM_CALLS = 20;
const CONNECTIONS = 8;

/** Rounds of wrk, after one to warm up; medians. `between` is called behind each. */
export async function wrkRounds(
  { url, pid }: Asked,
  { connections, load, answerBytes }: WrkLoad,
  { seconds, rounds }: GrowthPlan,
  between: () => Promise<unknown> = () => Promise.resolve(),
): Promise<Loaded> {
  const kind = answerBytes === undefined ? "write" : "read";
  const measured = { kind, bytes: answerBytes ?? Number(load[1]), connections } as const;
  const all: Loaded[] = [];
  for (let i = 0; i <= rounds; i++) {
    const { micros, result } = await during([pid], () => runWrk(url, measured, load, seconds));
    const { round: { requestsPerSecond, p99Micros }, requests } = result;
    if (i > 0) {
      all.push({ micros: micros / requests, perSecond: requestsPerSecond, p99Ms: p99Micros / 1000 });
    }
    await between();
  }
  const median = (of: (one: Loaded) => number): number => spread(all.map(of)).median;
  return {
    micros: median(({ micros }) => micros),
    perSecond: median(({ perSecond }) => perSecond),
    p99Ms: median(({ p99Ms }) => p99Ms),
  };
}

/** Writes of 100 B at 8 connections into these categories in turn, of which each was written to before. */
export async function wrkWrites(
  node: Asked,
  categories: readonly string[],
  plan: GrowthPlan,
): Promise<Loaded> {
  await inTurns(categories, (category) => write(node, category, "first\n"));
  return await withPaths(
    categories.map((category) => `/write?category=${category}`),
    (file) => wrkRounds(node, { connections: CONNECTIONS, load: ["spread", "100", file] }, plan),
  );
}

/** Reads of these paths in turn, each answered with at least so many bytes. */
export async function wrkReads(
  node: Asked,
  paths: readonly string[],
  answerBytes: number,
  plan: GrowthPlan,
  connections: number = CONNECTIONS,
): Promise<Loaded> {
  return await withPaths(
    paths,
    (file) => wrkRounds(node, { connections, load: ["read", file], answerBytes }, plan),
  );
}

async function withPaths<T>(paths: readonly string[], work: (file: string) => Promise<T>): Promise<T> {
  const file = await Deno.makeTempFile({ suffix: ".paths" });
  try {
    await Deno.writeTextFile(file, paths.map((path) => `${path}\n`).join(""));
    return await work(file);
  } finally {
    await Deno.remove(file);
  }
}

/** Does something with each, as many at once as a node is asked elsewhere. */
export async function inTurns<T>(all: readonly T[], work: (one: T) => Promise<unknown>): Promise<void> {
  const rest = all.values();
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    for (const one of rest) await work(one);
  }));
}

/** Microseconds of a node's processor time for each of these calls, made one after the other. */
export async function callMicros(
  { pid }: Asked,
  call: (i: number) => Promise<unknown>,
  { calls = 300, warm = WARM_CALLS, pauseMs = 0 }: { calls?: number; warm?: number; pauseMs?: number } = {},
): Promise<number> {
  let i = 0;
  const some = async (count: number): Promise<number> => {
    const deadlineMs = performance.now() + CALLS_MS_MAX;
    let done = 0;
    while (done < count && (done < 3 || performance.now() < deadlineMs)) {
      if (pauseMs > 0) await pause(pauseMs);
      await call(i++);
      done++;
    }
    return done;
  };
  await some(warm);
  const { micros, result } = await during([pid], () => some(calls));
  return micros / result;
}

/** Takes an answer to its end; throws unless it is 200 or 204. */
export async function get(
  { url }: Pick<Asked, "url">,
  path: string,
  init?: RequestInit,
): Promise<Uint8Array> {
  const answer = await fetch(`${url}${path}`, init);
  const bytes = await answer.bytes();
  if (answer.ok) return bytes;
  const text = new TextDecoder().decode(bytes);
  throw new Error(`${path}: ${answer.status} ${parseErrorBody(text)?.message ?? text}`);
}

/** The same, as JSON. */
export async function getJson<T>(node: Pick<Asked, "url">, path: string): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await get(node, path)));
}

/** Writes one batch. */
export function write(node: Pick<Asked, "url">, category: string, body: BodyInit): Promise<Uint8Array> {
  return get(node, `/write?category=${category}`, { method: "POST", body });
}
