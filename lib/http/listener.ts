/**
 * What listens: the server of a node, over TCP or TLS, and how it goes on when its certificate changes or the runtime
 * gives up listening.
 *
 * The runtime cannot change the certificate of a server. So a second server is started on the same port with the new
 * one; for a second the first one tells its clients with each answer that their connection ends; then it waits for a
 * moment at which no body is on its way, takes no more connections, and ends when its last request has. Both hold the
 * port together meanwhile (SO_REUSEPORT, which Windows lacks: there the port is free for some milliseconds).
 *
 * Requests on connections in use are not lost, small or large; without the word to the clients, and the moment, 3 % of
 * those with 2 MiB were. A connection that is just being made at the end of the first server, its handshake not over, is
 * cut off without an answer, and nothing of it is written.
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
import {
  LISTEN_AGAIN_MS,
  LISTEN_AGAIN_MS_MAX,
  LISTENER_DISMISS_MS,
  LISTENER_GAP_MS_MAX,
} from "../protocol/limits.ts";
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
  /** Resolves at a moment at which no body is on its way. @default now */
  readonly gap?: () => Promise<void>;
  /** Whether two servers may hold one port together. @default all systems but Windows */
  readonly share?: boolean;
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
  /** Tells the clients of `#server`, with their next answers, that their connections end. */
  #dismiss = (): void => {};
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
    await tryOut(certificate);
    const old = this.#server;
    const dismiss = this.#dismiss;
    const before = this.#certificate;
    this.#certificate = certificate;
    try {
      this.#server = this.#serve(this.#addr.port);
      this.#keepServing(this.#server);
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) {
        this.#certificate = before;
        throw error;
      }
      await this.#gap(dismiss);
      this.#leave(old);
      try {
        this.#server = await this.#serveOnceFree();
        this.#keepServing(this.#server);
      } catch (cause) {
        this.#listenAgain(cause);
      }
      return;
    }
    await this.#gap(dismiss);
    this.#leave(old);
  }

  /**
   * A server that ends cuts off bodies that are on their way, and closes connections on which the next request may just
   * have begun: so clients are told first not to send one there, and then a moment without bodies is waited for.
   */
  async #gap(dismiss: () => void): Promise<void> {
    const { gap, clock, log } = this.#options;
    if (!gap) return;
    dismiss();
    await new Promise<void>((resolve) => clock.after(LISTENER_DISMISS_MS, resolve));
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(LISTENER_GAP_MS_MAX, () => {
      log.warn("bodies that are on their way to the listener with the former certificate are cut off");
      resolve();
    });
    await Promise.race([gap(), promise]);
    cancel();
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
    const { hostname, fetch, onError, log, share = Deno.build.os !== "windows" } = this.#options;
    const certificate = this.#certificate;
    let dismissed = false;
    const dismissing = (request: Request) => dismissed ? withClose(fetch(request)) : fetch(request);
    const server = Deno.serve({
      hostname,
      port,
      ...(certificate && { cert: certificate.cert, key: certificate.key, reusePort: share }),
      onListen: ({ hostname, port }) => log.debug("listening", { hostname, port }),
      onError,
    }, certificate ? dismissing : fetch);
    const dismiss = (): void => void (dismissed = true);
    this.#dismiss = dismiss;
    return server;
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

/** The connection ends with this answer. */
async function withClose(answer: Response | Promise<Response>): Promise<Response> {
  const response = await answer;
  response.headers.set("connection", "close");
  return response;
}

/** Rejects if the runtime cannot serve with it: on the node's own port that would be found out too late. */
async function tryOut({ cert, key }: ServerCertificate): Promise<void> {
  await Deno.serve({ hostname: "127.0.0.1", port: 0, cert, key, onListen: () => {} }, () => new Response())
    .shutdown();
}

/** Throws if the address is taken, also by a listener that would share it. */
function checkFree({ hostname, port }: ListenerOptions): void {
  if (port !== 0) Deno.listen({ hostname, port }).close();
}
