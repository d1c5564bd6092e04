/**
 * Follows one peer: polls what is new there, takes what is missing here, and says with the next poll what it took.
 *
 * Round after round, as `docs/replication.md` draws it. A round does a bounded amount of work, so that a long catch-up
 * neither keeps what was taken from being reported nor other categories waiting. This is the one place that catches
 * what goes wrong with a peer: the round is given up, everything that was not reported stays to be reported, and after
 * a pause (see `trouble.ts`) the next round starts from the last cursor. Positions are never remembered apart from the
 * copies themselves.
 *
 * What a crash leaves: copies as far as they were appended. The next start begins with an empty cursor.
 *
 * Rejected: fetching beside a poll that waits (two places would change the same copies, and what is held would have to
 * be reported by a call of its own).
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import {
  ANSWER_MS_MAX,
  CATCH_UP_ROUND_BYTES,
  EMPTY_ANSWER_MS_MIN,
  LISTING_MS_MAX,
  POLL_WAIT_MS,
  RESTING_MS,
  RETRY_MS_MIN,
  SLOW_ANSWER_MS_MAX,
} from "../protocol/limits.ts";
import { parseChunkName } from "../protocol/names.ts";
import { largestRead } from "../storage/consumer_record.ts";
import { Backlog } from "./backlog.ts";
import type { ClusterContext } from "./context.ts";
import { Downloads, type Received } from "./downloads.ts";
import type { ChangesAnswer, CopyState, Held, Peer, Piece } from "./peer.ts";
import { localCopy } from "./local_copy.ts";
import { plan } from "./plan.ts";
import { Reports } from "./reports.ts";
import { Trouble } from "./trouble.ts";
import { within } from "./within.ts";

/** What a follower asks of those beside it. */
export interface Others {
  /** Owners that cannot be reached directly now. */
  unreachable(): string[];
  /** Whether a chunk may be taken from this peer, although another node owns it. */
  mayTake(peer: string, category: string, owner: string, number: number, localSize: number): boolean;
  /** This node's copy of a chunk has changed. */
  changed(category: string, chunk: string): void;
  /** A chunk number of this node was seen elsewhere. */
  used(category: string, number: number): void;
  /** A round has ended, well or not. */
  ended(): void;
}

/** Follows one peer. */
export class Follower {
  readonly peer: Peer;
  readonly #context: ClusterContext;
  readonly #others: Others;
  readonly backlog = new Backlog();
  readonly #downloads: Downloads;
  /** What came to be held since the last answered poll. */
  readonly #reports: Reports;
  #cursor = "";
  #run = "";
  /** The last poll was answered. */
  reachable = false;
  /** When `reachable` changed last. */
  sinceMs: number;
  /** Everything that the peer holds was seen once, in this run of the peer. */
  listed = false;
  /** The peer has refused this node, and why. */
  refused: ChukchaError | undefined;
  readonly #trouble: Trouble;
  /** When this node last knew that it lacks nothing of what the peer holds. */
  #currentMs: number;
  /** This round's poll was answered. */
  #answered = false;
  #retriedMs = -Infinity;
  /** What was lost here when everything was listed last. */
  #losses = 0;
  #closed = false;
  /** Ends a wait, or leaves a poll unanswered. */
  #kick: () => void = () => {};
  /** The last poll asked to wait for news. */
  #waits = false;
  /** When the last poll was sent, and the first one that was not answered yet. */
  #askedMs = -Infinity;
  #unansweredMs: number | undefined;
  /** When the last poll was sent whose answer left nothing out. */
  #toldMs: number | undefined;
  /** The last chunk of the peer in each category, as far as its listing was read. */
  readonly #newest = new Map<string, string>();
  #ended: Promise<void> = Promise.resolve();

  constructor(peer: Peer, context: ClusterContext, others: Others) {
    this.peer = peer;
    this.#context = context;
    this.#others = others;
    this.sinceMs = context.clock.monotonic();
    this.#currentMs = this.sinceMs;
    this.#reports = new Reports(context);
    this.#trouble = new Trouble(context, peer);
    this.#downloads = new Downloads(context, peer, this.backlog, {
      mayTake: (category, owner, number, localSize) =>
        others.mayTake(peer.instance, category, owner, number, localSize),
      changed: (category, chunk) => others.changed(category, chunk),
      settled: (entry) => this.#consider(entry),
    });
  }

  /** What went wrong last, as long as it does. */
  get lastError(): string | undefined {
    return this.#trouble.lastError;
  }

  /** How often following it failed. */
  get failures(): number {
    return this.#trouble.failuresEver;
  }

  /** What came from it. */
  get received(): Received {
    return this.#downloads.received;
  }

  /** Milliseconds since this node last knew that it lacks nothing of what the peer holds; 0 as long as it knows that. */
  get behindMs(): number {
    return this.#isCurrent() ? 0 : this.#context.clock.monotonic() - this.#currentMs;
  }

  /** Until when this node has heard of all that happened at the peer; `undefined` if it cannot be asked now. */
  get toldMs(): number | undefined {
    return this.reachable && this.listed ? this.#toldMs : undefined;
  }

  /** Begins. */
  start(): void {
    this.#ended = this.#follow();
  }

  /** Ends; resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.peer.close();
    this.#kick();
    await this.#ended;
  }

  /** This node's copy of a chunk has changed: the peer is to be told with the next poll. */
  report(category: string, chunk: string): void {
    this.#reports.add(category, chunk);
  }

  /** Copies of this node that the peer was not told of yet. */
  untold(): { category: string; chunk: string }[] {
    return this.#reports.own();
  }

  /** Passes on what another node said that it holds, and does not wait with it. */
  speakFor(held: Held): void {
    this.#reports.pass(held);
    this.kick();
  }

  /** Does not wait any longer for the answer: there is something to say, to ask or to fetch. */
  kick(): void {
    if (this.reachable) this.#kick();
  }

  /** The peer has shown that it is there: the next attempt need not wait, unless the last one was just made. */
  wake(): void {
    if (!this.reachable && this.#context.clock.monotonic() - this.#askedMs >= RETRY_MS_MIN) this.#kick();
  }

  async #follow(): Promise<void> {
    while (!this.#closed) {
      this.#answered = false;
      try {
        await this.#round();
      } catch (error) {
        // Defects too: whatever happened, the next round starts from what is on disk.
        if (!this.#closed) this.#failed(error, !this.#answered || this.#downloads.peerFailed);
      }
      this.#others.ended();
      if (this.#trouble.failures > 0 && !this.#closed) await this.#pause();
    }
  }

  async #round(): Promise<void> {
    const answer = await this.#poll();
    if (!answer) return;
    this.#answered = true;
    this.refused = undefined;
    this.#become(true);
    await this.#take(answer);
    await this.#downloads.run(CATCH_UP_ROUND_BYTES);
    this.#trouble.end();
    this.#noteCurrent();
    await this.#breathe(answer);
    const now = this.#context.clock.monotonic();
    if (now - this.#retriedMs >= RESTING_MS) {
      this.#retriedMs = now;
      this.backlog.wakeAll();
    }
  }

  /** Polls; `undefined` if it was kicked before the answer came. */
  async #poll(): Promise<ChangesAnswer | undefined> {
    const { own, identities, clock } = this.#context;
    const { promise: kicked, resolve } = Promise.withResolvers<undefined>();
    const kick = (): void => resolve(undefined);
    this.#kick = kick;
    const reports = this.#reports.load();
    const busy = this.#downloads.canGoOn() || reports.more || !this.reachable;
    const cancel = new AbortController();
    if (this.#losses !== this.#context.store.losses) {
      this.#losses = this.#context.store.losses;
      this.#cursor = "";
    }
    this.#askedMs = clock.monotonic();
    this.#unansweredMs ??= this.#askedMs;
    // Polls that were kicked away count: an answer is to come while there is patience left.
    const waitMs = busy ? 0 : Math.max(0, Math.round(this.#unansweredMs + POLL_WAIT_MS - this.#askedMs));
    this.#waits = waitMs > 0;
    const answerMs = this.#answerMs();
    // However often it was kicked meanwhile: the peer had this long to answer anything.
    const patienceMs = this.#unansweredMs + POLL_WAIT_MS + answerMs - this.#askedMs;
    const polled = this.peer.changes({
      from: own,
      cursor: this.#cursor,
      held: reports.held,
      relay: this.#others.unreachable().filter((owner) => owner !== this.peer.instance),
      behindBytes: this.backlog.bytes,
      waitMs,
    }, cancel.signal);
    let answer: ChangesAnswer | undefined;
    try {
      answer = await Promise.race([
        within(clock, polled, Math.min(patienceMs, waitMs + answerMs)),
        kicked,
      ]);
    } catch (error) {
      this.refused = error instanceof ChukchaError && error.code === "name_in_use" ? error : undefined;
      throw error;
    } finally {
      // What becomes of an abandoned poll is of no interest: the next one says and asks the same again.
      if (!answer) cancel.abort();
    }
    if (!answer) return undefined;
    this.#unansweredMs = undefined;
    if (answer.node.instance !== this.peer.instance) {
      throw new ChukchaError(
        "invalid_parameter",
        `peers: the node at ${this.peer.url} is called ${answer.node.instance}, not ${this.peer.instance}`,
      );
    }
    identities.observe(answer.node);
    reports.told();
    return answer;
  }

  /** How long an answer may take, besides its wait: more over a line that has shown itself to be slow. */
  #answerMs(): number {
    return Math.min(
      SLOW_ANSWER_MS_MAX,
      (this.listed ? ANSWER_MS_MAX : LISTING_MS_MAX) * 2 ** Math.min(this.#trouble.failures, 8),
    );
  }

  /** Takes over what the answer says: what is acknowledged first, so that nothing of it is fetched. */
  async #take(answer: ChangesAnswer): Promise<void> {
    const { store, identities, own } = this.#context;
    // Until this answer came: what it tells is new.
    this.#noteCurrent();
    if (answer.node.run !== this.#run || answer.reset) this.#begin(answer.node.run);
    identities.hearsay(answer.heardMs);
    for (const { category, instance, ranges, sizes } of answer.acknowledged) {
      if (instance === own.instance) this.#others.used(category, ranges.at(-1)?.[1] ?? -1);
      await store.mergeAcknowledged(category, instance, { ranges, sizes }, answer.node.run);
    }
    for (const { category, consumer, record } of answer.consumers) {
      // What somebody has read was written, even if the disk that held it is lost: its number is not used again.
      const number = largestRead(record, own.instance);
      if (number >= 0) this.#others.used(category, number);
      store.mergeConsumer(category, consumer, record, answer.node.run);
    }
    for (const copy of answer.copies) this.#consider(copy);
    // What is to be done is in the backlog now. Should the disk take no bytes, what comes behind this in the order of
    // changes must be heard of all the same: it may be acknowledgements, which make room.
    this.#cursor = answer.cursor;
    await this.#appendInline(answer.pieces);
    if (answer.more) return;
    this.#toldMs = this.#askedMs;
    if (this.listed) return;
    this.listed = true;
    // The peer may wait for these copies and, either of the two having restarted, not know of them.
    this.#newest.forEach((chunk, category) => this.report(category, chunk));
    this.#newest.clear();
  }

  /** Another run of the peer, or the first answer: nothing that was known of it counts. */
  #begin(run: string): void {
    const { store } = this.#context;
    this.#run = run;
    this.#downloads.source = run;
    this.listed = false;
    this.#toldMs = undefined;
    this.backlog.clear();
    this.#newest.clear();
    for (const { category, chunk } of store.incompleteCopies()) {
      if (chunk.instance === this.peer.instance) this.report(category, chunk.name);
    }
  }

  /** Keeps in mind what is to be done about a copy, if anything. */
  #consider(remote: CopyState): void {
    const { own, store } = this.#context;
    const { category, chunk } = remote;
    const { instance, number } = parseChunkName(chunk)!;
    const local = localCopy(store, category, chunk);
    if (instance === own.instance) this.#others.used(category, number);
    const damaged = store.chunk(category, chunk);
    if (damaged?.damaged) store.mayHeal(damaged);
    const step = store.isAcknowledged(category, instance, number) ? "nothing" : plan(local, remote);
    if (step === "nothing") this.backlog.delete(category, instance, number);
    else this.backlog.set(instance, number, remote, Math.max(0, remote.size - local.size));
    // Of a complete chunk, syncs are asked for only if someone waits; it may have been sealed, which nobody was told.
    if (instance === this.peer.instance && remote.complete && remote.synced > 0 && step === "nothing") {
      this.report(category, chunk);
    }
    if (!this.listed && instance === this.peer.instance && chunk > (this.#newest.get(category) ?? "")) {
      this.#newest.set(category, chunk);
    }
  }

  async #appendInline(pieces: readonly Piece[]): Promise<void> {
    const lacking = pieces.filter(({ category, chunk }) => {
      const { instance, number } = parseChunkName(chunk)!;
      return this.backlog.get(category, instance, number) !== undefined;
    });
    if (lacking.length > 0) await this.#downloads.append(lacking);
  }

  /** @param ofPeer the peer is what failed, and not this node's disk */
  #failed(error: unknown, ofPeer: boolean): void {
    this.#unansweredMs = undefined;
    this.#trouble.note(error);
    if (ofPeer) this.#become(false);
  }

  /** A peer that answers at once that there is nothing new is not asked again at once. */
  async #breathe({ copies, acknowledged, consumers, more }: ChangesAnswer): Promise<void> {
    const { clock } = this.#context;
    const isEmpty = copies.length + acknowledged.length + consumers.length === 0 && !more;
    if (!isEmpty || !this.#waits || clock.monotonic() - this.#askedMs >= EMPTY_ANSWER_MS_MIN) return;
    await this.#rest(EMPTY_ANSWER_MS_MIN);
  }

  #isCurrent(): boolean {
    return this.reachable && this.listed && this.backlog.bytes === 0;
  }

  #noteCurrent(): void {
    if (this.#isCurrent()) this.#currentMs = this.#context.clock.monotonic();
  }

  #become(reachable: boolean): void {
    if (this.reachable === reachable) return;
    this.reachable = reachable;
    this.sinceMs = this.#context.clock.monotonic();
  }

  /** Waits before the next attempt; less if the peer shows that it is there. */
  #pause(): Promise<void> {
    return this.#rest(this.#trouble.pauseMs());
  }

  #rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#context.clock.after(ms, resolve);
      const kick = (): void => {
        cancel();
        resolve();
      };
      this.#kick = kick;
    });
  }
}
