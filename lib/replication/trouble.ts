/**
 * Trouble with one peer: how much of it there was, what is said about it, and how long to pause.
 *
 * The first failure is logged at once, and what goes on for long once a minute; so is its end. Pauses double from
 * {@linkcode RETRY_MS_MIN} to {@linkcode RETRY_MS_MAX}, with jitter, so that nodes that lost each other do not all come
 * back at the same moments.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { RETRY_MS_MAX, RETRY_MS_MIN, TROUBLE_LOG_INTERVAL_MS } from "../protocol/limits.ts";
import type { ClusterContext } from "./context.ts";
import type { Peer } from "./peer.ts";

/** What goes wrong with a peer. */
export class Trouble {
  readonly #context: ClusterContext;
  readonly #peer: Peer;
  /** Failures since the last success. */
  failures = 0;
  /** All there ever were. */
  failuresEver = 0;
  /** What went wrong last, as long as it does. */
  lastError: string | undefined;
  #loggedMs = -Infinity;

  constructor(context: ClusterContext, peer: Peer) {
    this.#context = context;
    this.#peer = peer;
  }

  /** It works. */
  end(): void {
    this.failures = 0;
    if (this.lastError === undefined) return;
    this.lastError = undefined;
    this.#context.log.info("following a peer works again", { peer: this.#peer.instance });
  }

  /** It failed. */
  note(error: unknown): void {
    const { log, clock } = this.#context;
    const message = error instanceof Error ? error.message : String(error);
    this.failures++;
    this.failuresEver++;
    const now = clock.monotonic();
    if (this.lastError === undefined || now - this.#loggedMs >= TROUBLE_LOG_INTERVAL_MS) {
      this.#loggedMs = now;
      const fields = {
        peer: this.#peer.instance,
        url: this.#peer.url,
        error: isDefect(error) ? error.stack : message,
      };
      if (error instanceof ChukchaError && error.code === "name_in_use") {
        log.error(
          "a peer refuses this node for its name; as long as it does, no writes are taken here",
          fields,
        );
      } else log.warn("following a peer failed; it is tried again until it works", fields);
    }
    this.lastError = message;
  }

  /** How long to wait before the next attempt. */
  pauseMs(): number {
    const capped = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(this.failures - 1, 16));
    return capped * (0.5 + this.#context.random.number() / 2);
  }
}

/** Errors that only a mistake in the program explains. */
function isDefect(error: unknown): error is Error {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
}
