/**
 * What can be done to a consumer, each as a function from what is known of it to what is known then.
 *
 * They are applied in turn, to what the one before has left, and before anything is written: one that throws has changed
 * nothing. `undefined` is a consumer that was never used here.
 *
 * @module
 */
import { ChukchaError, quote } from "../protocol/errors.ts";
import { CONSUMER_INTERVALS_MAX, NUMBERS_SKIPPED } from "../protocol/limits.ts";
import { type ChunkId, chunkName, parseChunkName } from "../protocol/names.ts";
import type { ChunkPosition, From } from "../protocol/position.ts";
import type { CategoryState } from "./category_state.ts";
import { RecordedPlace, type StartOf } from "./consumer_place.ts";
import { type ConsumerRecord, countIntervals, forgottenConsumer, NEW_CONSUMER } from "./consumer_record.ts";
import { atMost, behindAll, endOf, fromPlaces, since, trimmed } from "./consumer_start.ts";
import { DiskError } from "./disk.ts";
import { offsetSince } from "./offset_since.ts";
import { comparePlaces, type Place, type Unread, without } from "./unread.ts";

/** What is known of a consumer after a change; the same object if that changes nothing. */
export type ConsumerChange = (known: ConsumerRecord | undefined) => ConsumerRecord;

/** What is acknowledged. */
export interface ConsumerAck {
  readonly name: string;
  readonly chunk: string;
  readonly from: number;
  readonly to: number;
  readonly epoch: number | undefined;
}

/** The changes that consumers of one category can undergo. */
export class ConsumerChanges {
  readonly #state: CategoryState;
  /** Where consumers begin with an owner that is met later. */
  readonly startOf: StartOf = (owner, sinceMs) => {
    const { chunks } = this.#chunksOf(owner);
    return chunks.length === 0 ? undefined : this.#since(owner, sinceMs);
  };

  constructor(state: CategoryState) {
    this.#state = state;
  }

  /** It begins at `from`, unless it is there. */
  begin(from: From): ConsumerChange {
    return (known) => known && !known.forgotten ? known : this.#startingAt(from, nextEpoch(known));
  }

  /** It has used leases. */
  useLeases(name: string): ConsumerChange {
    return (known) => {
      const there = present(name, known);
      return there.leases ? there : { ...there, leases: true };
    };
  }

  /** It is moved. */
  seek(name: string, to: From | readonly ChunkPosition[]): ConsumerChange {
    return (known) => {
      const leases = known?.leases ?? false;
      const epoch = nextEpoch(known);
      if (typeof to === "string" || "timeMs" in to) return { ...this.#startingAt(to, epoch), leases };
      const there = known && !known.forgotten ? known : NEW_CONSUMER;
      const places = to.map((place) => {
        const id = parseChunkName(place.chunk);
        if (!id) throw noSuchChunk(place.chunk, this.#state.name);
        this.#admitUnknown(place.chunk, id);
        return this.#written(place, id);
      });
      const owners = new Map([...new RecordedPlace(name, there, this.startOf).met(), ...fromPlaces(places)]);
      return bounded({ ...there, epoch, leases, owners });
    };
  }

  /** It is no consumer any more. */
  forget(name: string): ConsumerChange {
    return (known) => forgottenConsumer(present(name, known).epoch + 1);
  }

  /** Bytes of a chunk are processed. */
  acknowledge({ name, chunk, from, to, epoch }: ConsumerAck): ConsumerChange {
    return (known) => {
      if (known?.forgotten) throw notFound(name);
      const record = known ?? NEW_CONSUMER;
      if (epoch !== undefined && epoch !== record.epoch) throw moved(name, epoch, record.epoch);
      const { instance, number, end } = this.#endOf(chunk, to);
      if (!end) return record;
      const place = new RecordedPlace(name, record, this.startOf);
      const before = place.unread(instance);
      const after = without(before, { number, offset: from }, end);
      if (after === before) return record;
      const owners = place.met().set(instance, this.#trimmed(instance, after));
      const changed = { ...record, owners };
      if (after.length > before.length && countIntervals(changed) > CONSUMER_INTERVALS_MAX) {
        throw new ChukchaError(
          "overloaded",
          `consumer: ${name} has not acknowledged ${CONSUMER_INTERVALS_MAX} pieces before this one, which is the most ` +
            "that is kept; acknowledge those first, or let them be handed out again",
        );
      }
      return changed;
    };
  }

  /** What an acknowledgement of a chunk reaches to; no `end` if the chunk is gone on every node. */
  #endOf(name: string, to: number): { instance: string; number: number; end?: Place } {
    const own = this.#state.context.options.instance;
    const { chunks, acknowledged } = this.#state;
    const id = parseChunkName(name);
    if (!id) throw noSuchChunk(name, this.#state.name);
    const { instance, number } = id;
    if (acknowledged.has(instance, number)) return id;
    const chunk = chunks.get(name);
    if (chunk?.complete && to >= chunk.size) return { ...id, end: { number: number + 1, offset: 0 } };
    if (instance !== own) {
      if (!chunk) this.#admitUnknown(name, id);
    } else if (!chunk) {
      throw noSuchChunk(name, this.#state.name);
    } else if (to > chunk.size && chunk.settled) {
      throw new ChukchaError(
        "not_complete",
        `size: ${to} is more than the ${chunk.size} bytes that were written to ${name} until now`,
      );
    }
    return { ...id, end: { number, offset: to } };
  }

  /**
   * Throws unless another node may have written the chunk: this one may be behind. A number far beyond all that is known
   * is refused, since its owner, should it lose its disk, goes on behind all numbers that anybody has heard of.
   */
  #admitUnknown(name: string, { instance, number }: ChunkId): void {
    const { chunks, acknowledged, context: { options } } = this.#state;
    const last = chunks.lastOf(instance)?.number ?? -1;
    const largest = Math.max(last, acknowledged.largest(instance));
    const isOwner = largest >= 0 || instance === options.instance || (options.peers ?? []).includes(instance);
    if (!isOwner) throw noSuchChunk(name, this.#state.name);
    if (number <= largest + NUMBERS_SKIPPED) return;
    throw new ChukchaError(
      "behind",
      `chunk: ${name} is far behind the last one that this node has heard of, which is number ${largest}; retry`,
    );
  }

  /**
   * A place that is not behind all that this node itself has written: what it writes next would be passed over. Of other
   * nodes that cannot be said. Rejected: an error, since after the loss of a disk the places that `/consumers` tells may
   * lie there.
   */
  #written(place: ChunkPosition, { instance, number }: ChunkId): ChunkPosition {
    const { chunks, acknowledged, context: { options } } = this.#state;
    if (instance !== options.instance) return place;
    const gone = { number: acknowledged.largest(instance) + 1, offset: 0 };
    const last = chunks.lastOf(instance);
    if (last && !last.settled) return place;
    const end = last && last.number >= gone.number ? endOf(last) : gone;
    if (comparePlaces({ number, offset: place.offset }, end) <= 0) return place;
    return { chunk: chunkName(instance, end.number), offset: end.offset };
  }

  #startingAt(from: From, epoch: number): ConsumerRecord {
    const sinceMs = typeof from === "object" ? from.timeMs : undefined;
    const owners = new Map<string, Unread>();
    if (from !== "earliest") {
      for (const owner of this.#state.chunks.owners()) {
        const unread = sinceMs === undefined ? behindAll(this.#chunksOf(owner)) : this.#since(owner, sinceMs);
        owners.set(owner, this.#trimmed(owner, unread));
      }
    }
    return bounded({ ...NEW_CONSUMER, epoch, sinceMs, owners });
  }

  #since(owner: string, sinceMs: number): Unread {
    const { indexes } = this.#state.context;
    return since(this.#chunksOf(owner), sinceMs, (chunk) => {
      try {
        return offsetSince(indexes, chunk, sinceMs);
      } catch (error) {
        // Without its records all of the chunk is as old as the last of it.
        if (!(error instanceof DiskError)) throw error;
        return 0;
      }
    });
  }

  #trimmed(owner: string, unread: Unread): Unread {
    const { chunks, acknowledged } = this.#state;
    return trimmed(unread, (number) => {
      const chunk = chunks.firstFrom(owner, number);
      return chunk?.number === number ? chunk : undefined;
    }, (number) => acknowledged.behind(owner, number));
  }

  #chunksOf(owner: string) {
    const { chunks, acknowledged } = this.#state;
    return { chunks: chunks.ofOwner(owner), acknowledged: acknowledged.of(owner)?.ranges ?? [] };
  }
}

/** Of a forgotten consumer, and of one that is moved, what comes is another life of it. */
function nextEpoch(known: ConsumerRecord | undefined): number {
  return known ? known.epoch + 1 : 0;
}

/** As many intervals as a consumer may have, an equal share for each owner if there are more. */
function bounded(record: ConsumerRecord): ConsumerRecord {
  if (countIntervals(record) <= CONSUMER_INTERVALS_MAX) return record;
  const share = Math.max(1, Math.floor(CONSUMER_INTERVALS_MAX / record.owners.size));
  const owners = Array.from(record.owners, ([owner, unread]) => [owner, atMost(unread, share)] as const);
  return { ...record, owners: new Map(owners) };
}

function present(name: string, known: ConsumerRecord | undefined): ConsumerRecord {
  if (known && !known.forgotten) return known;
  throw notFound(name);
}

function notFound(name: string): ChukchaError {
  return new ChukchaError("consumer_not_found", `consumer: ${quote(name)} was never used, or is forgotten`);
}

function moved(name: string, epoch: number, present: number): ChukchaError {
  if (epoch < present) {
    return new ChukchaError(
      "position_moved",
      `epoch: ${epoch} is not the present one of ${name}, which is ${present}: it was moved since these messages were ` +
        "handed out",
    );
  }
  return new ChukchaError(
    "behind",
    `epoch: ${epoch} of ${name} is not known here yet, only ${present}; retry, other nodes tell of it`,
  );
}

function noSuchChunk(name: string, category: string): ChukchaError {
  return new ChukchaError(
    "chunk_not_found",
    `chunk: ${quote(name)} of category ${category} was never written`,
  );
}
