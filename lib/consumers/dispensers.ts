/**
 * The dispensers of a node: one for each consumer that is in use, and what is asked of consumers beside messages.
 *
 * Owns their number. A dispenser is made when somebody asks, and kept for the histories of its pieces; beyond
 * `DISPENSERS_MAX`, or when there are too many pieces, those go that nobody waits at and that have nothing on lease. All
 * that is durable of a consumer is in storage, so a dispenser that goes, or a node that dies, costs counts of deliveries
 * and nothing else.
 *
 * @module
 */
import { ChukchaError, quote } from "../protocol/errors.ts";
import { DISPENSERS_MAX, PIECES_MAX } from "../protocol/limits.ts";
import { parseChunkName } from "../protocol/names.ts";
import type { ChunkPosition, From } from "../protocol/position.ts";
import type { ConsumerInfo } from "../protocol/types.ts";
import type { ConsumerPlace, Consumers } from "../storage/consumers.ts";
import { checkMessageStart } from "./boundary.ts";
import { Dispenser } from "./dispenser.ts";
import { includes } from "./fresh.ts";
import { Sizes } from "./lag.ts";
import type { DispensingContext, Handed, Want } from "./source.ts";

/** What a worker has processed. */
export interface Acknowledgement {
  readonly chunk: string;
  /** Where it ends. */
  readonly to: number;
  /** Where it begins, if that is said. */
  readonly from: number | undefined;
  /** The epoch in which it was handed out, if that is said. */
  readonly epoch: number | undefined;
}

/** The consumers of one category that are in use. */
interface InUse {
  readonly consumers: Consumers;
  readonly dispensers: Map<string, Dispenser>;
  /** Those that want to hear of news. */
  readonly active: Set<Dispenser>;
  readonly unwatch: () => void;
}

/** All dispensers of one node. */
export class Dispensers {
  readonly #context: DispensingContext;
  readonly #refusal: () => ChukchaError | undefined;
  readonly #inUse = new Map<string, InUse>();
  #count = 0;
  #closed = false;

  /** @param refusal why this node must not make consumers now, if so: it does not know yet which ones there are */
  constructor(context: DispensingContext, refusal: () => ChukchaError | undefined) {
    this.#context = context;
    this.#refusal = refusal;
  }

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /**
   * The next messages for a worker of a consumer, which begins at `from` if it is new; `undefined` if none came in time.
   *
   * Rejects as `Dispenser.consume` does, or as `Consumers.begin`, or with `not_joined`.
   */
  async consume(
    category: string,
    consumer: string,
    from: From,
    want: Want,
    waitMs: number,
    signal: () => AbortSignal,
  ): Promise<Handed | undefined> {
    if (this.#closed) throw draining();
    const consumers = this.#consumers(category);
    if (!consumers.get(consumer)) {
      const refusal = this.#refusal();
      if (refusal) throw refusal;
      await consumers.begin(consumer, from);
    }
    return await this.#dispenser(category, consumer, want).consume(want, waitMs, signal);
  }

  /** What was taken could not be handed out after all. */
  untake(category: string, consumer: string, handed: Handed): void {
    this.#known(category, consumer)?.taker.untake(handed);
  }

  /** Takes an acknowledgement; see `docs/consumers.md` for what it covers. Rejects with `ChukchaError`. */
  async acknowledge(category: string, consumer: string, ack: Acknowledgement): Promise<void> {
    const { chunk, to, epoch } = ack;
    const consumers = this.#consumers(category);
    const place = consumers.get(consumer);
    const taker = this.#known(category, consumer)?.taker;
    const piece = taker?.pieces.ending(chunk, to);
    const from = ack.from ?? piece?.from ?? this.#startOf(place, consumer, chunk, to);
    if (from < to) {
      const { source } = this.#context;
      const isKnown = taker?.endsAt(parseChunkName(chunk)!.instance, chunk, to);
      if (!isKnown) await checkMessageStart(source, category, chunk, to, "size");
      if (from !== piece?.from) await checkMessageStart(source, category, chunk, from, "offset");
    }
    await consumers.acknowledge(consumer, chunk, from, to, epoch);
    this.#known(category, consumer)?.acknowledged(chunk, from, to);
  }

  /** The counter of a consumer where something may be on lease. Throws `not_leased`. */
  lending(category: string, consumer: string): Dispenser {
    const dispenser = this.#known(category, consumer);
    if (dispenser) return dispenser;
    throw new ChukchaError("not_leased", `lease: ${quote(consumer)} has nothing on lease from this node`);
  }

  /** Moves a consumer, or makes one there. Rejects with `ChukchaError`. */
  async seek(category: string, consumer: string, to: From | readonly ChunkPosition[]): Promise<ConsumerInfo> {
    const consumers = this.#consumers(category);
    const refusal = consumers.get(consumer) ? undefined : this.#refusal();
    if (refusal) throw refusal;
    const { source } = this.#context;
    if (isPlaces(to)) {
      for (const { chunk, offset } of to) await checkMessageStart(source, category, chunk, offset, "to");
    }
    const place = await consumers.seek(consumer, to);
    const sizes = await Sizes.of(source.chunks(category), this.#pauses());
    return this.#infoOf(category, place, sizes);
  }

  /** Forgets a consumer. Rejects with `ChukchaError`. */
  async forget(category: string, consumer: string): Promise<void> {
    await this.#consumers(category).forget(consumer);
  }

  /** The consumers of some categories, by category and name; others go first again and again. */
  async list(categories: readonly string[]): Promise<ConsumerInfo[]> {
    const { source } = this.#context;
    const pause = this.#pauses();
    const infos: ConsumerInfo[] = [];
    for (const category of categories) {
      const consumers = source.consumers(category);
      const places = consumers.list();
      if (places.length === 0) continue;
      const sizes = await Sizes.of(source.chunks(category), pause);
      for (const { name } of places) {
        // As it is now: the sizes are later than the list.
        const place = consumers.get(name);
        if (place) infos.push(this.#infoOf(category, place, sizes));
        await pause();
      }
    }
    return infos;
  }

  /** From now on nothing is handed out; who waits is told. Resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    const all = [...this.#inUse.values()].flatMap(({ dispensers, unwatch }) => {
      unwatch();
      return [...dispensers.values()];
    });
    await Promise.all(all.map((dispenser) => dispenser.close()));
  }

  /** Lets others go first whenever this has taken a while. */
  #pauses(): () => Promise<void> | void {
    const { clock } = this.#context;
    let sinceMs = clock.monotonic();
    return () => {
      if (clock.monotonic() - sinceMs < SLICE_MS) return;
      return new Promise<void>((resolve) => clock.soon(resolve)).then(() => {
        sinceMs = clock.monotonic();
      });
    };
  }

  #infoOf(category: string, place: ConsumerPlace, sizes: Sizes): ConsumerInfo {
    const { bytes, chunks, positions } = sizes.lagOf(place);
    const dispenser = this.#known(category, place.name);
    dispenser?.taker.expire();
    return {
      category,
      consumer: place.name,
      epoch: place.epoch,
      lag_bytes: bytes,
      lag_chunks: chunks,
      leased_bytes: dispenser?.taker.leasedBytes(place.epoch) ?? 0,
      positions,
    };
  }

  /** Where an ack begins that does not say so and ends no piece. Throws `not_leased`. */
  #startOf(place: ConsumerPlace | undefined, consumer: string, chunk: string, to: number): number {
    if (!place?.leases) return 0;
    const { instance, number } = parseChunkName(chunk)!;
    // Sent again, because the answer was lost: its last byte is acknowledged, and so is the rest, or it comes again.
    if (to === 0 || !includes(place.unread(instance), number, to - 1, to)) return to;
    throw new ChukchaError(
      "not_leased",
      `ack: the consumer ${
        quote(consumer)
      } uses leases, and no piece of ${chunk} that ends at ${to} is known to ` +
        "this node; say with offset where it begins",
    );
  }

  #consumers(category: string): Consumers {
    return this.#inUse.get(category)?.consumers ?? this.#context.source.consumers(category);
  }

  #known(category: string, consumer: string): Dispenser | undefined {
    return this.#inUse.get(category)?.dispensers.get(consumer);
  }

  #dispenser(category: string, consumer: string, { leaseMs }: Want): Dispenser {
    const known = this.#known(category, consumer);
    if (known && (leaseMs === 0 || this.#context.meter.pieces < PIECES_MAX)) return known;
    if (!known && this.#count >= DISPENSERS_MAX || this.#context.meter.pieces >= PIECES_MAX) {
      this.#makeRoom(known);
    }
    if (known) return known;
    if (this.#count >= DISPENSERS_MAX) throw tooMany();
    const inUse = this.#inUse.get(category) ?? this.#open(category);
    const dispenser: Dispenser = new Dispenser(
      category,
      consumer,
      inUse.consumers,
      this.#context,
      (isActive) => isActive ? inUse.active.add(dispenser) : inUse.active.delete(dispenser),
    );
    inUse.dispensers.set(consumer, dispenser);
    this.#count++;
    return dispenser;
  }

  #open(category: string): InUse {
    const { source } = this.#context;
    const consumers = source.consumers(category);
    const dispensers = new Map<string, Dispenser>();
    const active = new Set<Dispenser>();
    const unwatch = [
      source.watch(category, () => active.forEach((dispenser) => dispenser.notify())),
      consumers.watch((name) => dispensers.get(name)?.placeChanged()),
    ];
    const inUse = { consumers, dispensers, active, unwatch: () => unwatch.forEach((stop) => stop()) };
    this.#inUse.set(category, inUse);
    return inUse;
  }

  /** Lets go of what nobody uses now, but for `kept`. */
  #makeRoom(kept: Dispenser | undefined): void {
    for (const [category, { dispensers, unwatch }] of this.#inUse) {
      for (const [name, dispenser] of dispensers) {
        if (dispenser === kept || !dispenser.mayGo) continue;
        dispenser.taker.clear();
        dispensers.delete(name);
        this.#count--;
      }
      if (dispensers.size > 0) continue;
      unwatch();
      this.#inUse.delete(category);
    }
  }
}

/** A list is made for this long before others go first. */
const SLICE_MS = 2;

function isPlaces(to: From | readonly ChunkPosition[]): to is readonly ChunkPosition[] {
  return Array.isArray(to);
}

function draining(): ChukchaError {
  return new ChukchaError("draining", "consume: this node is shutting down; use another one, or retry");
}

function tooMany(): ChukchaError {
  return new ChukchaError(
    "overloaded",
    `consume: ${DISPENSERS_MAX} consumers are in use on this node, the most there may be; use another one`,
  );
}
