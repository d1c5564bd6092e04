/**
 * What a node says of itself on `/status`.
 *
 * @module
 */
import { spaceOf } from "./http/metrics.ts";
import type { Service } from "./http/service.ts";
import { formatPeers } from "./peers.ts";
import { describePromise } from "./promise.ts";
import { formatCategoryLimits } from "./protocol/category_limits.ts";
import { STATUS_CONSUMERS_MAX } from "./protocol/limits.ts";
import type { ConsumerInfo, HealthCheck, NodeStatus } from "./protocol/types.ts";
import type { Cluster } from "./replication/cluster.ts";
import { formatListen, type Settings } from "./settings.ts";
import { VERSION } from "./version.ts";

/** Whether requests are taken at all. */
export function servingCheck(draining: boolean): HealthCheck {
  return { name: "serving", ok: !draining, message: draining ? "shutting down" : "takes requests" };
}

/** Everything that `/status` tells; `more` are checks besides those of the service. */
export async function statusOf(
  settings: Settings,
  service: Service,
  cluster: Cluster | undefined,
  uptimeMs: number,
  more: readonly HealthCheck[],
): Promise<NodeStatus> {
  const { store } = service;
  // First: all the rest is as it is when this answers. Both let others go first: there may be a million chunks.
  const consumers = consumersOf(await service.dispensers.list(store.consumedCategories()));
  const totals = await store.census();
  const checks = [...service.readiness(), store.checkChunks(totals), ...more];
  const { categories, chunks, bytes, openFiles } = totals;
  const { freeBytes, totalBytes } = spaceOf(store) ?? { freeBytes: 0, totalBytes: 0 };
  const { listen: address, peers, retentionAge, retentionSize, retentionConsumed, ...others } = settings;
  return {
    instance: settings.instance,
    incarnation: store.identity.incarnation,
    version: VERSION,
    state: service.draining ? "draining" : store.joined ? "serving" : "joining",
    uptime_ms: Math.round(uptimeMs),
    promise: describePromise(settings),
    healthy: checks.every((check) => check.ok),
    checks,
    categories,
    chunks,
    bytes,
    consumers,
    peers: cluster?.status() ?? [],
    disk: { path: settings.dataDir, free_bytes: freeBytes, total_bytes: totalBytes },
    scrub: store.scrubStatus(),
    open: {
      files: openFiles,
      tails: service.tails.count,
      body_bytes: service.budget.used,
      connections: service.connections?.open ?? null,
    },
    settings: {
      ...others,
      listen: formatListen(address),
      peers: formatPeers(peers),
      retentionAge: formatCategoryLimits(retentionAge),
      retentionSize: formatCategoryLimits(retentionSize),
      retentionConsumed: formatCategoryLimits(retentionConsumed),
      corsOrigin: settings.corsOrigin.join(","),
    },
  };
}

/** Those that are furthest behind. */
function consumersOf(all: readonly ConsumerInfo[]): NodeStatus["consumers"] {
  const behind = all.toSorted((one, other) => other.lag_bytes - one.lag_bytes)
    .slice(0, STATUS_CONSUMERS_MAX)
    .map(({ category, consumer, lag_bytes, lag_chunks, leased_bytes }) => {
      return { category, consumer, lag_bytes, lag_chunks, leased_bytes };
    });
  return { count: all.length, behind };
}
