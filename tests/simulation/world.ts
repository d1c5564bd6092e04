/**
 * One simulated world: machines, clients, a network, time, and what is known of all of them from outside.
 *
 * @module
 */
import type { Log } from "../../lib/protocol/log.ts";
import type { WriteResult } from "../../lib/protocol/types.ts";
import type { Demand } from "../../lib/replication/confirmations.ts";
import type { Store } from "../../lib/storage/store.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { type Batch, Book } from "./book.ts";
import type { History } from "./history.ts";
import { type DiskLife, holdsNow } from "./holdings.ts";
import { Network } from "./network.ts";
import { SimulatedNode } from "./node.ts";
import { NO_PLANT, type Plant } from "./planted.ts";
import { Registry } from "./registry.ts";
import { Timeline } from "./timeline.ts";
import { Violation } from "./violation.ts";

/** Everything of one run. */
export class World {
  readonly timeline = new Timeline();
  readonly random: SeededRandom;
  readonly network: Network;
  readonly registry = new Registry();
  readonly book = new Book();
  readonly nodes: SimulatedNode[] = [];
  /** Every disk that ever was. */
  readonly allDisks: DiskLife[] = [];
  readonly plant: Plant;
  readonly log: Log | undefined;
  /** The first invariant that was found broken. */
  violation: Violation | undefined;
  /** Some chunk was completed without asking everybody: messages may be there more than once. */
  finalised = false;
  /** Bits have rotted somewhere. */
  rotten = false;
  #hash = 0x811c9dc5;
  readonly lines: string[] | undefined;

  constructor(history: History, options: { plant?: Plant; log?: Log; keepTrace?: boolean } = {}) {
    this.random = new SeededRandom(history.seed ^ 0x5bd1e995);
    this.network = new Network(this.timeline, this.random);
    this.plant = options.plant ?? NO_PLANT;
    this.log = options.log;
    this.lines = options.keepTrace ? [] : undefined;
    for (let i = 0; i < history.nodes; i++) this.nodes.push(new SimulatedNode(this, i, history));
    this.timeline.after = () => this.#bury();
  }

  byName(name: string): SimulatedNode {
    return this.nodes.find((node) => node.name === name)!;
  }

  category(index: number): string {
    return `c${index}`;
  }

  /** Takes note of what happens; two runs of one history take the same notes. */
  trace(what: string): void {
    const { nowMs } = this.timeline;
    this.lines?.push(`${nowMs.toFixed(3)} ${what}`);
    let hash = Math.imul(this.#hash ^ Math.round(nowMs * 1_000), 0x01000193);
    for (let i = 0; i < what.length; i++) hash = Math.imul(hash ^ what.charCodeAt(i), 0x01000193);
    this.#hash = hash >>> 0;
  }

  /** What the notes amount to. */
  get hash(): string {
    return this.#hash.toString(16).padStart(8, "0");
  }

  /** Runs a check; keeps the first violation. */
  attempt(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Keeps the first violation. */
  fail(error: unknown): void {
    const violation = error instanceof Violation
      ? error
      : new Violation("Live", `a defect: ${error instanceof Error ? error.stack : String(error)}`);
    this.trace(`violation ${violation.message}`);
    this.violation ??= violation;
  }

  sawFinalised(): void {
    this.finalised = true;
  }

  hasDiskFaults({ disk: { faults } }: SimulatedNode): boolean {
    return faults.readOnly || faults.bytesMax < Infinity || faults.openMax < Infinity ||
      faults.inodesMax < Infinity ||
      faults.writeBytesMax < Infinity;
  }

  /** Starts a node after a while, if nothing else has by then. */
  startLater(node: SimulatedNode, afterMs: number): void {
    this.timeline.schedule(afterMs, () => {
      if (node.life || node.goneForGood) return;
      this.trace(`${node.name} starts`);
      node.start().catch((error) => this.fail(error));
    });
  }

  /** A write was answered 200: what it promises is true at this moment. */
  promised(
    node: SimulatedNode,
    store: Store,
    disk: DiskLife,
    category: string,
    { chunk, offset, size }: WriteResult,
    { replicas, sync }: Demand,
  ): void {
    this.attempt(() => {
      const key = `${category}/${chunk}`;
      const end = offset + size;
      this.refresh(category, chunk);
      const own = store.chunk(category, chunk);
      if (own && own.size < end) {
        throw new Violation("ServedWithinPublished", `${node.name} answered before ${key} held it`);
      }
      if (sync && own && own.synced < end) {
        throw new Violation("SyncBeforeOk", `${node.name} answered before ${key} was synced`);
      }
      if (sync) this.#checkDevices(category, chunk, end);
      const others = this.#disksThat((held) => held.size >= end && (!sync || held.synced >= end), key, disk);
      if (others < replicas) {
        throw new Violation(
          "MinSyncTruth",
          `${node.name} answered that ${replicas} others hold ${key} up to ${end}${
            sync ? ", synced" : ""
          }; ${others} do`,
        );
      }
    });
  }

  /** SyncBeforeOk: what a process says to be on its device, owner or not, is there. */
  #checkDevices(category: string, name: string, end: number): void {
    for (const { name: where, built, disk } of this.nodes) {
      const chunk = disk.dead ? undefined : built?.store.chunk(category, name);
      const durable = chunk && disk.durableSizeOf(chunk.dataPath);
      if (!chunk || durable === undefined || chunk.synced < end || durable >= end) continue;
      throw new Violation(
        "SyncBeforeOk",
        `${where} says that it has synced ${chunk.synced} bytes of ${name}, its device holds ${durable}`,
      );
    }
  }

  /** What the running processes hold of a chunk at this moment. */
  refresh(category: string, name: string): void {
    for (const { built, diskLife, disk } of this.nodes) {
      if (!built || disk.dead) continue;
      const chunk = built.store.chunk(category, name);
      if (chunk) holdsNow(diskLife, `${category}/${name}`, chunk.size, chunk.synced);
    }
  }

  /** An owner has completed a chunk, for certain: then no other disk that can be asked holds more of it. */
  completed(owner: SimulatedNode, key: string, size: number): void {
    for (const { diskLife, built, name } of this.nodes) {
      const held = diskLife.holds.get(key);
      if (name === owner.name || !built || !held || held.size <= size) continue;
      throw new Violation(
        "CompleteImmutable",
        `${owner.name} completed ${key} with ${size} bytes, ${name} holds ${held.size}`,
      );
    }
  }

  /** Whether a disk of another node holds anything of a node's chunks in a category, or knows that it was acknowledged. */
  isHeardOf({ name }: SimulatedNode, category: string): boolean {
    const isOwn = (key: string): boolean => key.startsWith(`${category}/${name}-chunk`);
    return this.nodes.some((node) =>
      node.name !== name &&
      [...node.diskLife.holds.keys(), ...node.diskLife.acknowledged].some(isOwn)
    );
  }

  /** Binds a batch to the disks that hold it now. */
  bind(batch: Batch, category: string, { chunk, offset, size }: WriteResult): void {
    const key = `${category}/${chunk}`;
    this.refresh(category, chunk);
    for (const { diskLife } of this.nodes) {
      const held = diskLife.holds.get(key);
      if (held && held.size >= offset + size) batch.bind(diskLife, held.synced >= offset + size);
    }
  }

  #disksThat(
    isEnough: (held: { size: number; synced: number }) => boolean,
    key: string,
    except: DiskLife,
  ): number {
    return this.allDisks.filter((disk) => {
      const held = disk.held.get(key);
      return disk !== except && held !== undefined && isEnough(held);
    }).length;
  }

  /** Processes whose disk has died under them are dead. */
  #bury(): void {
    for (const node of this.nodes) {
      if (!node.life || node.life.alive) continue;
      node.end(node.dieBy ?? "kill");
      this.startLater(node, node.downMs);
    }
  }
}
