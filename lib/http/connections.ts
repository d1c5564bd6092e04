/**
 * The bound on connections, as far as the runtime lets one be kept.
 *
 * The runtime accepts whatever comes: no hook says that a connection was made or has ended, and none can be closed by
 * itself. What can be had is how many descriptors the process has open, looked at every `CONNECTIONS_CHECK_MS`, and two
 * ways to become fewer:
 * 1. Over the bound, as many of the next requests as there are connections too many are refused with a 503 that closes
 *    the connection. All others are served. Probes of life and the other nodes are let through.
 * 2. If that does not help within `CONNECTIONS_OVER_MS`, because those connections ask for nothing, the listener is
 *    renewed: connections on which no request is under way are closed, also those that never sent one or are slow in
 *    sending its head. Answers that are under way go on. So slow heads are bounded too, in number if not in time.
 *
 * Between two looks the bound may be passed, by as many connections as come in that time. Where the system's own limit
 * of descriptors is lower than the setting, the bound lies below that limit by what the storage needs; should it be
 * reached all the same, the runtime stops listening, and the listener closes idle connections and listens again.
 *
 * Off Linux nobody tells the number of descriptors in a cheap way: there, only the system's limit holds.
 *
 * Rejected: accepting connections here and passing their bytes on to the server (each byte copied twice by the event
 * loop), `node:http`, which has such a bound (three times the cost of each request), and refusing everybody over the
 * bound (connections that ask for nothing would keep all others out).
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { CONNECTIONS_CHECK_MS, CONNECTIONS_OVER_MS } from "../protocol/limits.ts";
import type { Log } from "../protocol/log.ts";
import type { CancelTimer, Clock } from "../storage/clock.ts";
import { errorResponse } from "./answer.ts";

/** What a bound on connections works with. */
export interface ConnectionBoundOptions {
  readonly max: number;
  /** How many are open; `undefined` where nobody knows. */
  readonly count: () => number | undefined;
  /** Closes those on which no request is under way. */
  readonly renew: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Answers a request. */
export type Fetch = (request: Request) => Response | Promise<Response>;

/** Keeps connections near a bound. */
export class ConnectionBound {
  readonly #options: ConnectionBoundOptions;
  #cancelTimer: CancelTimer = () => {};
  /** Connections too many, as of the last look, less the requests that were refused since. */
  #excess = 0;
  /** Since when there are too many. */
  #overSinceMs: number | undefined;
  #renewing = false;
  /** Requests that were refused. */
  refused = 0;

  constructor(options: ConnectionBoundOptions) {
    this.#options = options;
  }

  get max(): number {
    return this.#options.max;
  }

  /** How many are open; `undefined` where nobody knows. */
  get open(): number | undefined {
    return this.#options.count();
  }

  /** The same, with requests refused while there are too many connections. */
  bound(fetch: Fetch): Fetch {
    return (request) => this.#excess > 0 && this.#isRefused(request) ? this.#refuse() : fetch(request);
  }

  /** Begins to look. */
  start(): void {
    if (this.#options.count() !== undefined) this.#lookLater();
  }

  /** Looks no more. */
  close(): void {
    this.#cancelTimer();
  }

  #lookLater(): void {
    this.#cancelTimer = this.#options.clock.after(CONNECTIONS_CHECK_MS, () => {
      this.#lookLater();
      this.#look();
    });
  }

  #look(): void {
    const { clock, log, max, renew } = this.#options;
    const open = this.#options.count() ?? 0;
    this.#excess = Math.max(0, open - max);
    if (this.#excess === 0) {
      this.#overSinceMs = undefined;
      return;
    }
    const nowMs = clock.monotonic();
    this.#overSinceMs ??= nowMs;
    if (this.#renewing || nowMs - this.#overSinceMs < CONNECTIONS_OVER_MS) return;
    log.warn("there are more connections than there may be: those without a request are closed", {
      open,
      max,
    });
    this.#overSinceMs = undefined;
    this.#renewing = true;
    void renew().finally(() => this.#renewing = false);
  }

  #isRefused({ url }: Request): boolean {
    const path = url.slice(url.indexOf("/", "https://".length));
    return !path.startsWith("/livez") && !path.startsWith("/replication/");
  }

  #refuse(): Response {
    this.#excess--;
    this.refused++;
    return errorResponse(
      new ChukchaError(
        "overloaded",
        `connections: more than the ${this.#options.max} that this node holds; connect again`,
      ),
      { connection: "close" },
    );
  }
}
