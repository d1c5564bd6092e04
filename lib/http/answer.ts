/**
 * How errors leave the process: one place turns whatever was thrown into `{"error":{"code","message","written"}}`.
 *
 * A disk's own words and a defect's stack go to the log, never to the client; what goes on for long ever more rarely.
 *
 * @module
 */
import { ChukchaError, type ErrorCode } from "../protocol/errors.ts";
import { ERROR_LOG_INTERVAL_MS, RETRY_AFTER_S, TROUBLE_LOG_INTERVAL_MS } from "../protocol/limits.ts";
import type { Log } from "../protocol/log.ts";
import type { Clock } from "../storage/clock.ts";

/** How a token can be shown. Browsers ask people for a name and a password, which is the token. */
const CHALLENGES = ['Bearer realm="chukcha"', 'Basic realm="chukcha", charset="UTF-8"'];

/** The answer to a request that ended in `error`. */
export function errorResponse(error: ChukchaError, headers: Record<string, string> = {}): Response {
  const retry = error.status === 503 ? { "retry-after": String(RETRY_AFTER_S) } : {};
  const response = Response.json(error.toBody(), { status: error.status, headers: { ...headers, ...retry } });
  // A header each: not every client takes several challenges out of one.
  if (error.status === 401) {
    for (const way of CHALLENGES) {
      response.headers.append("www-authenticate", way);
    }
  }
  return response;
}

/** Turns anything thrown into an answer, and tells the operator what the client is not told. */
export class ErrorAnswers {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #refused: (code: ErrorCode) => void;
  /** When an error of this code was last logged, for how long none is, and how many that were. */
  readonly #logged = new Map<string, { atMs: number; pauseMs: number; silent: number }>();

  /** @param refused told of each error's code */
  constructor(log: Log, clock: Clock, refused: (code: ErrorCode) => void = () => {}) {
    this.#log = log;
    this.#clock = clock;
    this.#refused = refused;
  }

  /** Never throws. */
  answer(error: unknown): Response {
    this.#refused(error instanceof ChukchaError ? error.code : "internal");
    if (error instanceof ChukchaError) {
      if (error.status === 503 && error.cause instanceof Error) {
        this.#report(error.code, error.message, error.cause.message);
      }
      return errorResponse(error);
    }
    const defect = error instanceof Error ? error : new Error(String(error));
    this.#report("internal", "a defect of this program; please report it", defect.stack ?? defect.message);
    return errorResponse(
      new ChukchaError("internal", "an unexpected error, see the node's log", { written: "maybe" }),
    );
  }

  #report(code: string, message: string, error: string): void {
    const now = this.#clock.monotonic();
    const last = this.#logged.get(code);
    if (last && now - last.atMs < last.pauseMs) {
      last.silent++;
      return;
    }
    const goesOn = last !== undefined && now - last.atMs < 2 * last.pauseMs;
    const pauseMs = goesOn ? Math.min(2 * last.pauseMs, TROUBLE_LOG_INTERVAL_MS) : ERROR_LOG_INTERVAL_MS;
    this.#logged.set(code, { atMs: now, pauseMs, silent: 0 });
    this.#log.error(message, { code, error, ...(last?.silent ? { silent_before: last.silent } : {}) });
  }
}
