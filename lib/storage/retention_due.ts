/**
 * What of one category has expired: the decision, without doing anything about it.
 *
 * Who decides about a chunk is its owner alone: the times in it are of its clock, and its settings are the rule. Only of
 * an owner that is gone, heard of by nobody for `--finalize-after`, any other node decides. Then its clock is not needed
 * at all: whatever it wrote is at least as old as the last that was heard of it.
 *
 * - By age: the oldest chunks of an owner whose last message is older than the limit, up to the first that is not. A time
 *   that says nothing (see `ageMs`) is no reason to keep a chunk, nor to delete it: it goes with the next one that has a
 *   time. So neither a wrong time nor the end of it lets later chunks go before their time.
 * - By size: all chunks of the category, of all owners, in the order of their times. The newest that together are within
 *   the limit stay; any other goes, if this node decides about it.
 * - By hand of its readers: `passed` says of a chunk that every consumer is done with it.
 *
 * A chunk that is not complete never expires, but is counted.
 *
 * Two nodes see different things, since copies come later. Never is more deleted than the rule says nevertheless: a node
 * deletes its own chunk only if that and the newer ones that it holds exceed the limit. Lacking some, it deletes less.
 * Holding some that another node has just deleted by the same rule, it is right as well: those exceeded the limit with
 * what is newer than they are, and its chunk is older. Only what a reader acknowledged elsewhere a moment ago may be
 * counted though it is gone; it is on this node's disk then.
 *
 * Rejected: every node decides for every chunk (one with a stale setting, or a wrong clock, would delete everybody's),
 * one node decides for all (no election here), and a share of the limit for each owner (who writes little would keep
 * everything, and who writes much nothing).
 *
 * @module
 */

/** What has to be known of a chunk. */
export interface Aged {
  readonly size: number;
  readonly complete: boolean;
  /** Time of its last message, by its owner's clock. */
  readonly timeMs: number;
}

/** One owner's chunks, by number. */
export interface OwnerChunks<C extends Aged> {
  readonly chunks: readonly C[];
  /** Whether these are this node's own, or else how long their owner was not heard of. */
  readonly silentMs: number | "own";
}

/** The rules of a category. */
export interface Limits {
  readonly ageMs: number | undefined;
  /** Bytes that the category may hold. */
  readonly bytes: number | undefined;
  /** An owner that was not heard of for this long is gone. */
  readonly finaliseAfterMs: number;
}

/** What {@linkcode expired} is told. */
export interface RetentionQuestion<C extends Aged> extends Limits {
  readonly owners: readonly OwnerChunks<C>[];
  /** How long ago a time of this node's own clock was; `undefined` for one that says nothing. */
  age(timeMs: number): number | undefined;
  /** Whether every consumer is done with a chunk. @default never: nothing is deleted for that */
  passed?(chunk: C): boolean;
}

/** The chunks that have expired and that this node decides about. */
export function expired<C extends Aged>(question: RetentionQuestion<C>): C[] {
  const { owners, finaliseAfterMs } = question;
  const mine = owners.filter(({ silentMs }) => silentMs === "own" || silentMs >= finaliseAfterMs);
  if (mine.length === 0) return [];
  const found = new Set<C>();
  for (const owner of mine) {
    for (const chunk of byAge(owner, question)) found.add(chunk);
    for (const chunk of byReaders(owner, question)) found.add(chunk);
  }
  const decides = new Set(mine);
  for (const [chunk, owner] of bySize(question)) if (decides.has(owner)) found.add(chunk);
  return [...found].filter(({ complete }) => complete);
}

function* byAge<C extends Aged>(
  { chunks, silentMs }: OwnerChunks<C>,
  { ageMs: limit, age }: RetentionQuestion<C>,
): Iterable<C> {
  if (limit === undefined) return;
  if (silentMs !== "own") {
    if (silentMs >= limit) yield* chunks;
    return;
  }
  let undated: C[] = [];
  for (const chunk of chunks) {
    const old = age(chunk.timeMs);
    if (old === undefined) {
      undated.push(chunk);
      continue;
    }
    if (old < limit) return;
    yield* undated;
    undated = [];
    yield chunk;
  }
}

function* byReaders<C extends Aged>(
  { chunks }: OwnerChunks<C>,
  { passed }: RetentionQuestion<C>,
): Iterable<C> {
  if (!passed) return;
  for (const chunk of chunks) {
    if (!passed(chunk)) return;
    yield chunk;
  }
}

/** The oldest of all owners, until the rest is within the limit. Costs what has expired, and one sum over all. */
function* bySize<C extends Aged>(
  { owners, bytes: limit }: RetentionQuestion<C>,
): Iterable<[chunk: C, owner: OwnerChunks<C>]> {
  if (limit === undefined) return;
  let excess = -limit;
  for (const { chunks } of owners) for (const { size } of chunks) excess += size;
  // Of one owner, order is that of the numbers: a time that goes back changes nothing.
  const heads = owners.map((owner) => ({ owner, at: 0, timeMs: owner.chunks[0]?.timeMs ?? Infinity }));
  while (excess > 0) {
    const head = heads.reduce((oldest, other) => other.timeMs < oldest.timeMs ? other : oldest);
    const { owner } = head;
    const chunk = owner.chunks[head.at++]!;
    excess -= chunk.size;
    yield [chunk, owner];
    head.timeMs = Math.max(head.timeMs, owner.chunks[head.at]?.timeMs ?? Infinity);
  }
}
