/**
 * The other node of a cluster of two, as far as the one that is measured can see: it polls, and holds nothing.
 *
 * @module
 */
import { decodeChangesAnswer, encodeChangesRequest } from "../../../lib/replication/wire.ts";
import { type Asked, get } from "./load.ts";
import { GHOST } from "./node.ts";

const INCARNATION = "growth";

/** Polls a node that was started as a member. */
export class Ghost {
  readonly #node: Asked;
  #cursor = "";

  constructor(node: Asked) {
    this.#node = node;
  }

  /** One poll from where the last one ended; returns the size of the answer, and whether there is more right now. */
  async poll(): Promise<{ bytes: number; more: boolean }> {
    const body = encodeChangesRequest({
      from: { instance: GHOST, incarnation: INCARNATION, run: INCARNATION },
      cursor: this.#cursor,
      held: [],
      relay: [],
      behindBytes: 0,
      waitMs: 0,
    });
    const answer = await get(this.#node, "/replication/changes", { method: "POST", body });
    const { cursor, more } = decodeChangesAnswer(answer);
    this.#cursor = cursor;
    return { bytes: answer.length, more };
  }

  /** Polls until there is no more; returns the size of all answers. */
  async catchUp(): Promise<number> {
    for (let sum = 0;;) {
      const { bytes, more } = await this.poll();
      sum += bytes;
      if (!more) return sum;
    }
  }

  /** From now on it is as if it had never asked. */
  forget(): void {
    this.#cursor = "";
  }
}
