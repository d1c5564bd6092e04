/**
 * Completes what an owner will not complete any more: after `--finalize-after` without a sign of it.
 *
 * A sign is an answer or a request of its own, or what a peer says of having had one: a node that this one cannot reach
 * is not gone as long as others can. Time is this process's own, from its start: a wall clock that jumps finalises
 * nothing, and a node that was away for a month does not conclude that all others were.
 *
 * What a crash leaves: chunks that were finalised, and chunks that will be.
 *
 * @module
 */
import { FINALISE_CHECK_MS } from "../protocol/limits.ts";
import type { CancelTimer } from "../storage/clock.ts";
import type { ClusterContext } from "./context.ts";
import type { Follower } from "./follower.ts";

/** Looks for owners that are gone, from time to time. */
export class Finalising {
  readonly #context: ClusterContext;
  readonly #followers: ReadonlyMap<string, Follower>;
  readonly #afterMs: number;
  readonly #looked: () => void;
  #cancelTimer: CancelTimer = () => {};

  /** @param looked called after each look */
  constructor(
    context: ClusterContext,
    followers: ReadonlyMap<string, Follower>,
    afterMs: number,
    looked: () => void,
  ) {
    this.#context = context;
    this.#followers = followers;
    this.#afterMs = afterMs;
    this.#looked = looked;
  }

  /** Begins. */
  start(): void {
    this.#cancelTimer = this.#context.clock.after(Math.min(FINALISE_CHECK_MS, this.#afterMs / 4), () => {
      this.#look();
      this.#looked();
      this.start();
    });
  }

  /** Ends. */
  close(): void {
    this.#cancelTimer();
  }

  #look(): void {
    const { store, identities, log } = this.#context;
    for (const { category, chunk } of [...store.incompleteCopies()]) {
      const silentMs = identities.silentMs(chunk.instance);
      if (silentMs < this.#afterMs || this.#isFetched(category, chunk.instance, chunk.number)) continue;
      store.finaliseCopy(category, chunk.name);
      log.warn("an owner has not been heard of for --finalize-after: its chunk is complete as it is here", {
        category,
        chunk: chunk.name,
        bytes: chunk.size,
        silentMs: Math.round(silentMs),
      });
    }
  }

  /** Whether a peer that can be reached has more of it. */
  #isFetched(category: string, owner: string, number: number): boolean {
    for (const { backlog, reachable } of this.#followers.values()) {
      const entry = backlog.get(category, owner, number);
      if (reachable && entry && entry.lackBytes > 0 && !entry.resting) return true;
    }
    return false;
  }
}
