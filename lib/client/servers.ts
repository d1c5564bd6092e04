/**
 * The nodes that a program was told of, and which of them to ask first.
 *
 * Every node takes and gives everything, so the choice is free, and two things are made of it: all who use one key begin at
 * the same node (rendezvous hashing: each node is weighed with the key, the heaviest comes first, so that one node more or
 * less moves only the keys that are its own), and a node that failed comes last for a while. That while doubles with each
 * failure, and ends by itself: then the node is back in its place, and whoever asks it next finds out.
 *
 * Weights depend on the key and the node's address, and on nothing else: programs that are to meet at one node have to name
 * it by the same address (`localhost` and `127.0.0.1` are two). How they are computed must never change, or old and new programs part.
 *
 * Rejected: asking nodes in the background how they are (requests that nobody needs, a timer to end, and what was fine a
 * second ago says little).
 *
 * @module
 */
import { ChukchaError } from "../protocol/errors.ts";
import { CLIENT_REST_MS_MAX, CLIENT_REST_MS_MIN } from "../protocol/limits.ts";
import { ChukchaClient, SERVER_DEFAULT } from "./client.ts";
import type { ClientOptions } from "./options.ts";
import type { Nodes } from "./route.ts";

/** What is needed to reach several nodes. */
export interface ServersOptions extends Omit<ClientOptions, "server"> {
  /**
   * Addresses of nodes of one cluster, in any order; one that is named twice counts once.
   *
   * @default "http://127.0.0.1:8080"
   */
  readonly servers?: string | URL | readonly (string | URL)[];
}

interface Server {
  readonly client: ChukchaClient;
  readonly address: string;
  /** Failures since it last worked. */
  failures: number;
  /** It comes last before this moment. */
  restsUntilMs: number;
}

/**
 * The nodes of one cluster, in the order in which they should be asked. `connect` makes it; what needs a choice of its
 * own uses it too.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Servers } from "./mod.ts";
 *
 * const servers = new Servers({ servers: ["http://10.0.0.1:8080", "http://10.0.0.2:8080"] });
 * const order = servers.inOrder("web/indexer");
 * assertEquals(servers.inOrder("web/indexer"), order);
 *
 * servers.failed(order[0]!);
 * assertEquals(servers.inOrder("web/indexer"), order.toReversed());
 * servers.worked(order[0]!);
 * assertEquals(servers.inOrder("web/indexer"), order);
 * ```
 */
export class Servers implements Nodes {
  /** One for each node, in the order in which they were named. */
  readonly clients: readonly ChukchaClient[];
  readonly #servers = new Map<ChukchaClient, Server>();

  /**
   * Nothing is sent yet.
   *
   * @param options addresses of the nodes, and how to reach them
   * @throws ChukchaError `invalid_parameter` if there is no address, or one of them is none
   */
  constructor(options: ServersOptions = {}) {
    const { servers = SERVER_DEFAULT, ...rest } = options;
    const named = typeof servers === "string" || servers instanceof URL ? [servers] : servers;
    if (named.length === 0) {
      throw new ChukchaError("invalid_parameter", "servers: the list is empty; name at least one node");
    }
    const known = new Set<string>();
    for (const server of named) {
      const client = new ChukchaClient({ ...rest, server });
      const address = new URL(server).href.replace(/\/+$/, "");
      if (known.has(address)) continue;
      known.add(address);
      this.#servers.set(client, { client, address, failures: 0, restsUntilMs: 0 });
    }
    this.clients = [...this.#servers.keys()];
  }

  /**
   * All nodes in order of preference for a key; those that failed lately come last, the one that will be back soonest
   * first.
   *
   * @param key who asks with the same one begins at the same node
   */
  inOrder(key: string): readonly ChukchaClient[] {
    const nowMs = performance.now();
    return Array.from(this.#servers.values(), ({ client, address, restsUntilMs }) => ({
      client,
      restsUntilMs: restsUntilMs > nowMs ? restsUntilMs : 0,
      weight: weigh(key, address),
    })).sort((a, b) => a.restsUntilMs - b.restsUntilMs || b.weight - a.weight).map(({ client }) => client);
  }

  /**
   * A node could not be asked, or said that it cannot do it now: it comes last, at first for a second, and for longer if
   * that goes on.
   *
   * @param client one of `clients`
   */
  failed(client: ChukchaClient): void {
    const server = this.#servers.get(client);
    if (!server) return;
    const nowMs = performance.now();
    // Requests that fail together are one failure.
    if (server.restsUntilMs > nowMs) return;
    const restMs = Math.min(CLIENT_REST_MS_MAX, CLIENT_REST_MS_MIN * 2 ** Math.min(server.failures++, 30));
    server.restsUntilMs = nowMs + restMs;
  }

  /**
   * A node answered: it is back in its place.
   *
   * @param client one of `clients`
   */
  worked(client: ChukchaClient): void {
    const server = this.#servers.get(client);
    if (!server || server.failures === 0) return;
    server.failures = 0;
    server.restsUntilMs = 0;
  }
}

/** FNV-1a over UTF-16 units, and the finalizer of MurmurHash3, without which addresses that differ in the end weigh alike. */
function weigh(key: string, address: string): number {
  const text = `${key}\n${address}`;
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}
