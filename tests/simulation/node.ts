/**
 * One simulated machine: a disk that outlives its processes, a clock, and now and then a process, built from the code
 * that ships. Everything that the process publishes is held against the registry at once.
 *
 * @module
 */
import { storeBatch } from "../../lib/http/write.ts";
import { buildNode, type BuiltNode } from "../../lib/node.ts";
import { ChukchaError } from "../../lib/protocol/errors.ts";
import { SILENT_LOG } from "../../lib/protocol/log.ts";
import { parseChunkName } from "../../lib/protocol/names.ts";
import type { Demand } from "../../lib/replication/confirmations.ts";
import type { FetchAnswer, Peer, Piece } from "../../lib/replication/peer.ts";
import { DEFAULT_SETTINGS } from "../../lib/settings.ts";
import type { BatchSource } from "../../lib/storage/batch_journal.ts";
import type { Stored } from "../../lib/storage/batches.ts";
import type { Change } from "../../lib/storage/change_log.ts";
import type { Chunk } from "../../lib/storage/chunk.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { type ClockFaults, NodeClock } from "./clock.ts";
import type { History } from "./history.ts";
import { checkAnswer, checkRanges, OPEN_FILES_MAX } from "./bounds.ts";
import { checkKept, type DiskLife, holdsNow, losePower, newDiskLife } from "./holdings.ts";
import type { Plant } from "./planted.ts";
import type { Life } from "./timeline.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** How a process ends. */
export type End = "kill" | "power loss" | "wipe" | "gone for good";

/** The life of a process: over when it was ended, or when its disk has died under it. */
class ProcessLife implements Life {
  ended = false;
  pausedUntilMs = 0;

  constructor(readonly name: string, readonly disk: MemoryDisk) {}

  get alive(): boolean {
    return !this.ended && !this.disk.dead;
  }
}

/** A machine. */
export class SimulatedNode {
  readonly name: string;
  disk = new MemoryDisk();
  diskLife: DiskLife;
  life: ProcessLife | undefined;
  built: BuiltNode | undefined;
  readonly clock: ClockFaults;
  /** Simulated time that a sync takes. */
  syncMs = 0.3;
  /** Until then nothing comes back from the device. */
  hangsUntilMs = 0;
  goneForGood = false;
  /** Simulated time at which its process was ready. */
  startedMs = 0;
  /** A sync failed in this life: some file of it is poisoned. */
  mustRestart = false;
  /** How it ends when its disk dies under it, and how long it stays down then. */
  dieBy: End | undefined;
  downMs = 0;
  #disks = 0;
  /** Disks and categories in which something was published. */
  readonly #begun = new Set<string>();
  /** Ends the wait of each sync that does not come back. */
  readonly #hanging = new Set<() => void>();

  constructor(readonly world: World, readonly index: number, readonly history: History) {
    this.name = `n${index}`;
    this.diskLife = newDiskLife(`${this.name}#0`);
    world.allDisks.push(this.diskLife);
    this.clock = { rate: history.rates[index] ?? 1, wallOffsetMs: index * 1_000 };
  }

  /** The process that requests reach now. */
  target(): Life | undefined {
    return this.life?.alive && this.built ? this.life : undefined;
  }

  /** Starts a process on the disk; it may die on the way. */
  async start(): Promise<void> {
    const { world, history } = this;
    this.dieBy = undefined;
    const life = new ProcessLife(this.name, this.disk);
    this.life = life;
    this.mustRestart = false;
    this.#armDisk();
    const random = new SeededRandom(world.random.below(2 ** 31));
    const plant: Plant = world.plant;
    const peers = world.nodes.filter((node) => node !== this).map(({ name }) => ({
      instance: name,
      url: `http://${name}`,
    }));
    const disk = this.disk;
    try {
      const built = await buildNode({
        ...DEFAULT_SETTINGS,
        instance: this.name,
        minFreeDisk: 0,
        maxChunkSize: history.chunkBytesMax,
        rotateIntervalMs: history.rotateIntervalMs,
        finalizeAfterMs: history.finaliseAfterMs,
        ...(history.scrubIntervalMs === undefined ? {} : { scrubIntervalMs: history.scrubIntervalMs }),
        peers,
      }, {
        disk: plant.disk?.(disk, this.name) ?? disk,
        clock: new NodeClock(world.timeline, life, this.clock),
        random,
        storage: {
          openFilesMax: OPEN_FILES_MAX,
          ...(history.checkpointChunksMin === undefined
            ? {}
            : { checkpointChunksMin: history.checkpointChunksMin }),
        },
        log: world.log ?? SILENT_LOG,
        connect: (peer) => {
          const way = this.#connect(life, peer.instance);
          return plant.peer?.(way) ?? way;
        },
      });
      if (!life.alive) return;
      plant.built?.(built);
      this.built = built;
      this.startedMs = world.timeline.nowMs;
      this.#inspect(built, life);
      built.cluster?.start();
    } catch (error) {
      if (error instanceof Violation) throw error;
      if (!life.alive) return;
      // Only a disk that refuses may keep a node from starting; it is tried again.
      if (!this.world.hasDiskFaults(this)) {
        throw new Violation("Live", `${this.name} does not start: ${String(error)}`);
      }
      this.end("kill");
      world.startLater(this, 1_000);
    }
  }

  /** The process ends. */
  end(how: End): void {
    const { life, disk } = this;
    if (life) life.ended = true;
    this.life = undefined;
    this.built = undefined;
    this.world.trace(`${this.name} ends: ${how}`);
    if (how === "kill") this.disk = disk.kill();
    else if (how === "power loss") {
      this.disk = disk.crash({ random: new SeededRandom(this.world.random.below(2 ** 31)), blockBytes: 64 });
      losePower(this.diskLife);
    } else {
      disk.kill();
      this.diskLife.lost = true;
      this.disk = new MemoryDisk();
      this.diskLife = newDiskLife(`${this.name}#${++this.#disks}`);
      this.world.allDisks.push(this.diskLife);
      this.goneForGood ||= how === "gone for good";
    }
    // Its timers are dead with its life, and what was on its way to it is not answered.
  }

  /** What this node answers to a write, as its HTTP interface would. */
  async write(
    category: string,
    bytes: Uint8Array,
    demand: Demand,
    source?: BatchSource,
  ): Promise<Stored> {
    const { service, store } = this.built!;
    const { diskLife, life } = this;
    const refusal = service.refusal();
    if (refusal) throw refusal;
    if (demand.replicas >= this.world.nodes.length) throw new ChukchaError("invalid_parameter", "too many");
    const result = await storeBatch(service, category, bytes, demand, () => {}, source);
    // A process that is dead by now answers nobody. Of what is processed, nothing is left to be promised.
    if (!life?.alive || result.known === "processed") return result;
    this.world.promised(this, store, diskLife, category, result, demand);
    return result;
  }

  /** Holds everything that a start found against what is known. */
  #inspect(built: BuiltNode, life: Life): void {
    const { store } = built;
    const { world, diskLife } = this;
    for (const category of store.listCategories()) {
      for (const { name } of store.listChunks(category)) {
        const chunk = store.chunk(category, name)!;
        // A group that was written, and not yet published when the process died, is there after all.
        if (chunk.instance === this.name) world.registry.recovered(category, chunk, store, life, diskLife);
        else if (!chunk.damaged) world.registry.check(category, chunk, this.name);
        this.#note(category, chunk);
      }
    }
    const split = (key: string) => key.split("/") as [string, string];
    checkKept(
      diskLife,
      (key) => store.chunk(...split(key))?.size,
      (key) => {
        const [category, name] = split(key);
        const { instance, number } = parseChunkName(name)!;
        // On a full disk, what its reader was done with made room for saying so.
        return store.isAcknowledged(category, instance, number) || world.book.asked.has(key);
      },
    );
    for (const { category, chunk } of store.incompleteCopies()) {
      holdsNow(diskLife, `${category}/${chunk.name}`, chunk.size, chunk.synced);
    }
    store.changes.watch((change) => world.attempt(() => this.#changed(built, life, change)));
  }

  #changed(
    { store }: BuiltNode,
    life: Life,
    { category, chunk, acknowledged, consumer, source }: Change,
  ): void {
    if (!life.alive) return;
    const { world } = this;
    if (consumer !== undefined) return world.trace(`${this.name} ${category} ${consumer} ${source ?? ""}`);
    if (!chunk) {
      world.trace(`${this.name} acknowledged ${category} ${acknowledged}`);
      if (store.acknowledgedOf(category, acknowledged!)?.sizes.size) world.sawFinalised();
      checkRanges(this.name, store.acknowledgedOf(category, acknowledged!)?.ranges ?? []);
      for (const key of [...this.diskLife.holds.keys()]) {
        const [of, name] = key.split("/") as [string, string];
        const { instance, number } = parseChunkName(name)!;
        if (of !== category || !store.isAcknowledged(category, instance, number)) continue;
        this.diskLife.acknowledged.add(key);
        this.diskLife.holds.delete(key);
      }
      return;
    }
    world.trace(`${this.name} ${chunk.name} ${chunk.size} ${chunk.complete} ${source ?? ""}`);
    const { instance, number } = parseChunkName(chunk.name)!;
    if (store.isAcknowledged(category, instance, number)) {
      throw new Violation("NoResurrection", `${this.name}: ${chunk.name} changes after it was acknowledged`);
    }
    const own = source === undefined && instance === this.name && !chunk.finalised;
    // What only lost disks held, nobody can tell a new one of: looked at before others hear of what is on the new one.
    const begun = `${this.diskLife.id} ${category}`;
    const isFirst = own && !this.#begun.has(begun);
    if (isFirst) this.#begun.add(begun);
    const isNew = isFirst || (own && world.registry.isOfLostDisk(category, chunk));
    if (isNew && !world.isHeardOf(this, category)) world.registry.forgetLost(this.name, category);
    if (own && !world.registry.isOlder(category, chunk, life)) {
      world.registry.grew(category, chunk, store, life, this.diskLife);
    } else world.registry.check(category, chunk, this.name);
    this.#note(category, chunk);
  }

  #note(category: string, chunk: Chunk): void {
    const key = `${category}/${chunk.name}`;
    if (this.diskLife.acknowledged.has(key)) {
      throw new Violation(
        "NoResurrection",
        `${this.name} holds ${key} again, which was acknowledged on this disk`,
      );
    }
    holdsNow(this.diskLife, key, chunk.size, chunk.synced);
    if (chunk.complete && !chunk.finalised && chunk.instance === this.name) {
      this.world.completed(this, key, chunk.size);
    }
    if (chunk.finalised) this.world.sawFinalised();
    const before = this.diskLife.complete.get(key);
    // A process that was killed before it had sealed the chunk has to find out again; what it finds out is the same.
    const isOpenAgain = !chunk.complete && before !== undefined && chunk.size <= before;
    // What others finalised is shorter, and the rest is published again.
    const isCut = chunk.complete && chunk.finalised && chunk.size < (before ?? 0);
    // A full disk lets the data of what a reader is done with go before it can note that; a crash then leaves what others
    // have of it.
    const isGivenUp = this.world.book.asked.has(key);
    if (before !== undefined && chunk.size !== before && !isOpenAgain && !isCut && !isGivenUp) {
      throw new Violation(
        "CompleteImmutable",
        `${this.name}: ${key} was complete with ${before} bytes, now has ${chunk.size}, complete: ${chunk.complete}`,
      );
    }
    if (chunk.sealed) this.diskLife.sealed.add(key);
    else this.diskLife.sealed.delete(key);
    if (chunk.complete) this.diskLife.complete.set(key, chunk.size);
    // What was only this node's own conclusion may be another one the next time.
    else if (chunk.instance !== this.name) this.diskLife.complete.delete(key);
  }

  /** Syncs take time. */
  #armDisk(): void {
    const { world } = this;
    const life = this.life!;
    this.disk.faults.poisoned = (operation, path) =>
      world.fail(
        new Violation("PoisonSticky", `${this.name}: ${operation} of ${path}, whose sync has failed`),
      );
    Object.defineProperty(this.disk, "syncGate", {
      configurable: true,
      get: () => {
        const syncMs = this.syncMs * (0.5 + world.random.number());
        const hangsMs = this.hangsUntilMs - world.timeline.nowMs;
        if (hangsMs <= 0) return world.timeline.sleep(syncMs, life);
        return new Promise<void>((resolve) => {
          const goOn = (): void => {
            if (this.#hanging.delete(goOn)) world.timeline.schedule(syncMs, resolve, life);
          };
          this.#hanging.add(goOn);
          world.timeline.schedule(hangsMs, goOn, life);
        });
      },
    });
  }

  /** The device answers again, also what it was asked meanwhile. */
  hangNoMore(): void {
    this.hangsUntilMs = 0;
    for (const goOn of [...this.#hanging]) goOn();
  }

  #connect(life: Life, to: string): Peer {
    const { network, node } = { network: this.world.network, node: this.world.byName(to) };
    const answerer = () => {
      const cluster = node.built?.cluster;
      if (!cluster) throw new Error("connection reset");
      return cluster.answerer;
    };
    let lastFetch: FetchAnswer | undefined;
    const bounded = <T extends { readonly pieces: readonly Piece[] }>(answer: T): T => {
      this.world.attempt(() => checkAnswer(to, answer.pieces));
      return answer;
    };
    const call = <T>(kind: string, answer: () => Promise<T>, cancel?: AbortSignal): Promise<T> => {
      this.world.trace(`${life.name}>${to} ${kind}`);
      return network.call(life, to, () => node.target(), answer, cancel);
    };
    return {
      instance: to,
      url: `http://${to}`,
      changes: (request, cancel) => {
        // What it says that it has synced, it has, as far as this is true: nothing else tells of syncs.
        for (const { category, chunk } of request.held) this.world.refresh(category, chunk);
        return call(
          "changes",
          async () => bounded(copied(await answerer().changes(request, cancel))),
          cancel,
        );
      },
      fetch: (from, wanted, bytesMax) =>
        call("fetch", async () => {
          const answer = bounded(copied(await answerer().fetch(from, wanted, bytesMax)));
          const given = lastFetch && network.repeats(to, life.name) ? lastFetch : answer;
          lastFetch = answer;
          return given;
        }),
      knows: (from, category, chunk) => call("knows", () => answerer().knows(from, category, chunk)),
      close: () => {},
    };
  }
}

/** The answer with bytes of its own: what was sent does not change any more. */
function copied<T extends { readonly pieces: readonly Piece[] }>(answer: T): T {
  return { ...answer, pieces: answer.pieces.map((piece) => ({ ...piece, bytes: piece.bytes.slice() })) };
}
