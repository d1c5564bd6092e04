/**
 * A TCP proxy inside of a test: the way from one client to one server, with faults that are switched while it runs.
 *
 * What passes is counted, so that a test can say what an idle cluster sends. Bytes are never lost from the middle of a
 * stream, as they are not on a network: what is held back goes on later, or its connection ends.
 *
 * @module
 */

/** A direction of the byte stream, seen from who connects. */
export type Way = "request" | "response";

/** What becomes of the bytes. */
export type Fault =
  /** They pass. */
  | { readonly kind: "pass" }
  /** Connections are closed, the open ones and each new one at once: as if nothing listened. */
  | { readonly kind: "drop" }
  /** Connections stay open and nothing passes, in one direction or both: as behind a cable that was cut. */
  | { readonly kind: "hang"; readonly way?: Way }
  /** Each read is passed on this much later. */
  | { readonly kind: "delay"; readonly ms: number; readonly way?: Way }
  /** Each connection is closed behind byte `at` of its responses, counted from now on. */
  | { readonly kind: "cut"; readonly at: number }
  /** One bit of byte `at` of the responses of each connection is flipped, counted from now on. */
  | { readonly kind: "corrupt"; readonly at: number }
  /** As many bytes a second, each way of each connection. */
  | { readonly kind: "throttle"; readonly bytesPerSecond: number };

const PASS: Fault = { kind: "pass" };
const BUFFER_BYTES = 65_536;
/** A throttled connection passes this many parts a second. */
const THROTTLE_STEPS = 20;

interface Link {
  /** Since the fault was set. */
  responseBytes: number;
  close(): void;
}

/** A listener that passes on to a port of this machine. */
export class Proxy implements AsyncDisposable {
  readonly port: number;
  /** Without a slash at its end. */
  readonly url: string;
  /** Bytes that were passed on, and connections that were taken. */
  readonly passed = { request: 0, response: 0, connections: 0 };
  /** How many times the present fault has cut or damaged an answer. */
  harmed = 0;
  readonly #listener: Deno.TcpListener;
  readonly #running = new Set<Promise<void>>();
  readonly #links = new Set<Link>();
  #fault: Fault = PASS;
  /** Resolves when the fault changes, or at the end. */
  #changed = Promise.withResolvers<void>();
  #closed = false;
  readonly #accepting: Promise<void>;

  private constructor(listener: Deno.TcpListener, private readonly target: Deno.ConnectOptions) {
    this.#listener = listener;
    this.port = listener.addr.port;
    this.url = `http://127.0.0.1:${this.port}`;
    this.#accepting = this.#accept();
  }

  /** Listens on a free port; whether anyone listens on the other side is seen with each connection. */
  static start(port: number): Proxy {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    return new Proxy(listener, { hostname: "127.0.0.1", port });
  }

  get fault(): Fault {
    return this.#fault;
  }

  /** From now on, for connections that are open too. */
  set(fault: Fault): void {
    this.#fault = fault;
    this.harmed = 0;
    for (const link of this.#links) {
      link.responseBytes = 0;
      if (fault.kind === "drop") link.close();
    }
    this.#wake();
  }

  /** Lets everything pass. */
  heal(): void {
    this.set(PASS);
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#links.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#listener.close();
    this.#links.forEach((link) => link.close());
    this.#wake();
    await this.#accepting;
    await Promise.all(this.#running);
  }

  #wake(): void {
    const changed = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    changed.resolve();
  }

  async #accept(): Promise<void> {
    for (;;) {
      let client: Deno.TcpConn;
      try {
        client = await this.#listener.accept();
      } catch (error) {
        if (this.#closed) return;
        throw error;
      }
      if (this.#fault.kind === "drop") {
        client.close();
        continue;
      }
      const running = this.#serve(client).finally(() => this.#running.delete(running));
      this.#running.add(running);
    }
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    this.passed.connections++;
    let server: Deno.TcpConn | undefined;
    const link: Link = {
      responseBytes: 0,
      close: () => {
        if (!this.#links.delete(link)) return;
        closeQuietly(client);
        if (server) closeQuietly(server);
      },
    };
    this.#links.add(link);
    try {
      server = await Deno.connect(this.target);
    } catch {
      return link.close();
    }
    if (!this.#links.has(link)) return closeQuietly(server);
    client.setNoDelay();
    server.setNoDelay();
    await Promise.all([
      this.#pump(link, "request", client, server),
      this.#pump(link, "response", server, client),
    ]);
    link.close();
  }

  async #pump(link: Link, way: Way, from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(BUFFER_BYTES);
    try {
      for (;;) {
        const fault = this.#fault;
        const most = fault.kind === "throttle"
          ? Math.min(BUFFER_BYTES, Math.max(1, Math.floor(fault.bytesPerSecond / THROTTLE_STEPS)))
          : BUFFER_BYTES;
        const count = await from.read(buffer.subarray(0, most));
        await this.#held(link, way);
        if (count === null) break;
        if (!await this.#pass(link, way, buffer.subarray(0, count), to)) return link.close();
      }
      await to.closeWrite();
    } catch {
      // Either side has ended the connection: so does the other.
      link.close();
    }
  }

  /** Resolves when bytes of this direction may pass. */
  async #held(link: Link, way: Way): Promise<void> {
    while (this.#links.has(link) && this.#fault.kind === "hang" && (this.#fault.way ?? way) === way) {
      await this.#changed.promise;
    }
  }

  /** Passes bytes on as the fault wants it; `false` if the connection is to end. */
  async #pass(link: Link, way: Way, bytes: Uint8Array, to: Deno.TcpConn): Promise<boolean> {
    const fault = this.#fault;
    let part = bytes;
    let goesOn = true;
    if (way === "response" && fault.kind === "cut") {
      part = bytes.subarray(0, Math.max(0, fault.at - link.responseBytes));
      goesOn = part.length === bytes.length;
      if (!goesOn) this.harmed++;
    }
    if (way === "response" && fault.kind === "corrupt") {
      const at = fault.at - link.responseBytes;
      if (at >= 0 && at < part.length) {
        part[at]! ^= 1;
        this.harmed++;
      }
    }
    if (fault.kind === "delay" && (fault.way ?? way) === way) await this.#pause(fault.ms);
    if (fault.kind === "throttle") await this.#pause(part.length / fault.bytesPerSecond * 1000);
    for (let at = 0; at < part.length;) at += await to.write(part.subarray(at));
    if (way === "response") link.responseBytes += part.length;
    this.passed[way] += part.length;
    return goesOn;
  }

  /** As long, or until the fault changes. */
  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    await Promise.race([promise, this.#changed.promise]);
    clearTimeout(timer);
  }
}

function closeQuietly(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
