/**
 * One node's part in its cluster: a follower for each peer, the answers to theirs, and what follows from both.
 *
 * Owns no data: that is the store's. Refuses writes as long as this node has not joined, or another live node has its
 * name. Alone (no peers) there is no cluster, and none of this is built.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import type { Log } from "../protocol/log.ts";
import { TROUBLE_LOG_INTERVAL_MS } from "../protocol/limits.ts";
import { parseChunkName } from "../protocol/names.ts";
import type { HealthCheck, PeerStatus } from "../protocol/types.ts";
import type { Stored } from "../storage/batches.ts";
import type { Clock } from "../storage/clock.ts";
import type { Random } from "../storage/random.ts";
import type { Store } from "../storage/store.ts";
import { Acknowledging } from "./acknowledging.ts";
import { Answers } from "./answers.ts";
import { Confirmations, type Demand } from "./confirmations.ts";
import type { ClusterContext } from "./context.ts";
import { Donors } from "./donors.ts";
import { Finalising } from "./finalising.ts";
import { Follower } from "./follower.ts";
import { Identities } from "./identities.ts";
import { Joining } from "./joining.ts";
import type { Answerer, Held, Peer } from "./peer.ts";

/** What a cluster's node is built from. */
export interface ClusterSeams {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The other nodes; at least one. */
  readonly peers: readonly Peer[];
  /** How long an owner may be silent before others complete its chunks. */
  readonly finaliseAfterMs: number;
}

/** What is measured of another node, as this one sees it. */
export interface PeerMeter {
  readonly instance: string;
  /** It answered when it was last asked. */
  readonly reachable: boolean;
  /** Bytes that this node lacks of what the peer holds, of each category that lacks some. */
  readonly behindBytes: ReadonlyMap<string, number>;
  /** Milliseconds since this node last knew that it lacks nothing; 0 as long as it knows that. */
  readonly behindMs: number;
  /** Bytes that the peer said it lacks of what this node holds; `undefined` as long as it said nothing. */
  readonly lagBytes: number | undefined;
  /** Bytes of messages that were taken from it. */
  readonly receivedBytes: number;
  /** How often a copy of the peer was no continuation of this node's. */
  readonly conflicts: number;
  /** How often following it failed. */
  readonly failures: number;
}

/** A node among others. */
export class Cluster {
  readonly #context: ClusterContext;
  readonly #followers = new Map<string, Follower>();
  readonly #answers: Answers;
  readonly #joining: Joining;
  readonly #finalising: Finalising;
  readonly #acknowledging: Acknowledging;
  /** What waits for a peer to be up to date; called after each poll of one. */
  readonly #polled = new Set<() => void>();
  /** When the log was last told that joining failed. */
  #joinToldMs = -Infinity;
  /** Peers that could not be reached when that was looked at last. */
  #silent: readonly string[] = [];

  constructor({ store, clock, random, log, peers, finaliseAfterMs }: ClusterSeams) {
    const own = { ...store.identity, run: random.id() };
    const identities = new Identities(own, clock, log, (instance) => this.#replaced(instance));
    this.#context = {
      own,
      peers: new Set(peers.map(({ instance }) => instance)),
      store,
      clock,
      random,
      log,
      identities,
      confirmations: new Confirmations(clock),
    };
    this.#answers = new Answers(this.#context, {
      asked: (instance) => this.#asked(instance),
      holds: (held) => this.#passOn(held),
    });
    this.#joining = new Joining(this.#context, this.#followers, finaliseAfterMs);
    this.#finalising = new Finalising(this.#context, this.#followers, finaliseAfterMs, () => this.#tidy());
    this.#acknowledging = new Acknowledging(this.#context, this.#followers);
    for (const peer of peers) {
      this.#followers.set(
        peer.instance,
        new Follower(peer, this.#context, {
          unreachable: () => this.#unreachable(),
          mayTake: (from, category, owner, number, localSize) =>
            this.#mayTake(from, category, owner, number, localSize),
          changed: (category, chunk) => this.#changed(category, chunk),
          used: (category, number) => this.#joining.used(category, number),
          ended: () => this.#ended(),
        }),
      );
    }
  }

  /** What peers are answered. */
  get answerer(): Answerer {
    return this.#answers;
  }

  /** Begins to follow the peers. */
  start(): void {
    const donors = new Donors(this.#context, this.#followers);
    this.#context.store.healWith((chunk, from, to) => donors.give(chunk, from, to));
    this.#followers.forEach((follower) => follower.start());
    this.#finalising.start();
  }

  /** Ends; resolves when nothing is under way any more. Answers all polls that wait. */
  async close(): Promise<void> {
    this.#finalising.close();
    this.#answers.close();
    await Promise.all(Array.from(this.#followers.values(), (follower) => follower.close()));
  }

  /** Why writes are refused now, if they are, or what else `action` is that makes something new of this node's own. */
  refusal(action = "write"): ChukchaError | undefined {
    for (const { refused, peer } of this.#followers.values()) {
      if (!refused) continue;
      return new ChukchaError(
        "not_joined",
        `${action}: ${peer.instance} refuses this node: ${refused.message}`,
      );
    }
    if (this.#context.store.joined) return undefined;
    return new ChukchaError(
      "not_joined",
      `${action}: the disk is new, and ${
        this.#joining.waitingFor().join(", ")
      } must be asked first which chunk ` +
        `numbers this node has used (--bootstrap starts without asking)`,
    );
  }

  /** Resolves once enough other nodes hold a write; rejects with `not_confirmed`. */
  async confirm(category: string, result: Stored, demand: Demand): Promise<void> {
    const { confirmations, store } = this.#context;
    const again = result.known !== undefined;
    const confirmed = confirmations.wait(category, result, { ...demand, again });
    // Behind the wait: what others are told now says that somebody waits.
    if (again) await Promise.all([confirmed, store.askAgain(category, result)]);
    else await confirmed;
  }

  /** Acknowledges a chunk on every node; see `acknowledging.ts`. */
  acknowledge(category: string, chunk: string, size: number): Promise<void> {
    return this.#acknowledging.acknowledge(category, chunk, size);
  }

  /** What must be well for this node to be sent requests. */
  checks(): HealthCheck[] {
    const refusal = this.refusal();
    const message = refusal?.message ?? "this node has joined its peers";
    return [{ name: "cluster", ok: refusal === undefined, message }];
  }

  /** Milliseconds since each other node was heard of, by this one or by others that said so; those never heard are left out. */
  heardMs(): ReadonlyMap<string, number> {
    return this.#context.identities.heard();
  }

  /** Until when this node has heard of all that happened at every peer; `undefined` if one of them cannot be asked now. */
  toldMs(): number | undefined {
    let earliest = Infinity;
    for (const { toldMs } of this.#followers.values()) {
      if (toldMs === undefined) return undefined;
      earliest = Math.min(earliest, toldMs);
    }
    return earliest;
  }

  /** How each peer is, as this node sees it. */
  status(): PeerStatus[] {
    const now = this.#context.clock.monotonic();
    return Array.from(this.#followers.values(), ({ peer, backlog, reachable, sinceMs, lastError }) => ({
      instance: peer.instance,
      url: peer.url,
      reachable,
      since_ms: Math.round(now - sinceMs),
      behind_bytes: backlog.bytes,
      behind_chunks: backlog.chunks,
      lag_bytes: this.#answers.lags.get(peer.instance) ?? null,
      last_error: lastError ?? null,
    }));
  }

  /** What is measured of each peer. */
  meters(): PeerMeter[] {
    return Array.from(
      this.#followers.values(),
      ({ peer, reachable, backlog, behindMs, received, failures }) => ({
        instance: peer.instance,
        reachable,
        behindBytes: backlog.bytesByCategory(),
        behindMs,
        lagBytes: this.#answers.lags.get(peer.instance),
        receivedBytes: received.bytes,
        conflicts: received.conflicts,
        failures,
      }),
    );
  }

  /** Resolves when every peer that can be reached has taken all that this node has done; or after `ms`. */
  replicated(ms: number): Promise<void> {
    const isDone = (): boolean =>
      [...this.#followers.values()].every(({ peer, reachable }) =>
        !reachable || this.#answers.isCurrent(peer.instance)
      );
    if (isDone()) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        this.#polled.delete(look);
        cancelTimer();
        resolve();
      };
      const look = (): void => {
        if (isDone()) end();
      };
      const cancelTimer = this.#context.clock.after(ms, end);
      this.#polled.add(look);
    });
  }

  // --- what the parts tell each other ---

  #asked(instance: string): void {
    this.#followers.get(instance)?.wake();
    this.#polled.forEach((look) => look());
  }

  /** Another process is behind this name: what the old one held has to be said again. */
  #replaced(instance: string): void {
    this.#context.confirmations.forget(instance);
    this.#answers.forget(instance);
  }

  /** A node that cannot reach an owner itself has told what it holds of its chunk. */
  #passOn(held: Held): void {
    const owner = parseChunkName(held.chunk)!.instance;
    if (owner !== held.instance) this.#followers.get(owner)?.speakFor(held);
  }

  /** This node's copy has changed: its owner is told, or whoever can tell it. */
  #changed(category: string, chunk: string): void {
    const owner = this.#followers.get(parseChunkName(chunk)!.instance);
    if (!owner) return;
    owner.report(category, chunk);
    if (owner.reachable) owner.kick();
    else this.#reportElsewhere(owner, category, chunk);
  }

  /** An owner that cannot be reached is told by others. */
  #reportElsewhere(owner: Follower, category: string, chunk: string): void {
    for (const follower of this.#followers.values()) if (follower !== owner) follower.report(category, chunk);
  }

  #unreachable(): string[] {
    return [...this.#followers.values()].filter(({ reachable }) => !reachable).map(({ peer }) =>
      peer.instance
    );
  }

  /**
   * From its owner, if that can be reached and has it. From anyone else only where it does not: nothing is fetched twice,
   * and who is closest to the source is asked first.
   */
  #mayTake(from: string, category: string, owner: string, number: number, localSize: number): boolean {
    const source = this.#followers.get(owner);
    if (owner === from || !source || !source.reachable) return true;
    if (!source.listed) return false;
    const entry = source.backlog.get(category, owner, number);
    return !entry || entry.resting || entry.remote.size <= localSize;
  }

  /** A follower's round has ended. */
  #ended(): void {
    const before = this.#silent;
    const now = this.#unreachable();
    if (now.length !== before.length || now.some((owner) => !before.includes(owner))) {
      this.#silent = now;
      if (before.some((owner) => !now.includes(owner))) this.#context.store.mayHeal();
      for (const instance of now) {
        if (before.includes(instance)) continue;
        // What it was still to be told.
        const owner = this.#followers.get(instance)!;
        for (const { category, chunk } of owner.untold()) this.#reportElsewhere(owner, category, chunk);
      }
      // What was left to an owner may have to be taken from others now, and they are to be told for whom.
      this.#followers.forEach((follower) => follower.kick());
      this.#polled.forEach((look) => look());
    }
    this.#check();
  }

  #tidy(): void {
    const { confirmations, store } = this.#context;
    confirmations.sweep((category, chunk) => store.chunk(category, chunk) !== undefined);
    this.#check();
  }

  #check(): void {
    this.#joining.check().catch((error) => {
      const { log, clock } = this.#context;
      // It is tried with every round, which may be for days.
      if (clock.monotonic() - this.#joinToldMs < TROUBLE_LOG_INTERVAL_MS) return;
      this.#joinToldMs = clock.monotonic();
      log.error("joining failed; it is tried again", { error: String(error) });
    });
  }
}
