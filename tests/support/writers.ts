/**
 * Clients of a cluster as a log shipper is one: each writes its batches one after the other, goes on to the next node
 * when one fails, and keeps a book of what it was told.
 *
 * @module
 */
import type { ErrorBody } from "../../lib/protocol/errors.ts";
import { Book, type Fate, message } from "../faults/book.ts";
import { pause } from "./eventually.ts";
import type { Member } from "./member.ts";
import { SeededRandom } from "./seeded_random.ts";

/** As long as this an answer is waited for; then the next node is tried. */
const ANSWER_MS_MAX = 8_000;
/** A client that was refused leaves the cluster this much time. */
const REFUSED_MS = 20;
const MESSAGES_MAX = 20;
const MESSAGE_BYTES_MAX = 600;

/** What clients write, and to whom. */
export interface WritersOptions {
  readonly members: readonly Member[];
  /** @default 4 */
  readonly count?: number;
  readonly categories: readonly string[];
  /** Of each write, as in `min_sync_replicas=1`. */
  readonly params?: string;
  /** Each client rests so long behind each answer. @default 0 */
  readonly restMs?: number;
  readonly seed: number;
}

/** Clients that write at the same time. */
export class Writers {
  readonly book = new Book();
  /** Time until the answer of every write that was answered with 200. */
  readonly okMs: number[] = [];
  readonly #options: WritersOptions;
  readonly #next: number[];
  /** The nodes' machine is without power: what they answer from now on reaches nobody. */
  isCutOff = false;

  constructor(options: WritersOptions) {
    this.#options = options;
    this.#next = Array.from({ length: options.count ?? 4 }, () => 0);
  }

  /** Writes until `stop` fires; what is under way then is still waited for. */
  async run(stop: AbortSignal): Promise<void> {
    await Promise.all(this.#next.map((_, id) => this.#write(id, stop)));
  }

  /** Writes one batch after the other to a node that changes when it fails. */
  async #write(id: number, stop: AbortSignal): Promise<void> {
    const { members, categories, seed, restMs = 0 } = this.#options;
    const random = new SeededRandom(seed + id);
    const category = categories[id % categories.length]!;
    let node = id;
    while (!stop.aborted) {
      const length = 30 + random.below(MESSAGE_BYTES_MAX);
      const numbers = Array.from({ length: 1 + random.below(MESSAGES_MAX) }, () => this.#next[id]!++);
      // A batch is tried at every node, or given up earlier, as clients do.
      for (let tries = 0; tries < members.length && !stop.aborted; tries++) {
        this.book.sending(id, numbers, length);
        const body = numbers.map((number) => message(id, number, length) + "\n").join("");
        const startMs = performance.now();
        const fate = await this.#send(members[node % members.length]!, category, body);
        if (fate !== "gone") this.book.answered(id, numbers, fate);
        if (fate === "ok") {
          this.okMs.push(performance.now() - startMs);
          if (restMs > 0) await pause(restMs);
          break;
        }
        node++;
        await pause(REFUSED_MS);
        if (fate !== "no" && random.below(3) === 0) break;
      }
    }
  }

  async #send(member: Member, category: string, body: string): Promise<Fate | "gone"> {
    const path = `/write?category=${category}&timeout=${ANSWER_MS_MAX / 2}&${this.#options.params ?? ""}`;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), ANSWER_MS_MAX);
    try {
      const response = await member.fetch(path, { method: "POST", body, signal: late.signal });
      const text = await response.text();
      if (this.isCutOff) return "gone";
      return response.status === 200 ? "ok" : (JSON.parse(text) as ErrorBody).error.written;
    } catch (error) {
      if (!late.signal.aborted && !(error instanceof TypeError)) throw error;
      return "gone";
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Complaints of a book that hold even where an owner that came back has published messages again. */
export function withoutRepetitions(complaints: readonly string[]): string[] {
  return complaints.filter((complaint) => !/and is there \d+ times$| stands behind /.test(complaint));
}

/** The value below which this part of all values is. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
}
