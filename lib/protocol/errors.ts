/**
 * The one error class and the closed list of its codes.
 *
 * Over the wire an error is `{"error":{"code","message","written"}}`. `message` names the field or action, the value
 * and the rule, and is short: some log shippers log each answer. `cause` stays inside the process.
 *
 * @module
 */
import { QUOTED_CHARS_MAX } from "./limits.ts";

/** What an error means for the messages of the write that it answers: `no` = certainly not written. */
export type Written = "no" | "maybe";

/** What goes wrong, and the HTTP status that says so. Codes are published: they are added to, never renamed. */
export const ERROR_STATUS = {
  /** A parameter is missing, malformed or out of its range. */
  invalid_parameter: 400,
  /** A body cannot be taken as it is: it does not decode, or ended early. */
  invalid_body: 400,
  /** The next message is longer than `max_size`, or `off` lies inside of a message. */
  invalid_offset: 400,
  /** No token was sent, or none that is known. */
  unauthenticated: 401,
  /** A known token that lacks the right. */
  forbidden: 403,
  /** No such route. */
  not_found: 404,
  /** No such chunk: never existed, or acknowledged. */
  chunk_not_found: 404,
  /** No such consumer: never used, or forgotten. */
  consumer_not_found: 404,
  /** The route exists, but not with this method. */
  method_not_allowed: 405,
  /** An acknowledgement of a chunk that is still written to, or of less than the whole of it. */
  not_complete: 409,
  /** What a consumer acknowledges or renews is not on lease from this node, and cannot be told otherwise. */
  not_leased: 409,
  /** The consumer was moved by a seek, or forgotten, since the messages were handed out. */
  position_moved: 409,
  /** Another batch than the one that was written before with this producer and sequence. */
  sequence_reused: 409,
  /** Another live node has this name. */
  name_in_use: 409,
  /** A message or a batch is over its limit; nothing of the batch was stored. */
  too_large: 413,
  /** A `Content-Encoding` that is not gzip, deflate, zstd or identity. */
  unsupported_encoding: 415,
  /** Bodies or queues are at their bound. */
  overloaded: 503,
  /** The file system is full, or nearly. */
  disk_full: 503,
  /** The file system refuses writes or reads for another reason. */
  disk_failed: 503,
  /** Bytes of a chunk do not match their checksum here, and no good copy is known yet. */
  damaged: 503,
  /** The node is shutting down. */
  draining: 503,
  /** The node has not yet caught up with what it must know first. */
  not_joined: 503,
  /** Fewer replicas than asked for confirmed in time. */
  not_confirmed: 503,
  /** This node's copy of a chunk is behind, and nobody who knows more can be asked now. */
  behind: 503,
  /** A defect of the program itself; the log has the rest. */
  internal: 503,
} as const;

/** One of the closed list of codes. */
export type ErrorCode = keyof typeof ERROR_STATUS;

/** The JSON form of an error. */
export interface ErrorBody {
  /** As the fields of a {@linkcode ChukchaError}. */
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly written: Written };
}

/** An error that a user or a program is told about. */
export class ChukchaError extends Error {
  /** Always `"ChukchaError"`. */
  override readonly name = "ChukchaError";
  /** What went wrong; each code is documented by when it occurs. */
  readonly code: ErrorCode;
  /** Whether the messages of the write that it answers may have been written. */
  readonly written: Written;
  /** After so many milliseconds the node wants to be asked again, where it said so; `undefined` elsewhere. */
  readonly retryAfterMs: number | undefined;

  /**
   * Makes an error that may be shown to whoever asked.
   *
   * @param code one of the closed list
   * @param message the action or field, the quoted value and the rule
   * @param options `written` (default `no`), when to ask again, and the `cause`, which never leaves the process
   */
  constructor(
    code: ErrorCode,
    message: string,
    options: { written?: Written; cause?: unknown; retryAfterMs?: number | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.written = options.written ?? "no";
    this.retryAfterMs = options.retryAfterMs;
  }

  /** The HTTP status of this error. */
  get status(): number {
    return ERROR_STATUS[this.code];
  }

  /** The form in which it is sent. */
  toBody(): ErrorBody {
    return { error: { code: this.code, message: this.message, written: this.written } };
  }
}

/** The error out of its JSON, as `toBody` has it, and of what was said besides; `undefined` if the text is none. */
export function parseErrorBody(text: string, retryAfterMs?: number): ChukchaError | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { code, message, written } = (body as { error?: Record<string, unknown> | null } | null)?.error ?? {};
  if (typeof code !== "string" || typeof message !== "string" || !Object.hasOwn(ERROR_STATUS, code)) {
    return undefined;
  }
  return new ChukchaError(code as ErrorCode, message, {
    written: written === "maybe" ? "maybe" : "no",
    retryAfterMs,
  });
}

/** Quotes a value for a message: control characters escaped, cut to a bounded length. */
export function quote(value: string): string {
  const cut = value.length > QUOTED_CHARS_MAX ? `${value.slice(0, QUOTED_CHARS_MAX)}…` : value;
  return JSON.stringify(cut);
}
