/**
 * Answers that are streams and under way, of reads and between nodes: bounded in number, and in how long one may stand
 * still.
 *
 * Owns: the place that each has, and its pace, see `pace.ts`. Refuses: one more than the bound, with a 503; small
 * answers need no place and go on. An answer that is not taken any more lets go of its file and of what it has read; the
 * connection and the piece on its way, at most a MiB, are the runtime's until the client goes on, and is cut off then,
 * or leaves: so it keeps its place until then, and the bound holds for memory too.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import type { Clock } from "../storage/clock.ts";
import { allowedMs, Pace, type Runner } from "./pace.ts";

/** A bounded set of answers. */
export class OpenStreams {
  readonly #max: number;
  readonly #pace: Pace;
  #count = 0;

  constructor(clock: Clock, max: number) {
    this.#pace = new Pace(clock);
    this.#max = max;
  }

  /** How many are under way. */
  get count(): number {
    return this.#count;
  }

  /** The same bytes, as an answer that has its place. Throws `overloaded` at the bound, and lets `body` go. */
  open(what: string, body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    if (this.#count >= this.#max) {
      void body.cancel();
      throw new ChukchaError(
        "overloaded",
        `${what}: ${this.#max} large answers are under way on this node, the most it sends; ask again, or for less`,
      );
    }
    const pace = this.#pace;
    const reader = body.getReader();
    let cut = false;
    const runner: Runner = {
      slot: -1,
      dueMs: Infinity,
      expired: () => {
        cut = true;
        void reader.cancel();
      },
    };
    const end = (): void => {
      this.#count--;
      pace.end(runner);
    };
    this.#count++;
    pace.begin(runner);
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        runner.dueMs = Infinity;
        try {
          if (cut) throw new ChukchaError("overloaded", `${what}: the answer was not taken for too long`);
          const { done, value } = await reader.read();
          if (done) {
            end();
            return controller.close();
          }
          controller.enqueue(value);
          runner.dueMs = pace.nowMs + allowedMs(value.length);
        } catch (error) {
          end();
          throw error;
        }
      },
      cancel(reason) {
        end();
        return reader.cancel(reason);
      },
    }, { highWaterMark: 0 });
  }

  /** From now on no timer is left behind the last one. */
  close(): void {
    this.#pace.close();
  }
}
