/**
 * Takes an acknowledgement at any node, also at one whose copy is behind.
 *
 * Readers move between nodes: the chunk was complete where it was read, and this copy may be behind by milliseconds, or
 * by an hour. Nobody but the owner knows for certain what is complete, so the owner is asked; where it cannot be reached,
 * whoever says that the chunk is complete or acknowledged is as good, since neither is ever taken back. As long as
 * nobody knows, the answer waits, and then is a 503.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { ACK_WAIT_MS, ANSWER_MS_MAX } from "../protocol/limits.ts";
import { parseChunkName } from "../protocol/names.ts";
import type { ClusterContext } from "./context.ts";
import type { Follower } from "./follower.ts";
import type { CopyState } from "./peer.ts";
import { within } from "./within.ts";

/** What can be said about a chunk that is not complete here. */
type Verdict = "acknowledged" | "open" | "unknown" | "nobody knows" | CopyState;

/** Acknowledges chunks on behalf of a cluster. */
export class Acknowledging {
  readonly #context: ClusterContext;
  readonly #followers: ReadonlyMap<string, Follower>;

  constructor(context: ClusterContext, followers: ReadonlyMap<string, Follower>) {
    this.#context = context;
    this.#followers = followers;
  }

  /**
   * Acknowledges a chunk of which its reader has seen `size` bytes, on every node.
   *
   * Rejects with `ChukchaError`: `not_complete`, `chunk_not_found`, `behind` (nobody could be asked), or what the disk said.
   */
  async acknowledge(category: string, chunk: string, size: number): Promise<void> {
    const { store, clock } = this.#context;
    const deadlineMs = clock.monotonic() + ACK_WAIT_MS;
    for (;;) {
      try {
        return await store.acknowledge(category, chunk, size);
      } catch (error) {
        if (!this.#mayKnowLess(error, category, chunk)) throw error;
        const verdict = await this.#ask(category, chunk);
        if (verdict === "acknowledged") return;
        if (verdict === "open" || verdict === "unknown") throw error;
        if (typeof verdict === "object") return await this.#take(verdict, size);
        if (clock.monotonic() >= deadlineMs) {
          throw new ChukchaError(
            "behind",
            `ack: ${chunk} is not complete on this node, and its owner cannot be asked now; retry, or ack elsewhere`,
            { cause: error },
          );
        }
        await this.#news(deadlineMs);
      }
    }
  }

  /** Whether the copy here may be behind what the reader has seen. */
  #mayKnowLess(error: unknown, category: string, chunk: string): boolean {
    if (!(error instanceof ChukchaError)) return false;
    if (error.code !== "not_complete" && error.code !== "chunk_not_found") return false;
    const { own, store } = this.#context;
    const known = store.chunk(category, chunk);
    if (known?.complete) return false;
    return parseChunkName(chunk)?.instance !== own.instance || known?.settled === false || !store.joined;
  }

  /** Asks the owner, or everybody if it does not answer. */
  async #ask(category: string, chunk: string): Promise<Verdict> {
    const { instance } = parseChunkName(chunk)!;
    const owner = this.#followers.get(instance);
    if (owner?.reachable) {
      const verdict = await this.#askOne(owner, category, chunk);
      if (verdict !== "nobody knows") return verdict;
    }
    const others = [...this.#followers.values()].filter((other) => other !== owner && other.reachable);
    const verdicts = await Promise.all(others.map((other) => this.#askOne(other, category, chunk)));
    const certain = verdicts.find((verdict) => verdict === "acknowledged" || typeof verdict === "object");
    if (certain) return certain;
    // An owner outside of the cluster will never say anything: what nobody has is not there.
    const isStranger = instance !== this.#context.own.instance && owner === undefined;
    const isAll = others.length === this.#followers.size &&
      verdicts.every((verdict) => verdict !== "nobody knows");
    return isStranger && isAll ? "unknown" : "nobody knows";
  }

  async #askOne({ peer }: Follower, category: string, chunk: string): Promise<Verdict> {
    const { own, clock, identities, log } = this.#context;
    try {
      const { node, state } = await within(clock, peer.knows(own, category, chunk), ANSWER_MS_MAX);
      identities.observe(node);
      if (typeof state !== "object") return state;
      return state.complete ? state : "open";
    } catch (error) {
      log.debug("a peer could not be asked about a chunk", {
        peer: peer.instance,
        chunk,
        error: String(error),
      });
      return "nobody knows";
    }
  }

  /** The chunk is complete elsewhere: that is enough, whether this copy is or not. */
  async #take({ category, chunk, size: complete, finalised }: CopyState, size: number): Promise<void> {
    if (size < complete) {
      throw new ChukchaError(
        "not_complete",
        `size: ${size} does not cover the ${complete} bytes of ${chunk}`,
      );
    }
    const { instance, number } = parseChunkName(chunk)!;
    const sizes = new Map(finalised ? [[number, complete]] : []);
    await this.#context.store.mergeAcknowledged(
      category,
      instance,
      { ranges: [[number, number]], sizes },
      undefined,
    );
  }

  /** Resolves when something has changed here, or at the deadline; not at once. */
  #news(deadlineMs: number): Promise<void> {
    const { clock, store } = this.#context;
    return new Promise((resolve) => {
      const wake = (): void => {
        unwatch();
        cancelTimer();
        resolve();
      };
      const unwatch = store.changes.watch(wake);
      const cancelTimer = clock.after(
        Math.max(0, Math.min(deadlineMs - clock.monotonic(), ACK_WAIT_MS / 5)),
        wake,
      );
    });
  }
}
