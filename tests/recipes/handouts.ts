/**
 * The worst that a log may do to its readers, in memory: messages in any order, in pieces that are cut anew each time,
 * some of them after they were acknowledged already, to workers that die before the effect, or between it and the ack.
 *
 * A real cluster does all of that too, but seldom within the seconds of a test. What is handed out are real batches.
 *
 * @module
 */
import { Batch } from "../../lib/client/mod.ts";
import { SeededRandom } from "../support/seeded_random.ts";

const CHUNKS = 3;
const PIECE_MESSAGES_MAX = 40;
/** Of ten pieces so many are handed out before their worker dies without an effect, or with one and without an ack. */
const DEATHS_BEFORE = 1;
const DEATHS_AFTER = 3;

/** A worker that died. */
export class Death extends Error {}

/** What does something with batches until there are no more. */
export type Work = (batches: AsyncIterable<Batch>) => Promise<void>;

interface Stored {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly offset: number;
  acknowledged: boolean;
}

/** Messages that are handed out until all of them are acknowledged. */
export class Handouts {
  readonly #chunks: readonly { readonly name: string; readonly messages: readonly Stored[] }[];
  readonly #random: SeededRandom;
  #left: number;
  /** Messages that were handed out, again or for the first time. */
  delivered = 0;
  /** Workers that died. */
  deaths = 0;

  constructor(private readonly category: string, lines: readonly string[], seed: number) {
    this.#random = new SeededRandom(seed);
    this.#left = lines.length;
    const each = Math.ceil(lines.length / CHUNKS);
    this.#chunks = Array.from({ length: CHUNKS }, (_, i) => ({
      name: `node_${i + 1}-chunk000000000`,
      messages: stored(lines.slice(i * each, (i + 1) * each)),
    })).filter(({ messages }) => messages.length > 0);
  }

  /** Runs so many workers, each of which starts again when it died; returns when everything is acknowledged. */
  async drain(work: Work, workers = 1): Promise<void> {
    await Promise.all(Array.from({ length: workers }, async () => {
      while (this.#left > 0) {
        await work(this.#batches()).catch((error) => {
          if (!(error instanceof Death)) throw error;
          this.deaths++;
        });
      }
    }));
  }

  async *#batches(): AsyncGenerator<Batch, void> {
    while (this.#left > 0) {
      const batch = this.#cut();
      if (this.#random.below(10) < DEATHS_BEFORE) throw new Death();
      yield await Promise.resolve(batch);
    }
  }

  /** Messages of one chunk, around one that nobody has acknowledged. */
  #cut(): Batch {
    const open = this.#chunks.filter(({ messages }) => messages.some(({ acknowledged }) => !acknowledged));
    const { name, messages } = this.#random.pick(open);
    const wanted = this.#random.pick(messages.filter(({ acknowledged }) => !acknowledged));
    const start = Math.max(0, messages.indexOf(wanted) - this.#random.below(PIECE_MESSAGES_MAX / 2));
    const piece = messages.slice(
      start,
      messages.indexOf(wanted) + 1 + this.#random.below(PIECE_MESSAGES_MAX / 2),
    );
    this.delivered += piece.length;
    const bytes = concat(piece.map((message) => message.bytes));
    const { offset } = piece[0]!;
    const nextOffset = offset + bytes.length;
    const done = () => Promise.resolve("done" as const);
    return new Batch(this.category, { chunk: name, offset, nextOffset, epoch: 0, bytes }, {
      ack: () => {
        if (this.#random.below(10) < DEATHS_AFTER) return Promise.reject(new Death());
        for (const message of piece) {
          if (!message.acknowledged) this.#left--;
          message.acknowledged = true;
        }
        return done();
      },
      release: done,
      extend: done,
    });
  }
}

function stored(lines: readonly string[]): Stored[] {
  const encoder = new TextEncoder();
  let offset = 0;
  return lines.map((line) => {
    const message = { bytes: encoder.encode(`${line}\n`), offset, acknowledged: false };
    offset += message.bytes.length;
    return message;
  });
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
