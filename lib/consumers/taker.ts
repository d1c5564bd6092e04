/**
 * Takes the next messages for one worker of one consumer: what came back first, then fresh ones, of all owners in turn.
 *
 * Owns the pieces of the consumer, and what is fresh. One take at a time: its caller sees to that.
 * Acknowledgements, seeks and ends of leases may come between choosing and handing out, since reading lies between; so
 * what was chosen is looked at once more then, and chosen anew if it is not there any more.
 *
 * Invariant: what is unread is fresh or in a piece, so nothing is passed over, whatever becomes of leases; and what is
 * lent is not fresh, so nobody else is given it. All of it is memory alone: a crash gives up the leases, and what was
 * not acknowledged is handed out again.
 *
 * Rejected: to remember where the last hand-out ended, per owner. Older chunks grow, chunks come late, and acknowledgements
 * come from other nodes.
 *
 * @module
 */
import { ChukchaError, quote } from "../protocol/errors.ts";
import { CONSUMER_PIECES_MAX, PIECES_MAX, STUCK_CHUNKS_MAX } from "../protocol/limits.ts";
import type { Chunk } from "../storage/chunk.ts";
import type { ChunkList } from "../storage/chunk_list.ts";
import type { ChunkRange } from "../storage/chunk_reader.ts";
import type { ConsumerPlace, Consumers } from "../storage/consumers.ts";
import { DeadLetters } from "./dead_letters.ts";
import { Fresh, includes, type Stretch, within } from "./fresh.ts";
import { Piece } from "./piece.ts";
import { Pieces } from "./pieces.ts";
import { letGo } from "./range.ts";
import { Reading } from "./reading.ts";
import type { DispensingContext, Handed, Want } from "./source.ts";
import { isWorn, wear } from "./worn.ts";

/** Bytes that may be handed out next. */
interface Choice extends Stretch {
  /** Whose bytes they are, if they were out before. */
  readonly piece: Piece | undefined;
}

/** The messages of one consumer, as they are handed out. */
export class Taker {
  readonly pieces: Pieces;
  readonly #fresh = new Fresh();
  readonly #reading: Reading;
  readonly #letters: DeadLetters;
  readonly #context: DispensingContext;
  readonly #consumers: Consumers;
  #epoch = -1;
  #isStale = false;
  #turn = 0;
  #blocked: ChukchaError | undefined;
  /** Per owner, the end of what was handed out last without a lease: it is known to be one of a message. */
  readonly #ends = new Map<string, { readonly chunk: string; readonly to: number }>();
  /** The place with which fresh was made anew when there was nothing left. */
  #checked: ConsumerPlace | undefined;

  /** @param news called when there may be something to take that was not there before */
  constructor(
    readonly category: string,
    readonly consumer: string,
    consumers: Consumers,
    context: DispensingContext,
    news: () => void,
  ) {
    this.#consumers = consumers;
    this.#context = context;
    this.pieces = new Pieces(context.meter);
    this.#reading = new Reading(category, consumer, context);
    this.#letters = new DeadLetters(this, consumers, context, news);
  }

  /** Why there is nothing to take although there is something unread; of the last take that found nothing. */
  get blocked(): ChukchaError | undefined {
    return this.#blocked;
  }

  /** Whether something is under way that will end by itself. */
  get isBusy(): boolean {
    return this.#letters.count > 0;
  }

  /** The place may have changed by anything but an acknowledgement here. */
  placeChanged(): void {
    this.#isStale = true;
  }

  /** Bytes of a chunk were acknowledged here. */
  acknowledged(owner: string, number: number, chunk: string, from: number, to: number): void {
    const piece = this.pieces.ending(chunk, to);
    this.pieces.acknowledged(chunk, from, to);
    this.#fresh.take(owner, { number, offset: from }, { number, offset: to });
    // Without leases an owner stays in turn until something of it is done with.
    if (!piece) this.#nextTurn(owner);
  }

  /** When there may be something to take without any news, by `Clock.monotonic()`. */
  get dueMs(): number {
    const now = this.#context.clock.monotonic();
    let due = Math.min(this.pieces.dueMs, this.#reading.stuck.nextMs(now));
    for (const { restsUntilMs } of this.pieces.back) {
      if (restsUntilMs > now) due = Math.min(due, restsUntilMs);
    }
    return due;
  }

  /** Whether something that was handed out is known to end there. */
  endsAt(owner: string, chunk: string, to: number): boolean {
    const end = this.#ends.get(owner);
    return end?.chunk === chunk && end.to === to || this.pieces.ending(chunk, to) !== undefined;
  }

  /** Bytes on lease; none of an epoch that is over. */
  leasedBytes(epoch: number): number {
    return epoch === this.#epoch ? this.pieces.leasedBytes : 0;
  }

  /** Leases that have run out come back. */
  expire(): void {
    this.#context.meter.expired += this.pieces.expire(this.#context.clock.monotonic());
  }

  /**
   * The next messages; `undefined` if there are none now.
   *
   * Rejects with `ChukchaError`: `consumer_not_found`, `invalid_offset` (the next message is longer than `maxSize`),
   * `overloaded`, or what reading said.
   */
  async take(want: Want): Promise<Handed | undefined> {
    if (want.leaseMs > 0 && !this.#place().leases) await this.#consumers.useLeases(this.consumer);
    for (let failed = 0; failed < STUCK_CHUNKS_MAX;) {
      const place = this.#place();
      const choice = this.#choose(want, place);
      if (!choice) return undefined;
      if (choice.piece && isWorn(choice.piece, want)) {
        await wear(choice.piece, choice, {
          pieces: this.pieces,
          reading: this.#reading,
          letters: this.#letters,
          clock: this.#context.clock,
          epoch: place.epoch,
        });
        continue;
      }
      if (!choice.piece && want.leaseMs > 0) this.#checkRoom();
      const range = await this.#reading.read(choice, want.maxSize);
      if (!range) {
        failed++;
        continue;
      }
      const handed = this.#hand(choice, range, want, place.epoch);
      if (handed) return handed;
      letGo(range);
    }
    return undefined;
  }

  /** What was taken could not be handed out after all: it comes back, and that time does not count. */
  untake(handed: Handed): void {
    letGo(handed);
    if (handed.deliveries === 0) return;
    const piece = this.pieces.ending(handed.chunk, handed.offset + handed.size);
    if (piece?.state !== "out" || piece.deliveries !== handed.deliveries) return;
    piece.undelivered();
    this.pieces.giveBack(piece);
  }

  /** Forgets everything that was handed out. */
  clear(): void {
    this.pieces.clear();
    this.#fresh.clear();
  }

  /** Resolves when no dead letter is being written. */
  ended(): Promise<void> {
    return this.#letters.ended();
  }

  /** The place as it is now, having given up what it makes meaningless. */
  #place(): ConsumerPlace {
    const place = this.#consumers.get(this.consumer);
    if (!place) {
      throw new ChukchaError(
        "consumer_not_found",
        `consumer: ${quote(this.consumer)} of category ${quote(this.category)} was forgotten meanwhile`,
      );
    }
    if (place.epoch !== this.#epoch) {
      this.clear();
      this.#epoch = place.epoch;
    } else if (this.#isStale) this.#fresh.merge(place);
    this.#isStale = false;
    return place;
  }

  /** Throws `overloaded` where nothing new may be lent. */
  #checkRoom(): void {
    const isFull = this.#context.meter.pieces >= PIECES_MAX;
    if (!isFull && this.pieces.size < CONSUMER_PIECES_MAX) return;
    const whose = isFull ? `${PIECES_MAX} pieces of this node's consumers` : `${CONSUMER_PIECES_MAX} pieces`;
    throw new ChukchaError(
      "overloaded",
      `consume: ${whose} are on lease, or came back, the most there may be; acknowledge some, or ask for larger ones`,
    );
  }

  #choose(want: Want, place: ConsumerPlace): Choice | undefined {
    const { source, clock } = this.#context;
    this.#blocked = undefined;
    this.expire();
    const chunks = source.chunks(this.category);
    if (!chunks) return undefined;
    const now = clock.monotonic();
    const isStuck = ({ name }: Chunk): boolean => {
      const error = this.#reading.stuck.at(name, now);
      this.#blocked ??= error;
      return error !== undefined;
    };
    const choice = this.#chooseBack(want, place, chunks, isStuck, now) ??
      this.#chooseFresh(place, chunks, isStuck);
    if (choice || this.pieces.size > 0 || this.#checked === place) return choice;
    // More may be unread than this knows of: a place with too many intervals gives up what is between some of them.
    this.#checked = place;
    this.#fresh.clear();
    return this.#chooseFresh(place, chunks, isStuck);
  }

  #chooseBack(
    want: Want,
    place: ConsumerPlace,
    chunks: ChunkList,
    isStuck: (chunk: Chunk) => boolean,
    now: number,
  ): Choice | undefined {
    const { back } = this.pieces;
    for (let i = 0; i < back.length;) {
      const piece = back[i]!;
      const { owner, number, from, to } = piece;
      const left = within(place.unread(owner), number, from, to);
      const isWhole = left.length === 1 && left[0]![0] === from && left[0]![1] === to;
      const chunk = chunks.get(piece.chunk);
      if (!isWhole || !chunk) {
        this.pieces.replace(piece, chunk ? left.map(([start, end]) => piece.part(start, end)) : []);
        // Should the chunk come back, what it holds is fresh.
        if (!chunk) this.#fresh.forget(owner);
        continue;
      }
      const mustWait = piece.restsUntilMs > now ||
        (piece.single && isWorn(piece, want) && this.#letters.isFull);
      if (!mustWait && !isStuck(chunk)) return { chunk, from, to, piece };
      i++;
    }
    return undefined;
  }

  #chooseFresh(
    place: ConsumerPlace,
    chunks: ChunkList,
    isStuck: (chunk: Chunk) => boolean,
  ): Choice | undefined {
    const owners = chunks.owners();
    for (let i = 0; i < owners.length; i++) {
      const owner = owners[(this.#turn + i) % owners.length]!;
      const unread = this.#fresh.of(owner, place, this.pieces.all());
      const stretch = this.#fresh.next(owner, unread, chunks, isStuck);
      if (stretch) return { ...stretch, piece: undefined };
    }
    return undefined;
  }

  /** Makes what was read the worker's; `undefined` if it is not there any more. */
  #hand(choice: Choice, range: ChunkRange, want: Want, epoch: number): Handed | undefined {
    const { chunk, from, piece } = choice;
    const { instance: owner, number, name } = chunk;
    const place = this.#place();
    const to = from + range.size;
    if (place.epoch !== epoch) return undefined;
    const isThere = piece
      ? piece.state === "back" && this.pieces.ending(name, piece.to) === piece
      : includes(this.#fresh.of(owner, place, this.pieces.all()), number, from, Math.min(to, choice.to));
    if (!isThere) return undefined;
    if (want.leaseMs === 0) {
      this.#ends.set(owner, { chunk: name, to });
      return { ...range, chunk: name, epoch, deliveries: 0 };
    }
    const lent = piece ? this.#cut(piece, to) : new Piece(owner, number, name, from, to);
    if (piece) this.#context.meter.redelivered++;
    else {
      this.#fresh.take(owner, { number, offset: from }, { number, offset: to });
      this.#nextTurn(owner);
    }
    const { clock } = this.#context;
    this.pieces.lend(lent, clock.monotonic() + want.leaseMs, { atMs: clock.now(), worker: want.worker });
    return { ...range, chunk: name, epoch, deliveries: lent.deliveries };
  }

  /** The piece up to there; the rest stays where it was. */
  #cut(piece: Piece, to: number): Piece {
    if (to === piece.to) return piece;
    const first = piece.part(piece.from, to);
    this.pieces.replace(piece, to < piece.to ? [first, piece.part(to, piece.to)] : [first]);
    return first;
  }

  #nextTurn(owner: string): void {
    const owners = this.#context.source.chunks(this.category)?.owners() ?? [];
    this.#turn = owners.length === 0 ? 0 : (owners.indexOf(owner) + 1) % owners.length;
  }
}
