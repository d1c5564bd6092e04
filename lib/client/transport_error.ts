/**
 * The error of everything that goes wrong between this client and a node: no connection, a broken one, silence, or an
 * answer that is not Chukcha's.
 *
 * What a node itself refuses arrives as a `ChukchaError`. The difference that matters to a writer is in `written`: `no`
 * only where it is certain that no byte of the request left this machine.
 *
 * @module
 */
import { ChukchaError, type Written } from "../protocol/errors.ts";
import { causesOf, isUntrusted } from "../protocol/fetch_failure.ts";

/** Where and how a request failed. */
export interface TransportFailure {
  /** Address of the server, as given to the client. */
  readonly server: string;
  /** What was attempted, as in `write to category "web"`. */
  readonly action: string;
  /** What it means for the messages of a write: `maybe` as soon as the request may have been sent. */
  readonly written: Written;
  /** HTTP status, where there was an answer, but none that a Chukcha node gives. */
  readonly status?: number;
  /** The error of `fetch`. */
  readonly cause?: unknown;
  /** `Retry-After` of the answer, in milliseconds. */
  readonly retryAfterMs?: number;
}

/**
 * A request that got no valid answer.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ChukchaClient, TransportError } from "./mod.ts";
 *
 * const refuse = () => Promise.reject(new TypeError("connection refused"));
 * const client = new ChukchaClient({ server: "http://127.0.0.1:8080", fetch: refuse });
 * const error = await client.listCategories().catch((error) => error);
 * assertEquals(error instanceof TransportError, true);
 * assertEquals(error.server, "http://127.0.0.1:8080");
 * ```
 */
export class TransportError extends Error {
  /** Always `"TransportError"`. */
  override readonly name = "TransportError";
  /** Address of the server, as given to the client. */
  readonly server: string;
  /** What was attempted. */
  readonly action: string;
  /** Whether the messages of a write may have been written; a retry after `maybe` may duplicate them. */
  readonly written: Written;
  /** HTTP status, where there was an answer, but none that a Chukcha node gives. */
  readonly status: number | undefined;
  /** After so many milliseconds it may be tried again, where an answer said so. */
  readonly retryAfterMs: number | undefined;
  /** No connection came about. One that was kept may have been tried before: `written` says what that means. */
  readonly neverConnected: boolean;
  /** The server's certificate is from an authority that is not trusted here. */
  readonly untrusted: boolean;

  /**
   * Puts the message together: what was attempted, where, and what happened.
   *
   * @param reason what happened, as the last part of the message
   * @param failure where and how
   */
  constructor(reason: string, failure: TransportFailure) {
    super(`${failure.action} at ${failure.server}: ${reason}`, { cause: failure.cause });
    this.server = failure.server;
    this.action = failure.action;
    this.written = failure.written;
    this.status = failure.status;
    this.retryAfterMs = failure.retryAfterMs;
    this.neverConnected = failure.cause !== undefined && neverConnected(failure.cause);
    this.untrusted = failure.cause !== undefined && isUntrusted(failure.cause);
  }
}

/**
 * Whether the same request may succeed later: the node said that it passes by itself (503), or it could not be reached.
 * Retrying a write whose error has `written: "maybe"` may duplicate its messages.
 *
 * @param error anything that a method of the client threw
 * @returns `false` for everything that a retry would not change
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ChukchaError, isRetryable } from "./mod.ts";
 *
 * assertEquals(isRetryable(new ChukchaError("disk_full", "disk is full")), true);
 * assertEquals(isRetryable(new ChukchaError("too_large", "message is too long")), false);
 * ```
 */
export function isRetryable(error: unknown): boolean {
  if (error instanceof ChukchaError) return error.status === 503;
  if (!(error instanceof TransportError)) return false;
  const { status } = error;
  return status === undefined || status >= 500 || status === 408 || status === 429;
}

/** Codes of Node and Bun, and words of Deno, for a connection that never came about. */
const NEVER_CONNECTED =
  /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ConnectionRefused|FailedToOpenSocket|UND_ERR_CONNECT_TIMEOUT|client error \(Connect\)|are blocked|bad port/;

/** Whether an error of `fetch` says that no connection came about. What it does not know counts as connected. */
function neverConnected(error: unknown): boolean {
  return causesOf(error).some(({ code, message }) => NEVER_CONNECTED.test(`${code ?? ""} ${message}`));
}

/** Whether an error of `fetch` leaves it open if a request was carried out. */
export function writtenAfter(error: unknown): Written {
  return neverConnected(error) ? "no" : "maybe";
}
