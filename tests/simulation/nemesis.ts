/**
 * Brings about the faults of a history, and ends them all when it is time to heal.
 *
 * @module
 */
import { SeededRandom } from "../support/seeded_random.ts";
import type { Fault } from "./history.ts";
import { isWhole } from "./holdings.ts";
import type { SimulatedNode } from "./node.ts";
import type { World } from "./world.ts";

/** What goes wrong in a world. */
export class Nemesis {
  readonly #world: World;
  #healed = false;

  constructor(world: World) {
    this.#world = world;
  }

  /** Plans all faults. */
  plan(faults: readonly Fault[]): void {
    for (const fault of faults) {
      this.#world.timeline.schedule(fault.atMs, () => {
        if (this.#healed) return;
        this.#world.trace(`fault ${JSON.stringify(fault)}`);
        this.#strike(fault);
      });
    }
  }

  /** Nothing is wrong any more: nodes run, but for those that are gone for good. */
  heal(): void {
    this.#healed = true;
    const { network, nodes } = this.#world;
    network.heal();
    for (const node of nodes) {
      this.#mend(node);
      if (node.life) this.#world.timeline.resume(node.life);
      // What a failed sync has poisoned stays so until a start looks at it.
      if (node.mustRestart && node.life) node.end("kill");
      if (!node.life) this.#world.startLater(node, 0);
    }
  }

  #strike(fault: Fault): void {
    const { network, nodes, timeline, random } = this.#world;
    const later = (forMs: number, undo: () => void): void =>
      void timeline.schedule(forMs, () => {
        if (!this.#healed) undo();
      });
    if (fault.kind === "bad network") {
      for (const from of [...nodes.map(({ name }) => name), "client0", "client1", "client2"]) {
        for (const { name: to } of nodes) {
          for (const [one, other] of [[from, to], [to, from]] as const) {
            const { loss, twice, latencyMs } = fault;
            Object.assign(network.link(one, other), { loss, twice, latencyMs, jitterMs: latencyMs * 3 });
          }
        }
      }
      return later(fault.forMs, () => network.heal());
    }
    if (fault.kind === "link") {
      const [from, to] = [nodes[fault.from]!.name, nodes[fault.to]!.name];
      const links = fault.both ? [network.link(from, to), network.link(to, from)] : [network.link(from, to)];
      for (const link of links) {
        Object.assign(link, { state: fault.state, heldUntilMs: timeline.nowMs + fault.forMs });
      }
      return later(fault.forMs, () => links.forEach((link) => link.state = "up"));
    }
    const node = nodes[fault.node]!;
    if (fault.kind === "clock jumps") {
      node.clock.wallOffsetMs += fault.byMs;
      return;
    }
    if (fault.kind === "slow disk") {
      node.syncMs = fault.syncMs;
      return later(fault.forMs, () => node.syncMs = 0.3);
    }
    if (fault.kind === "disk hangs") {
      node.hangsUntilMs = timeline.nowMs + fault.forMs;
      return;
    }
    if (fault.kind === "bit rot") return this.#rot(node, fault);
    if (fault.kind === "slow") {
      for (const other of nodes) {
        for (const link of [network.link(node.name, other.name), network.link(other.name, node.name)]) {
          Object.assign(link, { latencyMs: fault.latencyMs, jitterMs: fault.latencyMs });
        }
      }
      return later(fault.forMs, () => {
        for (const other of nodes) {
          for (const link of [network.link(node.name, other.name), network.link(other.name, node.name)]) {
            Object.assign(link, { latencyMs: 1, jitterMs: 1 });
          }
        }
      });
    }
    if (!node.life) return;
    const { disk } = node;
    switch (fault.kind) {
      case "kill":
      case "power loss":
      case "wipe":
        node.end(fault.kind);
        return this.#world.startLater(node, fault.downMs);
      case "gone for good":
        return node.end(fault.kind);
      case "die at operation":
        node.dieBy = fault.power ? "power loss" : "kill";
        node.downMs = fault.downMs;
        return disk.dieAt(fault.operation, new SeededRandom(random.below(2 ** 31)));
      case "pause":
        node.life.pausedUntilMs = timeline.nowMs + fault.forMs;
        return;
      case "disk full":
        disk.faults.bytesMax = disk.bytesUsed + 50;
        return later(fault.forMs, () => disk.faults.bytesMax = Infinity);
      case "read-only":
        disk.faults.readOnly = true;
        return later(fault.forMs, () => disk.faults.readOnly = false);
      case "no inodes":
        disk.faults.inodesMax = disk.inodesUsed;
        return later(fault.forMs, () => disk.faults.inodesMax = Infinity);
      case "nothing left":
        Object.assign(disk.faults, {
          bytesMax: disk.bytesUsed + 50,
          inodesMax: disk.inodesUsed,
          openMax: disk.openFiles + 1,
        });
        return later(
          fault.forMs,
          () => Object.assign(disk.faults, { bytesMax: Infinity, inodesMax: Infinity, openMax: Infinity }),
        );
      case "no descriptors":
        disk.faults.openMax = disk.openFiles;
        return later(fault.forMs, () => disk.faults.openMax = Infinity);
      case "short writes":
        disk.faults.writeBytesMax = fault.bytes;
        return later(fault.forMs, () => disk.faults.writeBytesMax = Infinity);
      case "sync fails":
        disk.faults.before = (operation) => {
          if (operation !== "sync") return undefined;
          node.mustRestart = true;
          disk.faults.before = () => undefined;
          return "failed";
        };
        return;
    }
  }

  /** A bit of a complete chunk flips, on the device and in memory, if another disk has the chunk whole. */
  #rot(node: SimulatedNode, { file, bit }: Extract<Fault, { kind: "bit rot" }>): void {
    const { nodes } = this.#world;
    for (const { built, diskLife } of nodes) {
      for (const key of diskLife.complete.keys()) {
        const [category, name] = key.split("/") as [string, string];
        if (built?.store.chunk(category, name)?.sealed) diskLife.sealed.add(key);
      }
    }
    const isElsewhere = (key: string): boolean =>
      nodes.some((other) => other !== node && isWhole(other.diskLife, key, node.diskLife.complete.get(key)!));
    const keys = [...node.diskLife.complete.keys()].filter((key) =>
      node.diskLife.sealed.has(key) && node.diskLife.holds.has(key) && isElsewhere(key)
    );
    const sizeOf = (path: string): number => node.disk.sizeOf(path) ?? 0;
    const paths = keys.flatMap((key) => node.disk.filesOf(key)).filter((path) => sizeOf(path) > 0);
    const path = paths[file % Math.max(1, paths.length)];
    if (path === undefined) return;
    node.disk.rot(path, bit, sizeOf(path));
    this.#world.rotten = true;
    this.#world.trace(`${node.name} ${path} rots`);
  }

  #mend(node: SimulatedNode): void {
    node.syncMs = 0.3;
    node.hangNoMore();
    Object.assign(node.disk.faults, {
      bytesMax: Infinity,
      inodesMax: Infinity,
      openMax: Infinity,
      writeBytesMax: Infinity,
      readOnly: false,
      before: () => undefined,
    });
    node.disk.dieNever();
  }
}
