/**
 * A stand-in for a node, as far as producers see it: it stores batches, knows again those that come with the same
 * producer and sequence, and fails on demand, down to the bytes of the connection.
 *
 * @module
 */
import { concatenate } from "../../lib/protocol/bytes.ts";
import { ChukchaError, type ErrorCode, type Written } from "../../lib/client/mod.ts";

/** What happens to one write instead of the usual. */
export type WriteFault =
  /** The connection is closed before the body is read, or after; with `stored` after it was stored. */
  | { readonly cut: "before" | "after" | "stored" }
  /** It is refused; `stored` does so after it was stored. */
  | {
    readonly refuse: ErrorCode;
    readonly written?: Written;
    readonly stored?: true;
    readonly retryAfterS?: number;
  }
  /** Something that is no node answers. */
  | { readonly status: number; readonly text: string }
  /** Nothing is answered before this resolves. */
  | { readonly until: Promise<void> };

interface Known {
  readonly offset: number;
  readonly text: string;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** One node. */
export class WriteStandIn implements AsyncDisposable {
  /** What was stored, batch by batch. */
  readonly batches: string[] = [];
  /** The query of every write. */
  readonly asked: URLSearchParams[] = [];
  /** For the next writes, one by one. */
  readonly faults: WriteFault[] = [];
  /** Limits as a node has them. */
  batchBytesMax = 4 * 1024 * 1024;
  messageBytesMax = 1024 * 1024;
  readonly #known = new Map<string, Known>();
  readonly #port: number;
  #listener: Deno.TcpListener | undefined;
  readonly #connections = new Set<Deno.TcpConn>();
  #serving: Promise<unknown> = Promise.resolve();
  #happened = Promise.withResolvers<void>();
  #size = 0;

  constructor(private readonly name = "node") {
    this.#listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    this.#port = this.#listener.addr.port;
    this.#serving = this.#accept(this.#listener);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** All messages that are stored. */
  get lines(): string[] {
    return this.batches.flatMap((batch) => batch.split("\n").slice(0, -1));
  }

  /** Resolves when this holds; looked at with each write. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await this.#happened.promise;
  }

  /** Ends it as a crash does; what it stored stays. */
  async kill(): Promise<void> {
    this.#listener?.close();
    this.#listener = undefined;
    for (const connection of this.#connections) close(connection);
    await this.#serving;
  }

  /** Starts it again, at the same address. */
  start(): void {
    this.#listener = Deno.listen({ port: this.#port, hostname: "127.0.0.1" });
    this.#serving = this.#accept(this.#listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  async #accept(listener: Deno.TcpListener): Promise<void> {
    const all: Promise<void>[] = [];
    try {
      for await (const connection of listener) all.push(this.#serve(connection));
    } finally {
      await Promise.all(all);
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    this.#connections.add(connection);
    const reader = new RequestReader(connection);
    try {
      for (let head = await reader.head(); head; head = await reader.head()) {
        const answer = await this.#answer(head, reader);
        if (!answer) return;
        await writeAll(connection, encoder.encode(answer));
      }
    } catch (error) {
      if (!isGone(error)) throw error;
    } finally {
      this.#connections.delete(connection);
      close(connection);
      this.#happens();
    }
  }

  #happens(): void {
    this.#happened.resolve();
    this.#happened = Promise.withResolvers<void>();
  }

  /** `undefined` closes the connection. */
  async #answer(head: string, reader: RequestReader): Promise<string | undefined> {
    const url = new URL(head.split(" ", 2)[1]!, this.url);
    if (url.pathname === "/readyz") return answerOf(200, "ok\n");
    this.asked.push(url.searchParams);
    const fault = this.faults.shift();
    try {
      if (fault && "cut" in fault && fault.cut === "before") return undefined;
      const body = await reader.body(Number(/^content-length: (\d+)/im.exec(head)![1]));
      this.#happens();
      if (fault && "until" in fault) await fault.until;
      if (fault && "cut" in fault && fault.cut === "after") return undefined;
      if (fault && "status" in fault) return answerOf(fault.status, fault.text);
      if (fault && "refuse" in fault && !fault.stored) return refusalOf(fault);
      const text = decoder.decode(body);
      const refusal = this.#judge(body);
      if (refusal) return refusalOf({ refuse: refusal });
      const offset = this.#store(url.searchParams, text);
      if (fault && "cut" in fault) return undefined;
      if (fault && "refuse" in fault) return refusalOf(fault);
      const place = { chunk: `${this.name}-chunk000000000`, offset, size: body.length };
      return answerOf(200, JSON.stringify(place), "content-type: application/json\r\n");
    } finally {
      this.#happens();
    }
  }

  #judge(body: Uint8Array): ErrorCode | undefined {
    const lines = decoder.decode(body).split("\n");
    const longest = Math.max(...lines.map((line) => encoder.encode(line).length));
    return body.length > this.batchBytesMax || longest > this.messageBytesMax ? "too_large" : undefined;
  }

  #store(query: URLSearchParams, text: string): number {
    const key = `${query.get("producer")} ${query.get("sequence")}`;
    const known = this.#known.get(key);
    if (known?.text === text) return known.offset;
    if (known) throw new Error(`${key} was used for ${known.text} before ${text}`);
    const offset = this.#size;
    this.#known.set(key, { offset, text });
    this.batches.push(text);
    this.#size += encoder.encode(text).length;
    return offset;
  }
}

/** Takes requests apart. */
class RequestReader {
  #rest = new Uint8Array(0);

  constructor(private readonly connection: Deno.TcpConn) {}

  /** `undefined` at the end. */
  async head(): Promise<string | undefined> {
    for (;;) {
      const text = decoder.decode(this.#rest);
      const end = text.indexOf("\r\n\r\n");
      if (end >= 0) {
        this.#rest = this.#rest.slice(end + 4);
        return text.slice(0, end);
      }
      if (!await this.#more()) return undefined;
    }
  }

  async body(size: number): Promise<Uint8Array> {
    while (this.#rest.length < size) {
      if (!await this.#more()) throw new Deno.errors.UnexpectedEof("the body is cut off");
    }
    const body = this.#rest.slice(0, size);
    this.#rest = this.#rest.slice(size);
    return body;
  }

  async #more(): Promise<boolean> {
    const buffer = new Uint8Array(65_536);
    const count = await this.connection.read(buffer);
    if (count === null) return false;
    this.#rest = concatenate([this.#rest, buffer.subarray(0, count)]) as Uint8Array<ArrayBuffer>;
    return true;
  }
}

function refusalOf(fault: Extract<WriteFault, { refuse: ErrorCode }>): string {
  const { refuse, written = "no", retryAfterS } = fault;
  const error = new ChukchaError(refuse, "so it was planned", { written });
  const after = retryAfterS === undefined ? "" : `retry-after: ${retryAfterS}\r\n`;
  return answerOf(error.status, JSON.stringify(error.toBody()), after);
}

function answerOf(status: number, body: string, headers = ""): string {
  return `HTTP/1.1 ${status} status\r\n${headers}content-length: ${
    encoder.encode(body).length
  }\r\n\r\n${body}`;
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/** Whether the other side left, or the connection was closed here. */
function isGone(error: unknown): boolean {
  return [
    Deno.errors.BadResource,
    Deno.errors.ConnectionReset,
    Deno.errors.BrokenPipe,
    Deno.errors.Interrupted,
    Deno.errors.UnexpectedEof,
  ].some((kind) => error instanceof kind);
}
