/**
 * Bugs that are planted where the node meets its seams, to see that a simulation finds them. Never part of a node.
 *
 * @module
 */
import type { BuiltNode } from "../../lib/node.ts";
import type { Peer } from "../../lib/replication/peer.ts";
import type { Disk } from "../../lib/storage/disk.ts";

/** One bug: what it puts between the node and its seams, or does to the node once it is built. */
export interface Plant {
  readonly name: string;
  disk?(disk: Disk): Disk;
  peer?(peer: Peer): Peer;
  built?(built: BuiltNode): void;
}

/** The node as it ships. */
export const NO_PLANT: Plant = { name: "none" };
