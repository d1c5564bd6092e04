/**
 * The words of `chukcha status`: a node's status for people, as lines of text.
 *
 * @module
 */
import type { NodeStatus, PeerStatus, ScrubStatus } from "../client/mod.ts";
import { formatCount, formatDuration, formatSize, plural } from "../quantities.ts";
import { columns } from "./help.ts";

/** Several lines, without a `\n` behind the last one. */
export function statusReport(found: NodeStatus): string {
  const { instance, version, state, healthy, disk, open } = found;
  const checks = found.checks.map(({ name, ok, message }) => [`${ok ? "ok  " : "FAIL"} ${name}`, message]);
  return [
    `${instance} is ${healthy ? "healthy" : "NOT HEALTHY"} and ${state}`,
    found.promise,
    columns(checks),
    columns(peerRows(found.peers)),
    columns(consumerRows(found.consumers)),
    columns([
      ["version", `${version}, up ${formatDuration(found.uptime_ms)}, incarnation ${found.incarnation}`],
      [
        "stored",
        `${formatSize(found.bytes)} in ${counted(found.chunks, "chunk", "chunks")} of ${
          counted(found.categories, "category", "categories")
        }`,
      ],
      ["disk", `${formatSize(disk.free_bytes)} of ${formatSize(disk.total_bytes)} free at ${disk.path}`],
      ["scrub", scrubRow(found.scrub)],
      ["open", `${open.files} files, ${open.tails} tails, ${formatSize(open.body_bytes)} of bodies`],
    ]),
  ].filter((part) => part !== "").join("\n");
}

/** What looking for rot has come to. */
function scrubRow({ interval_ms, last_round_ms, chunks, damaged, healed, unhealed }: ScrubStatus): string {
  const found = `${formatCount(damaged)} found damaged, ${formatCount(healed)} healed, ${
    formatCount(unhealed)
  } not`;
  if (interval_ms === 0) return `off; ${found}`;
  const round = last_round_ms === null
    ? "first round under way"
    : `last round ended ${new Date(last_round_ms).toISOString()}`;
  return `${counted(chunks, "chunk", "chunks")} looked at, ${round}; ${found}`;
}

/** Who is furthest behind. */
function consumerRows({ count, behind }: NodeStatus["consumers"]): string[][] {
  if (count === 0) return [];
  const rows = behind.map(({ category, consumer, lag_bytes, lag_chunks, leased_bytes }) => [
    consumer,
    category,
    lag_bytes === 0 ? "nothing" : `${formatSize(lag_bytes)} in ${plural(lag_chunks, "chunk")}`,
    leased_bytes === 0 ? "nothing" : formatSize(leased_bytes),
  ]);
  const more = count - behind.length;
  const rest = more === 0 ? [] : [[`and ${formatCount(more)} more: see \`chukcha consumers\``]];
  return [["consumer", "category", "behind", "on lease"], ...rows, ...rest];
}

/** What this node still has to take from each peer, and the peer from it. */
function peerRows(peers: readonly PeerStatus[]): string[][] {
  if (peers.length === 0) return [];
  const rows = peers.map(({ instance, url, reachable, since_ms, last_error, ...peer }) => [
    instance,
    `${reachable ? "reachable" : "UNREACHABLE"} for ${formatDuration(since_ms)}`,
    peer.behind_bytes === 0
      ? "nothing"
      : `${formatSize(peer.behind_bytes)} in ${counted(peer.behind_chunks, "chunk", "chunks")}`,
    peer.lag_bytes === null ? "not told" : peer.lag_bytes === 0 ? "nothing" : formatSize(peer.lag_bytes),
    url,
    last_error ?? "",
  ]);
  const errors = peers.some(({ last_error }) => last_error !== null) ? "last error" : "";
  return [["peer", "", "lacking here", "lacking there", "address", errors], ...rows];
}

function counted(count: number, one: string, many: string): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
