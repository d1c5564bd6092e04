/**
 * Who is who: which process lives behind each name, and when it was last heard of.
 *
 * A name is one node. A request or an answer is believed if it comes from the node known by that name, or if that node
 * is no longer live. Of two incarnations (two data directories) the one that is live stays; of two runs of one
 * incarnation the one that was heard of later, since a restart is that, and a directory that was copied while its node
 * went on is found out when the other run shows up again. Refusing is all that is done: nothing of the refused is merged, nothing of it lost.
 *
 * Nothing here survives the process: after a restart, whoever is heard first is believed.
 *
 * @module
 */
import { ChukchaError, quote } from "../protocol/errors.ts";
import { NODE_LIVE_MS, TROUBLE_LOG_INTERVAL_MS } from "../protocol/limits.ts";
import type { Log, LogFields } from "../protocol/log.ts";
import type { Clock } from "../storage/clock.ts";
import type { NodeId } from "./peer.ts";

/** Runs remembered as replaced, per name. */
const RETIRED_MAX = 16;

interface Known {
  id: NodeId;
  /** `Clock.monotonic()` when it was last heard itself. */
  seenMs: number;
  /** Its requests that are being answered. */
  pending: number;
  /** Runs that it has replaced. */
  readonly retired: string[];
}

/** The nodes that this one has heard of. */
export class Identities {
  readonly #own: NodeId;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #known = new Map<string, Known>();
  /** When each name was last heard of, by others too. */
  readonly #heardMs = new Map<string, number>();
  readonly #startMs: number;
  #loggedMs = -Infinity;
  readonly #replaced: (instance: string) => void;

  /** @param replaced called when another process is behind a name than before */
  constructor(own: NodeId, clock: Clock, log: Log, replaced: (instance: string) => void) {
    this.#own = own;
    this.#clock = clock;
    this.#log = log;
    this.#startMs = clock.monotonic();
    this.#replaced = replaced;
  }

  /** Takes note of a node that was heard. Throws `name_in_use` if its name belongs to another one. */
  observe(id: NodeId): void {
    const { instance, incarnation, run } = id;
    if (instance === this.#own.instance) throw this.#namedLikeThis(id);
    const now = this.#clock.monotonic();
    const known = this.#known.get(instance);
    if (!known) {
      this.#known.set(instance, { id, seenMs: now, pending: 0, retired: [] });
    } else if (known.id.run !== run || known.id.incarnation !== incarnation) {
      this.#replace(known, id, now);
    }
    this.#known.get(instance)!.seenMs = now;
    this.#heardMs.set(instance, now);
  }

  /**
   * Says that a request of this node is being answered, until the returned function is called: it is live. If it has hung
   * up, and no other request of it is there, it is not taken for live any more: most likely it was killed.
   */
  hold(id: NodeId): (hungUp: boolean) => void {
    const known = this.#known.get(id.instance);
    if (!known || known.id.run !== id.run) return () => {};
    known.pending++;
    return (hungUp) => {
      known.pending--;
      if (!hungUp) known.seenMs = this.#clock.monotonic();
      else if (known.pending === 0) known.seenMs = -Infinity;
    };
  }

  /** Takes note of what a peer said: how long ago it heard of others. */
  hearsay(heardMs: ReadonlyMap<string, number>): void {
    const now = this.#clock.monotonic();
    for (const [instance, ago] of heardMs) {
      this.#heardMs.set(instance, Math.max(now - ago, this.#heardMs.get(instance) ?? -Infinity));
    }
  }

  /** Milliseconds since each other node was heard of. */
  heard(): Map<string, number> {
    const now = this.#clock.monotonic();
    return new Map(
      Array.from(this.#heardMs, ([instance, ms]) => [instance, Math.max(0, Math.round(now - ms))]),
    );
  }

  /** Milliseconds since this node was heard of; since the start, if it never was. */
  silentMs(instance: string): number {
    return this.#clock.monotonic() - (this.#heardMs.get(instance) ?? this.#startMs);
  }

  /** The incarnation behind a name, if it was heard itself. */
  incarnationOf(instance: string): string | undefined {
    return this.#known.get(instance)?.id.incarnation;
  }

  #replace(known: Known, id: NodeId, now: number): void {
    const { instance, incarnation, run } = id;
    const sameDisk = known.id.incarnation === incarnation;
    const live = known.pending > 0 || now - known.seenMs < NODE_LIVE_MS;
    // A message that was long on its way may come from a run that is dead by now: as long as nothing else is heard, it
    // is believed, and the run that lives is believed again once that one is silent.
    if (live && (!sameDisk || known.retired.includes(run))) throw this.#inUse(known.id, id);
    if (!sameDisk) {
      this.#log.warn("a peer came back with another data directory", {
        instance,
        incarnation,
        before: known.id.incarnation,
      });
    }
    const retired = [...known.retired, known.id.run].slice(-RETIRED_MAX);
    this.#known.set(instance, { id, seenMs: now, pending: 0, retired });
    this.#replaced(instance);
  }

  #inUse(known: NodeId, { instance, incarnation }: NodeId): ChukchaError {
    this.#loud("two live nodes have one name; the second is refused, nothing of it is taken", {
      instance,
      known: known.incarnation,
      refused: incarnation,
    });
    const which = known.incarnation === incarnation
      ? "a newer process with the same data directory, or a copy of it,"
      : `another node (incarnation ${known.incarnation})`;
    return new ChukchaError(
      "name_in_use",
      `instance: ${which} is live under the name ${quote(instance)}; give one of them another --instance`,
    );
  }

  #namedLikeThis({ incarnation, run }: NodeId): ChukchaError {
    const { instance } = this.#own;
    if (run === this.#own.run) {
      return new ChukchaError(
        "name_in_use",
        `peers: an address under another name leads back to this node, ${quote(instance)}; check --peers`,
      );
    }
    this.#loud("another node has this node's name; nothing of it is taken", { instance, incarnation });
    return new ChukchaError(
      "name_in_use",
      `instance: the node asked is called ${quote(instance)} too; give one of them another --instance`,
    );
  }

  /** An error that comes again with every request is logged once in a while. */
  #loud(message: string, fields: LogFields): void {
    const now = this.#clock.monotonic();
    if (now - this.#loggedMs < TROUBLE_LOG_INTERVAL_MS) return;
    this.#loggedMs = now;
    this.#log.error(message, fields);
  }
}
