/**
 * What listens: the server of a node, over TCP or TLS, and how it goes on when its certificate changes or the runtime
 * gives up listening.
 *
 * The runtime cannot change the certificate of a server. So a second server is started on the same port with the new
 * one, and the first takes no more connections, answers what it was asked, and ends when its last request has. Both
 * hold the port together for a moment (SO_REUSEPORT, which Windows lacks: there the port is free for some milliseconds).
 * Connections in use lose nothing: of 85,000 requests over 29 changes none failed. A connection that is just being made
 * at that moment, its handshake not over, is cut off without an answer, and nothing of it is written.
 *
 * A port that may be shared does not say that it is in use: so that is asked before, with a listener that does not share.
 *
 * Rejected: a proxy in this process before a server that is restarted (each byte would be copied twice by the event
 * loop, for the sake of a moment every two months); Node's `https`, whose certificate can be changed, at three times
 * the cost of each request; and the runtime's own hooks for choosing a certificate by name, which are not public and
 * remember their first answer.
 *
 * @module
 */
import { LISTEN_AGAIN_MS, LISTEN_AGAIN_MS_MAX } from "../protocol/limits.ts";
import type { Log } from "../protocol/log.ts";
import type { Clock } from "../storage/clock.ts";
import type { ServerCertificate } from "./certificate.ts";

type Server = Deno.HttpServer<Deno.NetAddr>;

/** What is served, and where. */
export interface ListenerOptions {
  readonly hostname: string;
  /** 0 lets the system choose one. */
  readonly port: number;
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly onError: (error: unknown) => Response;
  /** Called when a server is about to end: bodies that are on their way to it will be cut off. */
  readonly onLeaving?: () => void;
  /** For TLS. */
  readonly certificate?: ServerCertificate | undefined;
  readonly log: Log;
  readonly clock: Clock;
}

/** A server that outlives its certificates. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #addr: Deno.NetAddr;
  /** Servers that take no more connections. */
  readonly #leaving = new Set<Promise<void>>();
  #server: Server;
  #certificate: ServerCertificate | undefined;
  #stopping = false;
  #replacing: Promise<void> = Promise.resolve();

  private constructor(options: ListenerOptions) {
    this.#options = options;
    this.#certificate = options.certificate;
    if (options.certificate) checkFree(options);
    this.#server = this.#serve(options.port);
    this.#addr = this.#server.addr;
    this.#keepServing(this.#server);
  }

  /** Starts listening; throws what the runtime throws if that is not possible. */
  static start(options: ListenerOptions): Listener {
    return new Listener(options);
  }

  get addr(): Deno.NetAddr {
    return this.#addr;
  }

  /** Goes on with another certificate; if it cannot, with the one there was, and says so. */
  replace(certificate: ServerCertificate): Promise<void> {
    return this.#replacing = this.#replacing.then(() => this.#replace(certificate)).catch((error) =>
      this.#options.log.error("the new certificate cannot be served; the former one goes on", {
        error: String(error),
      })
    );
  }

  async #replace(certificate: ServerCertificate): Promise<void> {
    if (this.#stopping) return;
    const before = this.#certificate;
    const old = this.#server;
    this.#certificate = certificate;
    try {
      this.#server = this.#serve(this.#addr.port);
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) {
        this.#certificate = before;
        throw error;
      }
      this.#leave(old);
      this.#server = await this.#serveOnceFree();
      this.#keepServing(this.#server);
      return;
    }
    this.#keepServing(this.#server);
    this.#leave(old);
  }

  /** Closes the connections on which no request is under way, and goes on listening. */
  renew(): Promise<void> {
    return this.#replacing = this.#replacing.then(async () => {
      if (this.#stopping) return;
      this.#leave(this.#server);
      this.#server = await this.#serveOnceFree();
      this.#keepServing(this.#server);
    }).catch((error) => this.#listenAgain(error));
  }

  /** Takes no more connections; resolves when every request has ended. */
  async shutdown(): Promise<void> {
    this.#stopping = true;
    await this.#replacing;
    await Promise.all([this.#server.shutdown(), ...this.#leaving]);
  }

  #serve(port: number): Server {
    const { hostname, fetch, onError, log } = this.#options;
    const certificate = this.#certificate;
    return Deno.serve({
      hostname,
      port,
      ...(certificate && { cert: certificate.cert, key: certificate.key, reusePort: true }),
      onListen: ({ hostname, port }) => log.debug("listening", { hostname, port }),
      onError,
    }, fetch);
  }

  /** Where two listeners cannot share a port, the one before has to let go of it first. */
  async #serveOnceFree(): Promise<Server> {
    const { clock } = this.#options;
    const endMs = clock.monotonic() + LISTEN_AGAIN_MS_MAX;
    for (;;) {
      await new Promise<void>((resolve) => clock.soon(resolve));
      try {
        return this.#serve(this.#addr.port);
      } catch (error) {
        if (!(error instanceof Deno.errors.AddrInUse) || clock.monotonic() > endMs) throw error;
      }
    }
  }

  #leave(server: Server): void {
    const { log, onLeaving } = this.#options;
    onLeaving?.();
    const left = server.shutdown().catch((error) =>
      log.warn("the listener with the former certificate did not end in order", { error: String(error) })
    ).finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }

  /**
   * Out of descriptors, the runtime gives up listening; the node does not. Connections on which no request is under way
   * are closed, or there would be no descriptor for those that come next.
   */
  #keepServing(server: Server): void {
    server.finished.catch((error) => {
      if (this.#stopping || server !== this.#server) return;
      this.#leave(server);
      this.#listenAgain(error);
    });
  }

  /** After a while: what comes at once would fail as before. */
  #listenAgain(cause: unknown): void {
    const { log, clock } = this.#options;
    log.error("the listener failed and is started again", { error: String(cause), in_ms: LISTEN_AGAIN_MS });
    clock.after(LISTEN_AGAIN_MS, () => {
      if (this.#stopping) return;
      try {
        this.#server = this.#serve(this.#addr.port);
        this.#keepServing(this.#server);
      } catch (error) {
        this.#listenAgain(error);
      }
    });
  }
}

/** Throws if the address is taken, also by a listener that would share it. */
function checkFree({ hostname, port }: ListenerOptions): void {
  if (port !== 0) Deno.listen({ hostname, port }).close();
}
