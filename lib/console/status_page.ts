/**
 * `/status` for people: the answer of `GET /status` as one HTML page.
 *
 * Owns: how a node's status looks in a browser. Needs nothing but itself: no scripts, no files, no other hosts, so it
 * can be sent with `default-src 'none'; style-src 'unsafe-inline'; img-src data:`. It asks for itself again every few
 * seconds.
 *
 * Invariant: every text of the status is escaped, wherever it goes.
 *
 * @module
 */
import type { ConsumerLag, HealthCheck, NodeStatus, PeerStatus } from "../protocol/types.ts";
import { STYLE } from "./status_style.ts";

const REFRESH_S = 5;
const ICON = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E" +
  "%3Cpath d='M1 2h6M1 4h6M1 6h4' stroke='%232f5fd0'/%3E%3C/svg%3E";

/** The page, as a whole HTML document. */
export function renderStatusPage(status: NodeStatus): string {
  const { instance, incarnation, version, promise, checks, disk, open, scrub, settings } = status;
  const state = stateOf(status);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${REFRESH_S}">
<title>${escapeHtml(`${instance}: ${state.text} - Chukcha`)}</title>
<link rel="icon" href="${ICON}">
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escapeHtml(instance)}</h1>
${badge(state)}
<p>Chukcha ${escapeHtml(version)}, up ${escapeHtml(duration(status.uptime_ms))}, incarnation ${
    escapeHtml(incarnation)
  }</p>
</header>
<main>
<section class="promise"><h2>What the settings survive</h2><p>${escapeHtml(promise)}</p></section>
<section><h2>Checks</h2><ul class="checks">
${checks.map(check).join("\n")}
</ul></section>
${peerSection(status.peers)}<section><h2>Stored</h2>${
    tiles([
      ["Categories", status.categories.toLocaleString("en")],
      ["Chunks", status.chunks.toLocaleString("en")],
      ["Messages", size(status.bytes)],
    ])
  }</section>
${consumerSection(status.consumers)}<section><h2>Looking for rot</h2>${
    tiles([
      ["Chunks looked at", scrub.chunks.toLocaleString("en")],
      ["Found damaged", scrub.damaged.toLocaleString("en")],
      ["Healed", scrub.healed.toLocaleString("en")],
      ["Damaged now", scrub.unhealed.toLocaleString("en")],
    ])
  }</section>
<section><h2>Disk</h2>
${bar(disk.total_bytes - disk.free_bytes, disk.total_bytes)}
<p class="note">${
    escapeHtml(`${size(disk.free_bytes)} of ${size(disk.total_bytes)} free, ${disk.path}`)
  }</p></section>
<section><h2>Open now</h2>${
    tiles([
      ["Files", open.files.toLocaleString("en")],
      ["Tails", open.tails.toLocaleString("en")],
      ["Bodies in memory", size(open.body_bytes)],
    ])
  }</section>
<section><h2>Settings</h2><table>
${
    Object.entries(settings).map(([name, value]) =>
      `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(String(value))}</td></tr>`
    ).join("\n")
  }
</table></section>
</main>
<footer>The same for programs: <code>curl</code> this address. All calls: <a href="openapi.json">openapi.json</a>.</footer>
</body>
</html>
`;
}

interface State {
  readonly kind: "good" | "bad" | "wait";
  readonly text: string;
}

/** A node that begins or ends says so first: what fails then is expected to. */
function stateOf({ state, healthy }: NodeStatus): State {
  if (state !== "serving") return { kind: "wait", text: state };
  return healthy ? { kind: "good", text: "healthy" } : { kind: "bad", text: "needs attention" };
}

function badge({ kind, text }: State): string {
  return `<span class="badge ${kind}">${escapeHtml(text)}</span>`;
}

function check({ name, ok, message }: HealthCheck): string {
  const state: State = ok ? { kind: "good", text: "ok" } : { kind: "bad", text: "failed" };
  return `<li>${badge(state)}<div><strong>${escapeHtml(name)}</strong><p>${
    escapeHtml(message)
  }</p></div></li>`;
}

/** Nothing for a node that is alone. */
function peerSection(peers: readonly PeerStatus[]): string {
  if (peers.length === 0) return "";
  const head = ["Peer", "", "Lacking here", "Lacking there"].map((name) => `<th scope="col">${name}</th>`);
  return `<section><h2>Peers</h2><table class="peers">
<thead><tr>${head.join("")}</tr></thead>
<tbody>
${peers.map(peerRow).join("\n")}
</tbody>
</table>
<p class="note">Lacking here: what this node has still to take from the peer. Lacking there: what the peer said it has
still to take from this node.</p></section>
`;
}

function peerRow({ instance, url, reachable, since_ms, last_error, ...peer }: PeerStatus): string {
  const state: State = reachable
    ? { kind: "good", text: `reachable for ${duration(since_ms)}` }
    : { kind: "bad", text: `unreachable for ${duration(since_ms)}` };
  const chunks = `${peer.behind_chunks.toLocaleString("en")} chunk${peer.behind_chunks === 1 ? "" : "s"}`;
  const here = peer.behind_bytes === 0 ? "nothing" : `${size(peer.behind_bytes)} in ${chunks}`;
  const there = peer.lag_bytes === null
    ? "not told"
    : peer.lag_bytes === 0
    ? "nothing"
    : size(peer.lag_bytes);
  const error = last_error === null ? "" : `<p class="note">${escapeHtml(last_error)}</p>`;
  return `<tr><th scope="row"><strong>${escapeHtml(instance)}</strong> <span>${
    escapeHtml(url)
  }</span></th><td>${
    badge(state)
  }${error}</td><td data-name="Lacking here">${here}</td><td data-name="Lacking there">${there}</td></tr>`;
}

/** Nothing where nobody reads as a consumer. */
function consumerSection({ count, behind }: NodeStatus["consumers"]): string {
  if (count === 0) return "";
  const head = ["Consumer", "Category", "Behind", "On lease"].map((name) => `<th scope="col">${name}</th>`);
  const more = count - behind.length;
  const note = more === 0
    ? "Behind: readable messages of this node that the consumer has not acknowledged."
    : `The ${behind.length} of ${
      count.toLocaleString("en")
    } that are furthest behind; <code>chukcha consumers</code> has all.`;
  return `<section><h2>Consumers</h2><table class="peers">
<thead><tr>${head.join("")}</tr></thead>
<tbody>
${behind.map(consumerRow).join("\n")}
</tbody>
</table>
<p class="note">${note}</p></section>
`;
}

function consumerRow({ category, consumer, lag_bytes, lag_chunks, leased_bytes }: ConsumerLag): string {
  const chunks = `${lag_chunks.toLocaleString("en")} chunk${lag_chunks === 1 ? "" : "s"}`;
  const behind = lag_bytes === 0 ? "nothing" : `${size(lag_bytes)} in ${chunks}`;
  const leased = leased_bytes === 0 ? "nothing" : size(leased_bytes);
  return `<tr><th scope="row"><strong>${escapeHtml(consumer)}</strong></th><td data-name="Category">${
    escapeHtml(category)
  }</td><td data-name="Behind">${behind}</td><td data-name="On lease">${leased}</td></tr>`;
}

function tiles(pairs: readonly (readonly [name: string, value: string])[]): string {
  const inner = pairs.map(([name, value]) =>
    `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`
  );
  return `<dl class="tiles">${inner.join("")}</dl>`;
}

function bar(used: number, total: number): string {
  const percent = total > 0 ? Math.round(Math.min(Math.max(used / total, 0), 1) * 100) : 0;
  return `<div class="bar" role="img" aria-label="${percent} % used"><div style="width:${percent}%"></div></div>`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

function size(bytes: number): string {
  const exponent = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  const value = bytes / 1024 ** exponent;
  return `${exponent === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[exponent]}`;
}

function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
  return `${Math.floor(seconds / 86_400)} days`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
