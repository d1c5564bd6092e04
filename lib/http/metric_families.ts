/**
 * Every metric: its name, its meaning, and where its samples come from. `docs/operations.md` lists them with alerts, and
 * a test holds the two together.
 *
 * A family writes its samples from a snapshot, which was looked up before: nothing here waits. Labels are categories,
 * peers, codes, routes and checks, all of them bounded; nothing else that a client sends ever becomes one.
 *
 * @module
 */
import type { Meter } from "../consumers/meter.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { HealthCheck, ScrubStatus } from "../protocol/types.ts";
import type { PeerMeter } from "../replication/cluster.ts";
import type { DiskSpace } from "../storage/disk.ts";
import type { StorageMeter } from "../storage/meter.ts";
import type { RetentionStatus } from "../storage/retention.ts";
import type { Totals } from "../storage/store.ts";
import { type CategoryRow, OTHER } from "./category_rows.ts";
import type { ConsumerRow } from "./consumer_rows.ts";
import type { ConnectionBound } from "./connections.ts";
import type { MetricsText, MetricType } from "./metrics_text.ts";
import type { ProcessNumbers } from "./process_numbers.ts";
import type { Traffic } from "./traffic.ts";

/** All that is shown, looked up at one time. */
export interface Snapshot {
  readonly version: string;
  readonly instance: string;
  readonly traffic: Traffic;
  readonly meter: StorageMeter;
  readonly scrub: ScrubStatus;
  readonly totals: Totals;
  /** `undefined` if the disk does not say. */
  readonly space: DiskSpace | undefined;
  readonly minFreeBytes: number;
  readonly openTails: number;
  readonly dispensed: Meter;
  /** How many consumers there are. */
  readonly consumers: number;
  /** What is told of them, that of all others last. */
  readonly consumerRows: readonly ConsumerRow[];
  readonly bodyBytes: number;
  /** `undefined` of a node that does not listen. */
  readonly connections: Pick<ConnectionBound, "open" | "max" | "refused"> | undefined;
  /** `undefined` of a node without rules. */
  readonly retention: RetentionStatus | undefined;
  readonly checks: readonly HealthCheck[];
  readonly peers: readonly PeerMeter[];
  readonly process: ProcessNumbers;
}

/** One metric. */
export interface Family {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  /** Adds its samples; the family has been begun. */
  readonly write: (text: MetricsText, snapshot: Snapshot) => void;
}

/** All of them, in the order in which they are shown. */
export const FAMILIES: readonly Family[] = [
  gauge(
    "chukcha_build_info",
    "1, with the program's version and the node's name.",
    (text, { version, instance }) => {
      text.sample(1, { version, instance });
    },
  ),
  gauge(
    "chukcha_check_ok",
    "1 if a check of /readyz and /status passes, 0 if it fails.",
    (text, { checks }) => {
      for (const { name, ok } of checks) text.sample(ok ? 1 : 0, { check: name });
    },
  ),

  counter("chukcha_http_requests_total", "Requests answered.", (text, { traffic }) => {
    for (const [route, status, count] of traffic.requests()) {
      text.sample(count, { route, status: String(status) });
    }
  }),
  counter("chukcha_refusals_total", "Requests answered with an error, by its code.", (text, { traffic }) => {
    for (const [reason, count] of traffic.refusals()) {
      text.sample(count, { reason: reason satisfies ErrorCode });
    }
  }),
  perCategory(
    "chukcha_category_refusals_total",
    "Requests naming the category that were answered with an error.",
    (row) => row.refusals,
  ),
  perCategory("chukcha_written_batches_total", "Batches stored by writes.", (row) => row.batches),
  perCategory(
    "chukcha_written_messages_total",
    "Messages stored by writes; estimated for batches over 8 KiB.",
    (row) => row.messages,
  ),
  perCategory("chukcha_written_bytes_total", "Bytes stored by writes.", (row) => row.writtenBytes),
  perCategory(
    "chukcha_read_bytes_total",
    "Bytes of messages given to reads and tails.",
    (row) => row.readBytes,
  ),
  histogram(
    "chukcha_write_duration_seconds",
    "Time from the head of a write to its answer, of those that were stored.",
    ({ traffic }) => traffic.writeSeconds,
  ),
  single("chukcha_body_bytes_in_flight", "gauge", "Bytes of request bodies in memory.", (s) => s.bodyBytes),
  single("chukcha_open_tails", "gauge", "Open streams of /tail.", (s) => s.openTails),
  single(
    "chukcha_open_connections",
    "gauge",
    "Connections of clients and peers.",
    (s) => s.connections?.open,
  ),
  single("chukcha_max_connections", "gauge", "Connections that may be open.", (s) => s.connections?.max),
  single(
    "chukcha_connection_refusals_total",
    "counter",
    "Requests refused because there were more connections than that; they are counted nowhere else.",
    (s) => s.connections?.refused,
  ),

  single("chukcha_consumers", "gauge", "Consumers of all categories.", (s) => s.consumers),
  gauge(
    "chukcha_consumer_lag_bytes",
    "Readable bytes that a consumer has not acknowledged.",
    (text, { consumerRows }) => {
      for (const { category, consumer, lagBytes } of consumerRows) {
        text.sample(lagBytes, { category, consumer });
      }
    },
  ),
  single(
    "chukcha_consumer_polls",
    "gauge",
    "Polls of /consume that wait for messages.",
    (s) => s.dispensed.polls,
  ),
  single(
    "chukcha_consumer_leases",
    "gauge",
    "Pieces that were handed out and whose lease has not run out.",
    (s) => s.dispensed.leases,
  ),
  single(
    "chukcha_consumer_expired_leases_total",
    "counter",
    "Leases that ran out without an acknowledgement.",
    (s) => s.dispensed.expired,
  ),
  single(
    "chukcha_consumer_redeliveries_total",
    "counter",
    "Pieces that came back and were handed out again.",
    (s) => s.dispensed.redelivered,
  ),
  single(
    "chukcha_dead_letters_total",
    "counter",
    "Messages that were handed out too often and went to the dead letters of their category.",
    (s) => s.dispensed.deadLetters,
  ),
  single(
    "chukcha_dead_letter_failures_total",
    "counter",
    "Attempts at that which failed; they are repeated.",
    (s) => s.dispensed.deadLetterFailures,
  ),

  histogram(
    "chukcha_sync_duration_seconds",
    "Time of syncs that a writer or another node waited for, of those that succeeded.",
    ({ meter }) => meter.syncSeconds,
  ),
  single(
    "chukcha_sync_failures_total",
    "counter",
    "Syncs of chunks that failed.",
    ({ meter }) => meter.syncFailures,
  ),
  histogram(
    "chukcha_group_commit_batches",
    "Batches that were written together.",
    ({ meter }) => meter.groupBatches,
  ),
  single(
    "chukcha_categories",
    "gauge",
    "Categories that hold, or held, messages.",
    (s) => s.totals.categories,
  ),
  single("chukcha_chunks", "gauge", "Chunks that are stored here.", (s) => s.totals.chunks),
  single("chukcha_held_bytes", "gauge", "Readable bytes in them.", (s) => s.totals.bytes),
  single(
    "chukcha_damaged_chunks",
    "gauge",
    "Chunks that hold bytes which fail their checksum.",
    (s) => s.totals.damaged,
  ),
  single(
    "chukcha_poisoned_files",
    "gauge",
    "Chunks that take no more bytes before the next start, because a sync of them failed.",
    (s) => s.totals.poisoned,
  ),
  single(
    "chukcha_found_damaged_chunks_total",
    "counter",
    "Chunks that were found damaged, by looking for rot or by a reader.",
    ({ scrub }) => scrub.damaged,
  ),
  single(
    "chukcha_healed_chunks_total",
    "counter",
    "Damaged chunks that other nodes' copies have made whole again.",
    ({ scrub }) => scrub.healed,
  ),
  single(
    "chukcha_unhealed_chunks",
    "gauge",
    "Damaged chunks that wait to be healed.",
    ({ scrub }) => scrub.unhealed,
  ),
  single(
    "chukcha_scrub_chunks_total",
    "counter",
    "Chunks in which rot was looked for.",
    ({ scrub }) => scrub.chunks,
  ),
  single(
    "chukcha_scrub_bytes_total",
    "counter",
    "Bytes in which rot was looked for, those of indexes among them.",
    ({ scrub }) => scrub.bytes,
  ),
  single(
    "chukcha_scrub_interval_seconds",
    "gauge",
    "Time over which a round over all complete chunks is spread; 0 if none is made.",
    ({ scrub }) => scrub.interval_ms / 1000,
  ),
  single(
    "chukcha_scrub_last_round_timestamp_seconds",
    "gauge",
    "End of the last round, in seconds since 1970; missing before the first has ended.",
    ({ scrub }) => scrub.last_round_ms === null ? undefined : scrub.last_round_ms / 1000,
  ),
  single(
    "chukcha_recognised_batches_total",
    "counter",
    "Batches that came again with their producer and sequence, and were not stored again.",
    ({ meter }) => meter.recognisedBatches,
  ),
  single(
    "chukcha_acknowledged_chunks_total",
    "counter",
    "Chunks that were here and are acknowledged now.",
    ({ meter }) => meter.acknowledgedChunks,
  ),
  single(
    "chukcha_expired_chunks_total",
    "counter",
    "Chunks that retention rules have deleted; missing where there are none.",
    ({ retention }) => retention?.deletedChunks,
  ),
  single(
    "chukcha_expired_bytes_total",
    "counter",
    "Bytes in them.",
    ({ retention }) => retention?.deletedBytes,
  ),
  single(
    "chukcha_expiring_chunks",
    "gauge",
    "Chunks that had expired at the last look and are not deleted yet; missing where there are no rules.",
    ({ retention }) => retention?.dueChunks,
  ),
  single(
    "chukcha_open_files",
    "gauge",
    "Files of the data directory that are open.",
    (s) => s.totals.openFiles,
  ),
  single(
    "chukcha_disk_free_bytes",
    "gauge",
    "Room on the data directory's file system.",
    (s) => s.space?.freeBytes,
  ),
  single(
    "chukcha_disk_size_bytes",
    "gauge",
    "Size of the data directory's file system.",
    (s) => s.space?.totalBytes,
  ),
  single(
    "chukcha_disk_min_free_bytes",
    "gauge",
    "Room below which writes are refused.",
    (s) => s.minFreeBytes,
  ),

  perPeer(
    "chukcha_replication_peer_reachable",
    "gauge",
    "1 if the peer answered when it was last asked, 0 if not.",
    (peer) => peer.reachable ? 1 : 0,
  ),
  gauge(
    "chukcha_replication_lag_bytes",
    "Bytes that this node lacks of what the peer holds, as far as it knows.",
    writeLag,
  ),
  perPeer(
    "chukcha_replication_lag_seconds",
    "gauge",
    "Seconds since this node last knew that it lacks nothing of what the peer holds; 0 as long as it knows that.",
    (peer) => peer.behindMs / 1000,
  ),
  perPeer(
    "chukcha_replication_peer_lag_bytes",
    "gauge",
    "Bytes that the peer last said it lacks of what this node holds.",
    (peer) => peer.lagBytes,
  ),
  perPeer(
    "chukcha_replication_received_bytes_total",
    "counter",
    "Bytes of messages that were taken from the peer.",
    (peer) => peer.receivedBytes,
  ),
  perPeer(
    "chukcha_replication_failures_total",
    "counter",
    "Attempts to follow the peer that failed.",
    (peer) => peer.failures,
  ),
  perPeer(
    "chukcha_replication_conflicts_total",
    "counter",
    "Times that a copy of the peer was no continuation of this node's.",
    (peer) => peer.conflicts,
  ),

  single(
    "process_cpu_seconds_total",
    "counter",
    "User and system time.",
    ({ process }) => process.cpuSeconds,
  ),
  single("process_resident_memory_bytes", "gauge", "Memory in use.", ({ process }) => process.residentBytes),
  single(
    "process_start_time_seconds",
    "gauge",
    "Start of the process, in seconds since 1970.",
    ({ process }) => process.startSeconds,
  ),
  single("process_open_fds", "gauge", "Open file descriptors.", ({ process }) => process.openFds),
  single("process_max_fds", "gauge", "File descriptors that may be open.", ({ process }) => process.maxFds),
];

function gauge(name: string, help: string, write: Family["write"]): Family {
  return { name, type: "gauge", help, write };
}

function counter(name: string, help: string, write: Family["write"]): Family {
  return { name, type: "counter", help, write };
}

/** One without labels; `undefined` where the number cannot be had. */
function single(
  name: string,
  type: MetricType,
  help: string,
  value: (snapshot: Snapshot) => number | undefined,
): Family {
  const write: Family["write"] = (text, snapshot) => {
    const number = value(snapshot);
    if (number !== undefined) text.sample(number);
  };
  return { name, type, help, write };
}

function histogram(
  name: string,
  help: string,
  of: (snapshot: Snapshot) => Parameters<MetricsText["histogram"]>[0],
): Family {
  return { name, type: "histogram", help, write: (text, snapshot) => text.histogram(of(snapshot)) };
}

function perCategory(name: string, help: string, value: (row: CategoryRow) => number): Family {
  return counter(name, help, (text, { traffic }) => {
    for (const [category, row] of traffic.categories.all()) text.sample(value(row), { category });
  });
}

function perPeer(
  name: string,
  type: MetricType,
  help: string,
  value: (peer: PeerMeter) => number | undefined,
): Family {
  const write: Family["write"] = (text, { peers }) => {
    for (const peer of peers) {
      const number = value(peer);
      if (number !== undefined) text.sample(number, { peer: peer.instance });
    }
  };
  return { name, type, help, write };
}

/** For every peer and every category that has a row, so that a lag that ends is seen to be 0. */
function writeLag(text: MetricsText, { peers, traffic: { categories } }: Snapshot): void {
  // Rows first: a category that some peer is the only one to write to has one from then on.
  for (const { behindBytes } of peers) for (const category of behindBytes.keys()) categories.of(category);
  for (const { instance, behindBytes } of peers) {
    let others = 0;
    for (const [category, bytes] of behindBytes) if (!categories.has(category)) others += bytes;
    for (const [category] of categories.all()) {
      const bytes = category === OTHER ? others : behindBytes.get(category) ?? 0;
      text.sample(bytes, { peer: instance, category });
    }
  }
}
