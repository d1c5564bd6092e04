/**
 * Which node is asked, and what happens when it fails: the next one at once, and a pause when all of them failed.
 *
 * Owns the one place where consumers and tails wait and try again. It ends: with an error that trying again would not
 * change, and with the last one when no node answered for too long. Every failure on the way is told to a hook.
 *
 * All who use one key begin at the same node, see `Servers.inOrder`. Going on elsewhere is for good as far as a route is
 * concerned; whether to go back is decided by whoever knows what that costs.
 *
 * @module
 */
import {
  CLIENT_FIRST_ANSWER_MS,
  CLIENT_GIVE_UP_MS_DEFAULT,
  CLIENT_RETRY_MS_MAX,
  CLIENT_RETRY_MS_MIN,
  CLIENT_STEADY_MS,
} from "../protocol/limits.ts";
import type { ChukchaClient } from "./client.ts";
import { isRetryable } from "./transport_error.ts";

/** The nodes that may be asked. */
export interface Nodes {
  /** In order of preference for a key, those that failed lately last; never empty. */
  inOrder(key: string): readonly ChukchaClient[];
  /** A node could not be asked. */
  failed(client: ChukchaClient): void;
  /** A node answered. */
  worked(client: ChukchaClient): void;
}

/** Something that went wrong, and is going to be tried again. */
export interface Trouble {
  /** What was thrown: a `ChukchaError` or `TransportError`, whose message names action and node. */
  readonly error: unknown;
  /** How many times in a row it failed. */
  readonly failures: number;
  /** Milliseconds until it is tried again; 0 if another node is asked at once. */
  readonly retryMs: number;
}

/** How long to try, and whom to tell. */
export interface Patience {
  /** Milliseconds without an answer of any node, after which the last error is thrown; `undefined`: by default. */
  readonly giveUpMs: number | undefined;
  /** Is told of each failure that is followed by another attempt. */
  readonly onTrouble: ((trouble: Trouble) => void) | undefined;
}

/** The way to a node. */
export class Route {
  readonly #nodes: Nodes;
  readonly #key: string;
  readonly #patience: Patience;
  /** The node in use. */
  client: ChukchaClient;
  #failures = 0;
  #failingSinceMs = 0;
  /** When it failed last. */
  #failedMs = -Infinity;
  /** Nodes that failed in this round. */
  readonly #tried = new Set<ChukchaClient>();
  /** Pauses that were made since it went well for a while. */
  #rounds = 0;
  #hasWorked: boolean;

  /**
   * @param nodes that may be asked
   * @param key says in which order
   * @param first the node to begin at, where that is known
   */
  constructor(nodes: Nodes, key: string, patience: Patience, first?: ChukchaClient) {
    this.#nodes = nodes;
    this.#key = key;
    this.#patience = patience;
    this.client = first ?? nodes.inOrder(key)[0]!;
    this.#hasWorked = first !== undefined;
  }

  /** The node in use answered. */
  worked(): void {
    if (this.#failures > 0) {
      this.#failures = 0;
      this.#tried.clear();
    }
    this.#hasWorked = true;
    this.#nodes.worked(this.client);
  }

  /** A node that comes before the one in use; `undefined` if there is none. */
  get preferred(): ChukchaClient | undefined {
    const first = this.#nodes.inOrder(this.#key)[0];
    return first === this.client ? undefined : first;
  }

  /**
   * The node in use failed: resolves when it is time to ask the one that is in use then. Throws the error if trying again
   * would not change it, if it went on for too long, or if each node was tried and `hurry` is aborted.
   */
  async failed(error: unknown, hurry: AbortSignal): Promise<void> {
    if (!isRetryable(error)) throw error;
    const nowMs = performance.now();
    const isSteady = nowMs - this.#failedMs >= CLIENT_STEADY_MS;
    this.#failedMs = nowMs;
    if (this.#failures++ === 0) {
      this.#failingSinceMs = nowMs;
      if (isSteady) this.#rounds = 0;
    }
    // Two nodes that begin to answer and fail in turns are not to be asked without a pause.
    const isHasty = this.#failures === 1 && !isSteady;
    this.#nodes.failed(this.client);
    this.#tried.add(this.client);
    const order = this.#nodes.inOrder(this.#key);
    const untried = order.find((client) => !this.#tried.has(client));
    const forMs = nowMs - this.#failingSinceMs;
    if (forMs >= this.#giveUpMs || !untried && hurry.aborted) throw error;
    const retryMs = untried && !isHasty ? 0 : Math.min(pauseBefore(this.#rounds++), this.#giveUpMs - forMs);
    if (!untried) this.#tried.clear();
    this.client = untried ?? order[0]!;
    this.#patience.onTrouble?.({ error, failures: this.#failures, retryMs });
    if (retryMs > 0) await pause(retryMs, hurry);
  }

  /** Makes a request to the node in use, and to the next one if that fails, until one has answered. */
  async request<T>(send: (client: ChukchaClient) => Promise<T>, hurry: AbortSignal): Promise<T> {
    for (;;) {
      try {
        const answer = await send(this.client);
        this.worked();
        return answer;
      } catch (error) {
        await this.failed(error, hurry);
      }
    }
  }

  get #giveUpMs(): number {
    const { giveUpMs } = this.#patience;
    return giveUpMs ?? (this.#hasWorked ? CLIENT_GIVE_UP_MS_DEFAULT : CLIENT_FIRST_ANSWER_MS);
  }
}

/** Half of it is left to chance, so that clients that failed together do not come back together. */
function pauseBefore(retry: number): number {
  const longest = Math.min(CLIENT_RETRY_MS_MAX, CLIENT_RETRY_MS_MIN * 2 ** retry);
  return Math.round(longest * (0.5 + Math.random() / 2));
}

/** Resolves after this time, or when the signal is aborted; leaves no timer. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
