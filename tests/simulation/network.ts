/**
 * The network between simulated nodes and clients: calls that take time, get lost, come twice, and are cut off.
 *
 * A call has two ways, there and back, and each is a link of its own: what is lost on a link is never answered, what is
 * cut is refused or reset at once. Whoever calls has to bound how long it waits.
 *
 * @module
 */
import type { SeededRandom } from "../support/seeded_random.ts";
import type { Life, Timeline } from "./timeline.ts";

/** How one direction between two places is. */
export interface Link {
  /**
   * `lost`: nothing arrives and nobody is told; `cut`: whoever sends is told at once; `held`: what is sent arrives when
   * the link is up again, in the middle of whatever has been done without it.
   */
  state: "up" | "lost" | "cut" | "held";
  heldUntilMs: number;
  /** Share of what is sent that gets lost although it is up. */
  loss: number;
  /** Share of requests that arrive twice. */
  twice: number;
  latencyMs: number;
  jitterMs: number;
}

/** A link without faults. */
export const GOOD_LINK: Link = { state: "up", heldUntilMs: 0, loss: 0, twice: 0, latencyMs: 1, jitterMs: 1 };

/** All links. */
export class Network {
  readonly #timeline: Timeline;
  readonly #random: SeededRandom;
  readonly #links = new Map<string, Link>();
  /** What links are that nobody said anything about. */
  defaultLink: Link = { ...GOOD_LINK };

  constructor(timeline: Timeline, random: SeededRandom) {
    this.#timeline = timeline;
    this.#random = random;
  }

  /** The link from one place to another, to be changed at will. */
  link(from: string, to: string): Link {
    const key = `${from}>${to}`;
    let link = this.#links.get(key);
    if (!link) this.#links.set(key, link = { ...this.defaultLink });
    return link;
  }

  /** All links are as good as new. */
  heal(): void {
    this.#links.clear();
    this.defaultLink = { ...GOOD_LINK };
  }

  /**
   * Calls `answer` at another place and brings back what it resolves to. Never resolves if anything was lost, or if one
   * of the two is dead by then.
   *
   * @param target the process that is called; looked up when the request arrives
   */
  call<T>(
    from: Life,
    to: string,
    target: () => Life | undefined,
    answer: () => Promise<T>,
    cancel?: AbortSignal,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      // A process that has just died sends nothing any more.
      if (!from.alive) return;
      const there = this.link(from.name, to);
      let arrived = false;
      const fail = (message: string): void =>
        void this.#timeline.schedule(this.#delay(there), () => reject(new Error(message)), from);
      if (there.state === "cut") return fail("no route to host");
      const arrive = (): void => {
        const life = target();
        if (!life) return fail("connection refused");
        arrived = true;
        answer().then(
          (value) => this.#back(from, to, life, cancel, () => resolve(value), reject),
          (error) => this.#back(from, to, life, cancel, () => reject(error), reject),
        );
      };
      if (there.state === "lost" || this.#rolls(there.loss)) return;
      // Delivered to whoever lives there then: the process that is paused gets it later.
      this.#timeline.schedule(this.#delay(there), arrive, target());
      // What comes once more is carried out once more, and nobody takes its answer.
      const again = (): void => {
        if (arrived && target()) answer().catch(() => {});
      };
      // Clients' requests do not come again by themselves.
      if (from.name.startsWith("n") && this.#rolls(there.twice)) {
        this.#timeline.schedule(this.#delay(there) * 5, again, target());
      }
    });
  }

  #back(
    from: Life,
    to: string,
    answering: Life,
    cancel: AbortSignal | undefined,
    deliver: () => void,
    reject: (error: Error) => void,
  ): void {
    const back = this.link(to, from.name);
    if (!answering.alive || cancel?.aborted) return;
    if (back.state === "lost" || this.#rolls(back.loss)) return;
    const cut = back.state === "cut";
    this.#timeline.schedule(
      this.#delay(back),
      cut ? () => reject(new Error("connection reset")) : deliver,
      from,
    );
  }

  #rolls(share: number): boolean {
    return share > 0 && this.#random.number() < share;
  }

  /** Whether an answer that was given before comes instead of the one that was asked for. */
  repeats(from: string, to: string): boolean {
    return this.#rolls(this.link(from, to).twice);
  }

  #delay({ state, heldUntilMs, latencyMs, jitterMs }: Link): number {
    const heldMs = state === "held" ? Math.max(0, heldUntilMs - this.#timeline.nowMs) : 0;
    return heldMs + latencyMs + this.#random.number() * jitterMs;
  }
}
