/**
 * What the parts of one node's replication share.
 *
 * @module
 */
import type { Log } from "../protocol/log.ts";
import type { Clock } from "../storage/clock.ts";
import type { Random } from "../storage/random.ts";
import type { Store } from "../storage/store.ts";
import type { Confirmations } from "./confirmations.ts";
import type { Identities } from "./identities.ts";
import type { NodeId } from "./peer.ts";

/** Shared by all parts of a cluster's node. */
export interface ClusterContext {
  readonly own: NodeId;
  /** Instances of the other nodes. */
  readonly peers: ReadonlySet<string>;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly identities: Identities;
  readonly confirmations: Confirmations;
}
