/**
 * What a node has to learn from its peers about its own past: which chunk numbers its name has used, and whether anyone
 * holds a longer prefix of what it was writing when it died.
 *
 * Both need every peer's whole listing, seen in this run. With an empty disk the node takes no writes before that
 * (`--bootstrap` skips it), and then goes on {@linkcode NUMBERS_SKIPPED} numbers behind the largest: the disk that was
 * lost may have held chunks that no peer had heard of. With a disk it takes writes at once, into new chunks; only its
 * old ones stay open until all were asked, or `--finalize-after` has passed for those that cannot be.
 *
 * What a crash leaves: the node has joined or has not (`node.json`); chunks that were not settled are unsettled again.
 *
 * Rejected: random chunk numbers (nobody could tell how many chunks came before), and asking a majority only (the one
 * peer that is away may be the one that knows).
 *
 * @module
 */
import { NUMBERS_SKIPPED } from "../protocol/limits.ts";
import type { ClusterContext } from "./context.ts";
import type { Follower } from "./follower.ts";

/** Learns a node's own past. */
export class Joining {
  readonly #context: ClusterContext;
  readonly #followers: ReadonlyMap<string, Follower>;
  readonly #finaliseAfterMs: number;
  readonly #startMs: number;
  /** Largest number of an own chunk that a peer knows of; -1 for none. */
  #largestUsed = -1;
  #joining = false;

  constructor(context: ClusterContext, followers: ReadonlyMap<string, Follower>, finaliseAfterMs: number) {
    this.#context = context;
    this.#followers = followers;
    this.#finaliseAfterMs = finaliseAfterMs;
    this.#startMs = context.clock.monotonic();
  }

  /** A peer knows of a chunk with this number. */
  used(category: string, number: number): void {
    this.#largestUsed = Math.max(this.#largestUsed, number);
    this.#context.store.noteUsed(category, number);
  }

  /** Names of the peers whose listings were not seen yet. */
  waitingFor(): string[] {
    return [...this.#followers.values()].filter(({ listed }) => !listed).map(({ peer }) => peer.instance);
  }

  /** Does what can be done by now; costs nothing when there is nothing left to do. */
  async check(): Promise<void> {
    const { store, clock, log } = this.#context;
    const isAll = this.waitingFor().length === 0;
    if (!store.joined && isAll && !this.#joining) {
      this.#joining = true;
      const first = this.#largestUsed < 0 ? 0 : this.#largestUsed + 1 + NUMBERS_SKIPPED;
      try {
        await store.join(first);
        log.info("joined: every peer was asked which chunk numbers this node has used", { first });
      } finally {
        this.#joining = false;
      }
    }
    const isLate = clock.monotonic() - this.#startMs >= this.#finaliseAfterMs;
    if (!isAll && !isLate) return;
    for (const { category, chunk } of [...store.unsettled()]) {
      if (this.#isOffered(category, chunk.instance, chunk.number)) continue;
      store.settle(category, chunk.name, !isAll);
    }
  }

  /** Whether some peer has more of it than there is here, and may be asked for it. */
  #isOffered(category: string, owner: string, number: number): boolean {
    for (const { backlog } of this.#followers.values()) {
      const entry = backlog.get(category, owner, number);
      if (entry && entry.lackBytes > 0) return true;
    }
    return false;
  }
}
