/**
 * The guard before the routes: from the `Authorization` header of a request to who calls, or to a refusal.
 *
 * Owns: what the header may look like (`Bearer TOKEN`, or `Basic` with the token as password, whatever the user name),
 * and which of the two kinds of tokens opens what: those of the tokens file never `/replication/…`, the cluster token
 * nothing else. Refuses: tokens anywhere else, as in a URL, where proxies and histories would keep them.
 *
 * Invariant: no token is part of anything that is logged, answered or thrown.
 *
 * A node without tokens has no guard, and pays nothing. With one, a request costs about 1 µs. Hashing a token and
 * comparing it with 1,000 others takes 20 to 30, so headers that were found good are remembered, as many as
 * {@linkcode AUTHORIZATIONS_MAX}, until the file changes. Those that were not are hashed each time: nobody can fill
 * the memory with them. Rejected: a second handler per route as middleware, which sends each request through the
 * router's slower way.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { ChukchaError } from "../protocol/errors.ts";
import { AUTHORIZATION_CHARS_MAX, AUTHORIZATIONS_MAX, TROUBLE_LOG_INTERVAL_MS } from "../protocol/limits.ts";
import type { Log } from "../protocol/log.ts";
import type { Clock } from "../storage/clock.ts";
import { Params } from "./params.ts";
import {
  type Access,
  allows,
  ANYBODY,
  type Caller,
  forbidden,
  type Grant,
  type Right,
  STRANGER,
  unauthenticated,
} from "./rights.ts";
import { type Digest, digestOf } from "./token_digest.ts";
import type { ClusterTokens, TokenList } from "./tokens.ts";

/** Where the tokens that are in force now are found; either may be missing. */
export interface TokenSource {
  readonly tokens: TokenList | undefined;
  readonly clusterTokens: ClusterTokens | undefined;
}

const HOW =
  'send "Authorization: Bearer TOKEN", or Basic with the token as password; who runs this node gives out tokens';
const UNKNOWN = "the token that was sent is not one of this node's; it may have been revoked";
const UNREADABLE = `the Authorization header is neither of the two that are known; ${HOW}`;
const SAME_FILE = "give all nodes the same --cluster-token-file";

/** A token that was found good. */
class Known implements Caller {
  constructor(private readonly source: TokenSource, readonly digest: Digest, readonly grant: Grant) {}

  may(right: Right, category?: string): boolean {
    const { tokens } = this.source;
    // Whoever goes on for long is asked again: the file may have changed meanwhile.
    const grant = tokens === undefined ? this.grant : tokens.find(this.digest);
    return grant !== undefined && allows(grant, right, category);
  }
}

/** Lets requests pass, or not. */
export class Guard {
  readonly #source: TokenSource;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #known = new Map<string, Known>();
  #knownOf: TokenList | undefined;
  #strangersLoggedMs = -Infinity;

  constructor(source: TokenSource, clock: Clock, log: Log) {
    this.#source = source;
    this.#clock = clock;
    this.#log = log;
  }

  /** Who calls. Throws `unauthenticated` or `forbidden` for whoever may not. */
  admit(request: Request, access: Access): Caller {
    if (access === "cluster") return this.#admitNode(request);
    const { tokens } = this.#source;
    if (!tokens) return ANYBODY;
    if (tokens !== this.#knownOf) {
      this.#known.clear();
      this.#knownOf = tokens;
    }
    const header = request.headers.get("authorization");
    const known = header === null ? undefined : this.#known.get(header) ?? this.#lookUp(header, tokens);
    if (access === "open") return known ?? STRANGER;
    if (!known) throw this.#stranger(request, header);
    const { grant } = known;
    const right = access === "listed" ? "read" : access;
    // A request without a category is let through to where it is told that it lacks one.
    const category = access === "read" || access === "write"
      ? Params.of(request.url).text("category")
      : undefined;
    if (!allows(grant, right, category)) throw forbidden(pathOf(request), grant, right, category);
    return known;
  }

  #lookUp(header: string, tokens: TokenList): Known | undefined {
    const token = tokenOf(header);
    if (token === undefined) return undefined;
    const digest = digestOf(token);
    const grant = tokens.find(digest);
    if (!grant) return undefined;
    const known = new Known(this.#source, digest, grant);
    if (this.#known.size >= AUTHORIZATIONS_MAX) this.#known.clear();
    this.#known.set(header, known);
    return known;
  }

  #stranger(request: Request, header: string | null): ChukchaError {
    const path = pathOf(request);
    if (header === null) return unauthenticated(path, `this node asks for a token: ${HOW}`);
    const token = tokenOf(header);
    if (token === undefined) return unauthenticated(path, UNREADABLE);
    if (this.#source.clusterTokens?.accepts(digestOf(token))) {
      return unauthenticated(
        path,
        "the cluster token is for nodes among themselves; use one of --tokens-file",
      );
    }
    return unauthenticated(path, UNKNOWN);
  }

  #admitNode(request: Request): Caller {
    const { clusterTokens } = this.#source;
    if (!clusterTokens) return ANYBODY;
    const header = request.headers.get("authorization");
    const token = header === null ? undefined : tokenOf(header);
    if (token !== undefined && clusterTokens.accepts(digestOf(token))) return ANYBODY;
    const reason = header === null
      ? `no cluster token was sent, and one is asked for here; ${SAME_FILE}`
      : `the cluster token that was sent is not the one asked for here; ${SAME_FILE}`;
    this.#logStranger(reason);
    throw unauthenticated(pathOf(request), reason);
  }

  /** A node that is refused asks again and again. */
  #logStranger(reason: string): void {
    const now = this.#clock.monotonic();
    if (now - this.#strangersLoggedMs < TROUBLE_LOG_INTERVAL_MS) return;
    this.#strangersLoggedMs = now;
    this.#log.warn("another node was refused: nothing is given to it", { reason });
  }
}

/** The token of a header; `undefined` if there is none in it. */
function tokenOf(header: string): string | undefined {
  if (header.length > AUTHORIZATION_CHARS_MAX) return undefined;
  const [, scheme = "", value = ""] = /^(\S+) +(\S+) *$/.exec(header) ?? [];
  if (/^bearer$/i.test(scheme)) return value;
  if (!/^basic$/i.test(scheme)) return undefined;
  const pair = Buffer.from(value, "base64").toString();
  const colon = pair.indexOf(":");
  return colon < 0 || colon + 1 === pair.length ? undefined : pair.slice(colon + 1);
}

/** Without the query, which may be long. */
function pathOf({ url }: Request): string {
  const start = url.indexOf("/", "https://".length);
  return /^[^?#]*/.exec(url.slice(start))![0];
}
