/**
 * How old something is that bears a time of this node's wall clock, if that clock cannot be relied upon.
 *
 * Only time that this node has seen pass counts. While a process runs, the monotonic clock tells how much that is. As
 * long as the wall clock goes with it, that is one stretch; where it goes its own way (somebody set it, the machine
 * slept, or no process ran) another one begins:
 *
 * ```text
 * wall clock      10:00 ──────── 12:00   set ahead, or 3 h off   15:00 ────── 16:00   set back   13:30 ───
 * seen to pass        0 ──────── 2 h                             2 h ──────── 3 h                3 h ─────
 * ```
 *
 * Something from 11:30 is 1.5 h old at 15:00, and so it would be if it were 15:00 of another year. Where the wall clock
 * has shown a time twice, it was the later one that counts.
 *
 * Invariant: a computed age is never larger than the time that this node saw pass since (by at most
 * {@linkcode CLOCK_STEP_MS_MIN}, which is how far a clock may stray within a stretch). Wherever there is doubt it is
 * smaller, and something lives longer. Two things are not known. If the clock is set back in the last minute before a
 * crash, and goes on elsewhere when the node starts again, what was begun in that minute is taken for as old as it says.
 * And a chunk that is open when the clock is set back keeps the time that it had, though it grows for up to
 * `--rotate-interval` more.
 *
 * So a clock that is a year ahead does no harm, whether it always was (then the times are, too), was set so while the
 * node ran, or while it did not; and two nodes' clocks are never compared. A node that was switched off for a week finds
 * nothing older than before: those who read from it had no more time than it had.
 *
 * Rejected: to pause as long as the wall clock disagrees with the peers' clocks (a node alone has none to ask, and a
 * majority is wrong together when their time server is; what is to be known is how long ago something was, not what
 * time it is); a wall clock that is believed if it is not further ahead than some bound (that bound is what a wrong
 * clock deletes at each start); and a sum of the steps ahead that is subtracted from all ages (a step back and then a
 * larger one ahead deletes too much: found by the test that plays with the clock).
 *
 * @module
 */
import {
  CLOCK_STEP_MS_MIN,
  CLOCK_STRETCHES_MAX,
  RETENTION_CHECK_MS,
  RETENTION_SAVE_MS,
} from "../protocol/limits.ts";

/** It is looked this often whether it is time to save. */
const UNSAVED_MS_MAX = RETENTION_SAVE_MS + RETENTION_CHECK_MS;

/** Time through which the wall clock went with the monotonic one. */
export interface Stretch {
  /** What the wall clock showed at its begin, and at its end as far as it is known. */
  readonly fromMs: number;
  readonly toMs: number;
  /** How much time this node had seen pass at its begin. */
  readonly startMs: number;
}

/** What a node has seen of time. */
export interface ObservedTime {
  /** Time that this node has seen pass in all. */
  readonly totalMs: number;
  /** In the order in which they were; at least one. */
  readonly stretches: readonly Stretch[];
  /** Of other nodes: `totalMs` when they were last heard of. */
  readonly heard: ReadonlyMap<string, number>;
}

/**
 * The beginning.
 *
 * @param newestMs the latest time that something bears: of what is older than that, the wall clock is believed; of what
 * lies between that and now it is not known who has seen it. `undefined` if nothing bears a time: then nothing is from
 * before this
 */
export function beginObserving(nowMs: number, newestMs: number | undefined): ObservedTime {
  const begun = { totalMs: 0, heard: new Map<string, number>() };
  const now = { fromMs: nowMs, toMs: nowMs, startMs: 0 };
  if (newestMs === undefined) return { ...begun, stretches: [now] };
  const toMs = Math.min(newestMs, nowMs);
  return { ...begun, stretches: [{ fromMs: 0, toMs, startMs: -toMs }, now] };
}

/** Another process begins. */
export function resumeObserving(observed: ObservedTime, nowMs: number): ObservedTime {
  return observe(observed, nowMs, 0);
}

/** `elapsedMs` of the monotonic clock have passed. */
export function observe(observed: ObservedTime, nowMs: number, elapsedMs: number): ObservedTime {
  const totalMs = observed.totalMs + elapsedMs;
  const before = observed.stretches.at(-1)!;
  const last = { ...before, toMs: before.toMs + elapsedMs };
  const stretches = observed.stretches.with(-1, last);
  if (Math.abs(nowMs - last.toMs) < CLOCK_STEP_MS_MIN) return { ...observed, totalMs, stretches };
  stretches.push({ fromMs: nowMs, toMs: nowMs, startMs: totalMs });
  return { ...observed, totalMs, stretches: bounded(stretches) };
}

/** By how much the wall clock has gone its own way from one observation to the next. */
export function stepMs(before: ObservedTime, after: ObservedTime): number {
  const [one, other] = [before.stretches.at(-1)!, after.stretches.at(-1)!];
  return other.toMs - one.toMs - (after.totalMs - before.totalMs);
}

/** Takes note of how long ago other nodes were heard of, of those whose chunks are here. */
export function hear(
  observed: ObservedTime,
  agoMs: ReadonlyMap<string, number>,
  owners: Iterable<string>,
): ObservedTime {
  const heard = new Map<string, number>();
  for (const owner of owners) {
    const known = observed.heard.get(owner) ?? observed.totalMs;
    const ago = agoMs.get(owner);
    heard.set(owner, ago === undefined ? known : Math.max(known, observed.totalMs - ago));
  }
  return { ...observed, heard };
}

/** How long another node was not heard of; 0 for one that was never met. */
export function silentMs({ heard, totalMs }: ObservedTime, instance: string): number {
  return totalMs - (heard.get(instance) ?? totalMs);
}

/**
 * At least how long ago it was `timeMs`, by this node's own wall clock. `undefined` for a time that says nothing: one
 * that this clock has not shown yet, or none.
 */
export function ageMs({ totalMs, stretches }: ObservedTime, timeMs: number): number | undefined {
  if (timeMs <= 0) return undefined;
  const shown = latest(stretches.filter((stretch) => contains(stretch, timeMs)), timeMs);
  if (shown !== undefined) return Math.max(0, totalMs - shown);
  // Saving failed for long, and then came a crash: it goes on with some stretch.
  const beyond = latest(stretches.filter(({ toMs }) => toMs < timeMs), timeMs);
  if (beyond === undefined) return totalMs - stretches[0]!.startMs;
  return beyond > totalMs ? undefined : totalMs - beyond;
}

/**
 * A stretch is noticed some time after its begin. And a crash takes back what came after the last save: what it took is
 * of the stretch before it, or, if the clock was set meanwhile, of one that goes on after it.
 */
function contains({ fromMs, toMs }: Stretch, timeMs: number): boolean {
  return timeMs >= fromMs - UNSAVED_MS_MAX && timeMs <= toMs + UNSAVED_MS_MAX;
}

/** How much time had been seen to pass when the wall clock showed this in one of these stretches, the latest of them. */
function latest(stretches: readonly Stretch[], timeMs: number): number | undefined {
  if (stretches.length === 0) return undefined;
  return Math.max(...stretches.map(({ startMs, fromMs }) => startMs + Math.max(0, timeMs - fromMs)));
}

/** At most so many: of two neighbours that differ least, one is made; what is in them is younger then by the difference. */
function bounded(stretches: readonly Stretch[]): readonly Stretch[] {
  if (stretches.length <= CLOCK_STRETCHES_MAX) return stretches;
  const aheadMs = stretches.map(({ fromMs, startMs }) => fromMs - startMs);
  const stepsMs = aheadMs.slice(1, -1).map((ahead, i) => Math.abs(ahead - aheadMs[i]!));
  const at = stepsMs.indexOf(Math.min(...stepsMs));
  const [one, other] = [stretches[at]!, stretches[at + 1]!];
  const fromMs = Math.min(one.fromMs, other.fromMs);
  return stretches.toSpliced(at, 2, {
    fromMs,
    toMs: Math.max(one.toMs, other.toMs),
    startMs: fromMs - Math.min(aheadMs[at]!, aheadMs[at + 1]!),
  });
}
