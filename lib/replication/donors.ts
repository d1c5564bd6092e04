/**
 * Where a node that heals a damaged chunk gets good bytes from: any peer that can be reached and has them.
 *
 * A peer reads exactly what is asked for, verifies it, and leaves out what is damaged there, too. So several peers can
 * be asked for the parts of one range. What comes is not believed here: the healed chunk is examined as a whole, against
 * this node's own records, before anybody sees it.
 *
 * @module
 */
import { FETCH_TIMEOUT_MS } from "../protocol/limits.ts";
import type { Chunk } from "../storage/chunk.ts";
import type { ClusterContext } from "./context.ts";
import type { Follower } from "./follower.ts";
import { within } from "./within.ts";

/** Asks the peers. */
export class Donors {
  readonly #context: ClusterContext;
  readonly #followers: ReadonlyMap<string, Follower>;
  /** Who gave something last is asked first. */
  #last: string | undefined;

  constructor(context: ClusterContext, followers: ReadonlyMap<string, Follower>) {
    this.#context = context;
    this.#followers = followers;
  }

  /** Bytes of the chunk from `from` on, at most up to `to`; `undefined` if nobody who can be reached has them. */
  async give(chunk: Chunk, from: number, to: number): Promise<Uint8Array | undefined> {
    const reachable = [...this.#followers.values()].filter((follower) => follower.reachable);
    for (const follower of reachable.sort((a, b) => this.#rank(a) - this.#rank(b))) {
      const bytes = await this.#ask(follower, chunk, from, to);
      if (!bytes) continue;
      this.#last = follower.peer.instance;
      return bytes;
    }
    return undefined;
  }

  #rank({ peer }: Follower): number {
    return peer.instance === this.#last ? 0 : 1;
  }

  async #ask(
    { peer }: Follower,
    chunk: Chunk,
    from: number,
    to: number,
  ): Promise<Uint8Array | undefined> {
    const { clock, own, log } = this.#context;
    const length = to - from;
    const wanted = { category: chunk.category, chunk: chunk.name, offset: from, length };
    try {
      const answer = await within(clock, peer.fetch(own, [wanted], length), FETCH_TIMEOUT_MS);
      if (answer.node.instance !== peer.instance) return undefined;
      const piece = answer.pieces.find((one) => one.category === chunk.category && one.chunk === chunk.name);
      if (!piece || piece.offset !== from || piece.bytes.length === 0) return undefined;
      return piece.bytes.subarray(0, length);
    } catch (error) {
      // The follower of that peer reports what is wrong with it; another peer is asked.
      log.debug("a peer could not be asked for bytes of a damaged chunk", {
        peer: peer.instance,
        chunk: chunk.dataPath,
        error: error instanceof Error ? error.message : String(error),
      });
      return undefined;
    }
  }
}
