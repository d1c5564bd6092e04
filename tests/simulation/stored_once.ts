/**
 * StoredOnce: no node stores a batch twice that carries its producer and its sequence.
 *
 * Checked against all that owners ever published, what is acknowledged by now too, and only where a node promises it:
 * its disk is the first one and lost nothing, neither to a power cut nor to a sync that failed nor to rot; it was never so
 * full that what is remembered could not be kept; its wall clock did not jump past what is remembered; and nobody took an
 * owner for gone, after which messages are published again.
 *
 * @module
 */
import { PRODUCER_AGE_MS_MAX } from "../../lib/protocol/limits.ts";
import { messagesOf } from "./book.ts";
import type { Fault } from "./history.ts";
import type { SimulatedNode } from "./node.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** Faults after which a node may have forgotten a batch. */
const FORGETTING: ReadonlySet<Fault["kind"]> = new Set<Fault["kind"]>([
  "wipe",
  "bit rot",
  "sync fails",
  "disk full",
  "no inodes",
  "nothing left",
]);

/** Throws a `Violation` if a node that promised otherwise has stored a batch twice. */
export function checkStoredOnce(world: World): void {
  if (world.finalised) return;
  const remembering = new Set(world.nodes.filter(remembers).map(({ name }) => name));
  const places = new Map<string, string>();
  for (const [key, content] of world.registry.contents()) {
    const owner = key.slice(key.indexOf("/") + 1, key.lastIndexOf("-chunk"));
    if (!remembering.has(owner)) continue;
    for (const message of messagesOf(content)) {
      if (!world.book.byMessage.get(message)?.source) continue;
      const before = places.get(`${owner} ${message}`);
      if (before !== undefined) {
        throw new Violation("StoredOnce", `${message.slice(0, 20)} is in ${before} and again in ${key}`);
      }
      places.set(`${owner} ${message}`, key);
    }
  }
}

function remembers({ index, diskLife, history }: SimulatedNode): boolean {
  const own = history.faults.filter((fault) => "node" in fault && fault.node === index);
  let jumpedMs = 0;
  for (const fault of own) if (fault.kind === "clock jumps") jumpedMs += Math.abs(fault.byMs);
  return diskLife.powerLosses === 0 && jumpedMs < PRODUCER_AGE_MS_MAX &&
    !own.some(({ kind }) => FORGETTING.has(kind));
}
