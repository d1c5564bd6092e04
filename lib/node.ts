/**
 * One node: the only place that builds concrete things and ties them together.
 *
 * `buildNode` takes the seams, so that tests and simulations build the same node on other ground; `startNode` gives it
 * this machine's disk, clock and network.
 *
 * @module
 */
import { Dispensers } from "./consumers/dispensers.ts";
import { Meter } from "./consumers/meter.ts";
import { type App, createApp } from "./http/app.ts";
import type { Guard } from "./http/auth.ts";
import { ErrorAnswers } from "./http/answer.ts";
import { ArrivingBodies } from "./http/arriving.ts";
import { BodyBudget } from "./http/body_budget.ts";
import { ConnectionBound } from "./http/connections.ts";
import { connectionsMax, descriptorsOpen, openFilesMax } from "./http/descriptors.ts";
import { Listener } from "./http/listener.ts";
import { OpenStreams } from "./http/open_streams.ts";
import { OpenTails } from "./http/open_tails.ts";
import { Pace } from "./http/pace.ts";
import { Security } from "./http/security.ts";
import type { Service } from "./http/service.ts";
import { Traffic } from "./http/traffic.ts";
import { WriteTargets } from "./http/write_targets.ts";
import { WaitingPolls } from "./http/waiting_polls.ts";
import { storeBatch } from "./http/write.ts";
import { servingCheck, statusOf } from "./node_status.ts";
import type { PeerAddress } from "./peers.ts";
import { describePromise } from "./promise.ts";
import {
  BODY_BYTES_IN_FLIGHT_MAX,
  BODY_SMALL_RESERVED_BYTES,
  SHUTDOWN_MS,
  SHUTDOWN_REPLICAS_MS,
  STREAMS_MAX,
  TAILS_MAX,
  WRITE_TIMEOUT_MS_DEFAULT,
} from "./protocol/limits.ts";
import type { Log } from "./protocol/log.ts";
import type { HealthCheck } from "./protocol/types.ts";
import { Cluster } from "./replication/cluster.ts";
import type { Peer } from "./replication/peer.ts";
import { PeerClient } from "./replication/peer_client.ts";
import { formatListen, type Settings } from "./settings.ts";
import { SystemClock } from "./storage/clock.ts";
import { DenoDisk } from "./storage/deno_disk.ts";
import type { StoreOptions } from "./storage/context.ts";
import { type Disk, DiskError } from "./storage/disk.ts";
import { explainStart } from "./storage/failure.ts";
import { SystemRandom } from "./storage/random.ts";
import { hasRetention, Retention } from "./storage/retention.ts";
import { Store, type StoreSeams } from "./storage/store.ts";

/** What a node is built from. */
export interface NodeSeams extends StoreSeams {
  /** Makes the way to another node. */
  readonly connect: (peer: PeerAddress) => Peer;
  /** What requests have to pass; nothing if it is left out. */
  readonly guard?: Guard | undefined;
  /** What no setting says of the storage. */
  readonly storage?: Partial<Pick<StoreOptions, "checkpointChunksMin" | "openFilesMax">>;
  /** Checks for `/status` besides the node's own. */
  readonly checks?: (() => HealthCheck[]) | undefined;
}

/** A node that takes requests, but is not on a network. */
export interface BuiltNode {
  readonly app: App;
  /** What the application works with. */
  readonly service: Service;
  readonly store: Store;
  /** Its part in the cluster, not yet started; `undefined` for a node that is alone. */
  readonly cluster: Cluster | undefined;
  /** Deletes what expires, not yet started; `undefined` where no rule says that anything does. */
  readonly retention: Retention | undefined;
  /**
   * From now on: no new writes, no new tails; those that are open end. Resolves when every body that was on its way
   * has arrived.
   */
  drain(): Promise<void>;
}

/** A node that is being served. */
export interface RunningNode {
  /** Where it listens. */
  readonly url: string;
  readonly instance: string;
  /** What its settings survive, in one sentence. */
  readonly promise: string;
  /** Resolves once it has stopped. */
  readonly finished: Promise<void>;
  /** Reads the files of tokens and certificates again, now; `undefined` if there are none. */
  readonly reload: (() => Promise<void>) | undefined;
  /** Finishes what is under way, syncs, and stops. */
  stop(): Promise<void>;
}

/** The files of a data directory, for whoever looks at it while no node runs on it. */
export function openDataDirectory(path: string): Disk {
  return new DenoDisk(path);
}

/** Builds a node from its seams. Rejects as `Store.open` does. */
export async function buildNode(settings: Settings, seams: NodeSeams): Promise<BuiltNode> {
  const { clock, log, random } = seams;
  const store = await Store.open({
    instance: settings.instance,
    chunkBytesMax: settings.maxChunkSize,
    rotateIntervalMs: settings.rotateIntervalMs,
    minFreeDiskBytes: settings.minFreeDisk,
    scrubIntervalMs: settings.scrubIntervalMs,
    openFilesMax: openFilesMax(),
    peers: settings.peers.map(({ instance }) => instance),
    bootstrap: settings.bootstrap,
    syncEachWrite: settings.syncEachWrite,
    ...seams.storage,
  }, seams);
  const startMs = clock.monotonic();
  const cluster = settings.peers.length === 0 ? undefined : new Cluster({
    store,
    clock,
    random,
    log,
    peers: settings.peers.map(seams.connect),
    finaliseAfterMs: settings.finalizeAfterMs,
  });
  const rules = {
    age: settings.retentionAge,
    size: settings.retentionSize,
    consumed: settings.retentionConsumed,
  };
  const retention = !hasRetention(rules) ? undefined : new Retention({
    store,
    disk: seams.disk,
    clock,
    log,
    rules,
    finaliseAfterMs: settings.finalizeAfterMs,
    heardMs: () => cluster?.heardMs() ?? new Map(),
    toldMs: () => cluster ? cluster.toldMs() : Infinity,
  });
  let draining = false;
  const budget = new BodyBudget(BODY_BYTES_IN_FLIGHT_MAX);
  const dispensed = new Meter();
  const append = async (category: string, bytes: Uint8Array): Promise<void> => {
    const refusal = service.refusal();
    if (refusal) throw refusal;
    const { syncEachWrite: sync, minSyncReplicas: replicas } = settings;
    const demand = { sync, replicas, timeoutMs: WRITE_TIMEOUT_MS_DEFAULT };
    await storeBatch(service, category, bytes, demand, () => {});
  };
  const service: Service = {
    store,
    clock,
    log,
    budget,
    arriving: new ArrivingBodies(budget, clock, BODY_SMALL_RESERVED_BYTES),
    storing: new Pace(clock),
    targets: new WriteTargets({
      syncEachWrite: settings.syncEachWrite,
      minSyncReplicas: settings.minSyncReplicas,
      peerCount: settings.peers.length,
    }),
    tails: new OpenTails(TAILS_MAX, clock),
    dispensers: new Dispensers(
      { source: store, clock, log, append, meter: dispensed },
      () => cluster?.refusal("consumer"),
    ),
    dispensed,
    streams: new OpenStreams(clock, STREAMS_MAX),
    polls: new WaitingPolls(),
    traffic: new Traffic(),
    messageBytesMax: settings.maxMessageSize,
    batchBytesMax: settings.maxBatchSize,
    replication: cluster?.answerer,
    get draining() {
      return draining;
    },
    refusal: () => cluster?.refusal(),
    confirm: (category, result, demand) => cluster?.confirm(category, result, demand) ?? Promise.resolve(),
    acknowledge: (category, chunk, size) => (cluster ?? store).acknowledge(category, chunk, size),
    readiness: () => [servingCheck(draining), store.checkDisk(), ...cluster?.checks() ?? []],
    retention,
    guard: seams.guard,
    peerMeters: () => cluster?.meters() ?? [],
    status: () =>
      statusOf(settings, service, cluster, clock.monotonic() - startMs, [
        ...retention ? [retention.check()] : [],
        ...seams.checks?.() ?? [],
      ]),
  };
  return {
    app: createApp(service, settings.corsOrigin),
    service,
    store,
    cluster,
    retention,
    drain() {
      draining = true;
      service.tails.closeAll();
      service.streams.close();
      service.storing.close();
      return Promise.all([service.dispensers.close(), service.arriving.none()]).then(() => {});
    },
  };
}

/**
 * Starts a node on this machine and serves it.
 *
 * Rejects with an error for people: the directory cannot be used, the address cannot be listened on.
 */
export async function startNode(settings: Settings, log: Log): Promise<RunningNode> {
  const clock = new SystemClock();
  const security = await Security.open(settings, clock, log);
  const node = await buildHere(settings, log, clock, security).catch(async (error) => {
    await security.close();
    if (!(error instanceof DiskError)) throw error;
    throw new Error(explainStart(error, settings.dataDir), { cause: error });
  });
  const errors = new ErrorAnswers(log, clock);
  const base = (descriptorsOpen() ?? 0) - node.store.openFiles;
  const connections = new ConnectionBound({
    max: connectionsMax(settings.maxConnections, base, log),
    count: () => {
      const open = descriptorsOpen();
      return open === undefined ? undefined : open - base - node.store.openFiles;
    },
    renew: () => listener.renew(),
    clock,
    log,
  });
  let listener: Listener;
  try {
    listener = Listener.start({
      ...settings.listen,
      fetch: connections.bound(node.app.fetch),
      onError: (error) => errors.answer(error),
      onLeaving: () => node.service.arriving.cutOff(),
      gap: () => node.service.arriving.gap(),
      certificate: security.certificate,
      log,
      clock,
    });
  } catch (error) {
    await security.close();
    await node.cluster?.close();
    await node.store.close();
    throw listenError(settings, error);
  }
  const tokensChanged = (): void => node.service.tails.closeRevoked();
  const certificateChanged: Security["certificateChanged"] = (certificate) =>
    void listener.replace(certificate);
  security.tokensChanged = tokensChanged;
  security.certificateChanged = certificateChanged;
  node.service.connections = connections;
  connections.start();
  node.cluster?.start();
  node.retention?.start();
  const { hostname, port } = listener.addr;
  const finished = Promise.withResolvers<void>();
  let stopping: Promise<void> | undefined;

  const stop = async (): Promise<void> => {
    const late = (what: string) => (): void =>
      log.warn(`${what} at the end of their part of the shutdown time`, { ms: SHUTDOWN_MS / 2 });
    // In this order: the runtime's shutdown cuts off bodies that are still arriving.
    await withDeadline(node.drain(), clock, SHUTDOWN_MS / 2, late("bodies were still arriving"));
    // While peers can still ask: they learn that the last chunks are complete, and take what they lack of them.
    await node.retention?.close();
    await node.store.finish();
    await node.cluster?.replicated(SHUTDOWN_REPLICAS_MS);
    await node.cluster?.close();
    connections.close();
    await withDeadline(listener.shutdown(), clock, SHUTDOWN_MS / 2, late("requests were still under way"));
    await security.close();
    await node.store.close();
    finished.resolve();
  };
  return {
    url: `${security.certificate ? "https" : "http"}://${formatListen({ hostname, port })}`,
    instance: settings.instance,
    promise: describePromise(settings),
    finished: finished.promise,
    reload: security.watches ? () => security.reload() : undefined,
    stop: () => stopping ??= stop(),
  };
}

/** Async, so that what the disk says at once is a rejection as well. */
async function buildHere(
  settings: Settings,
  log: Log,
  clock: SystemClock,
  security: Security,
): Promise<BuiltNode> {
  return await buildNode(settings, {
    disk: new DenoDisk(settings.dataDir),
    clock,
    random: new SystemRandom(),
    log,
    connect: ({ instance, url }: PeerAddress) =>
      new PeerClient(instance, url, { credentials: security.credentials }),
    guard: security.guard,
    checks: () => security.checks(),
  });
}

function listenError({ listen }: Settings, error: unknown): Error {
  const address = formatListen(listen);
  if (error instanceof Deno.errors.AddrInUse) {
    return new Error(
      `listen ${address}: another program uses this address; stop it, or choose another --listen`,
      {
        cause: error,
      },
    );
  }
  const detail = error instanceof Error ? error.message : String(error);
  return new Error(`listen ${address}: ${detail}; choose another --listen`, { cause: error });
}

/** Waits for `pending`, but not longer than `ms`; then calls `late` and goes on. */
async function withDeadline(
  pending: Promise<void>,
  clock: SystemClock,
  ms: number,
  late: () => void,
): Promise<void> {
  const deadline = Promise.withResolvers<void>();
  const cancel = clock.after(ms, () => {
    late();
    deadline.resolve();
  });
  await Promise.race([pending, deadline.promise]);
  cancel();
}
