/**
 * `GET /metrics`: all numbers of the node, for Prometheus and whoever reads its text format.
 *
 * Looking them up lets other requests go first again and again, and what came out serves everybody who asks within
 * {@linkcode METRICS_CACHE_MS}: many who ask often cost as much as one. Who asks while it is looked up waits for that.
 *
 * @module
 */
import { METRICS_CACHE_MS } from "../protocol/limits.ts";
import { DiskError, type DiskSpace } from "../storage/disk.ts";
import type { Store } from "../storage/store.ts";
import { VERSION } from "../version.ts";
import { FAMILIES, type Snapshot } from "./metric_families.ts";
import { METRICS_TYPE, MetricsText } from "./metrics_text.ts";
import { readProcess } from "./process_numbers.ts";
import type { Service } from "./service.ts";

/** Families are written this long before others go first. */
const SLICE_MS = 2;

/** What was rendered last, and for whom. */
interface Rendered {
  readonly text: Promise<string>;
  /** `Clock.monotonic()` when it was ready. */
  readyMs: number;
}

const cache = new WeakMap<Service, Rendered>();

/** Handles `GET /metrics`. */
export async function metrics(service: Service): Promise<Response> {
  return new Response(await rendered(service), { headers: { "content-type": METRICS_TYPE } });
}

function rendered(service: Service): Promise<string> {
  const { clock } = service;
  const known = cache.get(service);
  if (known && clock.monotonic() - known.readyMs < METRICS_CACHE_MS) return known.text;
  const made: Rendered = { text: render(service), readyMs: Infinity };
  cache.set(service, made);
  made.text.then(
    () => made.readyMs = clock.monotonic(),
    // Whoever waits is told; who comes later tries again.
    () => cache.delete(service),
  );
  return made.text;
}

async function render(service: Service): Promise<string> {
  const snapshot = await look(service);
  const { clock } = service;
  const text = new MetricsText();
  let startMs = clock.monotonic();
  for (const { name, type, help, write } of FAMILIES) {
    text.family(name, type, help);
    write(text, snapshot);
    if (clock.monotonic() - startMs < SLICE_MS) continue;
    await new Promise<void>((resolve) => clock.soon(resolve));
    startMs = clock.monotonic();
  }
  return text.toString();
}

async function look(service: Service): Promise<Snapshot> {
  const { store, traffic, tails, budget } = service;
  const [totals, process, consumers] = await Promise.all([
    store.census(),
    readProcess(),
    service.dispensers.list(store.consumedCategories()),
  ]);
  return {
    version: VERSION,
    instance: store.identity.instance,
    traffic,
    meter: store.meter,
    scrub: store.scrubStatus(),
    totals,
    space: spaceOf(store),
    minFreeBytes: store.minFreeBytes,
    openTails: tails.count,
    dispensed: service.dispensed,
    consumers: consumers.length,
    consumerRows: traffic.consumers.of(consumers),
    bodyBytes: budget.used,
    connections: service.connections,
    retention: service.retention?.status(),
    checks: [...service.readiness(), store.checkChunks(totals)],
    peers: service.peerMeters(),
    process,
  };
}

/** Room on the disk; one that does not say how much there is shows in its check. */
export function spaceOf(store: Store): DiskSpace | undefined {
  try {
    return store.space();
  } catch (error) {
    if (error instanceof DiskError) return undefined;
    throw error;
  }
}
