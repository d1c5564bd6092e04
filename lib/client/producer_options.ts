/**
 * What a producer is told, and its defaults.
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import {
  BATCH_BYTES_CEILING,
  CLIENT_BATCH_BYTES_DEFAULT,
  CLIENT_BUFFER_BYTES_DEFAULT,
  CLIENT_CONFIRM_MS_DEFAULT,
  CLIENT_IN_FLIGHT_MAX,
  CLIENT_LINGER_MS_MAX,
  WRITE_TIMEOUT_MS_MAX,
} from "../protocol/limits.ts";
import type { ProducerError } from "./producer_error.ts";
import type { Trouble } from "./route.ts";

/** How large, how soon, how safe, and for how long to try. */
export interface ProducerOptions {
  /**
   * Bytes of a batch at most. A longer message goes alone; what a node finds too large is halved.
   *
   * @default 524288
   */
  readonly batchBytes?: number | undefined;
  /**
   * Milliseconds that a message may wait for others while no batch is under way. With 0 there is no waiting: a batch goes
   * out as soon as the one before is answered, with all that came meanwhile.
   *
   * @default 0
   */
  readonly lingerMs?: number | undefined;
  /**
   * Batches that may be under way at once, at most 64. With 1, messages are stored in the order in which they were sent;
   * with more, full batches do not wait for each other, and that is not promised.
   *
   * @default 1
   */
  readonly inFlight?: number | undefined;
  /**
   * What may be held before `ready` waits: bytes that are not stored yet, and 256 more for each message. At twice that,
   * `send` rejects with `buffer_full`.
   *
   * @default 4194304
   */
  readonly bufferBytes?: number | undefined;
  /** Messages survive a power loss of the node's machine before their `send` resolves. Left out: as the node is set. */
  readonly syncEachWrite?: boolean | undefined;
  /** Messages survive the loss of this many machines for good before their `send` resolves. Left out: as the node is set. */
  readonly minSyncReplicas?: number | undefined;
  /**
   * Milliseconds that a node may wait for that; then it is asked again, which stores nothing twice.
   *
   * @default 10000
   */
  readonly confirmMs?: number | undefined;
  /**
   * Whether messages that one node may have written are sent to another one when the first is gone. With `"refuse"` only
   * the same node is asked again, which knows what it has, and in the end `send` rejects with `written: "maybe"`.
   *
   * @default "allow"
   */
  readonly duplicates?: "allow" | "refuse" | undefined;
  /**
   * Milliseconds after which a message that no node stored is given up; `Infinity` to go on for ever.
   *
   * @default 600000, and 60000 before the first answer
   */
  readonly giveUpMs?: number | undefined;
  /** Is told of each failure that is tried again. */
  readonly onTrouble?: ((trouble: Trouble) => void) | undefined;
  /** Is told of messages that were taken by `send` and are not stored, and how many of them: once for all that share a fate. */
  readonly onFailure?: ((error: ProducerError, messages: number) => void) | undefined;
  /** Ends the producer at once: what is not stored is rejected with `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/** The same, judged and complete. */
export interface ProducerSettings {
  readonly batchBytes: number;
  readonly lingerMs: number;
  readonly inFlight: number;
  readonly bufferBytes: number;
  readonly minSyncReplicas: number | undefined;
  readonly confirmMs: number;
  readonly mayDuplicate: boolean;
  readonly giveUpMs: number | undefined;
}

/** Throws `invalid_parameter` that names the option. */
export function settingsOf(options: ProducerOptions): ProducerSettings {
  const { duplicates = "allow", giveUpMs } = options;
  if (duplicates !== "allow" && duplicates !== "refuse") {
    throw invalid(`duplicates: ${JSON.stringify(duplicates)} is neither "allow" nor "refuse"`);
  }
  if (giveUpMs !== undefined && !(giveUpMs >= 0)) throw invalid(`giveUpMs: ${giveUpMs} is below 0`);
  return {
    batchBytes: whole("batchBytes", options.batchBytes, 1, BATCH_BYTES_CEILING) ?? CLIENT_BATCH_BYTES_DEFAULT,
    lingerMs: whole("lingerMs", options.lingerMs, 0, CLIENT_LINGER_MS_MAX) ?? 0,
    inFlight: whole("inFlight", options.inFlight, 1, CLIENT_IN_FLIGHT_MAX) ?? 1,
    bufferBytes: whole("bufferBytes", options.bufferBytes, 1) ?? CLIENT_BUFFER_BYTES_DEFAULT,
    minSyncReplicas: whole("minSyncReplicas", options.minSyncReplicas, 0),
    confirmMs: whole("confirmMs", options.confirmMs, 1, WRITE_TIMEOUT_MS_MAX) ?? CLIENT_CONFIRM_MS_DEFAULT,
    mayDuplicate: duplicates === "allow",
    giveUpMs,
  };
}

function whole(name: string, value: number | undefined, min: number, max = Number.MAX_SAFE_INTEGER) {
  if (value === undefined || Number.isInteger(value) && value >= min && value <= max) return value;
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} on` : `from ${min} to ${max}`;
  throw invalid(`${name}: ${value} is not a whole number ${range}`);
}

function invalid(message: string): ChukchaError {
  return new ChukchaError("invalid_parameter", message);
}
