/**
 * Everything of a node that decides who may do what, from its files: tokens, the cluster token, the certificate, and
 * the authorities that other nodes' certificates are judged by.
 *
 * Owns: that all of it is read before the node listens, and again when a file changes. Refuses to start with a file
 * that it cannot use; once it runs, such a file changes nothing but `/status` and the log.
 *
 * @module
 */
import type { Log } from "../protocol/log.ts";
import type { HealthCheck } from "../protocol/types.ts";
import type { PeerCredentials } from "../replication/peer_client.ts";
import type { Clock } from "../storage/clock.ts";
import { Guard } from "./auth.ts";
import {
  checkCertificate,
  parseAuthorities,
  parseServerCertificate,
  type ServerCertificate,
} from "./certificate.ts";
import { Reloaded, Reloader } from "./reloaded.ts";
import { type ClusterTokens, parseClusterTokens, parseTokens, type TokenList } from "./tokens.ts";

/** Paths, empty for what there is not. */
export interface SecurityFiles {
  readonly tokensFile: string;
  readonly clusterTokenFile: string;
  readonly tlsCert: string;
  readonly tlsKey: string;
  readonly tlsCa: string;
}

interface Parts {
  readonly tokens: Reloaded<TokenList> | undefined;
  readonly clusterTokens: Reloaded<ClusterTokens> | undefined;
  readonly certificate: Reloaded<ServerCertificate> | undefined;
  readonly authorities: Reloaded<readonly string[]> | undefined;
}

/** Who may do what on this node, as its files say now. */
export class Security {
  readonly #parts: Parts;
  readonly #clock: Clock;
  readonly #reloader: Reloader;
  /** Before the routes; `undefined` if no token is asked for. */
  readonly guard: Guard | undefined;
  /** What this node shows to others, and by whom it lets theirs be vouched for. */
  readonly credentials: PeerCredentials;
  /** Called when other tokens are in force. */
  tokensChanged: () => void = () => {};
  /** Called when another certificate is to be served. */
  certificateChanged: (certificate: ServerCertificate) => void = () => {};

  private constructor(parts: Parts, clock: Clock, log: Log, intervalMs: number | undefined) {
    const { tokens, clusterTokens, authorities } = parts;
    this.#parts = parts;
    this.#clock = clock;
    this.#reloader = new Reloader(this.#files(), clock, log, intervalMs);
    const source = {
      get tokens() {
        return tokens?.value;
      },
      get clusterTokens() {
        return clusterTokens?.value;
      },
    };
    this.guard = tokens || clusterTokens ? new Guard(source, clock, log) : undefined;
    this.credentials = {
      token: () => clusterTokens?.value.own,
      authorities: () => authorities?.value,
    };
  }

  /**
   * Reads all files; rejects with an error for people.
   *
   * @param intervalMs how often they are looked at; `RELOAD_INTERVAL_MS` unless a test is in a hurry
   */
  static async open(
    { tokensFile, clusterTokenFile, tlsCert, tlsKey, tlsCa }: SecurityFiles,
    clock: Clock,
    log: Log,
    intervalMs?: number,
  ): Promise<Security> {
    const tokens = tokensFile === "" ? undefined : await Reloaded.open({
      what: "the tokens file",
      files: [["--tokens-file", tokensFile]],
      parse: (text = "") => parseTokens(text),
      secret: (list) => list.secret ? [tokensFile] : [],
      changed: () => security.tokensChanged(),
    }, log);
    const clusterTokens = clusterTokenFile === "" ? undefined : await Reloaded.open({
      what: "the cluster token",
      files: [["--cluster-token-file", clusterTokenFile]],
      parse: (text = "") => parseClusterTokens(text),
      secret: () => [clusterTokenFile],
    }, log);
    const certificate = tlsCert === "" ? undefined : await Reloaded.open({
      what: "the certificate or its key",
      files: [["--tls-cert", tlsCert], ["--tls-key", tlsKey]],
      parse: (cert = "", key = "") => parseServerCertificate(cert, key),
      secret: () => [tlsKey],
      changed: (value) => security.certificateChanged(value),
    }, log);
    const authorities = tlsCa === "" ? undefined : await Reloaded.open({
      what: "the file of authorities",
      files: [["--tls-ca", tlsCa]],
      parse: (text = "") => parseAuthorities(text),
    }, log);
    const security: Security = new Security(
      { tokens, clusterTokens, certificate, authorities },
      clock,
      log,
      intervalMs,
    );
    return security;
  }

  /** What to serve TLS with; `undefined` if it is not served. */
  get certificate(): ServerCertificate | undefined {
    return this.#parts.certificate?.value;
  }

  /** Whether there is any file to look at. */
  get watches(): boolean {
    return this.#files().length > 0;
  }

  /** For `/status`: each file that is in use. None of it says whether requests may be sent here. */
  checks(): HealthCheck[] {
    const { tokens, clusterTokens, certificate, authorities } = this.#parts;
    return [
      ...checkOf("tokens", tokens, (list) => `${list.count} ${list.count === 1 ? "token" : "tokens"}`),
      ...checkOf("cluster_token", clusterTokens, () => "shown to other nodes, and asked of them"),
      ...checkOf("authorities", authorities, (all) => `${all.length} trusted besides those of the system`),
      ...certificate ? [this.#checkCertificate(certificate)] : [],
    ];
  }

  /** Reads all files again at once. */
  reload(): Promise<void> {
    return this.#reloader.now();
  }

  /** Looks at the files no more. */
  close(): Promise<void> {
    return this.#reloader.close();
  }

  #checkCertificate({ value, trouble }: Reloaded<ServerCertificate>): HealthCheck {
    const { name, ok, message } = checkCertificate(value, this.#clock.now());
    if (trouble === undefined) return { name, ok, message };
    return { name, ok: false, message: `${trouble}; still in use: ${message}` };
  }

  #files(): Reloaded<unknown>[] {
    return Object.values(this.#parts).filter((part) => part !== undefined);
  }
}

function checkOf<T>(
  name: string,
  reloaded: Reloaded<T> | undefined,
  describe: (value: T) => string,
): HealthCheck[] {
  if (!reloaded) return [];
  const { value, trouble } = reloaded;
  if (trouble === undefined) return [{ name, ok: true, message: describe(value) }];
  return [{ name, ok: false, message: `${trouble}; what was read before is in use: ${describe(value)}` }];
}
