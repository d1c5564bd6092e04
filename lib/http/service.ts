/**
 * What the handlers work with.
 *
 * @module
 */
import type { Dispensers } from "../consumers/dispensers.ts";
import type { Meter } from "../consumers/meter.ts";
import type { Log } from "../protocol/log.ts";
import type { ChukchaError } from "../protocol/errors.ts";
import type { HealthCheck, NodeStatus } from "../protocol/types.ts";
import type { PeerMeter } from "../replication/cluster.ts";
import type { Demand } from "../replication/confirmations.ts";
import type { Answerer } from "../replication/peer.ts";
import type { Stored } from "../storage/batches.ts";
import type { Clock } from "../storage/clock.ts";
import type { Retention } from "../storage/retention.ts";
import type { Store } from "../storage/store.ts";
import type { Guard } from "./auth.ts";
import type { ArrivingBodies } from "./arriving.ts";
import type { BodyBudget } from "./body_budget.ts";
import type { ConnectionBound } from "./connections.ts";
import type { OpenStreams } from "./open_streams.ts";
import type { OpenTails } from "./open_tails.ts";
import type { Pace } from "./pace.ts";
import type { WaitingPolls } from "./waiting_polls.ts";
import type { Traffic } from "./traffic.ts";
import type { WriteTargets } from "./write_targets.ts";

/** One node, as its HTTP interface sees it. */
export interface Service {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly budget: BodyBudget;
  readonly arriving: ArrivingBodies;
  /** Small writes that wait for the device. */
  readonly storing: Pace;
  /** Judges what URLs of writes ask for. */
  readonly targets: WriteTargets;
  readonly tails: OpenTails;
  /** Messages for named consumers. */
  readonly dispensers: Dispensers;
  /** What is counted of them. */
  readonly dispensed: Meter;
  /** Large answers. */
  readonly streams: OpenStreams;
  /** Of other nodes. */
  readonly polls: WaitingPolls;
  /** Counts requests. */
  readonly traffic: Traffic;
  /** Of a node that listens. */
  connections?: ConnectionBound;
  /** Deletes what has expired; `undefined` without rules. */
  readonly retention?: Retention | undefined;
  /** Before all routes; `undefined` if no token is asked for. */
  readonly guard?: Guard | undefined;
  /** Longest message, without its `\n`. */
  readonly messageBytesMax: number;
  /** Largest batch. */
  readonly batchBytesMax: number;
  /** What other nodes are answered; `undefined` for a node that is alone. */
  readonly replication?: Answerer | undefined;
  /** Shutting down: no new writes, no new tails. */
  readonly draining: boolean;
  /** Why writes are refused now, if they are; other than that the node is shutting down. */
  refusal(): ChukchaError | undefined;
  /** Resolves once enough other nodes hold a write; rejects with `not_confirmed`. */
  confirm(category: string, result: Stored, demand: Demand): Promise<void>;
  /** Acknowledges a complete chunk that was seen whole, on every node. Rejects with `ChukchaError`. */
  acknowledge(category: string, chunk: string, size: number): Promise<void>;
  /** What must be well for the node to be sent requests. */
  readiness(): HealthCheck[];
  /** What is measured of each other node. */
  peerMeters(): PeerMeter[];
  /** For people and tools. */
  status(): Promise<NodeStatus>;
}
