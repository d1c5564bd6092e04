/**
 * Carries out what is to be done about a peer's copies: fetches what is missing, completes, syncs, cuts.
 *
 * Lanes (one per category and owner) are worked off in the order of their chunks, several lanes at once, up to a bound
 * of bytes per run. While what was fetched is appended, the next range of the lane is on its way. Small chunks share a
 * request, and the sync of their directory.
 *
 * An answer is believed only as far as it continues the local copy: offset and rolling CRC, which the store checks. A
 * range that does not is a conflict: reported, left alone until the peer says something new of the chunk.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import {
  DOWNLOAD_LANES_MAX,
  FETCH_BYTES_MIN,
  FETCH_TIMEOUT_MS,
  REPLICATION_FETCH_BYTES_MAX,
  REPLICATION_WANTED_MAX,
} from "../protocol/limits.ts";
import { parseChunkName } from "../protocol/names.ts";
import { CopyMismatchError } from "../storage/copies.ts";
import type { Backlog, Entry, Lane } from "./backlog.ts";
import type { ClusterContext } from "./context.ts";
import { localCopy } from "./local_copy.ts";
import type { CopyState, FetchAnswer, Peer, Piece, Wanted } from "./peer.ts";
import { plan, type Step } from "./plan.ts";
import { within } from "./within.ts";

/** What downloads ask of their follower. */
export interface DownloadRules {
  /** Whether a chunk may be taken from this peer. */
  mayTake(category: string, owner: string, number: number, localSize: number): boolean;
  /** This node's copy has changed. */
  changed(category: string, chunk: string): void;
  /** Something was done about a chunk: what is left to do is to be found out anew. */
  settled(remote: CopyState): void;
}

/** What came of one peer's copies since the start. */
export interface Received {
  /** Bytes of messages that were appended to copies here. */
  bytes: number;
  /** How often a copy of the peer turned out to be no continuation of this node's. */
  conflicts: number;
}

/** Works off one peer's backlog. */
export class Downloads {
  readonly #context: ClusterContext;
  readonly #peer: Peer;
  readonly #backlog: Backlog;
  readonly #rules: DownloadRules;
  /** Less when an answer does not come in time, so that a slow peer still gets somewhere. */
  #fetchBytes = REPLICATION_FETCH_BYTES_MAX;
  /**
   * The peer's process whose listing is worked off: what comes from it is not told to it. Another process of the peer is
   * told, even if what comes late is from the one before: that one may have had what this one lost.
   */
  source = "";
  /** The last run was ended by the peer, and not by something here. */
  peerFailed = false;
  /** Only grows. */
  readonly received: Received = { bytes: 0, conflicts: 0 };

  constructor(context: ClusterContext, peer: Peer, backlog: Backlog, rules: DownloadRules) {
    this.#context = context;
    this.#peer = peer;
    this.#backlog = backlog;
    this.#rules = rules;
  }

  /** Whether a run would find anything to do. */
  canGoOn(): boolean {
    return this.#backlog.lanes().some((lane) => !this.#next(lane).next().done);
  }

  /** Does what is to be done, until about `bytesMax` bytes were fetched. Rejects when the peer fails. */
  async run(bytesMax: number): Promise<void> {
    let left = bytesMax;
    this.peerFailed = false;
    // One way through all of them, which those who work share. There may be one for each of 100,000 categories.
    const lanes = this.#backlog.lanes().values();
    const work = async (): Promise<void> => {
      for (const lane of lanes) {
        if (left <= 0) return;
        this.#backlog.rotate(lane);
        left -= await this.#workOff(lane, left);
      }
    };
    const ended = await Promise.allSettled(Array.from({ length: DOWNLOAD_LANES_MAX }, work));
    for (const one of ended) if (one.status === "rejected") throw one.reason;
  }

  /** Appends pieces that came from the peer, in order. */
  async append(pieces: readonly Piece[]): Promise<void> {
    const { store } = this.#context;
    for (const [category, own] of Map.groupBy(pieces, (piece) => piece.category)) {
      const names = [...new Set(own.map(({ chunk }) => chunk))].filter((name) =>
        !store.chunk(category, name)
      );
      if (names.length > 0) await store.prepareCopies(category, names);
      const syncs: Promise<void>[] = [];
      for (const piece of own) {
        const { instance, number } = parseChunkName(piece.chunk)!;
        const lane = this.#backlog.lane(category, instance);
        const entry = lane?.get(number);
        // Only what is next in its lane: what lies before it may have failed.
        if (!lane || !entry || this.#next(lane).next().value !== entry) continue;
        this.#appendPiece(piece, entry);
        // A conflict, or nothing may be appended to it. To look at it anew would be to ask for the same bytes again at
        // once, and for ever.
        if (entry.resting) continue;
        // Before anything of the next chunk: readers find a chunk complete when they come to its end.
        const sync = this.#settle(entry);
        if (!sync) continue;
        // It may fail while something else is waited for; it is awaited below.
        sync.catch(() => {});
        syncs.push(sync);
      }
      await Promise.all(syncs);
    }
  }

  #appendPiece(piece: Piece, entry: Entry): void {
    if (this.#context.store.chunk(piece.category, piece.chunk)?.poisoned) {
      // A sync of it has failed: nothing is appended before the next start. Others must not wait for that.
      entry.resting = true;
      return;
    }
    try {
      const done = this.#context.store.appendCopy(piece, this.source);
      if (done !== "appended") return;
      this.received.bytes += piece.bytes.length;
      this.#rules.changed(piece.category, piece.chunk);
    } catch (error) {
      if (!(error instanceof CopyMismatchError)) throw error;
      this.#conflict(entry, error.message);
    }
  }

  /** Does what needs no more bytes, as far as that is known; a promise if a sync has to be waited for. */
  #settle(entry: Entry): Promise<void> | undefined {
    const { store } = this.#context;
    const { remote } = entry;
    const { category, chunk } = remote;
    switch (this.#stepOf(entry)) {
      case "complete":
        if (localCopy(store, category, chunk).active) return this.#retire(entry);
        if (!this.#complete(remote)) {
          // Poisoned, or damaged: what becomes of it is not up to a peer.
          entry.resting = true;
          this.#backlog.lacks(entry, 0);
          return undefined;
        }
        this.#rules.changed(category, chunk);
        // It may be asked to be synced, too.
        if (this.#stepOf(entry) === "sync") return this.#sync(entry);
        break;
      case "sync":
        return this.#sync(entry);
      case "conflict":
        this.#conflict(entry, "two copies of one size differ, or a peer holds more than its owner");
        return undefined;
    }
    this.#rules.settled(remote);
    return undefined;
  }

  #complete({ category, chunk, size, rolling, finalised }: CopyState): boolean {
    return this.#context.store.completeCopy(category, chunk, size, rolling, finalised, this.source);
  }

  /** Others have taken this node for gone: what it appends from now on goes into another chunk. */
  async #retire({ remote }: Entry): Promise<void> {
    await this.#context.store.retire(remote.category, remote.chunk);
    this.#rules.settled(remote);
  }

  async #sync(entry: Entry): Promise<void> {
    const { category, chunk } = entry.remote;
    await this.#context.store.syncCopy(category, chunk);
    this.#rules.changed(category, chunk);
    this.#rules.settled(entry.remote);
  }

  async #cut(entry: Entry): Promise<void> {
    const { category, chunk, size, rolling } = entry.remote;
    try {
      await this.#context.store.cutExcess(category, chunk, size, rolling);
      this.#rules.changed(category, chunk);
      this.#rules.settled(entry.remote);
    } catch (error) {
      if (error instanceof CopyMismatchError) this.#conflict(entry, error.message);
      else if (error instanceof ChukchaError && error.code === "damaged") entry.resting = true;
      else throw error;
    }
  }

  #stepOf({ remote }: Entry): Step {
    const { instance, number } = parseChunkName(remote.chunk)!;
    const { store } = this.#context;
    if (store.isAcknowledged(remote.category, instance, number)) return "nothing";
    return plan(localCopy(store, remote.category, remote.chunk), remote);
  }

  /** Two copies that cannot both be right: loud, once for each thing that the peer says. */
  #conflict(entry: Entry, why: string): void {
    if (entry.resting) return;
    entry.resting = true;
    const { category, chunk, size, complete } = entry.remote;
    // Of what nothing vouches for here, the others, or its owner, know better.
    const knowsBetter = complete || parseChunkName(chunk)!.instance === this.#peer.instance;
    if (knowsBetter && this.#context.store.giveUp(category, chunk)) return;
    this.received.conflicts++;
    this.#context.log.error("a peer's copy is not a continuation of this node's; both are kept as they are", {
      peer: this.#peer.instance,
      category,
      chunk,
      size,
      error: why,
    });
  }

  /** What is to be done in a lane, in order, up to what may not be taken from this peer. */
  *#next(lane: Lane): Generator<Entry> {
    for (const entry of lane.inOrder()) {
      if (entry.resting) continue;
      const { category } = lane;
      const local = localCopy(this.#context.store, category, entry.remote.chunk);
      if (entry.lackBytes > 0 && !this.#rules.mayTake(category, lane.owner, entry.number, local.size)) return;
      yield entry;
    }
  }

  /** Works one lane off, until about `bytesMax` were fetched; returns how many were. */
  async #workOff(lane: Lane, bytesMax: number): Promise<number> {
    let fetched = 0;
    let wanted = await this.#prepare(lane);
    let pending = this.#request(wanted);
    while (pending) {
      const answer = await pending;
      const asked = wanted;
      const bytes = answer.pieces.reduce((sum, piece) => sum + piece.bytes.length, 0);
      fetched += bytes;
      this.#leaveAlone(lane, answer.unreadable);
      // From here on the copies are as long as these pieces make them: what follows can be asked for.
      const behind = new Map(answer.pieces.map(({ chunk, offset, bytes }) => [chunk, offset + bytes.length]));
      const more = bytes > 0 && fetched < bytesMax;
      wanted = more ? this.#wanted(lane, behind) : [];
      pending = this.#request(wanted);
      await this.append(answer.pieces);
      if (bytes === 0 && answer.unreadable.length === 0) this.#leaveAlone(lane, asked);
    }
    return fetched;
  }

  /** Does what needs no bytes at the front of a lane; returns what is to be fetched behind it. */
  async #prepare(lane: Lane): Promise<Wanted[]> {
    for (const entry of this.#next(lane)) {
      const step = this.#stepOf(entry);
      if (step === "download") break;
      if (step === "cut") await this.#cut(entry);
      else await this.#settle(entry);
    }
    return this.#wanted(lane, new Map());
  }

  /** The next ranges of a lane, if copies were as long as `behind` says. */
  #wanted(lane: Lane, behind: ReadonlyMap<string, number>): Wanted[] {
    const wanted: Wanted[] = [];
    let bytes = 0;
    for (const entry of this.#next(lane)) {
      if (bytes >= this.#fetchBytes || wanted.length >= REPLICATION_WANTED_MAX) break;
      const { category, chunk, size } = entry.remote;
      const offset = behind.get(chunk) ?? localCopy(this.#context.store, category, chunk).size;
      if (offset >= size) {
        // Something else is to be done about this one first.
        if (behind.has(chunk)) continue;
        break;
      }
      wanted.push({ category, chunk, offset });
      bytes += size - offset;
    }
    return wanted;
  }

  #request(wanted: readonly Wanted[]): Promise<FetchAnswer> | undefined {
    if (wanted.length === 0) return undefined;
    const answer = this.#ask(wanted);
    // It may fail while something else is waited for; whoever awaits it is told then.
    answer.catch(() => {});
    return answer;
  }

  async #ask(wanted: readonly Wanted[]): Promise<FetchAnswer> {
    const { clock, own, identities, store } = this.#context;
    // What cannot be stored need not be sent.
    store.admitCopies();
    let answer: FetchAnswer;
    try {
      answer = await within(clock, this.#peer.fetch(own, wanted, this.#fetchBytes), FETCH_TIMEOUT_MS);
    } catch (error) {
      this.#fetchBytes = Math.max(FETCH_BYTES_MIN, this.#fetchBytes / 4);
      this.peerFailed = true;
      throw error;
    }
    this.#fetchBytes = Math.min(REPLICATION_FETCH_BYTES_MAX, this.#fetchBytes * 2);
    identities.observe(answer.node);
    if (answer.node.instance !== this.#peer.instance) {
      throw new ChukchaError("invalid_parameter", `peers: another node answers at ${this.#peer.url}`);
    }
    const asked = new Set(wanted.map(({ category, chunk }) => `${category}/${chunk}`));
    const stranger = answer.pieces.find(({ category, chunk }) => !asked.has(`${category}/${chunk}`));
    if (stranger) {
      throw new Error(`${this.#peer.instance} answered with ${stranger.chunk}, which was not asked for`);
    }
    return answer;
  }

  #leaveAlone(lane: Lane, unreadable: readonly Wanted[]): void {
    for (const { chunk } of unreadable) {
      const entry = lane.get(parseChunkName(chunk)?.number ?? -1);
      if (!entry) continue;
      entry.resting = true;
      this.#context.log.warn(
        "a peer cannot read a chunk that it holds; it is taken from elsewhere, or later",
        {
          peer: this.#peer.instance,
          category: lane.category,
          chunk,
        },
      );
    }
  }
}
