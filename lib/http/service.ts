/**
 * What the handlers work with.
 *
 * @module
 */
import type { Log } from "../protocol/log.ts";
import type { HealthCheck, NodeStatus } from "../protocol/types.ts";
import type { Answerer } from "../replication/peer.ts";
import type { Clock } from "../storage/clock.ts";
import type { Store } from "../storage/store.ts";
import type { ArrivingBodies } from "./arriving.ts";
import type { BodyBudget } from "./body_budget.ts";
import type { OpenTails } from "./open_tails.ts";

/** One node, as its HTTP interface sees it. */
export interface Service {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly budget: BodyBudget;
  readonly arriving: ArrivingBodies;
  readonly tails: OpenTails;
  /** Longest message, without its `\n`. */
  readonly messageBytesMax: number;
  /** Largest batch. */
  readonly batchBytesMax: number;
  /** What `sync_each_write` is where a request does not say. */
  readonly syncEachWrite: boolean;
  /** Other nodes of the cluster. */
  readonly peerCount: number;
  /** What other nodes are answered; `undefined` for a node that is alone. */
  readonly replication?: Answerer | undefined;
  /** Shutting down: no new writes, no new tails. */
  readonly draining: boolean;
  /** What must be well for the node to be sent requests. */
  readiness(): HealthCheck[];
  /** For people and tools. */
  status(): NodeStatus;
}
