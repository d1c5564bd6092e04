/**
 * What this node tells its peers: the long poll, ranges of bytes, and what it knows of a chunk.
 *
 * An answer to a poll costs what changed since its cursor. News is what this node did itself, or what the asking node
 * cannot learn from the owner; anything else waits for the next answer, or for {@linkcode RELAY_DELAY_MS}: two nodes
 * that both follow a third would otherwise wake each other for each of its writes. What came from the asking node
 * itself is no news to it, once it has seen everything from the beginning. What consumers acknowledge here waits for
 * {@linkcode CONSUMER_TOLD_MS}: there may be thousands of acks a second, each of which is told with those before it.
 *
 * Where it is clear how much the asking node holds of a chunk, and little is missing, the bytes are in the answer: that
 * saves a request for each small write, which is most of what a write with replicas waits for.
 *
 * Cursor: `<run>.<sequence number>.<1 as long as the beginning is being paged through>`.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import {
  CONSUMER_TOLD_MS,
  INLINE_BYTES_MAX,
  INLINE_CHUNK_BYTES_MAX,
  PIECE_BYTES,
  RELAY_DELAY_MS,
  REPLICATION_ENTRIES_MAX,
  REPLICATION_FETCH_BYTES_MAX,
  REPLICATION_RANGES_MAX,
  REPLICATION_WAIT_MS_MAX,
} from "../protocol/limits.ts";
import { parseChunkName } from "../protocol/names.ts";
import type { Change } from "../storage/change_log.ts";
import type { Chunk } from "../storage/chunk.ts";
import { countIntervals } from "../storage/consumer_record.ts";
import { DiskError } from "../storage/disk.ts";
import type { ClusterContext } from "./context.ts";
import type {
  AcknowledgedChange,
  Answerer,
  ChangesAnswer,
  ChangesRequest,
  ChunkKnowledge,
  ConsumerChange,
  CopyState,
  FetchAnswer,
  Held,
  NodeId,
  Piece,
  Wanted,
} from "./peer.ts";

/** What answers bring about elsewhere. */
export interface Told {
  /** A peer asked: it can be reached, or will soon. */
  asked(instance: string): void;
  /** A node holds this much of a chunk that another node than this one owns. */
  holds(held: Held): void;
}

interface Cursor {
  readonly seq: number;
  readonly initial: boolean;
  readonly reset: boolean;
}

/** Answers the polls and fetches of the other nodes. */
export class Answers implements Answerer {
  readonly #context: ClusterContext;
  readonly #told: Told;
  /** Ends the waits of all polls. */
  readonly #wakes = new Set<() => void>();
  /** Bytes that each peer said it lacks of what this node holds. */
  readonly lags = new Map<string, number>();
  /** How far each peer has read the changes of this run. */
  readonly #seen = new Map<string, number>();
  /** The last change that this node made itself. */
  #ownSeq = 0;
  #closed = false;

  constructor(context: ClusterContext, told: Told) {
    this.#context = context;
    this.#told = told;
    context.store.changes.watch(({ seq, source }) => {
      if (source === undefined) this.#ownSeq = seq;
    });
  }

  /** Answers with what is new, as soon as there is anything; at the latest when the wait is over, or at `close`. */
  async changes(request: ChangesRequest, gone?: AbortSignal): Promise<ChangesAnswer> {
    this.#admit(request.from);
    const { clock, identities } = this.#context;
    const { from } = request;
    const cursor = this.#parse(request.cursor);
    request.held.forEach((held) => this.#takeHeld(from, held));
    this.lags.set(from.instance, request.behindBytes);
    if (!cursor.reset) this.#seen.set(from.instance, cursor.seq);
    this.#told.asked(from.instance);

    const release = identities.hold(from);
    const deadlineMs = clock.monotonic() + Math.min(request.waitMs, REPLICATION_WAIT_MS_MAX);
    let dueMs = deadlineMs;
    try {
      for (;;) {
        const { changes, more } = this.#page(cursor.seq);
        const news = cursor.initial ? changes : changes.filter(({ source }) => source !== from.run);
        const now = clock.monotonic();
        for (const change of news) dueMs = Math.min(dueMs, now + delayMs(change, request));
        const due = cursor.initial || more || this.#closed || gone?.aborted || now >= dueMs;
        if (due) return this.#answer(request, cursor, changes.at(-1)?.seq ?? cursor.seq, news, more);
        await this.#news(request, dueMs, gone);
      }
    } finally {
      release(gone?.aborted ?? false);
    }
  }

  /** Reads what is wanted, in that order, as much as fits. */
  // deno-lint-ignore require-await
  async fetch(from: NodeId, wanted: readonly Wanted[], bytesMax: number): Promise<FetchAnswer> {
    this.#admit(from);
    const pieces: Piece[] = [];
    const unreadable: Wanted[] = [];
    let left = Math.min(bytesMax, REPLICATION_FETCH_BYTES_MAX);
    for (const one of wanted) {
      if (left <= 0) break;
      let { offset } = one;
      try {
        if (one.length !== undefined) {
          const part = this.#readPart(one, Math.min(left, one.length, PIECE_BYTES));
          pieces.push(part);
          left -= part.bytes.length;
          continue;
        }
        while (left > 0) {
          const piece = this.#read(one.category, one.chunk, offset, Math.min(left, PIECE_BYTES));
          if (!piece) break;
          pieces.push(piece);
          offset += piece.bytes.length;
          left -= piece.bytes.length;
        }
      } catch (error) {
        if (!(error instanceof ChukchaError || error instanceof DiskError)) throw error;
        this.#context.log.debug("a chunk could not be read for a peer", {
          peer: from.instance,
          chunk: one.chunk,
          error: error.message,
        });
        if (offset === one.offset) unreadable.push(one);
      }
    }
    return { node: this.#context.own, pieces, unreadable };
  }

  /** What this node knows of one chunk. */
  // deno-lint-ignore require-await
  async knows(from: NodeId, category: string, chunk: string): Promise<ChunkKnowledge> {
    this.#admit(from);
    const { store, own } = this.#context;
    const id = parseChunkName(chunk);
    if (id && store.isAcknowledged(category, id.instance, id.number)) {
      return { node: own, state: "acknowledged" };
    }
    const known = store.chunk(category, chunk);
    return { node: own, state: known ? this.#stateOf(category, known) : "unknown" };
  }

  /** Whether this peer has been told all that this node has done, and has taken it. */
  isCurrent(instance: string): boolean {
    return (this.#seen.get(instance) ?? -1) >= this.#ownSeq && this.lags.get(instance) === 0;
  }

  /** Another process is behind this name. */
  forget(instance: string): void {
    this.lags.delete(instance);
    this.#seen.delete(instance);
  }

  /** Answers all polls that wait, and from now on at once. */
  close(): void {
    this.#closed = true;
    this.#wakes.forEach((wake) => wake());
  }

  #admit(from: NodeId): void {
    if (!this.#context.peers.has(from.instance) && from.instance !== this.#context.own.instance) {
      throw new ChukchaError(
        "forbidden",
        `instance: ${from.instance} is not among this node's --peers; every node lists all of them`,
      );
    }
    this.#context.identities.observe(from);
  }

  #parse(text: string): Cursor {
    const [run, seq, initial] = text.split(".");
    if (run !== this.#context.own.run || !/^\d{1,15}$/.test(seq ?? "")) {
      return { seq: 0, initial: true, reset: true };
    }
    return { seq: Number(seq), initial: initial === "1", reset: false };
  }

  #takeHeld(from: NodeId, held: Held): void {
    const { own, peers, identities, confirmations, store } = this.#context;
    const known = held.instance === from.instance
      ? from.incarnation
      : identities.incarnationOf(held.instance);
    if (!peers.has(held.instance) || (known !== undefined && known !== held.incarnation)) return;
    if (parseChunkName(held.chunk)?.instance !== own.instance) return this.#told.holds(held);
    const chunk = store.chunk(held.category, held.chunk);
    // More than there is: not of this chunk as it is now.
    if (!chunk || held.size > chunk.size) return;
    confirmations.note(held);
    if (chunk.complete) confirmations.release(held.category, held.chunk, chunk.size, peers.size);
  }

  /** What changed since, as much as goes into one answer. */
  #page(seq: number): { changes: readonly Change[]; more: boolean } {
    const { store } = this.#context;
    const page = store.changes.since(seq, REPLICATION_ENTRIES_MAX);
    let ranges = 0;
    const end = page.changes.findIndex(({ category, acknowledged, consumer }, i) => {
      if (acknowledged !== undefined) {
        ranges += store.acknowledgedOf(category, acknowledged)?.ranges.length ?? 0;
      } else if (consumer !== undefined) {
        const record = store.consumerRecord(category, consumer);
        if (record) ranges += record.owners.size + countIntervals(record);
      } else return false;
      return i > 0 && ranges > REPLICATION_RANGES_MAX;
    });
    return end < 0 ? page : { changes: page.changes.slice(0, end), more: true };
  }

  /**
   * Resolves when there is news that is to be told before `untilMs`, then, or when nobody waits for it any more. Of news
   * that can wait the first one says until when: more of it changes nothing.
   */
  #news(request: ChangesRequest, untilMs: number, gone: AbortSignal | undefined): Promise<void> {
    const { clock, store } = this.#context;
    return new Promise((resolve) => {
      const wake = (): void => {
        unwatch();
        cancelTimer();
        this.#wakes.delete(wake);
        gone?.removeEventListener("abort", wake);
        resolve();
      };
      const unwatch = store.changes.watch((change) => {
        if (change.source === request.from.run) return;
        if (clock.monotonic() + delayMs(change, request) < untilMs) wake();
      });
      const cancelTimer = clock.after(Math.max(0, untilMs - clock.monotonic()), wake);
      this.#wakes.add(wake);
      gone?.addEventListener("abort", wake);
    });
  }

  #answer(
    request: ChangesRequest,
    { initial, reset }: Cursor,
    seq: number,
    news: readonly Change[],
    more: boolean,
  ): ChangesAnswer {
    const { own, identities } = this.#context;
    const stillInitial = initial && more;
    return {
      node: own,
      cursor: `${own.run}.${seq}.${stillInitial ? 1 : 0}`,
      reset,
      more,
      heardMs: identities.heard(),
      acknowledged: news.flatMap((change) => this.#acknowledged(change)),
      consumers: news.flatMap((change) => this.#consumer(change)),
      copies: news.flatMap(({ category, chunk }) => chunk ? [this.#stateOf(category, chunk)] : []),
      pieces: initial ? [] : this.#inline(request.from.instance, news),
    };
  }

  #acknowledged({ category, acknowledged }: Change): AcknowledgedChange[] {
    const of = acknowledged === undefined
      ? undefined
      : this.#context.store.acknowledgedOf(category, acknowledged);
    return of ? [{ ...of, category, instance: acknowledged! }] : [];
  }

  #consumer({ category, consumer }: Change): ConsumerChange[] {
    const record = consumer === undefined
      ? undefined
      : this.#context.store.consumerRecord(category, consumer);
    return record ? [{ category, consumer: consumer!, record }] : [];
  }

  #stateOf(category: string, chunk: Chunk): CopyState {
    const { name, size, rolling, complete, finalised } = chunk;
    // Of a complete chunk, every node syncs its copy in its own time, unless someone waits for it.
    const asked = !complete || this.#context.confirmations.wantsSync(category, name);
    return { category, chunk: name, size, synced: asked ? chunk.synced : 0, rolling, complete, finalised };
  }

  /** The bytes that the asking node lacks of this node's chunks, where they are few. */
  #inline(instance: string, news: readonly Change[]): Piece[] {
    const { own, confirmations } = this.#context;
    const pieces: Piece[] = [];
    let left = INLINE_BYTES_MAX;
    for (const { category, chunk, source } of news) {
      if (!chunk || source !== undefined || chunk.instance !== own.instance) continue;
      const held = confirmations.heldBy(instance, category, chunk.name) ?? 0;
      const missing = chunk.size - held;
      if (missing <= 0 || missing > INLINE_CHUNK_BYTES_MAX || missing > left) continue;
      try {
        const piece = this.#read(category, chunk.name, held, missing);
        if (!piece) continue;
        pieces.push(piece);
        left -= piece.bytes.length;
      } catch (error) {
        // It is asked for by a fetch, which says why it cannot be had.
        if (!(error instanceof ChukchaError || error instanceof DiskError)) throw error;
      }
    }
    return pieces;
  }

  #read(category: string, chunk: string, offset: number, bytesMax: number): Piece | undefined {
    const piece = this.#context.store.readPiece(category, chunk, offset, bytesMax);
    return piece && { ...piece, category, chunk };
  }

  #readPart({ category, chunk, offset }: Wanted, length: number): Piece {
    return { ...this.#context.store.readRange(category, chunk, offset, length), category, chunk, part: true };
  }
}

/** How long a change may wait for others that are told with it. */
function delayMs({ source, chunk, consumer }: Change, { relay }: ChangesRequest): number {
  // Of a consumer it does not say who was acknowledged to first: perhaps somebody who cannot be reached.
  if (consumer !== undefined) {
    return source === undefined || relay.length > 0 ? CONSUMER_TOLD_MS : RELAY_DELAY_MS;
  }
  return source === undefined || (chunk !== undefined && relay.includes(chunk.instance)) ? 0 : RELAY_DELAY_MS;
}
