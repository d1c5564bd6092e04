/**
 * Stand-ins for the nodes of a cluster, as far as consumers and tails see it (`docs/consumers.md`): one category, whose
 * messages and acks all nodes share at once, leases that each node knows for itself, and faults on demand.
 *
 * @module
 */
import { ChukchaClient, ChukchaError, type ErrorCode, type Nodes } from "../../lib/client/mod.ts";

export const CHUNK = "node-chunk000000000";

/** What happens to one request instead of the usual. */
export type Fault =
  /** It is refused, and does nothing. */
  | { readonly refuse: ErrorCode }
  /** It is carried out, and its answer breaks off after the head. */
  | { readonly cut: true };

/** What all nodes know. */
export class Shared {
  /** Ends of messages, from 0 on. */
  readonly ends: number[] = [0];
  text = "";
  epoch = 0;
  /** Offsets of messages that are acknowledged. */
  readonly acked = new Set<number>();
  /** Resolved, and made anew, when something comes. */
  #news = Promise.withResolvers<void>();

  get news(): Promise<void> {
    return this.#news.promise;
  }

  /** Adds messages, without their `\n`. */
  write(...messages: string[]): void {
    for (const message of messages) {
      this.text += `${message}\n`;
      this.ends.push(this.text.length);
    }
    this.changed();
  }

  /** Moves the consumer to the beginning. */
  seek(): void {
    this.epoch++;
    this.acked.clear();
    this.changed();
  }

  changed(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers<void>();
  }

  /** Whether every message is acknowledged. */
  get isDone(): boolean {
    return this.acked.size === this.ends.length - 1;
  }
}

interface Lease {
  readonly from: number;
  readonly to: number;
  untilMs: number;
}

/** One node. */
export class StandIn implements AsyncDisposable {
  readonly shared: Shared;
  /** Path and query of each request. */
  readonly asked: string[] = [];
  /** The next requests to these paths, in this order. */
  readonly faults: { readonly path: string; readonly fault: Fault }[] = [];
  /** Messages of a batch at most. */
  batchMessages = 2;
  leases: Lease[] = [];
  readonly deliveries = new Map<number, number>();
  readonly client: ChukchaClient;
  readonly #port: number;
  #server: Deno.HttpServer<Deno.NetAddr> | undefined;
  readonly #sockets = new Set<AbortController>();

  constructor(shared: Shared, timeoutMs = 2_000) {
    this.shared = shared;
    this.#server = this.#serve(0);
    this.#port = this.#server.addr.port;
    this.client = new ChukchaClient({ server: `http://127.0.0.1:${this.#port}`, timeoutMs });
  }

  /** Resolves when this holds; looked at whenever a request came or something changed. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await this.#happened.promise;
  }

  #happened = Promise.withResolvers<void>();

  #happens(): void {
    this.#happened.resolve();
    this.#happened = Promise.withResolvers<void>();
  }

  /** Offsets at which pieces that are lent begin. */
  get lent(): number[] {
    const nowMs = performance.now();
    return this.leases.filter(({ untilMs }) => untilMs > nowMs).map(({ from }) => from);
  }

  /** How often a path was asked for. */
  count(path: string): number {
    return this.asked.filter((asked) => asked.split("?")[0] === path).length;
  }

  /** Ends it as a crash does: leases are gone. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.leases = [];
    for (const socket of this.#sockets) socket.abort();
    await server?.shutdown();
  }

  /** Starts it again, at the same address. */
  start(): void {
    this.#server ??= this.#serve(this.#port);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  #serve(port: number): Deno.HttpServer<Deno.NetAddr> {
    return Deno.serve({ port, hostname: "127.0.0.1", onListen() {} }, async (request) => {
      const { pathname, search, searchParams } = new URL(request.url);
      this.asked.push(`${pathname}${search}`);
      const at = this.faults.findIndex(({ path }) => path === pathname);
      const fault = at < 0 ? undefined : this.faults.splice(at, 1)[0]!.fault;
      try {
        if (fault && "refuse" in fault) throw new ChukchaError(fault.refuse, "so it was planned");
        const answering = this.#answer(pathname, (name) => Number(searchParams.get(name) ?? "0"), request);
        this.#happens();
        const response = await answering;
        return fault ? cutOff(response) : response;
      } catch (error) {
        if (!(error instanceof ChukchaError)) throw error;
        return Response.json(error.toBody(), { status: error.status });
      } finally {
        this.#happens();
      }
    });
  }

  #answer(path: string, number: (name: string) => number, request: Request): Response | Promise<Response> {
    if (path === "/readyz") return new Response("ok\n");
    if (path === "/consume") return this.#consume(number, request.signal);
    if (path === "/ack") return this.#ack(number);
    if (path === "/lease") return this.#lease(number);
    throw new ChukchaError("not_found", path);
  }

  async #consume(number: (name: string) => number, left: AbortSignal): Promise<Response> {
    const endMs = performance.now() + number("wait");
    const gone = new AbortController();
    this.#sockets.add(gone);
    const leave = (): void => gone.abort();
    left.addEventListener("abort", leave);
    try {
      for (;;) {
        const from = gone.signal.aborted ? undefined : this.#free();
        if (from !== undefined) return this.#handOut(from, number("lease"));
        const untilMs = Math.min(endMs, ...this.leases.map(({ untilMs }) => untilMs));
        if (gone.signal.aborted || performance.now() >= endMs) return new Response(null, { status: 204 });
        await either(this.shared.news, gone.signal, untilMs - performance.now());
      }
    } finally {
      left.removeEventListener("abort", leave);
      this.#sockets.delete(gone);
    }
  }

  /** The first message that is neither acknowledged nor lent. */
  #free(): number | undefined {
    const nowMs = performance.now();
    this.leases = this.leases.filter(({ untilMs }) => untilMs > nowMs);
    const { ends, acked } = this.shared;
    return ends.slice(0, -1).find((offset) => !acked.has(offset) && !this.#isLent(offset));
  }

  #isLent(offset: number): boolean {
    return this.leases.some(({ from, to }) => offset >= from && offset < to);
  }

  #handOut(from: number, leaseMs: number): Response {
    const { ends, acked, text, epoch } = this.shared;
    const first = ends.indexOf(from);
    let last = first + 1;
    const isNext = (at: number): boolean =>
      at < ends.length - 1 && !acked.has(ends[at]!) && !this.#isLent(ends[at]!);
    while (last - first < this.batchMessages && isNext(last)) last++;
    const to = ends[last]!;
    if (leaseMs > 0) this.leases.push({ from, to, untilMs: performance.now() + leaseMs });
    const deliveries = (this.deliveries.get(from) ?? 0) + 1;
    this.deliveries.set(from, deliveries);
    return new Response(text.slice(from, to), {
      headers: {
        "chukcha-chunk": CHUNK,
        "chukcha-offset": String(from),
        "chukcha-next-offset": String(to),
        "chukcha-epoch": String(epoch),
        "chukcha-deliveries": String(deliveries),
        "chukcha-lease": String(leaseMs),
      },
    });
  }

  #ack(number: (name: string) => number): Response {
    if (number("epoch") !== this.shared.epoch) {
      throw new ChukchaError("position_moved", "the consumer was moved");
    }
    for (const offset of this.shared.ends.slice(0, -1)) {
      if (offset >= number("offset") && offset < number("size")) this.shared.acked.add(offset);
    }
    this.leases = this.leases.filter(({ from }) => from !== number("offset"));
    this.shared.changed();
    return Response.json({});
  }

  #lease(number: (name: string) => number): Response {
    const nowMs = performance.now();
    const lease = this.leases.find(({ from, to, untilMs }) =>
      from === number("offset") && to === number("size") && untilMs > nowMs
    );
    if (!lease) throw new ChukchaError("not_leased", "it is not out");
    lease.untilMs = nowMs + number("lease");
    this.shared.changed();
    return Response.json({});
  }
}

/** Several nodes in this order, those that failed last. */
export class StandInNodes implements Nodes {
  readonly failing = new Set<ChukchaClient>();
  readonly clients: readonly ChukchaClient[];

  constructor(...nodes: StandIn[]) {
    this.clients = nodes.map(({ client }) => client);
  }

  inOrder(): readonly ChukchaClient[] {
    const good = this.clients.filter((client) => !this.failing.has(client));
    return [...good, ...this.clients.filter((client) => this.failing.has(client))];
  }

  failed(client: ChukchaClient): void {
    this.failing.add(client);
  }

  worked(client: ChukchaClient): void {
    this.failing.delete(client);
  }
}

/** The head of an answer, and a body that breaks off. */
function cutOff({ headers, status }: Response): Response {
  const body = new ReadableStream({
    pull: () => Promise.reject(new Error("cut off, as planned")),
  });
  return new Response(body, {
    status,
    headers: { ...Object.fromEntries(headers), "content-length": "1000" },
  });
}

/** Resolves with the first of these. */
async function either(news: Promise<void>, gone: AbortSignal, waitMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.max(0, waitMs));
  gone.addEventListener("abort", () => resolve());
  void news.then(resolve);
  await promise;
  clearTimeout(timer);
}
