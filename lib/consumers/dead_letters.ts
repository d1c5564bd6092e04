/**
 * Sends single messages that no worker could process to the category of dead letters, while everything else goes on.
 *
 * ```text
 * 1 read the message                        what fails here, or is not confirmed: the piece comes back a second later
 * 2 append the letter, line by line, with the durability that writes have by default
 * 3 acknowledge the message, for this consumer
 * ```
 *
 * | the process dies, or the power goes | what is left                                                              |
 * | ----------------------------------- | ------------------------------------------------------------------------- |
 * | before or within 2                  | the message, unread; perhaps some first lines of a letter of several      |
 * | between 2 and 3                     | the letter, and the message unread: it may become a letter once more      |
 * | after 3                             | the letter; with power, an ack of the last second may be gone: as above   |
 *
 * So a message is lost in no case, and may be a letter twice. Rejected: acknowledging first.
 *
 * @module
 */
import { DEAD_LETTER_RETRY_MS, DEAD_LETTERS_AT_ONCE } from "../protocol/limits.ts";
import type { Consumers } from "../storage/consumers.ts";
import { deadCategory, deadLetter } from "./dead_letter.ts";
import type { Piece } from "./piece.ts";
import type { Pieces } from "./pieces.ts";
import { bytesOf } from "./range.ts";
import type { DispensingContext } from "./source.ts";

/** Whose letters they are. */
export interface Sender {
  readonly category: string;
  readonly consumer: string;
  readonly pieces: Pieces;
  /** Bytes of a chunk were acknowledged. */
  acknowledged(owner: string, number: number, chunk: string, from: number, to: number): void;
}

/** The letters of one consumer that are under way. */
export class DeadLetters {
  readonly #sender: Sender;
  readonly #consumers: Consumers;
  readonly #context: DispensingContext;
  readonly #news: () => void;
  readonly #underWay = new Set<Promise<void>>();

  /** @param news called when one has ended, well or not */
  constructor(sender: Sender, consumers: Consumers, context: DispensingContext, news: () => void) {
    this.#sender = sender;
    this.#consumers = consumers;
    this.#context = context;
    this.#news = news;
  }

  /** How many are under way. */
  get count(): number {
    return this.#underWay.size;
  }

  /** Whether as many are under way as may be. */
  get isFull(): boolean {
    return this.#underWay.size >= DEAD_LETTERS_AT_ONCE;
  }

  /** Begins with one; of a consumer in this epoch. */
  send(piece: Piece, epoch: number): void {
    this.#sender.pieces.leave(piece);
    const sent = this.#send(piece, epoch).catch((error) => this.#failed(piece, error)).finally(() => {
      this.#underWay.delete(sent);
      this.#news();
    });
    this.#underWay.add(sent);
  }

  /** Resolves when none is under way. */
  async ended(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #send(piece: Piece, epoch: number): Promise<void> {
    const { source, append, meter, log } = this.#context;
    const { category, consumer } = this.#sender;
    const { chunk, from, to, owner, number, deliveries } = piece;
    const dead = deadCategory(category);
    if (dead === undefined) throw new Error(`${category} has no category for dead letters`);
    const message = await bytesOf(await source.read(category, chunk, from, piece.size));
    for (const line of deadLetter({ category, consumer }, piece, message.subarray(0, -1))) {
      await append(dead, line);
    }
    await this.#consumers.acknowledge(consumer, chunk, from, to, epoch);
    meter.deadLetters++;
    log.warn("a message was handed out too often, and is a dead letter now", {
      category,
      consumer,
      chunk,
      offset: from,
      deliveries,
      dead,
    });
    this.#sender.acknowledged(owner, number, chunk, from, to);
  }

  #failed({ chunk, from, to }: Piece, error: unknown): void {
    const { meter, log, clock } = this.#context;
    const { category, consumer, pieces } = this.#sender;
    const left = Array.from(pieces.all()).filter((piece) =>
      piece.state === "leaving" && piece.chunk === chunk && from <= piece.from && piece.to <= to
    );
    for (const piece of left) {
      piece.restsUntilMs = clock.monotonic() + DEAD_LETTER_RETRY_MS;
      pieces.giveBack(piece);
    }
    // The consumer was moved or forgotten meanwhile, or acknowledged elsewhere: nobody waits for this message.
    if (left.length === 0) return;
    meter.deadLetterFailures++;
    log.error("a message that was handed out too often could not be made a dead letter; it is tried again", {
      category,
      consumer,
      chunk,
      offset: from,
      error: String(error),
    });
  }
}
