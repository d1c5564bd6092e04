/**
 * How many messages are still to be printed: what `--count` asks for.
 *
 * @module
 */
import type { Flag } from "./command.ts";
import type { Flags } from "./flags.ts";

const NEWLINE = 0x0a;

/** Flag of the commands that print messages. */
export const COUNT_FLAG: Flag = {
  name: "count",
  short: "n",
  placeholder: "N",
  help: "stop after N messages",
};

/** Counts messages down. Bytes may come in any pieces, also such as end inside of a message. */
export class MessageLimit {
  #left: number;

  /** @param messages none of them: without bound */
  constructor(messages = Infinity) {
    this.#left = messages;
  }

  /** What `--count` says. */
  static of(flags: Flags): MessageLimit {
    return new MessageLimit(flags.count("count", 1, Number.MAX_SAFE_INTEGER));
  }

  /** There is a bound. */
  get isBounded(): boolean {
    return this.#left !== Infinity;
  }

  /** Nothing more is to be printed. */
  get isReached(): boolean {
    return this.#left === 0;
  }

  /** What of these bytes is to be printed: all of them, or those up to the end of the last message. */
  take<T extends ArrayBufferLike>(bytes: Uint8Array<T>): Uint8Array<T> {
    if (!this.isBounded) return bytes;
    let end = 0;
    while (this.#left > 0) {
      const newline = bytes.indexOf(NEWLINE, end);
      if (newline < 0) return bytes;
      end = newline + 1;
      this.#left--;
    }
    return bytes.subarray(0, end);
  }
}
