/**
 * The error of everything that keeps a producer from storing a message.
 *
 * @module
 */
import type { Written } from "../protocol/errors.ts";

/**
 * Why a message was not stored:
 *
 * | code            | when                                                                    | `written`   |
 * | --------------- | ----------------------------------------------------------------------- | ----------- |
 * | `not_a_message` | a value that has no JSON, or a text or bytes with a line break           | `no`        |
 * | `too_large`     | it is longer than the node takes                                        | `no`        |
 * | `buffer_full`   | twice `bufferBytes` are held; await `ready` before each `send`           | `no`        |
 * | `closed`        | the producer was closed                                                 | `no`        |
 * | `aborted`       | by a signal, whose reason is the `cause`                                | `no`, `maybe` |
 * | `refused`       | the node refuses it, and trying again would not change that             | `no`, `maybe` |
 * | `given_up`      | no node stored it for `giveUpMs`; the last error is the `cause`          | `no`, `maybe` |
 */
export type ProducerErrorCode =
  | "not_a_message"
  | "too_large"
  | "buffer_full"
  | "closed"
  | "aborted"
  | "refused"
  | "given_up";

/**
 * A message, or several that were sent together, could not be stored.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, ProducerError } from "./mod.ts";
 *
 * await using chukcha = connect({ fetch: () => Promise.reject(new Error("nothing is sent here")) });
 * await using producer = chukcha.producer("web");
 * const error = await producer.send("two\nlines").catch((error) => error);
 * assertEquals(error instanceof ProducerError, true);
 * assertEquals([error.code, error.written], ["not_a_message", "no"]);
 * ```
 */
export class ProducerError extends Error {
  /** Always `"ProducerError"`. */
  override readonly name = "ProducerError";
  /** What kept it. */
  readonly code: ProducerErrorCode;
  /** Whether the message may have been written nevertheless: to send it again may duplicate it. */
  readonly written: Written;

  /**
   * Says what was not stored, and why.
   *
   * @param code what kept it
   * @param message the action, the value and the rule
   * @param options `written` (default `no`), and the `cause`
   */
  constructor(
    code: ProducerErrorCode,
    message: string,
    options: { written?: Written; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.written = options.written ?? "no";
  }
}
