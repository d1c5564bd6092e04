/**
 * A peer across the network: the calls of `Peer` as HTTP requests.
 *
 * Owns: the connections to one peer, the end of every call, and the size of every answer. A call ends as an answer that
 * was judged by `wire.ts`, as the `ChukchaError` that the peer gave, or as a `PeerError` that says for people what was
 * attempted, where, and what happened. It never retries: who polls knows when.
 *
 * Invariants: no call lasts longer than its time. After one that got no answer, no connection is used again that was
 * there before: a name may mean another address by now, which only a new connection asks for.
 *
 * Rejected: HTTP/2 (reused connections can stall for ever), and following redirects (a peer is where the settings say).
 *
 * @module
 */
import { ChukchaError, parseErrorBody, quote } from "../protocol/errors.ts";
import { describeFailure, isUntrusted } from "../protocol/fetch_failure.ts";
import {
  REPLICATION_ANSWER_BYTES_MAX,
  REPLICATION_ERROR_BYTES_MAX,
  REPLICATION_KNOWS_MS,
  REPLICATION_POLL_SLACK_MS,
  REPLICATION_SILENT_MS,
  REPLICATION_TRANSFER_MS,
  REPLICATION_URL_CHARS_MAX,
} from "../protocol/limits.ts";
import type {
  ChangesAnswer,
  ChangesRequest,
  ChunkKnowledge,
  FetchAnswer,
  NodeId,
  Peer,
  Wanted,
} from "./peer.ts";
import { PeerError } from "./peer_error.ts";
import { receive } from "./receive.ts";
import {
  decodeChangesAnswer,
  decodeFetchAnswer,
  decodeKnowledge,
  encodeChangesRequest,
  encodeFetchRequest,
  encodeKnowsRequest,
} from "./wire.ts";
import { WireError } from "./wire_fields.ts";

/** What a node shows to others, and what it wants to see of them; asked before each call, since it may change. */
export interface PeerCredentials {
  /** The cluster token. */
  token(): string | undefined;
  /** Authorities, one PEM each, that their certificates may come from, besides those of the system. */
  authorities(): readonly string[] | undefined;
}

/** Bounds of a {@linkcode PeerClient}. */
export interface PeerClientOptions {
  /** How much longer than its wait a poll may take to be answered. @default REPLICATION_POLL_SLACK_MS */
  readonly pollSlackMs?: number;
  /** How long nothing may arrive of an answer. @default REPLICATION_SILENT_MS */
  readonly silentMs?: number;
  /** How long an answer may take in all. @default REPLICATION_TRANSFER_MS */
  readonly transferMs?: number;
  /** How long an answer of `knows` may take. @default REPLICATION_KNOWS_MS */
  readonly knowsMs?: number;
  /** Largest answer. @default REPLICATION_ANSWER_BYTES_MAX */
  readonly answerBytesMax?: number;
  /** What is shown, and to whom. @default nothing, to those whom the system trusts */
  readonly credentials?: PeerCredentials | undefined;
}

const NO_CREDENTIALS: PeerCredentials = { token: () => undefined, authorities: () => undefined };

/** Why a call ended that was neither answered nor failed. */
const CLOSED = "it was closed here";
const CALLED_OFF = "it was called off here";

interface Call<T> {
  /** For error messages: `poll`. */
  readonly verb: string;
  readonly path: string;
  readonly body: string;
  /** How long until the beginning of the answer. */
  readonly beginMs: number;
  /** How long until its end. */
  readonly wholeMs: number;
  readonly decode: (bytes: Uint8Array) => T;
}

/** Asks one peer. */
export class PeerClient implements Peer {
  readonly instance: string;
  readonly url: string;
  readonly #base: URL;
  readonly #bounds: Required<Omit<PeerClientOptions, "credentials">>;
  readonly #credentials: PeerCredentials;
  readonly #calls = new Set<AbortController>();
  #http: Deno.HttpClient | undefined;
  /** Those that `#http` trusts. */
  #authorities: readonly string[] | undefined;
  #closed = false;

  /**
   * @param instance the name that the settings give it
   * @param url where it is, as in `http://10.0.0.2:8080`
   */
  constructor(instance: string, url: string, { credentials, ...options }: PeerClientOptions = {}) {
    this.instance = instance;
    this.url = url.replace(/\/+$/, "");
    this.#base = parsePeer(this.url);
    this.#credentials = credentials ?? NO_CREDENTIALS;
    this.#bounds = {
      pollSlackMs: REPLICATION_POLL_SLACK_MS,
      silentMs: REPLICATION_SILENT_MS,
      transferMs: REPLICATION_TRANSFER_MS,
      knowsMs: REPLICATION_KNOWS_MS,
      answerBytesMax: REPLICATION_ANSWER_BYTES_MAX,
      ...options,
    };
  }

  changes(request: ChangesRequest, cancel?: AbortSignal): Promise<ChangesAnswer> {
    const beginMs = request.waitMs + this.#bounds.pollSlackMs;
    return this.#call({
      verb: "poll",
      path: "changes",
      body: encodeChangesRequest(request),
      beginMs,
      // A long listing over a slow line is no failure as long as it arrives.
      wholeMs: beginMs + this.#bounds.transferMs,
      decode: decodeChangesAnswer,
    }, cancel);
  }

  fetch(from: NodeId, wanted: readonly Wanted[], bytesMax: number): Promise<FetchAnswer> {
    return this.#call({
      verb: "fetch from",
      path: "fetch",
      body: encodeFetchRequest({ from, wanted, bytesMax }),
      beginMs: this.#bounds.silentMs,
      wholeMs: this.#bounds.transferMs,
      decode: decodeFetchAnswer,
    });
  }

  knows(from: NodeId, category: string, chunk: string): Promise<ChunkKnowledge> {
    return this.#call({
      verb: "ask",
      path: "knows",
      body: encodeKnowsRequest({ from, category, chunk }),
      beginMs: this.#bounds.knowsMs,
      wholeMs: this.#bounds.knowsMs,
      decode: (bytes) => decodeKnowledge(bytes, category, chunk),
    });
  }

  close(): void {
    this.#closed = true;
    this.#calls.forEach((call) => call.abort(CLOSED));
    this.#renew(this.#http);
  }

  async #call<T>(call: Call<T>, cancel?: AbortSignal): Promise<T> {
    const action = `${call.verb} ${this.instance} at ${this.url}`;
    if (this.#closed) throw new PeerError(action, CLOSED);
    if (cancel?.aborted) throw new PeerError(action, CALLED_OFF);
    const http = this.#client();
    const token = this.#credentials.token();
    const ending = new AbortController();
    this.#calls.add(ending);
    const callOff = (): void => ending.abort(CALLED_OFF);
    cancel?.addEventListener("abort", callOff);
    const end = (after: number, what: string) =>
      setTimeout(() => ending.abort(`${what} within ${after} ms`), after);
    const wholeTimer = end(call.wholeMs, "no whole answer");
    let silentTimer = end(call.beginMs, "no answer");
    const progress = (): void => {
      clearTimeout(silentTimer);
      silentTimer = end(this.#bounds.silentMs, "nothing more of the answer");
    };
    try {
      const response = await fetch(new URL(`replication/${call.path}`, this.#base), {
        method: "POST",
        body: call.body,
        // Bytes as they are: who says what is accepted gets it as it came, and is not sent what unpacks without end.
        headers: {
          "content-type": "application/json",
          "accept-encoding": "identity",
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
        redirect: "manual",
        signal: ending.signal,
        client: http,
      });
      progress();
      if (response.status !== 200) throw await refusalOf(action, response, progress);
      return call.decode(await receive(response, this.#bounds.answerBytesMax, progress));
    } catch (error) {
      // An answer that was understood says that the connection is well.
      if (error instanceof ChukchaError) throw error;
      // Also after a call that was called off, since it may have been for its silence. A new client costs 30 µs.
      this.#renew(http);
      // What is aborted says no more than that; its signal has the reason.
      if (ending.signal.aborted) throw new PeerError(action, ending.signal.reason, error);
      if (error instanceof PeerError) throw error;
      throw new PeerError(action, error instanceof WireError ? error.message : reasonOf(error), error);
    } finally {
      clearTimeout(wholeTimer);
      clearTimeout(silentTimer);
      cancel?.removeEventListener("abort", callOff);
      this.#calls.delete(ending);
    }
  }

  /** Connections that trust whom the settings name now. */
  #client(): Deno.HttpClient {
    const authorities = this.#credentials.authorities();
    if (authorities !== this.#authorities) this.#renew(this.#http);
    this.#authorities = authorities;
    return this.#http ??= Deno.createHttpClient({
      http2: false,
      ...(authorities && { caCerts: [...authorities] }),
    });
  }

  /** Lets go of the connections that `http` has; calls that are under way on others of them go on. */
  #renew(http: Deno.HttpClient | undefined): void {
    if (!http || this.#http !== http) return;
    this.#http = undefined;
    http.close();
  }
}

function reasonOf(error: unknown): string {
  const advice = isUntrusted(error) ? "; name the file of that authority with --tls-ca" : "";
  return describeFailure(error) + advice;
}

function parsePeer(url: string): URL {
  const base = url.length <= REPLICATION_URL_CHARS_MAX ? URL.parse(`${url}/`) : null;
  if (base && /^https?:$/.test(base.protocol)) return base;
  throw new ChukchaError(
    "invalid_parameter",
    `peer: ${quote(url)} is not an address like http://10.0.0.2:8080`,
  );
}

/** What a peer, or something in its place, said instead of an answer. */
async function refusalOf(action: string, response: Response, progress: () => void): Promise<Error> {
  let text = "";
  try {
    text = new TextDecoder().decode(await receive(response, REPLICATION_ERROR_BYTES_MAX, progress));
  } catch {
    // The status alone has to do: what breaks off or goes on for ever adds nothing to it.
  }
  const said = text.trim() === "" ? "" : `: ${quote(text.trim())}`;
  const error = parseErrorBody(text);
  // What a door says would be read as this node's own words.
  if (error?.status === 401) return new ChukchaError(error.code, `${action}: it refused: ${error.message}`);
  return error ??
    new PeerError(action, `answered ${response.status}${said}; is this the address of a Chukcha node?`);
}
