/**
 * The other nodes of the cluster, as `--peers` names them: `node_2=http://10.0.0.2:8080,node_3=http://10.0.0.3:8080`.
 *
 * One list can serve every node: whoever finds itself in it leaves itself out. What is kept of a URL is its origin, so
 * that two spellings of one address are one address. Refuses what cannot be meant: a name with two addresses, an address
 * with two names, a path that would be ignored.
 *
 * @module
 */
import { ChukchaError, quote } from "./protocol/errors.ts";
import { isInstance } from "./protocol/names.ts";

/** A node of the cluster, and where it is asked. */
export interface PeerAddress {
  readonly instance: string;
  /** `http://host:port` or `https://host:port`, without a slash at its end. */
  readonly url: string;
}

/** How an entry is written, for error messages. */
export const PEER_RULE = "name=http://host:port, or https, without path, query or credentials";

/**
 * Takes a list of nodes apart. Blanks around entries, an empty entry, and the same entry twice do no harm.
 *
 * @throws ChukchaError `invalid_parameter` naming the entry and the rule
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parsePeers } from "./peers.ts";
 * assertEquals(parsePeers("a=http://10.0.0.1:8080/, b=https://b.example"), [
 *   { instance: "a", url: "http://10.0.0.1:8080" },
 *   { instance: "b", url: "https://b.example" },
 * ]);
 * ```
 */
export function parsePeers(text: string): readonly PeerAddress[] {
  const entries = text.split(",").map((entry) => entry.trim()).filter((entry) => entry !== "");
  const byInstance = new Map<string, PeerAddress>();
  const byUrl = new Map<string, PeerAddress>();
  for (const peer of entries.map(parsePeer)) {
    const { instance, url } = peer;
    const namesake = byInstance.get(instance);
    if (namesake && namesake.url !== url) {
      throw refused(`${quote(instance)} is both ${quote(namesake.url)} and ${quote(url)}: one node, one URL`);
    }
    const neighbour = byUrl.get(url);
    if (neighbour && neighbour.instance !== instance) {
      const both = `${quote(neighbour.instance)} and ${quote(instance)}`;
      throw refused(`${quote(url)} is both ${both}: one URL, one node`);
    }
    byInstance.set(instance, peer);
    byUrl.set(url, peer);
  }
  return [...byInstance.values()];
}

function parsePeer(entry: string): PeerAddress {
  if (/:\/\/[^/?#]*@/.test(entry)) {
    throw refused(
      `an entry has a user or a password in its address: nodes show each other the token of --cluster-token-file`,
    );
  }
  const nameless = /^(?:[^=]*:\/\/|[^=]*$)/.test(entry);
  if (nameless) throw refused(`${quote(entry)} has no name before it: write name=http://host:port`);
  const at = entry.indexOf("=");
  const instance = entry.slice(0, at).trim();
  const address = entry.slice(at + 1).trim();
  if (!isInstance(instance)) {
    throw refused(
      `${quote(entry)}: ${quote(instance)} is not an instance: 1 to 64 of A-Z a-z 0-9 _ -, the first not -`,
    );
  }
  if (!address.includes("://")) {
    throw refused(`${quote(entry)}: ${quote(address)} has no http:// or https:// before it`);
  }
  const url = originOf(address);
  if (url === undefined) throw refused(`${quote(entry)} is not ${PEER_RULE}`);
  return { instance, url };
}

/** The origin that a URL consists of; `undefined` if there is more to it, or less. */
function originOf(address: string): string | undefined {
  const url = URL.parse(address);
  if (!url || !["http:", "https:"].includes(url.protocol)) return undefined;
  // Compared as a whole: a bare "?" or "@" leaves no trace in the parts.
  return url.href === `${url.origin}/` && !/[?#@]/.test(address) ? url.origin : undefined;
}

/** The reverse of {@linkcode parsePeers}. */
export function formatPeers(peers: readonly PeerAddress[]): string {
  return peers.map(({ instance, url }) => `${instance}=${url}`).join(",");
}

/** Whether a host name or address, as URLs and settings write them, is this machine for itself alone. */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[?::1\]?)$/i.test(hostname);
}

function refused(message: string): ChukchaError {
  return new ChukchaError("invalid_parameter", message);
}
